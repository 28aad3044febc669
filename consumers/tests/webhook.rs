//! The webhook behind a real listener, spoken to by a real client.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc;

use common::{MemorySink, capture, names, pipeline, run};
use flate2::Compression;
use flate2::write::GzEncoder;
use kausal_consumers::Clusters;
use kausal_consumers::dead_letters::DeadLetters;
use kausal_consumers::sink::SinkError;
use kausal_consumers::source::webhook::{CertificateConfig, TokenConfig, WebhookConfig};
use kausal_runtime::CancellationToken;
use kausal_runtime::reload::Reloader;
use kausal_runtime::serve::{bind, serve};
use kausal_runtime::tls::TlsConfig;
use kausal_testkit::authority::{Authority, Signed};
use kausal_testkit::client::Client;
use kausal_trace::SpanRef;
use tempfile::TempDir;
use tokio::runtime::Runtime;

struct Server {
    address: SocketAddr,
    sink: MemorySink,
    dir: TempDir,
    stop: CancellationToken,
    _runtime: Runtime,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn start(configure: impl FnOnce(WebhookConfig, &TempDir) -> WebhookConfig) -> Server {
    let dir = tempfile::tempdir().unwrap();
    let sink = MemorySink::default();
    let letters = DeadLetters::open(&dir.path().join("letters"), 64 << 20).unwrap();
    let config = configure(WebhookConfig::default(), &dir);
    let mut reloader = Reloader::default();
    let webhook = config.validate(Clusters::default(), &mut reloader).unwrap();
    let tls = webhook.tls().map(|tls| tls.load(&mut reloader).unwrap());
    let router = webhook.router(pipeline(&sink, Some(letters)));
    let runtime = Runtime::new().unwrap();
    let listener = runtime.block_on(bind("test", "127.0.0.1:0".parse().unwrap())).unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    runtime.spawn(serve(listener, tls, router, stop.clone()));
    Server { address, sink, dir, stop, _runtime: runtime }
}

fn default() -> Server {
    start(|config, _| config)
}

struct Answer {
    code: u16,
    text: String,
    retry_after: Option<String>,
}

impl Server {
    fn post(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let agent: ureq::Agent =
            ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let mut request = agent.post(format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut response = request.send(body).unwrap();
        let retry_after = response.headers().get("retry-after");
        Answer {
            code: response.status().as_u16(),
            retry_after: retry_after.map(|value| value.to_str().unwrap().to_owned()),
            text: response.body_mut().read_to_string().unwrap(),
        }
    }

    fn letters(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("letters/dead-letters.jsonl")).unwrap()
    }

    /// Audit ids of the facts.
    fn told(&self) -> Vec<String> {
        let spans = self.sink.spans();
        let spans = spans.iter().map(|span| SpanRef::parse(span).unwrap());
        spans.map(|span| span.str("audit.id").to_owned()).filter(|id| !id.is_empty()).collect()
    }
}

fn event(id: &str, members: &str) -> String {
    format!(
        r#"{{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"{id}","stage":"ResponseComplete","requestURI":"/api/v1/namespaces/shop/pods/web","verb":"patch","user":{{"username":"alice"}},"objectRef":{{"resource":"pods","namespace":"shop","name":"web"}},"responseStatus":{{"code":200}},"requestReceivedTimestamp":"2026-11-20T15:00:00.000001Z","stageTimestamp":"2026-11-20T15:00:00.000002Z"{members}}}"#
    )
}

fn list(items: &[&str]) -> String {
    let items = items.join(",");
    format!(
        r#"{{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{{}},"items":[{items}]}}"#
    )
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn the_capture_by_webhook_tells_what_it_tells_by_file() {
    let log = capture();
    let text = std::str::from_utf8(&log).unwrap();
    let items: Vec<&str> = text.lines().collect();
    let server = default();
    for batch in items.chunks(400) {
        let answer = server.post("/audit/Capture", &[], list(batch).as_bytes());
        assert_eq!(answer.code, 200, "{}", answer.text);
    }
    let mut by_webhook = names(&server.sink.spans());
    let mut by_file = names(&run(&[&log]).1);
    assert_eq!(by_webhook, by_file, "frames that were acknowledged are not written again");
    by_webhook.clear();
    by_file.clear();
}

#[test]
fn no_200_before_the_spans_are_durable() {
    let server = default();
    server.sink.hold();
    let (sender, answers) = mpsc::sync_channel(1);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let body = list(&[&event("a", "")]);
            sender.send(server.post("/audit/c", &[], body.as_bytes()).code).unwrap();
        });
        while server.sink.batches() < 1 {
            std::thread::yield_now();
        }
        assert!(answers.try_recv().is_err(), "answered before the sink did");
        server.sink.release(|| Ok(()));
        assert_eq!(answers.recv().unwrap(), 200);
    });
}

