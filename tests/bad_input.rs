//! Bad input costs its neighbours nothing: a clear answer, memory flat, and what was set aside can be
//! read with its reason by the owner of the store only.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use kausal_testkit::certificate::Certificate;
use kausal_testkit::client::{Answer, Client};
use kausal_testkit::event::{Target, bomb, gzip, list, request, text};
use kausal_testkit::kausal::{AllInOne, Kausal};
use kausal_testkit::process::{Process, wait_for};
use kausal_testkit::raw::Request;
use serde_json::{Value, json};

/// Stands in everything bad; no answer and no line of a log may quote it.
const MARK: &str = "zq7hunter2";
/// Most memory the process may ever hold, in an unoptimised build. The largest body is 32 MiB as
/// sent and 32 MiB decompressed.
const MEMORY_BYTES_MAX: u64 = 300 << 20;
const INGEST_LIMIT: Duration = Duration::from_mins(2);
const DOOR: &str = "/audit/prod";

/// An item of a batch, or a line of a file, that is not as it should be.
struct Bad {
    name: &'static str,
    text: String,
    fate: Fate,
}

enum Fate {
    /// It is told, as far as it goes, under this object.
    Told(&'static str),
    /// It is set aside for this reason.
    SetAside(&'static str),
}

fn kausal(dir: &Path) -> Kausal {
    Kausal::new(env!("CARGO_BIN_EXE_kausal"), dir)
}

fn update(name: &str) -> Value {
    let metadata = json!({"name": name, "namespace": "shop", "uid": format!("uid-{name}")});
    let object = json!({"kind": "ConfigMap", "apiVersion": "v1", "metadata": metadata});
    let mut event = request(&format!("id-{name}"), "update", Target::new("configmaps", name));
    event["requestObject"] = object.clone();
    event["responseObject"] = object;
    event
}

fn items() -> Vec<Bad> {
    let bad = |name, text, fate| Bad { name, text, fate };
    let nested = "[".repeat(100_000) + &"]".repeat(100_000);
    let mut large = update("large");
    large["requestObject"]["data"] = json!({ "a": MARK.repeat(20_000_000 / MARK.len()) });
    let mut long_name = update("long-name");
    long_name["objectRef"]["name"] = MARK.repeat(10_000_000 / MARK.len()).into();
    // Short enough to be read, too long to be the name of anything.
    let mut no_name = update("no-name");
    no_name["objectRef"]["name"] = MARK.repeat(1_000).into();
    let mut no_status = update("no-status");
    no_status.as_object_mut().expect("an object").remove("responseStatus");
    let mut no_object = update("no-object");
    no_object.as_object_mut().expect("an object").remove("objectRef");
    no_object["requestURI"] = "/no/object".into();
    let mut brackets = update("brackets");
    brackets["requestObject"] = "HERE".into();
    let brackets = text(&brackets).replace("\"HERE\"", &nested);
    vec![
        bad("no-json", format!("{{\"auditID\": {MARK}}}"), Fate::SetAside("not-json")),
        bad(
            "no-event",
            json!({"kind": "Pod", "a": MARK}).to_string(),
            Fate::SetAside("not-an-event"),
        ),
        bad("no-object-at-all", format!("[\"{MARK}\"]"), Fate::SetAside("not-an-object")),
        bad("large", text(&large), Fate::SetAside("too-large")),
        bad("long-name", text(&long_name), Fate::SetAside("too-long")),
        bad("no-name", text(&no_name), Fate::SetAside("key-too-long")),
        bad("only-brackets", nested, Fate::SetAside("not-an-object")),
        bad("brackets", brackets, Fate::Told("configmaps/brackets")),
        bad("no-status", text(&no_status), Fate::Told("configmaps/no-status")),
        bad("no-object", text(&no_object), Fate::Told("id-no-object")),
    ]
}

/// The good events before and after the bad one called `name`.
fn neighbours(name: &str) -> [String; 2] {
    ["before", "after"].map(|place| text(&update(&format!("{name}-{place}"))))
}

/// The neighbours of everything bad can be traced, and what is told of the bad itself.
fn assert_told(items: &[Bad], mut run: impl FnMut(&[&str]) -> String) {
    for Bad { name, fate, .. } in items {
        let mut objects =
            vec![format!("configmaps/{name}-before"), format!("configmaps/{name}-after")];
        match fate {
            Fate::Told(id) if id.starts_with("id-") => {
                let found = run(&["search", &format!("audit.id={id}")]);
                assert!(found.contains("/no/object"), "{found}");
            }
            Fate::Told(object) => objects.push((*object).to_owned()),
            Fate::SetAside(_) => {}
        }
        for object in objects {
            let story = run(&["trace", &object, "-n", "shop"]);
            assert!(story.contains("alice"), "{object}: {story}");
        }
    }
}

/// How often each reason stands in the dead letters of this store.
fn set_aside(store: &Path) -> BTreeMap<String, usize> {
    let file = store.join("dead-letters/dead-letters.jsonl");
    let mode = std::fs::metadata(&file).expect("a dead-letter file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "the originals may hold secrets");
    let mut reasons = BTreeMap::new();
    for line in std::fs::read_to_string(&file).expect("readable").lines() {
        let letter: Value = serde_json::from_str(line).expect("a letter is JSON");
        let original = letter["text"].as_str().expect("the original");
        let length = letter["length"].as_u64().expect("the length of all of it");
        assert!(letter["position"].is_u64() && length >= original.len() as u64, "{line:.200}");
        let is_large = matches!(letter["reason"].as_str(), Some("too-large" | "too-long"));
        assert_eq!(is_large, length > 8 << 20, "{line:.200}");
        let is_filler = |byte| matches!(byte, b'[' | b']' | b' ');
        assert!(original.contains(MARK) || original.bytes().all(is_filler), "{line:.200}");
        *reasons.entry(letter["reason"].as_str().expect("a reason").to_owned()).or_default() += 1;
    }
    reasons
}

fn expected_reasons(items: &[Bad]) -> BTreeMap<String, usize> {
    let mut reasons = BTreeMap::new();
    for item in items {
        if let Fate::SetAside(reason) = item.fate {
            *reasons.entry(reason.to_owned()).or_default() += 1;
        }
    }
    reasons
}

fn assert_flat(bytes: u64) {
    assert!(bytes < MEMORY_BYTES_MAX, "it held {} MB", bytes >> 20);
}

#[test]
fn a_bad_item_of_a_batch_is_set_aside_and_its_neighbours_are_kept() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = kausal(dir.path()).all_in_one(None);
    let items = items();
    for Bad { name, text, fate } in &items {
        let [before, after] = neighbours(name);
        let body = list(&[&before, text, &after]);
        let answer = Request::post(DOOR, &body).send(server.at().webhook).expect("an answer");
        let expect = match fate {
            Fate::Told(_) => "3 kept, 0 counted, 0 set aside\n",
            Fate::SetAside(_) => "2 kept, 0 counted, 1 set aside\n",
        };
        assert_eq!((answer.status, answer.text.as_str()), (200, expect), "{name}");
    }
    assert_told(&items, |arguments| server.run(arguments));
    assert_eq!(set_aside(&dir.path().join("store")), expected_reasons(&items));
    for (reason, count) in expected_reasons(&items) {
        let labels = ["outcome=\"rejected\"", &format!("reason=\"{reason}\"")];
        assert_counted(&server, "kausal_consumer_events_total", &labels, count);
    }
    assert_counted(
        &server,
        "kausal_consumer_webhook_requests_total",
        &["code=\"200\""],
        items.len(),
    );
    assert!(!server.log().contains(MARK), "a log quotes what was sent");
    assert_flat(server.peak_memory());
}

fn assert_counted(server: &AllInOne, metric: &str, labels: &[&str], expect: usize) {
    let counted = server.metric(metric, labels);
    assert_eq!(counted.to_string(), expect.to_string(), "{metric}{labels:?}");
}

/// A request that is refused as a whole: what it is, the status, and what the answer says.
type Refused<'a> = (Request<'a>, u16, &'a str);

#[test]
fn a_bad_request_is_refused_in_words_that_help() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = kausal(dir.path()).all_in_one(None);
    let good = list(&[&text(&update("good"))]);
    let (zipped, over) = (gzip(&good), vec![b'x'; (32 << 20) + 1]);
    let cut_gzip = zipped.split_at(zipped.len() - 9).0;
    let (bomb, nested) = (bomb(1_000), vec![b'['; 100_000]);
    let pods = json!({"kind": "PodList", "apiVersion": "v1", "items": [MARK]}).to_string();
    let single = text(&update(MARK));
    let nothing = format!("this is no JSON, {MARK}");
    let post = |body| Request::post(DOOR, body);
    let gzipped = |body| post(body).header("Content-Encoding", "gzip");
    let refused: Vec<Refused<'_>> = vec![
        (post(nothing.as_bytes()), 400, "an audit.k8s.io EventList is needed"),
        (post(&nested), 400, "an audit.k8s.io EventList is needed"),
        (post(pods.as_bytes()), 400, "an audit.k8s.io EventList is needed"),
        (post(single.as_bytes()), 400, "an audit.k8s.io EventList is needed"),
        (post(b""), 400, "an audit.k8s.io EventList is needed"),
        (post(&good).announcing(100_000), 400, "ended before it was complete; send it again"),
        (gzipped(&bomb), 413, "send smaller batches (--audit-webhook-batch-max-size)"),
        (gzipped(cut_gzip), 400, "send it whole, or without Content-Encoding"),
        (gzipped(nothing.as_bytes()), 400, "send it whole, or without Content-Encoding"),
        (post(&good).header("Content-Encoding", "br"), 415, "must be gzip or absent"),
        (post(&over), 413, "allow more by webhook.body_bytes_max"),
        (Request::post("/audit/not%20one", &good), 400, "cluster name \"not one\" is not usable"),
        (Request::post("/audit", &good), 404, "post to /audit/CLUSTER"),
        (Request::post("/elsewhere", &good), 404, "post to /audit/CLUSTER"),
        (Request::new("GET", DOOR), 405, "sent with POST"),
        (Request::new("PUT", DOOR), 405, "sent with POST"),
    ];
    let mut codes: BTreeMap<u16, usize> = BTreeMap::new();
    for (request, status, says) in refused {
        let answer = request.send(server.at().webhook).expect("an answer");
        assert_eq!(answer.status, status, "{says}: {}", answer.text);
        assert!(answer.text.contains(says), "{says:?} is not in {}", answer.text);
        assert!(!answer.text.contains(MARK), "the answer quotes the body: {}", answer.text);
        *codes.entry(status).or_default() += 1;
    }
    assert_still_good(&gzipped(&zipped).send(server.at().webhook).expect("an answer"), &server);
    for (code, count) in codes {
        let label = format!("code=\"{code}\"");
        assert_counted(&server, "kausal_consumer_webhook_requests_total", &[&label], count);
    }
    assert_counted(&server, "kausal_consumer_webhook_in_flight_bytes", &[], 0);
    assert!(!server.log().contains(MARK), "a log quotes what was sent");
    assert_flat(server.peak_memory());
}

