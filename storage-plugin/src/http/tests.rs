//! The HTTP door over a real port.

use kausal_story::Story;
use serde_json::Value;
use tokio::runtime::Runtime;

use super::http_router;
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
        let bed = Bed::new();
        let mut facts = web(2);
        facts.act(&key("c1/apps/deployments/ci/web"), Act::default());
        bed.store(facts);
        let runtime = Runtime::new().unwrap();
        let server = runtime.block_on(Server::start(http_router(bed.doors())));
        let agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        Self { bed, server, agent, _runtime: runtime }
    }

    pub(super) fn get(&self, path: &str, accept: &str) -> Answer {
        let url = format!("http://{}{path}", self.server.address);
        let mut answer = self.agent.get(url).header("accept", accept).call().unwrap();
        let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
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