#[test]
fn a_batch_that_failed_is_refused_and_its_frames_come_again() {
    let server = default();
    server.sink.hold();
    let body = list(&[&event("a", "")]);
    std::thread::scope(|scope| {
        let answer = scope.spawn(|| server.post("/audit/c", &[], body.as_bytes()));
        while server.sink.batches() < 1 {
            std::thread::yield_now();
        }
        server.sink.release(|| Err(SinkError::Failed { reason: "disk".to_owned() }));
        let answer = answer.join().unwrap();
        assert_eq!((answer.code, answer.retry_after.is_some()), (503, true));
    });
    assert_eq!(server.post("/audit/c", &[], body.as_bytes()).code, 200);
    assert_eq!(names(&server.sink.spans())["object"], 2, "with the failed batch, and again");
}

#[test]
fn pressure_is_answered_with_429() {
    let server = default();
    server.sink.fill(true);
    let body = list(&[&event("a", "")]);
    let answer = server.post("/audit/c", &[], body.as_bytes());
    assert_eq!((answer.code, answer.retry_after.is_some()), (429, true), "{}", answer.text);
    server.sink.fill(false);
    assert_eq!(server.post("/audit/c", &[], body.as_bytes()).code, 200);
}

/// Bodies that are held by slow senders take the room of others, and give it back.
#[test]
fn bodies_under_way_are_limited_in_bytes() {
    let server = start(|config, _| WebhookConfig {
        body_bytes_max: 1 << 20,
        decoded_bytes_max: 1 << 20,
        in_flight_bytes_max: 2 << 20,
        ..config
    });
    let head = |length: usize| {
        format!("POST /audit/c HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n")
    };
    let body = list(&[&event("a", "")]);
    let post = || server.post("/audit/c", &[], body.as_bytes()).code;
    let mut slow = Vec::new();
    while post() != 429 {
        let mut stream = TcpStream::connect(server.address).unwrap();
        stream.write_all(head(1 << 20).as_bytes()).unwrap();
        slow.push(stream);
    }
    drop(slow);
    while post() != 200 {
        std::thread::yield_now();
    }
}

#[test]
fn tokens_are_bound_to_clusters() {
    let server = start(|config, dir| {
        let tokens = ["east", "west"].map(|cluster| {
            let token_file = dir.path().join(cluster);
            std::fs::write(&token_file, format!("{cluster}-0123456789abcdef\n")).unwrap();
            TokenConfig { cluster: cluster.to_owned(), token_file }
        });
        WebhookConfig { tokens: tokens.to_vec(), ..config }
    });
    let body = list(&[&event("a", "")]);
    let check = |path: &str, token: Option<&str>, expect: u16| {
        let value = token.map(|token| format!("Bearer {token}"));
        let headers: Vec<_> = value.iter().map(|value| ("authorization", value.as_str())).collect();
        let answer = server.post(path, &headers, body.as_bytes());
        assert_eq!(answer.code, expect, "{path} {token:?}: {}", answer.text);
    };
    check("/audit/east", Some("east-0123456789abcdef"), 200);
    check("/audit/EAST", Some("east-0123456789abcdef"), 200);
    check("/audit/west", Some("east-0123456789abcdef"), 403);
    check("/audit/east", Some("wrong-0123456789abcdef"), 401);
    check("/audit/east", None, 401);
    check("/audit/not%20a%20name", None, 401);
    check("/audit/not%20a%20name", Some("east-0123456789abcdef"), 400);
    assert_eq!(server.told(), ["a", "a"]);
}

