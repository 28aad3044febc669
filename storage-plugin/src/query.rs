//! The questions and answers that every door shares: in process, HTTP, gRPC.
//!
//! Promise: a question that travels as URL parameters arrives as it was asked, so that
//! `--server URL` and `--store DIR` answer alike.

use kausal_object::ObjectKey;
use kausal_story::{Mode, Version};
use kausal_trace::UnixNanos;
use serde::{Deserialize, Serialize};

use crate::error::ReadError;
use crate::moment;

/// Rows of a search unless told otherwise.
pub const ROWS_DEFAULT: usize = 100;

/// Which object, over which time, shown how.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ObjectQuery {
    /// Cluster; may be left out when it is clear.
    pub cluster: Option<String>,
    /// Resource as typed: `deploy`, `Deployment`, `deployments.apps`, `backups`.
    pub resource: String,
    /// Namespace; may be left out when it is clear.
    pub namespace: Option<String>,
    /// Name.
    pub name: String,
    /// First instant; the facts say it when missing.
    pub from: Option<UnixNanos>,
    /// First instant after the range; the facts say it when missing.
    pub to: Option<UnixNanos>,
    /// How to show it; each question has its own default.
    pub mode: Option<Mode>,
}

/// Which facts to look for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SearchRequest {
    /// Attributes that one span must have, all of them; values as strings.
    pub attributes: Vec<(String, String)>,
    /// Earliest start.
    pub from: Option<UnixNanos>,
    /// First start that is too late.
    pub to: Option<UnixNanos>,
    /// Rows wanted; [`ROWS_DEFAULT`] when missing.
    pub limit: Option<usize>,
    /// Mode of the views that the rows lead to.
    pub mode: Option<Mode>,
}

/// What a search found, newest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SearchRows {
    /// A row a fact.
    pub rows: Vec<SearchRow>,
    /// The search was ended by its budget: older matches may exist.
    pub exhausted: bool,
}

/// A fact that was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SearchRow {
    /// When, RFC 3339.
    pub time: String,
    /// `audit`, `event`, `change`.
    pub kind: String,
    /// Where.
    pub cluster: String,
    /// Who: the user, or the component that reported an event.
    pub actor: String,
    /// As whom, when impersonated; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub acting_as: String,
    /// The verb, or the reason of an event.
    pub verb: String,
    /// Of what.
    pub object: ObjectKey,
    /// Subresource; may be empty.
    pub subresource: String,
    /// HTTP status, if it was a request that was answered.
    pub code: Option<i64>,
    /// Audit id; may be empty.
    pub audit_id: String,
    /// Trace id that opens the object's view around this fact.
    pub view: String,
}

/// Answer of `/api/v1/clusters`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clusters {
    /// Names, sorted.
    pub clusters: Vec<String>,
}

/// Answer of `/api/v1/diff` without `rv`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Versions {
    /// Oldest first, without what changed.
    pub versions: Vec<Version>,
}

/// A view in the form browsers and tools read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ViewDocument {
    /// Its trace id.
    pub trace_id: String,
    /// OTLP/JSON: `{"resourceSpans": …}`.
    pub otlp: serde_json::Value,
}

impl ObjectQuery {
    /// Reads what people type: `deploy/web`, or resource and name apart (`deploy`, `Some("web")`).
    pub fn typed(object: &str, name: Option<&str>) -> Result<Self, ReadError> {
        let parts = match name {
            Some(name) => Some((object, name)),
            None => object.split_once('/'),
        };
        let whole = parts.filter(|(resource, name)| {
            !resource.is_empty() && !name.is_empty() && !name.contains('/')
        });
        let Some((resource, name)) = whole else {
            return Err(ReadError::invalid(
                format!("'{object}' names no object"),
                "write it as resource/name: deploy/web, deployments.apps/web, ns/shop",
            ));
        };
        Ok(Self { resource: resource.to_owned(), name: name.to_owned(), ..Self::default() })
    }

    /// As URL parameters; what is missing is left out.
    pub fn to_parameters(&self) -> Vec<(String, String)> {
        let mut parameters = vec![
            ("resource".to_owned(), self.resource.clone()),
            ("name".to_owned(), self.name.clone()),
        ];
        let mut add = |name: &str, value: Option<String>| {
            parameters.extend(value.map(|value| (name.to_owned(), value)));
        };
        add("cluster", self.cluster.clone());
        add("namespace", self.namespace.clone());
        add("from", self.from.map(|time| time.0.to_string()));
        add("to", self.to.map(|time| time.0.to_string()));
        add("mode", self.mode.map(|mode| mode.to_string()));
        parameters
    }

    /// From URL parameters. `object=deploy/web` stands for `resource=deploy&name=web`.
    pub fn from_parameters(
        parameters: &[(String, String)],
        now: UnixNanos,
    ) -> Result<Self, ReadError> {
        let mut query = Self::default();
        for (name, value) in parameters {
            match name.as_str() {
                "object" => {
                    let Self { resource, name, .. } = Self::typed(value, None)?;
                    (query.resource, query.name) = (resource, name);
                }
                "resource" => query.resource.clone_from(value),
                "name" => query.name.clone_from(value),
                "cluster" => query.cluster = some(value),
                "namespace" => query.namespace = some(value),
                "from" => query.from = time(name, value, now)?,
                "to" => query.to = time(name, value, now)?,
                "mode" => query.mode = mode(value)?,
                _ => return Err(unknown(name, "object, cluster, namespace, from, to, mode")),
            }
        }
        if query.resource.is_empty() || query.name.is_empty() {
            return Err(ReadError::invalid("no object given", "add object=deploy/web"));
        }
        Ok(query)
    }
}

