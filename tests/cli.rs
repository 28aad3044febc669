//! The command line as somebody meets it: what is typed, what comes out of which stream, and the
//! exit code.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use kausal_store::{EmbeddedConfig, EmbeddedStore};
use kausal_testkit::capture;
use kausal_testkit::client::Client;
use kausal_testkit::event::{Target, request, text};
use kausal_testkit::kausal::{AllInOne, Kausal};
use kausal_testkit::process::{Process, START_LIMIT, free_address};
use serde_json::Value;

/// A folder of its own for a test, with a store that holds the capture.
struct Desk {
    dir: tempfile::TempDir,
    kausal: Kausal,
}

impl Desk {
    fn empty() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let kausal = Kausal::new(env!("CARGO_BIN_EXE_kausal"), dir.path());
        Self { dir, kausal }
    }

    /// The capture is ingested once and then copied, as only one process may open a store.
    fn new() -> Self {
        static INGESTED: OnceLock<Desk> = OnceLock::new();
        let ingested = INGESTED.get_or_init(|| {
            let desk = Self::empty();
            desk.ingest_capture("capture");
            desk
        });
        let desk = Self::empty();
        copy(&ingested.path("store"), &desk.path("store"));
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn ingest_capture(&self, cluster: &str) {
        let log = capture::folder().join("audit.jsonl.gz").display().to_string();
        let flags = ["ingest", "--quiet", "--store", "store", "--cluster", cluster];
        let said = self.kausal.output(&[&flags[..], &[&log]].concat());
        assert!(said.status.success() && said.stdout.is_empty() && said.stderr.is_empty());
    }

    /// Runs a command against the store.
    fn ask(&self, arguments: &[&str]) -> Answered {
        self.kausal.output(&[arguments, &["--store", "store"]].concat()).into()
    }

    /// Runs a command against the store, which must succeed.
    fn told(&self, arguments: &[&str]) -> String {
        let answered = self.ask(arguments);
        assert_eq!(answered.code, Some(0), "{arguments:?}: {}", answered.errors);
        answered.out
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("copied");
        }
    }
}

/// What a command did.
#[derive(Debug, PartialEq, Eq)]
struct Answered {
    code: Option<i32>,
    out: String,
    errors: String,
}

impl From<Output> for Answered {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("kausal writes UTF-8");
        Self { code: output.status.code(), out: text(output.stdout), errors: text(output.stderr) }
    }
}