#[test]
fn client_certificates_are_bound_to_clusters() {
    let (servers, clients) = (Authority::make(), Authority::make());
    let server = start(|config, dir| {
        let files = servers.sign("webhook").write(dir.path(), "tls");
        let client_ca_file = dir.path().join("clients.crt");
        std::fs::write(&client_ca_file, clients.pem()).unwrap();
        let (cert_file, key_file) = (files.file, files.key_file);
        let bound = |cluster: &str| {
            let name = format!("apiserver-{cluster}");
            CertificateConfig { cluster: cluster.to_owned(), name }
        };
        WebhookConfig {
            tls: Some(TlsConfig { cert_file, key_file, client_ca_file: Some(client_ca_file) }),
            client_certificates: vec![bound("east"), bound("west")],
            ..config
        }
    });
    let body = list(&[&event("a", "")]);
    let check = |path: &str, shown: Option<Signed>, expect: Option<u16>| {
        let pem = servers.pem();
        let client = match &shown {
            Some(shown) => Client::https_showing(server.address, pem.as_bytes(), shown),
            None => Client::https(server.address, pem.as_bytes()),
        };
        let answer = client.unwrap().try_post_text(path, &body);
        assert_eq!(answer.map(|answer| answer.status), expect, "{path}");
    };
    check("/audit/east", Some(clients.sign("apiserver-east")), Some(200));
    check("/audit/west", Some(clients.sign("apiserver-east")), Some(403));
    check("/audit/west", Some(clients.sign("apiserver-west")), Some(200));
    check("/audit/east", Some(clients.sign("somebody")), Some(401));
    check("/audit/east", None, Some(401));
    check("/audit/east", Some(Authority::make().sign("apiserver-east")), None);
    assert_eq!(server.told(), ["a", "a"]);
}

