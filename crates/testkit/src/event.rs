//! Audit events as an apiserver records them, made to order.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use kausal_runtime::clock;
use kausal_trace::UnixNanos;
use serde_json::{Value, json};

/// How long ago the requests of tests were made: as the store takes no facts from the future, and
/// stories reach back a day.
const AGO_SECONDS: u64 = 600;

/// Members of an event in the order in which an apiserver writes them: what tells the request by
/// stands before the bodies, for when the end is lost.
const ORDER: [&str; 18] = [
    "kind",
    "apiVersion",
    "level",
    "auditID",
    "stage",
    "requestURI",
    "verb",
    "user",
    "impersonatedUser",
    "sourceIPs",
    "userAgent",
    "objectRef",
    "responseStatus",
    "requestObject",
    "responseObject",
    "requestReceivedTimestamp",
    "stageTimestamp",
    "annotations",
];

/// What a request is about.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// Resource and group as in `deployments.apps`; without a group, the core one.
    pub resource: &'a str,
    /// Namespace; empty for what is in none.
    pub namespace: &'a str,
    /// Name; empty for a list.
    pub name: &'a str,
    /// Subresource; may be empty.
    pub subresource: &'a str,
}

impl<'a> Target<'a> {
    /// An object of the namespace `shop`.
    pub fn new(resource: &'a str, name: &'a str) -> Self {
        Self { resource, namespace: "shop", name, subresource: "" }
    }

    /// A subresource of it.
    #[must_use]
    pub fn subresource(self, subresource: &'a str) -> Self {
        Self { subresource, ..self }
    }

    /// Path of the request.
    pub fn path(&self) -> String {
        let (resource, group) = self.resource.split_once('.').unwrap_or((self.resource, ""));
        let root = if group.is_empty() { "/api".to_owned() } else { format!("/apis/{group}") };
        let namespace = match self.namespace {
            "" => String::new(),
            namespace => format!("/namespaces/{namespace}"),
        };
        let rest = [self.name, self.subresource].map(|part| match part {
            "" => String::new(),
            part => format!("/{part}"),
        });
        format!("{root}/v1{namespace}/{resource}{}", rest.concat())
    }
}

/// A request that succeeded, without bodies, at the level that records them.
pub fn request(audit_id: &str, verb: &str, of: Target<'_>) -> Value {
    let (resource, group) = of.resource.split_once('.').unwrap_or((of.resource, ""));
    let received = clock::now() - AGO_SECONDS * 1_000_000_000;
    json!({
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "RequestResponse",
        "auditID": audit_id,
        "stage": "ResponseComplete",
        "requestURI": of.path(),
        "verb": verb,
        "user": {"username": "alice", "groups": ["developers", "system:authenticated"]},
        "sourceIPs": ["10.0.0.1"],
        "userAgent": "kubectl/v1.36.0",
        "objectRef": {
            "resource": resource,
            "namespace": of.namespace,
            "name": of.name,
            "apiGroup": group,
            "apiVersion": "v1",
            "subresource": of.subresource,
        },
        "responseStatus": {"metadata": {}, "code": 200},
        "requestReceivedTimestamp": UnixNanos(received).to_string(),
        "stageTimestamp": UnixNanos(received + 5_000_000).to_string(),
        "annotations": {"authorization.k8s.io/decision": "allow"},
    })
}

/// An event as an apiserver writes it.
///
/// # Panics
/// If it is no object, or has a member that no event has.
pub fn text(event: &Value) -> String {
    let members = event.as_object().expect("an event is an object");
    assert!(members.keys().all(|name| ORDER.contains(&name.as_str())), "a member of no event");
    let written = ORDER.iter().filter_map(|name| {
        let value = members.get(*name)?;
        Some(format!("\"{name}\":{value}"))
    });
    format!("{{{}}}", written.collect::<Vec<_>>().join(","))
}

/// The body of a webhook request with these items, which need not be JSON.
pub fn list(items: &[&str]) -> Vec<u8> {
    let head = r#"{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":["#;
    format!("{head}{}]}}", items.join(",")).into_bytes()
}

/// Compressed with gzip.
///
/// # Panics
/// If memory cannot be written to.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}

/// Some KB that become so many MiB of spaces: gzip of several members, made once.
pub fn bomb(mebibytes: usize) -> Vec<u8> {
    gzip(&vec![b' '; 1 << 20]).repeat(mebibytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_begin_as_those_of_an_apiserver() {
        let event = text(&request("id-1", "get", Target::new("pods", "a")));
        let expect = r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"RequestResponse","auditID":"id-1","stage":"ResponseComplete","requestURI":"/api/v1/namespaces/shop/pods/a","verb":"get","user":{"#;
        assert!(event.starts_with(expect), "{event}");
        let read: Value = serde_json::from_str(&event).expect("JSON");
        assert_eq!(read["annotations"]["authorization.k8s.io/decision"], "allow");
    }

    #[test]
    fn paths_are_those_of_the_api() {
        let check = |target: Target<'_>, expect: &str| assert_eq!(target.path(), expect);
        check(Target::new("pods", "a").subresource("exec"), "/api/v1/namespaces/shop/pods/a/exec");
        check(Target::new("deployments.apps", ""), "/apis/apps/v1/namespaces/shop/deployments");
        check(Target { namespace: "", ..Target::new("nodes", "n") }, "/api/v1/nodes/n");
    }
}