/// What is wrong is said on standard error only, and the exit code says of which kind it is.
#[test]
fn exit_codes_tell_scripts_what_happened() {
    let desk = Desk::new();
    let web = ["deploy/web", "-n", "shop", "--store", "store"];
    let check = |arguments: &[&str], code: i32, says: &[&str]| {
        let Answered { code: got, out, errors } = desk.kausal.output(arguments).into();
        assert_eq!(got, Some(code), "{arguments:?}: {out}{errors}");
        assert_eq!(out.is_empty(), code != 0, "{arguments:?}: {out}");
        for part in says {
            assert!(errors.contains(part), "{arguments:?} does not say {part:?}: {errors}");
        }
    };
    let on_web = |more: &[&'static str]| [&["trace"], &web[..], more].concat();
    check(&on_web(&[]), 0, &[]);
    check(&["--version"], 0, &[]);
    check(&[], 2, &["Usage: kausal", "Exit codes: 0 done · 1 failed · 2 wrong usage or"]);
    check(&["tell"], 2, &["unrecognized subcommand"]);
    check(&["trace", "web", "--store", "store"], 2, &["deploy/web", "ns/shop"]);
    check(&["trace", "a/b/c", "--store", "store"], 2, &["names no object"]);
    check(&on_web(&["--from", "soon"]), 2, &["--from", "2026-11-20T15:05:00Z", "30m"]);
    check(&on_web(&["--mode", "pretty"]), 2, &["unknown mode", "tree, timeline", "owned objects"]);
    check(&on_web(&["--cluster", "not one"]), 2, &["is not usable", "a-z"]);
    check(&on_web(&["--server", "http://127.0.0.1:1"]), 2, &["--store", "--server"]);
    check(&["search", "--store", "store", "bob"], 2, &["KEY=VALUE", "username=bob"]);
    check(&["ingest", "--cluster", "c", "nowhere.log"], 2, &["nowhere.log"]);
    check(&["ingest", "nowhere.log"], 2, &["--cluster"]);
    check(&["trace", "po/x", "--server", "nonsense"], 2, &["no URL", "http://127.0.0.1:16686"]);
    check(&["trace", "po/x", "--server", "http://127.0.0.1:1"], 1, &["does not answer"]);
    check(&["trace", "deploy/gone", "-n", "shop", "--store", "store"], 3, &["of deploy/gone"]);
    check(&["trace", "svc/web", "-n", "ci", "--store", "store"], 3, &["services/shop/web"]);
    check(&on_web(&["--cluster", "other"]), 3, &["clusters known: capture"]);
    check(&on_web(&["--to", "2020-01-01T00:00:00Z"]), 3, &["there are facts", "2026-11-20T15:00"]);
    check(&["search", "--store", "store", "username=nobody"], 3, &["nothing recorded matches"]);
    check(&["trace", "deploy/web"], 3, &["no store in ./kausal-data", "kausal ingest"]);
    assert!(!desk.path("kausal-data").exists(), "a question makes no store");
}

/// Lines of the first code block of README.md that shows `command`, up to its `…`.
fn readme_sample(command: &str) -> Vec<String> {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(readme).expect("a README");
    let (_, sample) = readme.split_once(&format!("$ {command}\n")).expect("a sample");
    sample.lines().take_while(|line| line.trim() != "…").map(str::to_owned).collect()
}

#[test]
fn the_story_begins_as_in_the_readme() {
    let story = Desk::new().told(&["trace", "deploy/web", "-n", "shop"]);
    let sample = readme_sample("kausal trace deploy/web -n shop");
    assert!(sample.len() > 5, "{sample:?}");
    let begins: Vec<_> = story.lines().take(sample.len()).collect();
    assert_eq!(begins, sample, "README.md shows another story than is told");
}

#[test]
fn objects_may_be_written_in_many_ways() {
    let desk = Desk::new();
    let story = desk.told(&["trace", "deploy/web", "-n", "shop"]);
    for typed in [
        &["deploy", "web"][..],
        &["deployment/web"],
        &["Deployment/web"],
        &["deployments.apps/web"],
        &["deployments.v1.apps/web"],
    ] {
        assert_eq!(desk.told(&[&["trace", "-n", "shop"], typed].concat()), story, "{typed:?}");
    }
    // The only one of its name.
    assert_eq!(desk.told(&["trace", "deploy/web"]), story);
    let backup = desk.told(&["trace", "backups/nightly"]);
    assert!(backup.contains("finalizer ops.example/hold removed"), "{backup}");
    assert_eq!(desk.told(&["trace", "backups.ops.example/nightly", "-n", "shop"]), backup);
    let namespace = desk.told(&["trace", "ns/shop"]);
    assert!(namespace.contains("ns/shop"), "{namespace}");
}

#[test]
fn of_two_clusters_one_must_be_named() {
    let desk = Desk::new();
    desk.ingest_capture("Second");
    let Answered { code, out, errors } = desk.ask(&["trace", "deploy/web", "-n", "shop"]);
    assert_eq!((code, out.as_str()), (Some(2), ""));
    for part in
        ["--cluster", "capture/deployments.apps/shop/web", "second/deployments.apps/shop/web"]
    {
        assert!(errors.contains(part), "{errors}");
    }
    for cluster in ["capture", "second", "SECOND"] {
        let story = desk.told(&["trace", "deploy/web", "-n", "shop", "--cluster", cluster]);
        let first = story.lines().next().unwrap_or_default();
        assert!(first.contains(&cluster.to_lowercase()), "{first}");
    }
    let found = desk.told(&["search", "cluster=second", "username=mallory@example.com"]);
    assert!(found.lines().count() > 0 && found.lines().all(|line| line.contains("second/")));
}

#[test]
fn a_time_range_is_rfc_3339_or_how_long_ago() {
    let desk = Desk::new();
    let told =
        |range: &[&str]| desk.told(&[&["trace", "deploy/web", "-n", "shop"], range].concat());
    let early = told(&["--to", "2026-11-20T15:05:45Z"]);
    assert!(early.contains("replicas 3 → 5") && !early.contains("1.1-broken"), "{early}");
    let late = told(&["--from", "2026-11-20T15:06:50Z", "--to", "2026-11-20T16:00:00Z"]);
    assert!(late.contains("web:2.0") && !late.contains("replicas 3 → 5"), "{late}");

    // Ten minutes ago; the capture is older or newer than that, whatever the clock says.
    std::fs::write(
        desk.path("now.log"),
        text(&request("now", "create", Target::new("pods", "new"))),
    )
    .expect("written");
    let ingest = ["ingest", "--cluster", "capture", "--store", "store", "now.log"];
    desk.kausal.run(&ingest);
    let found = |range: &[&str]| desk.ask(&[&["search", "audit.id=now"], range].concat()).code;
    assert_eq!(found(&["--from", "30m"]), Some(0));
    assert_eq!(found(&["--from", "1h30m", "--to", "5m"]), Some(0));
    assert_eq!(found(&["--from", "30m", "--to", "20m"]), Some(3));
    assert_eq!(found(&["--from", "5m"]), Some(3));
}

#[test]
fn answers_come_in_the_form_asked_for() {
    let desk = Desk::new();
    let told = |more: &[&str]| desk.told(&[&["trace", "deploy/web", "-n", "shop"], more].concat());
    let story: Value = serde_json::from_str(&told(&["-o", "json"])).expect("JSON");
    let yaml: Value = serde_saphyr::from_str(&told(&["-o", "yaml"])).expect("YAML");
    assert_eq!(yaml, story);
    assert!(told(&["-o", "json"]).contains("bob@example.com"));
    assert_eq!(told(&["-o", "text"]), told(&[]));
    assert!(told(&["--all"]).lines().count() > told(&[]).lines().count());

    let tree = told(&["--mode", "tree [owned objects]"]);
    let otlp: Value =
        serde_json::from_str(&told(&["--mode", "tree [owned objects]", "-o", "otlp"]))
            .expect("JSON");
    let ids = texts(&otlp, "traceId");
    let id = ids.first().expect("spans");
    assert!(ids.len() > 50 && ids.iter().all(|other| other == id));
    assert_eq!(tree.lines().next(), Some(format!("trace {id}").as_str()));
    let has = |indent: &str, part: &str| {
        tree.lines().any(|line| line.starts_with(indent) && line.contains(part))
    };
    assert!(has("  2026-11-20T15:05:31", "Z  replicasets  shop web-597699c6dd"), "{tree}");
    assert!(has("    2026-11-20T15:05:31", "Z  pods  shop web-597699c6dd-"), "{tree}");
    assert!(has("  2026-11-20T15:05:57", "✗ audit  mallory ✗ delete: 403 forbidden"), "{tree}");
    // By the digits of its mode too.
    let digits = id.get(2..10).expect("an id");
    assert_eq!(told(&["--mode", digits]), tree);
}

/// All strings called `name`, wherever they stand.
fn texts(value: &Value, name: &str) -> Vec<String> {
    let mut found = Vec::new();
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                found.extend(value.as_str().filter(|_| key == name).map(str::to_owned));
                found.extend(texts(value, name));
            }
        }
        Value::Array(items) => found.extend(items.iter().flat_map(|item| texts(item, name))),
        _ => {}
    }
    found
}