fn assert_still_good(answer: &Answer, server: &AllInOne) {
    assert_eq!((answer.status, answer.text.as_str()), (200, "1 kept, 0 counted, 0 set aside\n"));
    let story = server.run(&["trace", "configmaps/good", "-n", "shop"]);
    assert!(story.contains("alice"), "{story}");
}

#[test]
fn of_a_list_that_was_cut_what_came_before_is_kept() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = kausal(dir.path()).all_in_one(None);
    let [before, _] = neighbours("cut");
    let body = list(&[&before, &text(&update("cut"))]);
    let middle = body.len() - before.len() / 3;
    let answer = Request::post(DOOR, body.split_at(middle).0).send(server.at().webhook);
    let answer = answer.expect("an answer");
    assert_eq!((answer.status, answer.text.as_str()), (200, "2 kept, 0 counted, 0 set aside\n"));
    for object in ["configmaps/cut-before", "configmaps/cut"] {
        assert!(server.run(&["trace", object, "-n", "shop"]).contains("alice"));
    }
    assert_counted(&server, "kausal_consumer_truncated_events_total", &[], 1);
}

#[test]
fn only_the_right_token_opens_the_door() {
    let dir = tempfile::tempdir().expect("a folder");
    let certificate = Certificate::make(dir.path());
    for (name, token) in [("prod", "prod-token-0123456789"), ("test", "test-token-0123456789")] {
        std::fs::write(dir.path().join(name), token).expect("written");
    }
    let configuration = format!(
        "webhook:\n  tls:\n    cert_file: {}\n    key_file: {}\n  tokens:\n    \
         - {{cluster: prod, token_file: prod}}\n    - {{cluster: test, token_file: test}}\n",
        certificate.file.display(),
        certificate.key_file.display(),
    );
    let server = kausal(dir.path()).all_in_one(Some(&configuration));
    let https = Client::https(server.at().webhook, certificate.pem.as_bytes());
    let https = https.expect("a certificate");
    let body = String::from_utf8(list(&[&text(&update("good"))])).expect("text");
    let check = |client: &Client, status: u16, says: &str| {
        let answer = client.try_post_text(DOOR, &body).expect("an answer");
        assert_eq!(answer.status, status, "{}", answer.text);
        assert!(answer.text.contains(says), "{}", answer.text);
    };
    check(&https, 401, "Authorization: Bearer TOKEN");
    check(&https.with_token("wrong-token-zq7hunter2"), 401, "a bearer token is needed");
    check(&https.with_token("test-token-0123456789"), 403, "may not send events of this cluster");
    let plain = Client::http(server.at().webhook).with_token("prod-token-0123456789");
    assert!(plain.try_post_text(DOOR, &body).is_none_or(|answer| !answer.is_success()));
    check(&https.with_token("prod-token-0123456789"), 200, "1 kept");
    assert_counted(&server, "kausal_consumer_webhook_requests_total", &["code=\"401\""], 2);
    for token in ["wrong-token", "prod-token", "test-token"] {
        assert!(!server.log().contains(token), "a log quotes a token");
    }
}