#[test]
fn what_is_no_audit_batch_is_refused_clearly() {
    let server = start(|config, _| WebhookConfig {
        body_bytes_max: 1 << 20,
        decoded_bytes_max: 2 << 20,
        ..config
    });
    let good = list(&[&event("a", "")]);
    let check = |path: &str, headers: &[(&str, &str)], body: &[u8], code: u16, says: &str| {
        let answer = server.post(path, headers, body);
        assert_eq!(answer.code, code, "{}", answer.text);
        assert!(answer.text.contains(says), "{}", answer.text);
        assert!(answer.text.len() < 300 && !answer.text.contains("secret"), "{}", answer.text);
    };
    let gzipped = [("content-encoding", "gzip")];
    check("/audit/c", &[], b"secret: no JSON at all", 400, "EventList");
    check("/audit/c", &[], b"", 400, "EventList");
    check("/audit/c", &[], b"{}", 400, "EventList");
    check("/audit/c", &[], b"[1,2]", 400, "EventList");
    check("/audit/c", &[], br#"{"kind":"PodList","items":[]}"#, 400, "EventList");
    check("/audit/c", &[], br#"{"kind":"EventList"}"#, 400, "items");
    check("/audit/c", &[], event("a", "").as_bytes(), 400, "EventList");
    check("/audit", &[], good.as_bytes(), 404, "/audit/CLUSTER");
    check("/audit/", &[], good.as_bytes(), 404, "/audit/CLUSTER");
    check("/audit/c", &[], &vec![b' '; (1 << 20) + 1], 413, "1048576");
    check("/audit/c", &gzipped, &gzip(&vec![b' '; 64 << 20]), 413, "2097152");
    check("/audit/c", &gzipped, b"secret", 400, "gzip");
    check("/audit/c", &[("content-encoding", "br")], good.as_bytes(), 415, "gzip");
    check("/audit/c", &gzipped, &gzip(good.as_bytes()), 200, "1 kept");
    assert_eq!(server.told(), ["a"]);
}

/// A bad item costs its neighbours nothing, and 200 is the answer.
#[test]
fn bad_items_are_set_aside_and_neighbours_kept() {
    let server = default();
    let long = |bytes: usize| "x".repeat(bytes);
    let large_body = format!(r#","requestObject":{{"x":"{}"}}"#, long(20 << 20));
    let brackets = format!(r#","requestObject":{}{}"#, "[".repeat(100_000), "]".repeat(100_000));
    let long_name = event("long name", "")
        .replace("\"name\":\"web\"", &format!("\"name\":\"{}\"", long(10 << 20)));
    let no_status = event("no status", "").replace(r#""responseStatus":{"code":200},"#, "");
    let no_object = event("no object", "")
        .replace(r#""objectRef":{"resource":"pods","namespace":"shop","name":"web"},"#, "");
    let future = event("future", "").replace("2026-11-20", "2027-11-20");
    let cases: [(&str, &str, bool); 9] = [
        ("a number", "12", false),
        ("no event", r#"{"a":1}"#, false),
        ("20 MB", &event("large", &large_body), false),
        ("a long name", &long_name, false),
        ("the future", &future, false),
        ("brackets", &event("brackets", &brackets), true),
        ("no status", &no_status, true),
        ("no object", &no_object, true),
        ("bad JSON in a body", &event("bad body", r#","requestObject":{"a":nonsense}"#), true),
    ];
    let mut expected = Vec::new();
    let mut aside = 0;
    for (what, item, is_told) in cases {
        let (before, after) = (format!("before {what}"), format!("after {what}"));
        let body = list(&[&event(&before, ""), item, &event(&after, "")]);
        let answer = server.post("/audit/c", &[], body.as_bytes());
        assert_eq!(answer.code, 200, "{what}: {}", answer.text);
        let told = 2 + u8::from(is_told);
        assert!(answer.text.starts_with(&format!("{told} kept")), "{what}: {}", answer.text);
        expected.extend([before, after]);
        aside += usize::from(!is_told);
        assert_eq!(server.letters().lines().count(), aside, "{what}");
    }
    let letters = server.letters();
    let future = letters.lines().find(|line| line.contains("\"reason\":\"future\"")).unwrap();
    assert!(future.contains(r#"\"auditID\":\"future\""#), "the original: {future}");
    let told = server.told();
    for id in expected {
        assert!(told.contains(&id), "{id}");
    }
}

#[test]
fn of_a_list_that_was_cut_the_whole_items_are_kept() {
    let server = default();
    let body = list(&[&event("one", ""), &event("two", ""), &event("three", "")]);
    let cut = body.split_at(body.find("\"three\"").unwrap()).0;
    let answer = server.post("/audit/c", &[], cut.as_bytes());
    assert_eq!(answer.code, 200, "{}", answer.text);
    assert_eq!(server.told(), ["one", "two"]);
    assert_eq!(server.letters().lines().count(), 1);
}

#[test]
fn a_sender_that_leaves_in_the_middle_stores_nothing() {
    let server = default();
    let body = list(&[&event("a", "")]);
    let mut text = String::new();
    write!(text, "POST /audit/c HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", body.len() + 1)
        .unwrap();
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.write_all(text.as_bytes()).unwrap();
    stream.write_all(body.as_bytes()).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    assert!(!answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    assert_eq!(server.sink.batches(), 0);
}