#[test]
fn a_search_goes_by_any_attribute() {
    let desk = Desk::new();
    let bobs = desk.told(&["search", "username=bob@example.com", "verb=patch", "--limit", "3"]);
    assert_eq!(bobs.lines().count(), 3);
    assert!(bobs.lines().all(|line| line.contains("bob@example.com") && line.contains("patch")));
    let refused = desk.told(&["search", "http.response.status_code=403", "name=web"]);
    assert!(refused.contains("mallory@example.com"), "{refused}");
    let json = desk.told(&["search", "resource=deploy", "name=web", "verb=delete", "-o", "json"]);
    let found: Value = serde_json::from_str(&json).expect("JSON");
    assert!(found["rows"].as_array().is_some_and(|rows| rows.len() >= 2), "{json}");
    let view = found["rows"][0]["view"].as_str().expect("a view");
    assert_eq!(view.len(), 32, "an id that opens in Jaeger");
    let replica_sets = desk.told(&["search", "resource=rs", "verb=create", "namespace=shop"]);
    assert!(replica_sets.contains("replicasets.apps/shop/"), "{replica_sets}");
}

#[test]
fn a_manifest_is_shown_as_it_was() {
    let desk = Desk::new();
    let get = |at: &str, form: &str| {
        let flags = ["get", "deploy/web", "-n", "shop", "--at", at, "-o", form];
        let answered = desk.ask(&flags);
        assert_eq!(answered.code, Some(0), "{}", answered.errors);
        // Where it is from is said beside it, so that the manifest can be piped.
        assert!(answered.errors.starts_with("# as of 2026-11-20T15:0"), "{}", answered.errors);
        answered.out
    };
    let replicas = |at: &str| {
        let manifest: Value = serde_json::from_str(&get(at, "json")).expect("JSON");
        manifest["spec"]["replicas"].as_u64()
    };
    assert_eq!(replicas("2026-11-20T15:05:35Z"), Some(3));
    assert_eq!(replicas("2026-11-20T15:05:50Z"), Some(5));
    assert_eq!(replicas("2026-11-20T15:05:58Z"), Some(5), "the dry run to 9 changed nothing");
    let at = "2026-11-20T15:05:50Z";
    let yaml: Value = serde_saphyr::from_str(&get(at, "yaml")).expect("YAML");
    assert_eq!(yaml, serde_json::from_str::<Value>(&get(at, "json")).expect("JSON"));
    assert_eq!(yaml["kind"], "Deployment");
    let gone = desk.ask(&["get", "deploy/web", "-n", "shop", "--at", "2026-11-20T15:06:50Z"]);
    assert_eq!((gone.code, gone.out.as_str()), (Some(3), ""), "{}", gone.errors);
}

