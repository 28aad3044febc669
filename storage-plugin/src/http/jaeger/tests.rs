//! Jaeger's paths over a real port, by the requests that Jaeger UI and Grafana were seen to send.

use serde_json::{Value, json};

use crate::http::tests::Client;
use crate::testing::T0;

/// What the page of Jaeger UI 2.19 demands of each answer, as its own schemas have it.
mod schema {
    use super::*;

    fn strings(value: &Value) -> bool {
        value.as_array().is_some_and(|items| items.iter().all(Value::is_string))
    }

    pub(super) fn services(answer: &Value) {
        assert!(strings(&answer["services"]), "{answer}");
    }

    pub(super) fn operations(answer: &Value) {
        for operation in answer["operations"].as_array().expect("operations") {
            assert!(operation["name"].is_string() && operation["spanKind"].is_string(), "{answer}");
        }
    }

    pub(super) fn summaries(answer: &Value) {
        let Some(summaries) = answer.get("summaries") else { return };
        for summary in summaries.as_array().expect("summaries") {
            let id = summary["traceId"].as_str().expect("an id");
            let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
            assert!(id.len() == 32 && id.bytes().all(hex), "{id}");
            for time in ["minStartTimeUnixNano", "maxEndTimeUnixNano"] {
                let text = summary[time].as_str().expect("a decimal string");
                assert!(text.bytes().all(|byte| byte.is_ascii_digit()), "{text}");
            }
            counts(summary);
            for service in summary["services"].as_array().expect("services") {
                assert!(service["name"].is_string());
                counts(service);
            }
        }
    }

    fn counts(of: &Value) {
        for count in ["spanCount", "errorSpanCount", "orphanSpanCount"] {
            assert!(of.get(count).is_none_or(Value::is_u64), "{of}");
        }
    }

    /// The envelope and the model of the trace page.
    pub(super) fn traces(answer: &Value) {
        for field in ["data", "total", "limit", "offset", "errors"] {
            assert!(answer.get(field).is_some(), "{field} in {answer}");
        }
        for trace in answer["data"].as_array().expect("traces") {
            assert!(trace["traceID"].is_string() && trace.get("warnings").is_some());
            for span in trace["spans"].as_array().expect("spans") {
                self::span(trace, span);
            }
        }
    }

    fn span(trace: &Value, span: &Value) {
        assert_eq!(span["traceID"], trace["traceID"]);
        assert!(span["startTime"].is_u64() && span["duration"].is_u64(), "{span}");
        assert!(span["spanID"].is_string() && span["operationName"].is_string(), "{span}");
        let process = &trace["processes"][span["processID"].as_str().expect("a process")];
        assert!(process["serviceName"].is_string());
        let fields = span["logs"].as_array().expect("logs").iter().flat_map(|log| {
            assert!(log["timestamp"].is_u64());
            log["fields"].as_array().expect("fields")
        });
        let tags = [&span["tags"], &process["tags"]].map(|tags| tags.as_array().expect("tags"));
        for tag in tags.into_iter().flatten().chain(fields) {
            let kinds = ["string", "bool", "int64", "float64", "binary"];
            assert!(kinds.contains(&tag["type"].as_str().expect("a type")), "{tag}");
            assert!(tag["key"].is_string() && tag.get("value").is_some(), "{tag}");
        }
        for reference in span["references"].as_array().expect("references") {
            assert!(["CHILD_OF", "FOLLOWS_FROM"].contains(&reference["refType"].as_str().unwrap()));
        }
    }
}

const MICROS: u64 = 1_000;
const HOUR: u64 = 3_600_000_000_000;

/// `start` and `end` of a search of an hour around the facts.
fn range() -> String {
    format!("start={}&end={}", (T0.0 - HOUR) / MICROS, (T0.0 + HOUR) / MICROS)
}

/// The same for `/api/v3`.
fn range_v3() -> &'static str {
    "query.startTimeMin=2026-11-20T14:00:00.000Z&query.startTimeMax=2026-11-20T16:00:00.000Z"
}

const TAGS: &str = "%7B%22resource%22%3A%22deployments%22%2C%22namespace%22%3A%22shop%22%2C%22name%22%3A%22web%22%7D";

/// The id of the view of the Deployment, as a search gives it.
fn found(client: &Client) -> String {
    let search = format!("/api/traces?service=tracing&tags={TAGS}&{}&limit=20", range());
    let answer = client.json(&search);
    schema::traces(&answer);
    assert_eq!(answer["data"].as_array().unwrap().len(), 1, "{answer}");
    answer["data"][0]["traceID"].as_str().unwrap().to_owned()
}

