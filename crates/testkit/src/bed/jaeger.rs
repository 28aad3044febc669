//! A real Jaeger that reads its traces from a storage plugin, and what its HTTP API answers.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::{Bed, files};
use crate::client::{Answer, Client};
use crate::process::{Process, START_LIMIT, free_address};

/// A running Jaeger.
#[derive(Debug)]
pub struct Jaeger {
    process: Process,
    client: Client,
}

/// A trace as the API tells it.
#[derive(Clone, Debug, PartialEq)]
pub struct JaegerTrace {
    /// Its id.
    pub id: String,
    /// What Jaeger has to remark about the whole.
    pub warnings: Vec<String>,
    /// Its spans, by id.
    pub spans: BTreeMap<String, JaegerSpan>,
}

/// A span as the API tells it.
#[derive(Clone, Debug, PartialEq)]
pub struct JaegerSpan {
    /// The trace it says it belongs to.
    pub trace: String,
    /// The span it is a child of.
    pub parent: Option<String>,
    /// The operation.
    pub operation: String,
    /// The service of its process.
    pub service: String,
    /// Its tags, and those of its process, as text.
    pub tags: BTreeMap<String, String>,
    /// The fields of each of its logs, as text.
    pub logs: Vec<BTreeMap<String, String>>,
    /// What Jaeger has to remark about it.
    pub warnings: Vec<String>,
}

impl Jaeger {
    /// Starts one that reads from the plugin at this address, and waits until it calls itself healthy.
    ///
    /// That says nothing of the plugin: ask [`Jaeger::services`].
    ///
    /// # Panics
    /// If it does not start.
    pub fn start(bed: &Bed, dir: &Path, plugin: SocketAddr) -> Self {
        let at = files::JaegerAddresses {
            health: free_address(),
            http: free_address(),
            grpc: free_address(),
            otlp_grpc: free_address(),
            otlp_http: free_address(),
        };
        files::write_jaeger(dir, &at, plugin);
        let mut command = Command::new(bed.path("JAEGER"));
        command.arg(format!("--config={}", dir.join("jaeger.yaml").display()));
        // It would trace itself, to a collector that is not there.
        command.env("OTEL_TRACES_SAMPLER", "always_off");
        let mut process = Process::start("jaeger", dir, &command);
        let health = Client::http(at.health);
        process.wait_for("health", START_LIMIT, || {
            health.try_get("/status")?.is_success().then_some(())
        });
        Self { process, client: Client::http(at.http) }
    }

    /// Any path of its API.
    pub fn get(&self, path: &str) -> Answer {
        self.client.get(path)
    }

    /// The services, when the plugin answers.
    pub fn services(&self) -> Option<Vec<String>> {
        let answer = self.client.get("/api/services");
        answer.is_success().then(|| strings(&answer.json()["data"]))
    }

    /// The operations of a service.
    ///
    /// # Panics
    /// If there is no good answer, as with the search below.
    pub fn operations(&self, service: &str) -> Vec<String> {
        let path = format!("/api/services/{}/operations", query_text(service));
        strings(&self.client.get(&path).ok().json()["data"])
    }

    /// Searches traces; `parameters` as the API calls them, `tags` a map of what must hold.
    pub fn search(&self, parameters: &[(&str, &str)], tags: &Value) -> Vec<JaegerTrace> {
        let tags = tags.to_string();
        let all = parameters.iter().copied().chain([("tags", tags.as_str())]);
        let query: Vec<_> = all.map(|(k, v)| format!("{k}={}", query_text(v))).collect();
        traces(&self.client.get(&format!("/api/traces?{}", query.join("&"))).ok().json())
    }

    /// One trace; `None` when Jaeger answers 404.
    ///
    /// # Panics
    /// If there is no good answer.
    pub fn trace(&self, id: &str) -> Option<JaegerTrace> {
        let answer = self.client.get(&format!("/api/traces/{id}"));
        if answer.status == 404 {
            return None;
        }
        let mut traces = traces(&answer.ok().json());
        assert_eq!(traces.len(), 1, "one trace was asked for");
        traces.pop()
    }

    /// Everything it has logged.
    pub fn log(&self) -> String {
        self.process.log()
    }
}

/// Percent-encodes all but letters and digits.
fn query_text(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

fn traces(answer: &Value) -> Vec<JaegerTrace> {
    elements(&answer["data"]).map(trace).collect()
}

fn trace(json: &Value) -> JaegerTrace {
    let span = |span: &Value| {
        let process = &json["processes"][string(&span["processID"])];
        (string(&span["spanID"]), self::span(span, process))
    };
    let spans: BTreeMap<_, _> = elements(&json["spans"]).map(span).collect();
    assert_eq!(spans.len(), elements(&json["spans"]).count(), "a span id is there twice");
    JaegerTrace { id: string(&json["traceID"]), warnings: strings(&json["warnings"]), spans }
}

fn span(json: &Value, process: &Value) -> JaegerSpan {
    let parent = elements(&json["references"]).find(|r| r["refType"] == "CHILD_OF");
    let mut tags = pairs(&process["tags"]);
    tags.append(&mut pairs(&json["tags"]));
    JaegerSpan {
        trace: string(&json["traceID"]),
        parent: parent.map(|reference| string(&reference["spanID"])),
        operation: string(&json["operationName"]),
        service: string(&process["serviceName"]),
        tags,
        logs: elements(&json["logs"]).map(|log| pairs(&log["fields"])).collect(),
        warnings: strings(&json["warnings"]),
    }
}

fn elements(json: &Value) -> impl Iterator<Item = &Value> {
    json.as_array().map(Vec::as_slice).unwrap_or_default().iter()
}

fn strings(json: &Value) -> Vec<String> {
    elements(json).map(string).collect()
}

fn pairs(json: &Value) -> BTreeMap<String, String> {
    elements(json).map(|pair| (string(&pair["key"]), string(&pair["value"]))).collect()
}

/// A string as it is, anything else as JSON.
fn string(json: &Value) -> String {
    json.as_str().map_or_else(|| json.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_trace_is_read_as_the_api_writes_it() {
        let answer = json!({"data": [{
            "traceID": "ab", "warnings": null,
            "processes": {"p1": {"serviceName": "deployments", "tags": [
                {"key": "host.name", "type": "string", "value": "kausal"},
            ]}},
            "spans": [
                {"traceID": "ab", "spanID": "01", "operationName": "shop web", "references": [],
                 "processID": "p1", "warnings": ["slow"], "logs": [],
                 "tags": [{"key": "n", "type": "int64", "value": 5}]},
                {"traceID": "ab", "spanID": "02", "operationName": "shop web-1", "processID": "p1",
                 "references": [{"refType": "CHILD_OF", "traceID": "ab", "spanID": "01"}],
                 "logs": [{"timestamp": 1, "fields": [{"key": "event", "value": "create"}]}]},
            ],
        }]});
        let [trace] = traces(&answer).try_into().expect("one trace");
        assert_eq!(trace.spans["01"].tags["n"], "5");
        assert_eq!(trace.spans["01"].tags["host.name"], "kausal");
        assert_eq!(trace.spans["01"].warnings, ["slow"]);
        assert_eq!(trace.spans["02"].parent.as_deref(), Some("01"));
        assert_eq!(trace.spans["02"].service, "deployments");
        assert_eq!(trace.spans["02"].logs[0]["event"], "create");
        assert!(traces(&json!({"data": null})).is_empty());
    }

    #[test]
    fn a_query_keeps_no_special_character() {
        assert_eq!(query_text("tree [full tree]"), "tree%20%5Bfull%20tree%5D");
    }
}