#[test]
fn a_wrong_token_is_refused_without_tls_too() {
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::write(dir.path().join("token"), "prod-token-0123456789\n").expect("written");
    let configuration = "webhook: {tokens: [{cluster: prod, token_file: token}]}\n";
    let server = kausal(dir.path()).all_in_one(Some(configuration));
    let body = list(&[&text(&update("good"))]);
    let send = |token: &str| {
        let request = Request::post(DOOR, &body).header("Authorization", format!("Bearer {token}"));
        request.send(server.at().webhook).expect("an answer")
    };
    let refused = send("zq7hunter2-zq7hunter2");
    assert_eq!(refused.status, 401);
    assert!(refused.text.contains("Authorization: Bearer TOKEN"), "{}", refused.text);
    assert_still_good(&send("prod-token-0123456789"), &server);
}

#[test]
fn bad_lines_of_a_file_are_set_aside_and_the_others_are_read() {
    let dir = tempfile::tempdir().expect("a folder");
    let input = dir.path().join("input");
    std::fs::create_dir(&input).expect("a folder");
    let mut items = items();
    items.extend(lines_of_their_own());
    for Bad { name, text, .. } in &items {
        let [before, after] = neighbours(name);
        let log = format!("{before}\n{text}\n{after}\n");
        std::fs::write(input.join(format!("{name}.log")), log).expect("written");
    }
    let [before, after] = neighbours("bomb").map(|line| gzip(format!("{line}\n").as_bytes()));
    let ends_line = gzip(b"\n");
    let bomb = [before, bomb(80), ends_line, after].concat();
    std::fs::write(input.join("bomb.log.gz"), bomb).expect("written");
    items.push(Bad { name: "bomb", text: String::new(), fate: Fate::SetAside("too-large") });

    let kausal = kausal(dir.path());
    let (status, said, peak) = watched(&kausal, dir.path(), &["input"]);
    assert_eq!(status, Some(0), "{said}");
    let expected = expected_reasons(&items);
    for (reason, count) in &expected {
        assert!(said.contains(&format!("set aside, {reason}: {count}\n")), "{reason}: {said}");
    }
    assert!(!said.contains(MARK), "the input is quoted: {said}");
    assert_told(&items, |arguments| kausal.run(&[arguments, &["--store", "store"]].concat()));
    assert_eq!(set_aside(&dir.path().join("store")), expected);
    assert_flat(peak);
}