#[test]
fn the_pages_of_jaeger_ui_are_answered() {
    let client = Client::new();
    let services = client.json("/api/v3/services");
    schema::services(&services);
    assert!(services["services"].as_array().unwrap().contains(&json!("tracing")));
    let operations = client.json("/api/v3/operations?service=tracing");
    schema::operations(&operations);
    assert_eq!(operations["operations"], json!([{"name": "c1", "spanKind": "internal"}]));
    let search = format!(
        "/api/v3/trace-summaries?query.serviceName=tracing&{}&query.searchDepth=20\
         &query.attributes={TAGS}",
        range_v3()
    );
    let summaries = client.json(&search);
    schema::summaries(&summaries);
    let summary = &summaries["summaries"][0];
    assert_eq!(summary["traceId"], found(&client));
    let trace = client.json(&format!("/api/traces/{}", summary["traceId"].as_str().unwrap()));
    schema::traces(&trace);
    let spans = trace["data"][0]["spans"].as_array().unwrap();
    assert_eq!(summary["spanCount"], spans.len());
    let dependencies = client
        .json(&format!("/api/dependencies?endTs={}&lookback=604800000", (T0.0 + HOUR) / 1_000_000));
    let arrow = json!({"parent": "deployments", "child": "replicasets", "callCount": 1});
    assert!(dependencies["data"].as_array().unwrap().contains(&arrow), "{dependencies}");
}

