//! Marked secrets, each in an audit event of its own, along every way a secret can come.

use std::fmt::Write;

use kausal_testkit::event::{Target, request, text};
use serde_json::{Value, json};

/// Longest body that is stored; a longer one is left out.
const BODY_BYTES_MAX: usize = 256 * 1024;
/// Largest event that is read at all.
const EVENT_BYTES_MAX: usize = 16 << 20;
/// Stands in a body for the canary, and for what base64 makes of it.
const PLAIN: &str = "PLAIN";
const CODED: &str = "CODED";

/// What becomes of a canary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// A fingerprint stands in its place; it would be stored if nothing were hidden.
    Hidden,
    /// What it stands in is not stored, whatever the settings.
    Cut,
    /// The event cannot be read: it lies in the dead-letter file, as it came.
    SetAside,
}

/// One canary and the event it sits in.
#[derive(Clone, Debug)]
pub(crate) struct Planted {
    /// Where it sits, for people.
    pub(crate) place: String,
    /// The secret as it is written into the event.
    pub(crate) canary: String,
    /// The event.
    pub(crate) text: String,
    pub(crate) audit_id: String,
    /// The object whose story tells the event, as people type it; a list has none.
    pub(crate) object: Option<String>,
    pub(crate) fate: Fate,
}

/// All canaries; those of two groves differ.
pub(crate) fn grove(name: &str) -> Vec<Planted> {
    let mut grove = Grove { name: name.to_owned(), planted: Vec::new() };
    grove.secrets();
    grove.copies();
    grove.environment();
    grove.commands();
    grove.messages();
    grove.tokens();
    grove.broken();
    grove.planted
}

/// Letters and digits that stand nowhere else, and in no fingerprint, which has neither `z` nor `q`.
pub(crate) fn canary(grove: &str, number: usize) -> String {
    let mut state = grove.bytes().fold(number as u64 + 1, |hash, byte| hash * 31 + u64::from(byte));
    let mut letters = String::from("zq");
    while letters.len() < 26 {
        // Knuth's linear congruential generator: it only has to look random.
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let digit = u32::try_from(state >> 33).unwrap_or_default() % 36;
        letters.extend(char::from_digit(digit, 36));
    }
    letters
}

/// RFC 4648.
fn base64(plain: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    assert!(plain.len() % 3 == 2, "one padding character is all this writes");
    let bits = plain.bytes().fold(String::new(), |mut bits, byte| {
        write!(bits, "{byte:08b}").expect("memory takes it");
        bits
    }) + "00";
    let digit = |group: &[u8]| {
        let index = group.iter().fold(0, |index, bit| index << 1 | usize::from(bit - b'0'));
        char::from(DIGITS[index])
    };
    bits.as_bytes().chunks(6).map(digit).collect::<String>() + "="
}

/// Bodies of an event as text, with [`PLAIN`] or [`CODED`] where the canary goes.
#[derive(Default)]
struct Bodies {
    request: String,
    response: String,
}

fn sent(body: &impl ToString) -> Bodies {
    Bodies { request: body.to_string(), ..Bodies::default() }
}

fn got(body: &impl ToString) -> Bodies {
    Bodies { response: body.to_string(), ..Bodies::default() }
}

fn both(body: &impl ToString) -> Bodies {
    let body = body.to_string();
    Bodies { request: body.clone(), response: body }
}