/// What only a file can hold: text that is no JSON at all, an event whose brackets never close, and
/// one whose line ends in the middle.
fn lines_of_their_own() -> [Bad; 3] {
    let open = text(&update("open")).replace("\"uid-open\"", &"[".repeat(100_000));
    let cut = text(&update("cut"));
    let cut = cut.split_at(cut.len() * 2 / 3).0.to_owned();
    let text = format!("this is no JSON, {MARK}");
    [
        Bad { name: "text", text, fate: Fate::SetAside("not-json") },
        Bad { name: "open", text: open, fate: Fate::Told("configmaps/open") },
        Bad { name: "cut", text: cut, fate: Fate::Told("configmaps/cut") },
    ]
}

#[test]
fn a_file_that_breaks_is_named_and_read_up_to_there() {
    let dir = tempfile::tempdir().expect("a folder");
    let kausal = kausal(dir.path());
    let [before, after] = neighbours("half");
    let half = gzip(format!("{before}\n{}\n", text(&update("half"))).as_bytes());
    std::fs::write(dir.path().join("half.gz"), half.split_at(half.len() - 20).0).expect("written");
    std::fs::write(dir.path().join("whole.log"), after).expect("written");
    let (status, said, _) = watched(&kausal, dir.path(), &["half.gz", "whole.log"]);
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("kausal: half.gz: "), "{said}");
    for object in ["configmaps/half-before", "configmaps/half-after"] {
        kausal.run(&["trace", object, "-n", "shop", "--store", "store"]);
    }
    let missing = kausal.output(&["ingest", "--cluster", "prod", "nowhere.log"]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("nowhere.log"));
}

/// Ingests into `store` and gives the exit code, what was said, and the most memory it held.
fn watched(kausal: &Kausal, dir: &Path, files: &[&str]) -> (Option<i32>, String, u64) {
    let arguments = [&["ingest", "--cluster", "prod", "--store", "store"], files].concat();
    let mut process = Process::start("ingest", dir, &kausal.command(&arguments));
    let mut peak = 0;
    let status = wait_for("the end of ingest", INGEST_LIMIT, || {
        peak = peak.max(process.peak_memory().unwrap_or(0));
        process.ended()
    });
    (status.code(), process.log(), peak)
}