#[test]
fn the_data_source_of_grafana_is_answered() {
    let client = Client::new();
    let services = client.json("/api/services");
    assert_eq!(services["total"], services["data"].as_array().unwrap().len());
    let operations = client.json("/api/services/tracing%20%5Bfull%20tree%5D/operations");
    assert_eq!(operations["data"], json!(["c1"]));
    let id = found(&client);
    let millis = format!("start={}&end={}", T0.0 / 1_000_000, (T0.0 + HOUR) / 1_000_000);
    let trace = client.json(&format!("/api/traces/{id}?{millis}"));
    schema::traces(&trace);
    assert_eq!(trace["data"][0]["traceID"], id.as_str());
    let v3 = client.json(&format!(
        "/api/v3/traces/{id}?start_time=2026-11-20T16:00:00+01:00&end_time=2026-11-20T16:00:00Z"
    ));
    let span = &v3["result"]["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
    assert_eq!(span["traceId"], id.as_str());
    assert!(span["startTimeUnixNano"].is_string(), "{span}");
}

#[test]
fn a_view_reads_as_jaegers_own_model() {
    let client = Client::new();
    let trace = client.json(&format!("/api/traces/{}", found(&client)));
    let trace = &trace["data"][0];
    let root = &trace["spans"][0];
    assert_eq!(root["operationName"], "shop web");
    assert_eq!(root["references"], json!([]));
    let process = &trace["processes"][root["processID"].as_str().unwrap()];
    assert_eq!(process["serviceName"], "deployments");
    let field = |log: &Value, name: &str| {
        log["fields"].as_array().unwrap().iter().find(|tag| tag["key"] == name).cloned()
    };
    let logs = root["logs"].as_array().unwrap();
    let forbidden = logs.iter().find(|log| field(log, "error").is_some()).unwrap();
    let audit = json!({"key": "audit", "type": "string", "value": "mallory delete (Forbidden)"});
    assert_eq!(field(forbidden, "audit"), Some(audit));
    // Only Events have the field `event`; what an act was about is its summary.
    assert_eq!(field(forbidden, "event"), None);
    assert!(field(forbidden, "summary").is_some(), "{forbidden}");
}

#[test]
fn both_families_give_the_same_spans() {
    let client = Client::new();
    let search = format!("/api/v3/traces?query.serviceName=tree&{}", range_v3());
    let v3 = client.json(&search);
    let groups = v3["result"]["resourceSpans"].as_array().unwrap();
    let spans = groups.iter().flat_map(|group| group["scopeSpans"].as_array().unwrap());
    let mut v3: Vec<_> = spans
        .flat_map(|scope| scope["spans"].as_array().unwrap())
        .map(|span| span["spanId"].as_str().unwrap())
        .collect();
    let legacy = client.json(&format!("/api/traces?service=tree&{}", range()));
    schema::traces(&legacy);
    let traces = legacy["data"].as_array().unwrap();
    let mut ids: Vec<_> = traces
        .iter()
        .flat_map(|trace| trace["spans"].as_array().unwrap())
        .map(|span| span["spanID"].as_str().unwrap())
        .collect();
    v3.sort_unstable();
    ids.sort_unstable();
    assert!(ids.len() > 4);
    assert_eq!(ids, v3);
}

#[test]
fn traces_are_found_by_id_and_misses_are_named() {
    let client = Client::new();
    let (id, unknown) = (found(&client), "0123456789abcdef0123456789abcdef");
    let answer = client.json(&format!("/api/traces?traceID={id}&traceID={unknown}"));
    assert_eq!(answer["data"].as_array().unwrap().len(), 1);
    let miss = json!([{"code": 404, "msg": "trace not found", "traceID": unknown}]);
    assert_eq!(answer["errors"], miss);
    let pretty = client.get(&format!("/api/traces/{id}?prettyPrint=true&raw=true"), "*/*");
    assert!(pretty.body.starts_with("{\n"), "{}", pretty.body);
}

#[track_caller]
fn check_refused(client: &Client, path: &str, status: u16, expect: &str) {
    let answer = client.get(path, "*/*");
    assert_eq!((answer.status, answer.kind.as_str()), (status, "application/json"), "{path}");
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    let said = if path.starts_with("/api/v3") {
        assert_eq!(body["error"]["httpCode"], status, "{body}");
        &body["error"]["message"]
    } else {
        assert_eq!((&body["data"], &body["errors"][0]["code"]), (&Value::Null, &json!(status)));
        &body["errors"][0]["msg"]
    };
    assert!(said.as_str().unwrap().contains(expect), "{path}: {body}");
}

#[test]
fn refusals_have_the_form_their_clients_read() {
    let client = Client::new();
    let check = |path: &str, status, expect: &str| check_refused(&client, path, status, expect);
    check("/api/traces/0123456789abcdef0123456789abcdef", 404, "trace not found");
    check("/api/traces/not-an-id", 400, "no trace id");
    check("/api/traces/ff00?start=soon", 400, "'start'");
    check("/api/traces", 400, "'service' is required");
    check("/api/traces?service=tracing&limit=5000", 400, "'limit'");
    check("/api/traces?service=tracing&minDuration=1", 400, "'minDuration'");
    check("/api/operations", 400, "'service' is required");
    check("/api/dependencies?endTs=now", 400, "'endTs'");
    check("/api/metrics/latencies?service=x", 501, "no store of metrics");
    check("/api/anything", 404, "404 page not found");
    check("/api/v3/traces/0123456789abcdef0123456789abcdef", 404, "trace not found");
    check("/api/v3/traces/xyz", 400, "no trace id");
    check("/api/v3/traces?query.serviceName=tracing", 400, "'query.startTimeMin' is required");
    check(&format!("/api/v3/traces?query.serviceName=none&{}", range_v3()), 404, "No traces found");
    check("/api/v3/operations", 400, "'service' is required");
    check("/api/v3/anything", 404, "nothing is at");
}

#[test]
fn what_is_not_there_is_honestly_empty() {
    let client = Client::new();
    let nothing =
        client.json(&format!("/api/v3/trace-summaries?query.serviceName=none&{}", range_v3()));
    schema::summaries(&nothing);
    assert_eq!(nothing, json!({}));
    let nothing = client.json(&format!("/api/traces?service=none&{}", range()));
    assert_eq!(nothing["data"], json!([]));
    assert_eq!(client.json("/api/quality-metrics")["scores"], json!([]));
    assert_eq!(client.json("/api/deep-dependencies")["dependencies"], json!([]));
    assert_eq!(client.post("/api/archive/ff00", "").status, 501);
}

#[test]
fn a_file_of_otlp_json_is_translated() {
    let client = Client::new();
    let view = client.json("/api/v1/view?object=deploy/web&namespace=shop");
    let answer = client.post("/api/transform", &view["otlp"].to_string());
    assert_eq!(answer.status, 200, "{}", answer.body);
    let uploaded: Value = serde_json::from_str(&answer.body).unwrap();
    schema::traces(&uploaded);
    let id = view["trace_id"].as_str().unwrap();
    assert_eq!(uploaded, client.json(&format!("/api/traces/{id}")));
    let answer = client.post("/api/transform", "{\"resourceSpans\":\n [7]}");
    assert_eq!(answer.status, 400);
    assert!(answer.body.contains("line 2"), "{}", answer.body);
}
