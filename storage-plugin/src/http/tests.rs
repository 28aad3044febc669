//! The HTTP door over a real port.

use axum::http::HeaderMap;
use kausal_story::Story;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::{Pages, UiConfig, http_router};
use crate::query::{ObjectQuery, SearchRequest, SearchRows};
use crate::testing::{Act, Bed, Server, key, web};
use crate::{ErrorBody, Stop};

/// A client of the door, over facts of a Deployment.
pub(super) struct Client {
    pub(super) bed: Bed,
    server: Server,
    agent: ureq::Agent,
    _runtime: Runtime,
}

/// What came back.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) kind: String,
    pub(super) body: String,
}

impl Client {
    pub(super) fn new() -> Self {
        Self::with(Pages::default())
    }

    fn with(pages: Pages) -> Self {
        let bed = Bed::new();
        let mut facts = web(2);
        facts.act(&key("c1/apps/deployments/ci/web"), Act::default());
        bed.store(facts);
        let runtime = Runtime::new().unwrap();
        let router = http_router(bed.doors(), pages);
        let server = runtime.block_on(Server::start(router));
        let config = ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0);
        Self { bed, server, agent: config.build().into(), _runtime: runtime }
    }

    /// The headers of an answer that this client accepts in this encoding.
    fn headers(&self, path: &str, encoding: &str) -> HeaderMap {
        let url = format!("http://{}{path}", self.server.address);
        self.agent.get(url).header("accept-encoding", encoding).call().unwrap().headers().clone()
    }

    pub(super) fn get(&self, path: &str, accept: &str) -> Answer {
        let url = format!("http://{}{path}", self.server.address);
        let mut answer = self.agent.get(url).header("accept", accept).call().unwrap();
        let kind = answer.headers().get("content-type");
        let kind = kind.map_or("", |kind| kind.to_str().unwrap()).to_owned();
        let body = answer.body_mut().read_to_string().unwrap();
        Answer { status: answer.status().as_u16(), kind, body }
    }

    pub(super) fn post(&self, path: &str, body: &str) -> Answer {
        let url = format!("http://{}{path}", self.server.address);
        let mut answer = self.agent.post(url).send(body).unwrap();
        let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
        let body = answer.body_mut().read_to_string().unwrap();
        Answer { status: answer.status().as_u16(), kind, body }
    }

    pub(super) fn json(&self, path: &str) -> Value {
        let answer = self.get(path, "*/*");
        assert_eq!((answer.status, answer.kind.as_str()), (200, "application/json"), "{path}");
        serde_json::from_str(&answer.body).unwrap()
    }

    fn refused(&self, path: &str, status: u16, code: &str) -> ErrorBody {
        let answer = self.get(path, "*/*");
        assert_eq!(answer.status, status, "{path}: {}", answer.body);
        let error: ErrorBody = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(error.error.code, code, "{path}");
        error
    }
}

#[test]
fn a_story_is_the_same_through_the_door() {
    let client = Client::new();
    let query = ObjectQuery {
        namespace: Some("shop".to_owned()),
        ..ObjectQuery::typed("deploy/web", None).unwrap()
    };
    let direct = client.bed.reader.story(&query, &Stop::default()).unwrap();
    let through = client.json("/api/v1/story?object=deploy/web&namespace=shop");
    assert_eq!(serde_json::from_value::<Story>(through).unwrap(), direct);
}

#[test]
fn a_story_stands_at_an_address() {
    let client = Client::new();
    let text = client.get("/trace/deploy/web?namespace=shop", "text/html,*/*");
    assert_eq!((text.status, text.kind.as_str()), (200, "text/plain; charset=utf-8"));
    assert!(text.body.contains("bob") && text.body.contains("mallory"), "{}", text.body);
    let json = client.get("/trace/deploy/web?namespace=shop", "application/json");
    assert_eq!(json.kind, "application/json");
    assert!(serde_json::from_str::<Story>(&json.body).is_ok());
    let missing = client.get("/trace/deploy/wep", "*/*");
    assert_eq!((missing.status, missing.kind.as_str()), (404, "text/plain; charset=utf-8"));
    let front = client.get("/", "*/*");
    assert!(front.status == 200 && front.body.contains("Clusters recorded: c1"), "{}", front.body);
}