#[test]
fn the_store_says_what_it_holds() {
    let desk = Desk::new();
    let stats: Value =
        serde_json::from_str(&desk.told(&["store", "stats", "-o", "json"])).expect("JSON");
    let facts = stats["facts"].as_u64().expect("a count");
    assert!(facts > 1_263, "more facts than events were kept: {facts}");
    let lines = desk.told(&["store", "stats"]);
    assert!(lines.lines().any(|line| line == format!("facts             {facts}")), "{lines}");
}

#[test]
fn a_wrong_setting_is_named_with_its_line() {
    let desk = Desk::empty();
    let check = |yaml: &str, says: &[&str]| {
        std::fs::write(desk.path("kausal.yaml"), yaml).expect("written");
        let checked = desk.kausal.output(&["config", "check", "--config", "kausal.yaml"]);
        let Answered { code, out, errors } = checked.into();
        let expect = if says.is_empty() { 0 } else { 2 };
        assert_eq!((code, out.as_str()), (Some(expect), ""), "{yaml}: {errors}");
        for part in says {
            assert!(errors.contains(part), "{yaml} does not say {part:?}: {errors}");
        }
    };
    check("", &[]);
    check("store: {retention: 12h}\n", &[]);
    check("log:\n  level: info\nstore:\n  retentoin: 2d\n", &["line 4", "retentoin", "retention"]);
    check("stor: {}\n", &["line 1", "stor", "store", "webhook"]);
    check("store:\n  retention: soon\n", &["line 2, store.retention", "30d"]);
    check("http:\n  listen: 0.0.0.0:80\n", &["line 2, http.listen", "auth: none"]);
    check("webhook:\n  listen: 0.0.0.0:80\n", &["webhook.tokens", "webhook.auth: none"]);
    check("webhook:\n  tls: {cert_file: a, key_file: b}\n", &["line 2, webhook.tls", "a"]);
    check("redaction:\n  paths: ['a..b']\n", &["line 2, redaction.paths", "a path like"]);
    check("log:\n  level: 'a=b=c'\n", &["line 2, log.level", "debug"]);
    check("store:\n retention: 2d\n  indexed: []\n", &["line 3"]);
    let missing = desk.kausal.output(&["config", "check", "--config", "nowhere.yaml"]);
    assert_eq!(missing.status.code(), Some(2));
}