impl SearchRequest {
    /// As URL parameters; attributes under their own names.
    pub fn to_parameters(&self) -> Vec<(String, String)> {
        let mut parameters = self.attributes.clone();
        let mut add = |name: &str, value: Option<String>| {
            parameters.extend(value.map(|value| (name.to_owned(), value)));
        };
        add("from", self.from.map(|time| time.0.to_string()));
        add("to", self.to.map(|time| time.0.to_string()));
        add("limit", self.limit.map(|limit| limit.to_string()));
        add("mode", self.mode.map(|mode| mode.to_string()));
        parameters
    }

    /// From URL parameters: whatever is not `from`, `to`, `limit` or `mode` is an attribute.
    pub fn from_parameters(
        parameters: &[(String, String)],
        now: UnixNanos,
    ) -> Result<Self, ReadError> {
        let mut request = Self::default();
        for (name, value) in parameters {
            match name.as_str() {
                "from" => request.from = time(name, value, now)?,
                "to" => request.to = time(name, value, now)?,
                "mode" => request.mode = mode(value)?,
                "limit" => {
                    let limit = value.parse().ok().filter(|limit| *limit > 0);
                    let wrong = || ReadError::invalid(format!("limit: '{value}' is no count"), "");
                    request.limit = Some(limit.ok_or_else(wrong)?);
                }
                _ => request.attributes.push((name.clone(), value.clone())),
            }
        }
        Ok(request)
    }
}

fn some(value: &str) -> Option<String> {
    (!value.is_empty()).then(|| value.to_owned())
}

/// A time parameter; an empty one is none.
pub(crate) fn time(
    name: &str,
    value: &str,
    now: UnixNanos,
) -> Result<Option<UnixNanos>, ReadError> {
    if value.is_empty() {
        return Ok(None);
    }
    let wrong = || ReadError::invalid(moment::refusal(name, value), "");
    moment::parse(value, now).map(Some).ok_or_else(wrong)
}

fn mode(value: &str) -> Result<Option<Mode>, ReadError> {
    if value.is_empty() {
        return Ok(None);
    }
    value.parse().map(Some).map_err(|error| ReadError::invalid(format!("mode: {error}"), ""))
}

fn unknown(name: &str, known: &str) -> ReadError {
    ReadError::invalid(format!("unknown parameter '{name}'"), format!("known are: {known}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixNanos = UnixNanos(1_795_187_131_000_000_000);

    fn pairs(text: &str) -> Vec<(String, String)> {
        let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    #[test]
    fn an_object_survives_the_way_through_a_url() {
        let mut query = ObjectQuery::typed("deploy/web", None).unwrap();
        assert_eq!(ObjectQuery::from_parameters(&query.to_parameters(), NOW).unwrap(), query);
        query.cluster = Some("capture".to_owned());
        query.namespace = Some("shop".to_owned());
        (query.from, query.to) = (Some(UnixNanos(NOW.0 - 7)), Some(NOW));
        query.mode = Mode::all().last();
        assert_eq!(ObjectQuery::from_parameters(&query.to_parameters(), NOW).unwrap(), query);
    }

    #[test]
    fn a_search_survives_the_way_through_a_url() {
        let request = SearchRequest {
            attributes: pairs("username=alice&http.response.status_code=403"),
            from: Some(NOW),
            to: None,
            limit: Some(7),
            mode: Some(Mode::default()),
        };
        assert_eq!(SearchRequest::from_parameters(&request.to_parameters(), NOW).unwrap(), request);
    }

    #[test]
    fn what_people_type() {
        let check = |object: &str, name: Option<&str>, expect: Option<(&str, &str)>| {
            let query = ObjectQuery::typed(object, name).ok();
            let got = query.map(|query| (query.resource, query.name));
            assert_eq!(got, expect.map(|(r, n)| (r.to_owned(), n.to_owned())), "{object}");
        };
        check("deploy/web", None, Some(("deploy", "web")));
        check("deployments.apps/web", None, Some(("deployments.apps", "web")));
        check("deploy", Some("web"), Some(("deploy", "web")));
        for wrong in ["deploy", "deploy/", "/web", "a/b/c", ""] {
            check(wrong, None, None);
        }
    }

    #[test]
    fn wrong_parameters_are_named() {
        let check = |text: &str, expect: &str| {
            let error = ObjectQuery::from_parameters(&pairs(text), NOW).unwrap_err();
            assert!(error.to_string().contains(expect), "{text}: {error}");
        };
        check("name=web", "no object given");
        check("object=deploy/web&from=soon", "from: 'soon' is no time");
        check("object=deploy/web&mode=pretty", "unknown mode");
        check("object=deploy/web&colour=red", "unknown parameter 'colour'");
        let error = SearchRequest::from_parameters(&pairs("limit=none"), NOW).unwrap_err();
        assert!(error.to_string().contains("limit"), "{error}");
    }
}