#[test]
fn every_question_has_an_address() {
    let client = Client::new();
    let of_web = "object=deploy/web&namespace=shop";
    let view = client.json(&format!("/api/v1/view?{of_web}&mode=tree"));
    assert_eq!(view["trace_id"].as_str().unwrap().len(), 32);
    assert!(view["otlp"]["resourceSpans"][0]["scopeSpans"][0]["spans"].is_array());
    let manifest = client.json(&format!("/api/v1/manifest?{of_web}&at=2026-11-20T15:00:30Z"));
    assert_eq!(manifest["value"]["spec"]["replicas"], 3);
    let rows: SearchRows =
        serde_json::from_value(client.json("/api/v1/search?user=mallory&limit=5")).unwrap();
    let request = SearchRequest {
        attributes: vec![("user".to_owned(), "mallory".to_owned())],
        limit: Some(5),
        ..SearchRequest::default()
    };
    assert_eq!(rows, client.bed.reader.search(&request, &Stop::default()).unwrap());
    assert_eq!(client.json("/api/v1/clusters")["clusters"][0], "c1");
    assert!(client.json("/api/v1/stats")["facts"].as_u64().unwrap() > 0);
}

#[test]
fn errors_say_what_would_be_right() {
    let client = Client::new();
    let error = client.refused("/api/v1/story?object=deploy/web", 409, "ambiguous");
    assert!(error.error.hint.contains("ci/web"), "{error:?}");
    client.refused("/api/v1/story?object=deploy/nobody", 404, "not_found");
    client.refused("/api/v1/story", 400, "invalid");
    client.refused("/api/v1/view?object=deploy/web&mode=pretty", 400, "invalid");
    client.refused("/api/v1/search?limit=-1", 400, "invalid");
    client.refused("/api/v1/manifest?object=deploy/web&at=soon", 400, "invalid");
    client.refused("/api/v1/stories", 404, "not_found");
    assert_eq!(client.get("/elsewhere", "*/*").status, 404);
}

/// Where `/redirect` leads.
fn led(client: &Client, path: &str) -> String {
    let headers = client.headers(path, "identity");
    headers
        .get("location")
        .unwrap_or_else(|| panic!("{path}: {headers:?}"))
        .to_str()
        .unwrap()
        .into()
}

const LINK: &str = "/redirect?cluster=c1&group=apps&resource=deployments&namespace=shop&name=web";

#[test]
fn a_link_leads_to_the_view() {
    let client = Client::new();
    let link = format!("{LINK}&ts=2026-11-20T15:00:10Z");
    assert_eq!(client.get(&link, "*/*").status, 302);
    let page = client.get(&led(&client, &link), "text/html");
    assert!(page.status == 200 && page.body.contains("mallory"), "{}", page.body);

    let config = UiConfig {
        jaeger_url: Some("https://jaeger.example.com".to_owned()),
        ..UiConfig::default()
    };
    let client = Client::with(config.validate().unwrap());
    let url = led(&client, &link);
    let id = url.strip_prefix("https://jaeger.example.com/trace/").unwrap();
    let trace = client.json(&format!("/api/traces/{id}"));
    assert_eq!(trace["data"][0]["spans"][0]["operationName"], "shop web");

    client.refused(LINK, 400, "invalid");
    client.refused(&format!("{LINK}&ts=2024-01-01T00:00:00Z"), 404, "not_found");
    let other = link.replace("group=apps", "group=example.com");
    client.refused(&other, 404, "not_found");
    let several = "/redirect?resource=deployments&name=web&ts=2026-11-20T15:00:10Z";
    client.refused(several, 409, "ambiguous");
}

#[test]
fn one_view_is_answered_as_json() {
    let client = Client::new();
    let path = "/extensions/api/v1/trace?cluster=c1&resource=deployments&name=web\
                &start=2026-11-20T15:00:00Z&end=2026-11-20T16:00:00Z";
    let trace = client.json(&format!("{path}&namespace=shop&displayMode=tracing"));
    let logs = trace["spans"][0]["logs"].as_array().unwrap().len();
    assert!(trace["traceID"].is_string() && logs > 2, "{trace}");
    let diffs = client.json(&format!("{path}&namespace=shop&group=apps&span_type=diff"));
    let kept = diffs["spans"][0]["logs"].as_array().unwrap().len();
    assert!((1..logs).contains(&kept), "{diffs}");
    let error = client.refused(path, 409, "ambiguous");
    assert!(error.error.hint.contains("ci/web"), "{error:?}");
    client.refused(&format!("{path}&namespace=none"), 404, "not_found");
    client.refused(&format!("{path}&displayMode=pretty"), 400, "invalid");
    client.refused("/extensions/api/v1/trace?resource=pods&name=a", 400, "invalid");
}