#[test]
fn the_configuration_printed_is_the_one_in_force() {
    let desk = Desk::empty();
    let print = |arguments: &[&str], env: &[(&str, &str)]| {
        let mut command = desk.kausal.command(&[&["config", "print"], arguments].concat());
        command.envs(env.iter().copied());
        let printed: Answered = command.output().expect("kausal starts").into();
        assert_eq!(printed.code, Some(0), "{}", printed.errors);
        printed.out
    };
    let default = print(&[], &[]);
    assert!(default.contains("level: info") && default.contains("listen: 127.0.0.1:16686"));
    std::fs::write(desk.path("same.yaml"), &default).expect("written");
    assert_eq!(print(&["--config", "same.yaml"], &[]), default);
    assert_eq!(print(&[], &[("KAUSAL_CONFIG", "same.yaml")]), default);
    // Flags over the environment over the file.
    std::fs::write(desk.path("log.yaml"), "log: {level: error}\n").expect("written");
    let file = ["--config", "log.yaml"];
    assert!(print(&file, &[]).contains("level: error"));
    assert!(print(&file, &[("KAUSAL_LOG", "debug")]).contains("level: debug"));
    let flags = [&file[..], &["--log", "trace"]].concat();
    assert!(print(&flags, &[("KAUSAL_LOG", "debug")]).contains("level: trace"));
}

#[test]
fn flags_win_over_the_environment() {
    let desk = Desk::new();
    let trace = |arguments: &[&str], env: &[(&str, &str)]| {
        let arguments = [&["trace", "deploy/web", "-n", "shop"], arguments].concat();
        let mut command = desk.kausal.command(&arguments);
        command.envs(env.iter().copied());
        Answered::from(command.output().expect("kausal starts"))
    };
    let story = trace(&["--store", "store"], &[]);
    assert_eq!(story.code, Some(0));
    let away = ("KAUSAL_SERVER", "http://127.0.0.1:1");
    assert_eq!(trace(&[], &[("KAUSAL_STORE", "store")]), story);
    assert_eq!(trace(&["--store", "store"], &[("KAUSAL_STORE", "other"), away]), story);
    assert_eq!(trace(&[], &[away]).code, Some(1));
    let server = trace(&["--server", "http://127.0.0.1:1"], &[("KAUSAL_STORE", "store")]);
    assert!(server.errors.contains("does not answer"), "{}", server.errors);
}

/// The questions of this test and their answers, however they are asked.
const QUESTIONS: &[&[&str]] = &[
    &["trace", "deploy/web", "-n", "shop"],
    &["trace", "deploy/web", "-n", "shop", "--all"],
    &["trace", "deploy/web", "-n", "shop", "-o", "json"],
    &["trace", "deploy/web", "-n", "shop", "-o", "otlp"],
    &["trace", "deploy/web", "-n", "shop", "-o", "yaml", "--to", "2026-11-20T15:05:45Z"],
    &["trace", "deploy/web", "-n", "shop", "--mode", "tree [owned objects]"],
    &["trace", "backups/nightly", "-o", "json"],
    &["trace", "ns/shop"],
    &["search", "username=bob@example.com"],
    &["search", "verb=delete", "-o", "json", "--limit", "7", "--from", "2026-11-20T15:06:00Z"],
    &["get", "deploy/web", "-n", "shop", "--at", "2026-11-20T15:05:50Z"],
    &["get", "deploy/web", "-n", "shop", "--at", "2026-11-20T15:05:50Z", "-o", "json"],
    &["trace", "deploy/gone", "-n", "shop"],
    &["trace", "deploy/web", "--cluster", "other"],
    &["trace", "po/web"],
    &["search", "username=nobody"],
    &["get", "deploy/web", "-n", "shop", "--at", "2020-01-01T00:00:00Z"],
];

