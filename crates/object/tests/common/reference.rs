//! What `read_body` should keep, said once more the slow way, over a tree.

use kausal_object::redact::rules::{self, Secret};
use kausal_object::{BodyContext, redact_message};
use serde_json::{Map, Value};

/// What stands where a secret stood.
pub const MASK: &str = "<secret>";

#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Plain,
    Metadata,
    Secret,
    All,
}

/// The body without what is cut, and with [`MASK`] for every secret.
pub fn kept(body: &Value, cx: &BodyContext<'_>) -> Value {
    let kind = body["kind"].as_str().unwrap_or_default();
    let of_secrets = cx.key.resource == "secrets" && cx.key.group.is_empty();
    let answer = kind.ends_with("List")
        || ["Status", "DeleteOptions", "PartialObjectMetadata", "Table", "Scale", "Binding"]
            .contains(&kind)
        || ["Eviction", "TokenRequest"].contains(&kind);
    let mode = if kind == "Secret" || (of_secrets && !answer) { Mode::Secret } else { Mode::Plain };
    let path_kind = rules::SECRET_PATHS
        .iter()
        .find(|rule| rule.request == (cx.key.resource, cx.subresource))
        .map_or(kind, |rule| rule.kind);
    let reference =
        Reference { cx, of_secrets, list: path_kind.ends_with("List"), kind: path_kind };
    let items_secret = of_secrets || kind == "SecretList";
    reference.object(body.as_object().unwrap(), &[], mode, items_secret)
}

struct Reference<'a> {
    cx: &'a BodyContext<'a>,
    of_secrets: bool,
    list: bool,
    kind: &'a str,
}

impl Reference<'_> {
    fn object(
        &self,
        object: &Map<String, Value>,
        path: &[&str],
        mode: Mode,
        items_secret: bool,
    ) -> Value {
        let secret_name =
            object.get("name").and_then(Value::as_str).is_some_and(rules::is_secret_name);
        let is_secret = object.get("kind").and_then(Value::as_str) == Some("Secret");
        let mut kept = Map::new();
        for (key, value) in object {
            let copy = rules::COPY_KEYS.iter().any(|end| key.ends_with(end));
            if copy || (mode == Mode::Metadata && key == "managedFields") {
                continue;
            }
            let below: Vec<&str> = path.iter().copied().chain([key.as_str()]).collect();
            let secret = match mode {
                Mode::All => true,
                Mode::Secret => {
                    let harmless = rules::SECRET_PLAIN_MEMBERS.contains(&key.as_str());
                    let metadata = key == "metadata" && value.is_object();
                    !(metadata
                        || key == "$patch"
                        || (harmless && !value.is_object() && !value.is_array()))
                }
                _ => {
                    let of_data = rules::SECRET_DATA_MEMBERS.contains(&key.as_str());
                    let url = value.as_str().is_some_and(rules::holds_url_password);
                    (of_data && (self.of_secrets || is_secret))
                        || (key == "value" && (secret_name || url))
                        || self.secret_by_place(&below.join("."))
                }
            };
            let value = if secret {
                self.value(value, &below, Mode::All)
            } else if key == "items"
                && path.is_empty()
                && self.list
                && value.is_array()
                && mode != Mode::Secret
            {
                self.items(value, items_secret)
            } else if mode != Mode::Secret
                && rules::MESSAGE_MEMBERS.contains(&key.as_str())
                && value.is_string()
            {
                self.message(value)
            } else {
                let mode = if key == "metadata" { Mode::Metadata } else { Mode::Plain };
                self.value(value, &below, mode)
            };
            kept.insert(key.clone(), value);
        }
        Value::Object(kept)
    }

    fn value(&self, value: &Value, path: &[&str], mode: Mode) -> Value {
        match value {
            Value::Object(object) => self.object(object, path, mode, false),
            Value::Array(list) => {
                let below: Vec<&str> = path.iter().copied().chain(["*"]).collect();
                let mode = if mode == Mode::All { mode } else { Mode::Plain };
                list.iter().map(|value| self.value(value, &below, mode)).collect()
            }
            Value::Null => Value::Null,
            _ if mode == Mode::All => Value::from(MASK),
            other => other.clone(),
        }
    }

    fn items(&self, items: &Value, secret: bool) -> Value {
        let item = |item: &Value| match item {
            Value::Object(object) => {
                let secret = secret || item["kind"] == "Secret";
                let mode = if secret { Mode::Secret } else { Mode::Plain };
                self.object(object, &["items", "*"], mode, false)
            }
            other => self.value(other, &["items", "*"], Mode::All),
        };
        items.as_array().unwrap().iter().map(item).collect()
    }

    fn message(&self, value: &Value) -> Value {
        let mut out = String::new();
        redact_message(value.as_str().unwrap(), self.cx, &mut out);
        Value::from(super::masked(&out))
    }

    fn secret_by_place(&self, path: &str) -> bool {
        let mut rules = rules::SECRET_PATHS.iter().filter(|rule| rule.kind == self.kind);
        rules.any(|rule| rule.secret == Secret::Value && rule.path == path)
    }
}