fn secret(more: Value) -> Value {
    let mut body = json!({"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "NAME"}});
    let (Value::Object(members), Value::Object(more)) = (&mut body, more) else {
        panic!("a Secret is an object");
    };
    members.extend(more);
    body
}

/// A workload of this kind whose pods have these containers.
fn workload(kind: &str, containers: Value) -> Value {
    let mut pod_spec = json!({"spec": {}});
    pod_spec["spec"] = containers;
    let spec = match kind {
        "Pod" => return object("v1", kind, &pod_spec),
        "CronJob" => json!({"spec": {"jobTemplate": {"spec": {"template": pod_spec}}}}),
        _ => json!({"spec": {"template": pod_spec}}),
    };
    object("apps/v1", kind, &spec)
}

fn object(api_version: &str, kind: &str, more: &Value) -> Value {
    let mut body = json!({"kind": kind, "apiVersion": api_version, "metadata": {"name": "NAME"}});
    body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    body
}

fn env(name: &str, value: &str) -> Value {
    json!({"containers": [{"name": "app", "env": [{"name": name, "value": value}]}]})
}

impl Planted {
    /// The name of its object.
    fn name(&self) -> &str {
        self.audit_id.trim_start_matches("audit-")
    }
}

struct Grove {
    name: String,
    planted: Vec<Planted>,
}

impl Grove {
    /// Plants one canary; `edit` may change the event before its bodies are put in.
    fn plant(
        &mut self,
        place: &str,
        fate: Fate,
        (verb, resource, subresource): (&str, &str, &str),
        bodies: &Bodies,
        edit: impl FnOnce(&mut Value),
    ) -> &mut Planted {
        let number = self.planted.len();
        let (canary, name) = (canary(&self.name, number), format!("{}-{number}", self.name));
        let audit_id = format!("audit-{name}");
        let is_collection = matches!(verb, "list" | "deletecollection");
        let target = if is_collection { "" } else { &name };
        let target = Target::new(resource, target).subresource(subresource);
        let mut event = request(&audit_id, verb, target);
        for (member, body) in
            [("requestObject", &bodies.request), ("responseObject", &bodies.response)]
        {
            if !body.is_empty() {
                event[member] = format!("RAW {body}").into();
            }
        }
        edit(&mut event);
        let text = unquoted(&text(&event));
        let text = text.replace(CODED, &base64(&canary)).replace(PLAIN, &canary);
        let text = text.replace("\"NAME\"", &format!("\"{name}\""));
        let canary = if text.contains(&canary) { canary } else { base64(&canary) };
        assert!(text.contains(&canary), "{place}: nothing was planted");
        let object = (verb != "list").then(|| format!("{resource}/{name}"));
        let place = format!("{} ({})", place, self.name);
        self.planted.push(Planted { place, canary, text, audit_id, object, fate });
        self.planted.last_mut().expect("just planted")
    }

    fn hide(&mut self, place: &str, act: (&str, &str, &str), bodies: &Bodies) {
        self.plant(place, Fate::Hidden, act, bodies, |_| {});
    }

    fn cut(&mut self, place: &str, act: (&str, &str, &str), bodies: &Bodies) {
        self.plant(place, Fate::Cut, act, bodies, |_| {});
    }

    fn secrets(&mut self) {
        let (create, update, patch) =
            (("create", "secrets", ""), ("update", "secrets", ""), ("patch", "secrets", ""));
        let data = || secret(json!({"data": {"password": CODED}}));
        self.hide("data of a new Secret", create, &both(&data()));
        let string_data = secret(json!({"stringData": {"password": PLAIN}}));
        self.hide("stringData of a new Secret", create, &sent(&string_data));
        self.hide("data of an updated Secret", update, &both(&data()));
        self.hide("a Secret that was read", ("get", "secrets", ""), &got(&data()));
        self.hide("a Secret that was deleted", ("delete", "secrets", ""), &got(&data()));
        let merge = json!({"data": {"password": CODED}, "metadata": {"labels": {"a": "b"}}});
        self.hide("a merge patch of a Secret", patch, &sent(&merge));
        let strategic = json!({"stringData": {"password": PLAIN}, "$setElementOrder/x": ["a"]});
        self.hide("a strategic patch of a Secret", patch, &sent(&strategic));
        let replace = json!([{"op": "replace", "path": "/data/password", "value": CODED}]);
        self.hide("a JSON patch of a Secret", patch, &sent(&replace));
        let add = json!([{"op": "add", "path": "/stringData", "value": {"password": PLAIN}}]);
        self.hide("a JSON patch that adds all of stringData", patch, &sent(&add));
        let apply = secret(json!({"stringData": {"password": PLAIN}, "type": "Opaque"}));
        self.hide("a Secret that was applied", patch, &sent(&apply));
        let items = json!({"items": [{"metadata": {"name": "NAME"}, "data": {"password": CODED}}]});
        let list = object("v1", "SecretList", &items);
        self.hide("a list of Secrets", ("list", "secrets", ""), &got(&list));
        let collection = ("deletecollection", "secrets", "");
        self.hide("Secrets that were deleted together", collection, &got(&list));
        let flattened = Value::String(data().to_string());
        self.hide("a body that came as a string", update, &both(&flattened));
        let row = json!({"rows": [{"cells": ["a"], "object": data()}]});
        let table = object("meta.k8s.io/v1", "Table", &row);
        self.hide("a row of a table", ("list", "secrets", ""), &got(&table));
        let any = object("v1", "List", &json!({"items": [data()]}));
        self.hide(
            "a Secret in a list of anything",
            ("create", "widgets.example.com", ""),
            &got(&any),
        );
        let dry = |event: &mut Value| {
            let uri = format!("{}?dryRun=All", event["requestURI"].as_str().unwrap_or_default());
            event["requestURI"] = uri.into();
        };
        self.plant("a dry run", Fate::Hidden, update, &both(&data()), dry);
        let huge = "x".repeat(BODY_BYTES_MAX);
        let at_first = secret(json!({"data": {"a": CODED, "z": huge.clone()}}));
        self.cut("the first of too much data", create, &both(&at_first));
        let at_last = secret(json!({"data": {"a": huge, "z": CODED}}));
        self.cut("the last of too much data", create, &both(&at_last));
    }

    fn copies(&mut self) {
        const APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
        let applied = json!({"annotations": {APPLIED: "{\"spec\":\"PLAIN\"}"}, "name": "NAME"});
        let whole =
            |kind, version| json!({"kind": kind, "apiVersion": version, "metadata": applied});
        let (update, patch) =
            (("update", "deployments.apps", ""), ("patch", "deployments.apps", ""));
        let deployment = whole("Deployment", "apps/v1");
        self.cut("last-applied-configuration of a Deployment", update, &both(&deployment));
        let of_secret = whole("Secret", "v1");
        self.cut(
            "last-applied-configuration of a Secret",
            ("update", "secrets", ""),
            &both(&of_secret),
        );
        let merge = json!({"metadata": applied});
        self.cut("last-applied-configuration in a patch", patch, &sent(&merge));
        let pointer = format!("/metadata/annotations/{}", APPLIED.replace('/', "~1"));
        let json_patch = json!([{"op": "add", "path": pointer, "value": "{\"spec\":\"PLAIN\"}"}]);
        self.cut("last-applied-configuration in a JSON patch", patch, &sent(&json_patch));
        let fields = json!([{"manager": "kubectl", "fieldsV1": {"f:spec": {"v:\"PLAIN\"": {}}}}]);
        let managed = json!({"metadata": {"name": "NAME", "managedFields": fields}});
        let managed = object("apps/v1", "Deployment", &managed);
        self.cut("managedFields", update, &both(&managed));
    }

    fn environment(&mut self) {
        let (create, patch) =
            (("create", "deployments.apps", ""), ("patch", "deployments.apps", ""));
        let deployment = |pod| both(&workload("Deployment", pod));
        self.hide("env of a Deployment", create, &deployment(env("DB_PASSWORD", PLAIN)));
        self.hide("env by the end of its name", create, &deployment(env("MYSQL_PWD", PLAIN)));
        let url = env("DATABASE", "postgres://shop:PLAIN@db:5432/shop");
        self.hide("a password in a URL", create, &deployment(url));
        let init =
            json!({"initContainers": [{"name": "a", "env": [{"name": "apiKey", "value": PLAIN}]}]});
        self.hide("env of an init container", create, &deployment(init));
        let before = r#"{"containers":[{"env":[{"value":"PLAIN","name":"API_TOKEN"}]}]}"#;
        let before: String =
            workload("Deployment", json!("HERE")).to_string().replace("\"HERE\"", before);
        self.hide("a value before its name", create, &both(&before));
        let pod = workload("Pod", env("GITHUB_TOKEN", PLAIN));
        self.hide("env of a Pod", ("create", "pods", ""), &both(&pod));
        let debug =
            json!({"ephemeralContainers": [{"env": [{"name": "PASSWORD", "value": PLAIN}]}]});
        let ephemeral = ("patch", "pods", "ephemeralcontainers");
        self.hide("env of an ephemeral container", ephemeral, &both(&workload("Pod", debug)));
        let cron = workload("CronJob", env("AWS_SECRET_ACCESS_KEY", PLAIN));
        self.hide("env of a CronJob", ("create", "cronjobs.batch", ""), &both(&cron));
        let set = workload("ReplicaSet", env("mysql-root-password", PLAIN));
        self.hide("env of a ReplicaSet", ("create", "replicasets.apps", ""), &both(&set));
        let revision = json!({"data": {"spec": {"template": {"spec": env("DB_PASS", PLAIN)}}}});
        let revision = object("apps/v1", "ControllerRevision", &revision);
        let revisions = ("create", "controllerrevisions.apps", "");
        self.hide("env in a revision of a StatefulSet", revisions, &both(&revision));
        let header = json!({"httpHeaders": [{"name": "Authorization", "value": PLAIN}]});
        let probe = json!({"containers": [{"livenessProbe": {"httpGet": header}}]});
        self.hide("a header of a probe", create, &deployment(probe));
        let strategic = json!({"spec": {"template": {"spec": env("DB_PASSWORD", PLAIN)}}});
        self.hide("env in a strategic patch", patch, &sent(&strategic));
        let pointer = "/spec/template/spec/containers/0/env";
        let pair = json!({"name": "TOKEN", "value": PLAIN});
        let added = json!([{"op": "add", "path": format!("{pointer}/-"), "value": pair}]);
        self.hide("env in a JSON patch", patch, &sent(&added));
        let replaced =
            json!([{"op": "replace", "path": format!("{pointer}/3/value"), "value": PLAIN}]);
        self.hide("an env value whose name is elsewhere", patch, &sent(&replaced));
        let widget =
            object("example.com/v1", "Widget", &json!({"spec": {"opened": {"pin": PLAIN}}}));
        self.hide("what a rule names", ("create", "widgets.example.com", ""), &both(&widget));
        let of_webhook = json!({"configuration": "c", "webhook": "w", "patchType": "JSONPatch",
            "patch": [{"op": "add", "path": "/spec/containers/0/env", "value": [pair]}]});
        let pod = both(&workload("Pod", json!({"containers": []})));
        self.plant("a webhook's patch", Fate::Hidden, ("create", "pods", ""), &pod, |event| {
            let name = "patch.webhook.admission.k8s.io/round_0_index_0";
            event["annotations"][name] = of_webhook.to_string().into();
        });
    }

    fn commands(&mut self) {
        let by_uri = |grove: &mut Self, place, act, query: &str| {
            let add = |event: &mut Value| {
                let path = event["requestURI"].as_str().unwrap_or_default();
                event["requestURI"] = format!("{path}?{query}").into();
            };
            grove.plant(place, Fate::Hidden, act, &Bodies::default(), add);
        };
        let (post, get) = (("create", "pods", "exec"), ("get", "pods", "exec"));
        by_uri(self, "exec", post, "command=sh&command=-c&command=mysql+-pPLAIN&stdin=true");
        by_uri(self, "exec over a WebSocket", get, "command=env&command=PGPASSWORD%3DPLAIN");
        by_uri(self, "exec in one word", post, "command=mysql%20-pPLAIN&container=app");
        by_uri(
            self,
            "attach",
            ("create", "pods", "attach"),
            "container=a&command=sh&command=PLAIN",
        );
        by_uri(self, "a secret parameter", ("get", "services", "proxy"), "user=a&password=PLAIN");
        by_uri(self, "a token parameter", ("get", "services", "proxy"), "access_token=PLAIN");
        let kubelet = [
            ("a kubelet's exec", "exec/shop/web/app?command=sh&command=PLAIN"),
            ("a kubelet's run", "run/shop/web/app?cmd=sh+PLAIN"),
        ];
        for (place, path) in kubelet {
            let act = ("create", "nodes", "proxy");
            self.plant(place, Fate::Hidden, act, &Bodies::default(), |event| {
                let proxy = event["requestURI"].as_str().unwrap_or_default();
                event["requestURI"] = format!("{proxy}/{path}").into();
            });
        }
        let options = json!({"kind": "PodExecOptions", "command": ["mysql", "-pPLAIN"]});
        self.hide("PodExecOptions", post, &sent(&options));
        let line = json!({"kind": "PodExecOptions", "command": ["mysql -pPLAIN"]});
        self.hide("PodExecOptions in one word", post, &sent(&line));
    }

    fn messages(&mut self) {
        let refused = |grove: &mut Self, place, message: &str| {
            grove.plant(
                place,
                Fate::Hidden,
                ("update", "configmaps", ""),
                &Bodies::default(),
                |event| {
                    event["responseStatus"] = json!({"status": "Failure", "reason": "Invalid",
                    "code": 422, "message": message});
                },
            );
        };
        let invalid =
            "ConfigMap \"a\" is invalid: data[k]: Invalid value: \"PLAIN\": must be short";
        refused(self, "a refused value", invalid);
        refused(self, "a duplicate value", "spec.x[1]: Duplicate value: \"PLAIN\"");
        let unsupported = "spec.x: Unsupported value: \"PLAIN\": supported values: \"A\", \"B\"";
        refused(self, "an unsupported value", unsupported);
        refused(
            self,
            "a refused object",
            "spec.x: Duplicate value: {\"name\":\"PLAIN\",\"a\":[1]}",
        );
        let quoted = "spec.x: Invalid value: \"a \\\"quoted\\\" PLAIN\": must be short";
        refused(self, "a refused value with quotes", quoted);
        let dumped = "Forbidden: may not change\n core.PodSpec{Env: {Value: \"PLAIN\"}, A: 3}";
        refused(self, "a structure printed whole", dumped);
        let found =
            "error found in #10 byte of ...|word\":\"PLAIN|..., bigger context ...|PLAIN|...";
        refused(self, "the context of a JSON error", found);
        let kindless = "Object 'Kind' is missing in '{\"spec\":\"PLAIN\"}'";
        refused(self, "a body without a kind", kindless);
        let status = json!({"kind": "Status", "apiVersion": "v1", "code": 422, "status": "Failure",
            "message": "x: Invalid value: \"PLAIN\": no", "reason": "Invalid", "details": {"causes": [
                {"reason": "FieldValueInvalid", "field": "x", "message": "Invalid value: \"PLAIN\": no"}]}});
        let update = ("update", "configmaps", "");
        let bodies = got(&status);
        self.plant("the causes of a refusal", Fate::Hidden, update, &bodies, |event| {
            let mut status = status.clone();
            status.as_object_mut().expect("an object").remove("kind");
            event["responseStatus"] = status;
        });
        let message = "Error: spec.x: Invalid value: \"PLAIN\"";
        let involved = json!({"kind": "Pod", "namespace": "shop", "name": "NAME", "uid": "u"});
        let noted = json!({"involvedObject": involved, "reason": "Failed", "message": message,
            "type": "Warning", "lastTimestamp": "TIME", "count": 1, "metadata": {
                "name": "NAME", "namespace": "shop", "uid": "e"}});
        let event = object("v1", "Event", &noted).to_string();
        let now = kausal_trace::UnixNanos(kausal_runtime::clock::now() - 600_000_000_000);
        let event = event.replace("TIME", &now.to_string());
        let planted = self.plant(
            "the message of an Event",
            Fate::Hidden,
            ("create", "events", ""),
            &both(&event),
            |_| {},
        );
        planted.object = Some(format!("pods/{}", planted.name()));
    }

    fn tokens(&mut self) {
        let asked = object(
            "authentication.k8s.io/v1",
            "TokenRequest",
            &json!({"status": {"token": PLAIN}}),
        );
        self.hide("a new token", ("create", "serviceaccounts", "token"), &got(&asked));
        let review =
            object("authentication.k8s.io/v1", "TokenReview", &json!({"spec": {"token": PLAIN}}));
        let reviews = ("create", "tokenreviews.authentication.k8s.io", "");
        self.hide("a token that was reviewed", reviews, &both(&review));
        let client = object("oauth.openshift.io/v1", "OAuthClient", &json!({"secret": PLAIN}));
        self.hide(
            "an OAuth client",
            ("create", "oauthclients.oauth.openshift.io", ""),
            &both(&client),
        );
    }

    fn broken(&mut self) {
        let update = ("update", "secrets", "");
        let data = || both(&secret(json!({"data": {"password": CODED}})));
        let deep = format!("{}\"PLAIN\"{}", "[".repeat(2_000), "]".repeat(2_000));
        let deep = secret(json!({"data": {"a": "HERE"}})).to_string().replace("\"HERE\"", &deep);
        self.cut("too many brackets", update, &both(&deep));
        let planted = self.plant("an event cut in a body", Fate::Cut, update, &data(), |_| {});
        let end = planted.text.find(&planted.canary).expect("planted") + planted.canary.len();
        planted.text.truncate(end);
        let planted =
            self.plant("an event cut in its URI", Fate::SetAside, update, &data(), |event| {
                event["requestURI"] =
                    "/api/v1/namespaces/shop/pods/a/exec?command=sh&command=PLAIN".into();
            });
        let end = planted.text.find(&planted.canary).expect("planted") + planted.canary.len();
        planted.text.truncate(end);
        let planted = self.plant("no JSON", Fate::SetAside, update, &data(), |_| {});
        planted.text = format!("{{\"auditID\": {}}}", planted.canary);
        let planted = self.plant("not an event", Fate::SetAside, update, &data(), |_| {});
        planted.text = secret(json!({"data": {"password": planted.canary}})).to_string();
        let many = "y".repeat(EVENT_BYTES_MAX);
        let large = sent(&secret(json!({"data": {"password": CODED, "z": many}})));
        self.plant("an event that is too large", Fate::SetAside, update, &large, |_| {});
    }
}

/// The event with its bodies as they are: [`Grove::plant`] puts them in as strings that begin with
/// `RAW`, for the order of their members to stay.
fn unquoted(event: &str) -> String {
    let mut parts = event.split("\"RAW ");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let quoted = format!("\"{part}");
        let mut values = serde_json::Deserializer::from_str(&quoted).into_iter::<String>();
        let body = values.next().expect("a string").expect("JSON");
        out.push_str(&body);
        out.push_str(quoted.split_at(values.byte_offset()).1);
    }
    out
}