#[test]
fn a_server_answers_byte_for_byte_as_the_store_does() {
    let desk = Desk::new();
    let direct: Vec<_> = QUESTIONS.iter().map(|question| desk.ask(question)).collect();
    assert!(direct.iter().filter(|answer| answer.code == Some(0)).count() >= 12);
    let server = desk.kausal.all_in_one(None);
    let url = format!("http://{}/", server.at().http);
    for (question, expect) in QUESTIONS.iter().zip(&direct) {
        let asked = desk.kausal.output(&[question, &["--server", &url][..]].concat());
        assert_eq!(&Answered::from(asked), expect, "--server: {question:?}");
        // The store is held: its holder is asked.
        assert_eq!(&desk.ask(question), expect, "--store: {question:?}");
    }
    let http = Client::http(server.at().http);
    let page = http.get("/trace/deploy/web?namespace=shop").ok().text;
    assert_eq!(page, direct[0].out, "what curl sees is what the terminal shows");
    let held = desk.told(&["store", "stats", "-o", "json"]);
    assert!(serde_json::from_str::<Value>(&held).expect("JSON")["facts"].as_u64() > Some(1_263));
    let other = format!("http://{}", server.at().admin);
    let lost = desk.kausal.output(&["trace", "deploy/web", "--server", &other]);
    let lost = Answered::from(lost);
    assert_eq!(lost.code, Some(1));
    assert!(lost.errors.contains("is it a kausal server?"), "{}", lost.errors);
}

#[test]
fn what_is_ingested_beside_a_server_goes_through_it() {
    let desk = Desk::empty();
    let server = desk.kausal.all_in_one(None);
    let empty = desk.ask(&["trace", "deploy/web", "-n", "shop"]);
    assert_eq!(empty.code, Some(3), "{}", empty.errors);
    desk.ingest_capture("capture");
    let story = server.run(&["trace", "deploy/web", "-n", "shop"]);
    assert!(story.contains("2 lives"), "{story}");
    assert_eq!(desk.told(&["trace", "deploy/web", "-n", "shop"]), story);
    // Read from standard input, by the server's address, and again: nothing is there twice.
    let facts = |server: &AllInOne| {
        let stats = server.run(&["store", "stats", "-o", "json"]);
        serde_json::from_str::<Value>(&stats).expect("JSON")["facts"].as_u64()
    };
    let once = facts(&server);
    let url = format!("http://{}", server.at().http);
    let log = std::fs::File::open(capture::folder().join("audit.jsonl.gz")).expect("the capture");
    let mut command =
        desk.kausal.command(&["ingest", "--cluster", "capture", "--server", &url, "-"]);
    let again: Answered = command.stdin(log).output().expect("kausal starts").into();
    assert_eq!(again.code, Some(0), "{}", again.errors);
    let expect = "1263 kept, 613 counted only, 0 set aside";
    assert!(again.errors.contains(expect), "{}", again.errors);
    assert_eq!(server.run(&["trace", "deploy/web", "-n", "shop"]), story);
    assert!(once.is_some() && facts(&server) >= once);
}

#[test]
fn a_storage_plugin_of_its_own_takes_spans_and_answers() {
    let desk = Desk::empty();
    let mut server = desk.kausal.storage_plugin(None);
    desk.ingest_capture("capture");
    let story = server.run(&["trace", "deploy/web", "-n", "shop"]);
    assert!(story.contains("2 lives"), "{story}");
    server.terminate();
    assert_eq!(desk.told(&["trace", "deploy/web", "-n", "shop"]), story, "it has left the store");
}

#[test]
fn a_store_held_by_nobody_who_answers_is_an_error() {
    let desk = Desk::new();
    let config = EmbeddedConfig::new(desk.path("store"));
    let _held = EmbeddedStore::open(&config, None).expect("the store opens");
    for arguments in [&["trace", "deploy/web"][..], &["ingest", "--cluster", "c", "-"]] {
        let Answered { code, out, errors } = desk.ask(arguments);
        assert_eq!((code, out.as_str()), (Some(1), ""), "{errors}");
        let holder = std::process::id().to_string();
        assert!(errors.contains("store") && errors.contains(&holder), "{errors}");
    }
}