#[test]
fn versions_and_what_they_changed_are_listed() {
    let client = Client::new();
    let of_web = "object=deploy/web&namespace=shop";
    let versions = client.json(&format!("/api/v1/diff?{of_web}"));
    let rows = versions["versions"].as_array().unwrap();
    let told: Vec<_> =
        rows.iter().map(|row| (&row["resource_version"], &row["actor"]["username"])).collect();
    assert_eq!(told, [(&json!("1"), &json!("alice")), (&json!("2"), &json!("bob"))]);
    let second = client.json(&format!("/api/v1/diff?{of_web}&rv=2"));
    assert_eq!(second["changes"], json!([{"path": "spec.replicas", "old": 3, "new": 5}]));
    let error = client.refused(&format!("/api/v1/diff?{of_web}&rv=9"), 404, "not_found");
    assert!(error.error.hint.contains("2, 1"), "{error:?}");
}

#[test]
fn answers_are_compressed_for_who_accepts_it() {
    let client = Client::new();
    let path = "/api/v1/view?object=deploy/web&namespace=shop";
    for encoding in ["gzip", "zstd"] {
        assert_eq!(client.headers(path, encoding)["content-encoding"], encoding);
    }
    assert!(client.headers(path, "identity").get("content-encoding").is_none());
    assert!(client.headers("/api/v1/clusters", "gzip").get("content-encoding").is_none());
    let url = format!("http://{}{path}", client.server.address);
    let mut head = client.agent.head(url).call().unwrap();
    assert_eq!(head.status(), 200);
    assert_eq!(head.body_mut().read_to_string().unwrap(), "");
}

#[test]
fn a_build_of_jaeger_ui_stands_at_its_prefix() {
    let folder = tempfile::tempdir().unwrap();
    let page = "<base href=\"/\"><script>JAEGER_CONFIG = DEFAULT_CONFIG;</script>";
    std::fs::write(folder.path().join("index.html"), page).unwrap();
    std::fs::create_dir(folder.path().join("static")).unwrap();
    std::fs::write(folder.path().join("static/index-Ab12Cd34.js"), "let a;").unwrap();
    std::fs::write(folder.path().join("secret"), "s").unwrap();
    let config = UiConfig { assets: Some(folder.path().to_owned()), ..UiConfig::default() };
    let client = Client::with(config.validate().unwrap());
    for path in ["/jaeger/", "/jaeger/search?service=x", "/jaeger/trace/ff00"] {
        let page = client.get(path, "text/html");
        assert_eq!((page.status, page.kind.as_str()), (200, "text/html; charset=utf-8"), "{path}");
        assert!(page.body.contains("<base href=\"/jaeger/\">"), "{}", page.body);
        assert_eq!(client.headers(path, "identity")["cache-control"], "no-cache");
    }
    let script = client.get("/jaeger/static/index-Ab12Cd34.js", "*/*");
    assert_eq!((script.status, script.body.as_str()), (200, "let a;"));
    let headers = client.headers("/jaeger/static/index-Ab12Cd34.js", "identity");
    assert!(headers["cache-control"].to_str().unwrap().contains("immutable"));
    for path in ["../secret", "..%2fsecret", "%2e%2e/secret", "%2fetc%2fpasswd", "none.js", "%00"] {
        let answer = client.get(&format!("/jaeger/static/{path}"), "*/*");
        assert_ne!(answer.body, "s", "{path}");
    }
    assert_eq!(client.get("/jaeger/static/none.js", "*/*").status, 404);
    assert_eq!(client.get("/jaeger/api/none", "*/*").status, 404);
    assert_eq!(client.json("/jaeger/api/v3/services"), client.json("/api/v3/services"));
    assert_eq!(client.get("/jaeger", "*/*").status, 307);
    let led = led(&client, &format!("{LINK}&ts=2026-11-20T15:00:10Z"));
    assert!(led.starts_with("/jaeger/trace/ff2"), "{led}");
}