#[test]
fn a_reader_that_leaves_early_is_no_error() {
    let desk = Desk::new();
    let flags = ["trace", "deploy/web", "-n", "shop", "-o", "json", "--store", "store"];
    // More than a pipe holds, so that writing must fail.
    assert!(desk.kausal.run(&flags).len() > 2 * (64 << 10));
    let mut command = desk.kausal.command(&flags);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("started");
    let mut out = child.stdout.take().expect("piped");
    out.read_exact(&mut [0; 10]).expect("a beginning");
    drop(out);
    let left: Answered = child.wait_with_output().expect("it ends").into();
    assert_eq!((left.code, left.errors.as_str()), (Some(0), ""));
}

#[test]
fn the_demo_tells_its_story_and_goes_on_serving() {
    let desk = Desk::empty();
    let [webhook, http, grpc, admin] = std::array::from_fn(|_| free_address().to_string());
    let flags = [
        ("--webhook-listen", &webhook),
        ("--http-listen", &http),
        ("--grpc-listen", &grpc),
        ("--admin-listen", &admin),
    ];
    let flags = flags.iter().flat_map(|(flag, address)| [*flag, address.as_str()]);
    let arguments: Vec<_> = ["demo"].into_iter().chain(flags).collect();
    let mut demo = Process::start("demo", desk.dir.path(), &desk.kausal.command(&arguments));
    let log = desk.path("demo.log");
    let said = demo.wait_for("what to try next", START_LIMIT, || {
        std::fs::read_to_string(&log).ok().filter(|said| said.contains("Serving until Ctrl-C"))
    });
    let story = Client::http(http.parse().expect("an address"));
    let story = story.get("/trace/deploy/web?namespace=shop").ok().text;
    assert!(story.contains("2 lives") && said.contains(&story), "{said}");
    // What it says to try can be tried.
    let tried =
        said.lines().filter_map(|line| line.trim().strip_prefix(env!("CARGO_BIN_EXE_kausal")));
    let tried: Vec<_> = tried.collect();
    assert!(tried.len() >= 5, "{said}");
    for line in tried {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("{}{line}", env!("CARGO_BIN_EXE_kausal"))]);
        let answered: Answered =
            shell.current_dir(desk.dir.path()).output().expect("sh starts").into();
        assert_eq!(answered.code, Some(0), "{line}: {}", answered.errors);
        assert!(!answered.out.is_empty(), "{line}");
    }
    assert!(demo.terminate(START_LIMIT).success());
}

/// Runs a command on a pseudo terminal; `None` where `script` of util-linux is not there.
fn on_a_terminal(desk: &Desk, env: &[(&str, &str)]) -> Option<String> {
    let binary = env!("CARGO_BIN_EXE_kausal");
    let line = format!("{binary} trace deploy/web -n shop --store store");
    let mut command = Command::new("script");
    command.args(["-qec", &line, "/dev/null"]).current_dir(desk.dir.path()).stdin(Stdio::null());
    command.env_remove("NO_COLOR").env("TERM", "xterm").envs(env.iter().copied());
    let output = command.output().ok()?;
    assert!(output.status.success(), "{output:?}");
    Some(String::from_utf8(output.stdout).expect("UTF-8").replace("\r\n", "\n"))
}

#[test]
fn colour_is_for_terminals_that_want_it() {
    let desk = Desk::new();
    let plain = desk.told(&["trace", "deploy/web", "-n", "shop"]);
    assert!(!plain.contains('\u{1b}'), "a pipe gets no escape codes");
    let mut command = desk.kausal.command(&["trace", "deploy/web", "--store", "store"]);
    let piped = command.env_remove("NO_COLOR").output().expect("kausal starts");
    assert!(!piped.stdout.contains(&0x1b));
    let Some(coloured) = on_a_terminal(&desk, &[]) else {
        eprintln!("not tried on a terminal: there is no `script` (util-linux) here");
        return;
    };
    assert!(coloured.contains("\u{1b}["), "{coloured}");
    assert_eq!(without_escapes(&coloured), plain);
    for env in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let told = on_a_terminal(&desk, &[env]).expect("it was there");
        assert_eq!(told, plain, "{env:?}");
    }
}

/// The text without its `ESC [ … m`.
fn without_escapes(text: &str) -> String {
    let mut parts = text.split("\u{1b}[");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    plain.extend(parts.filter_map(|part| part.split_once('m')).map(|(_, rest)| rest));
    plain
}
