//! No secret is anywhere but in the dead letters: not in the store, not in a log, a metric, an error
//! or an answer, whichever way it came.
//!
//! The same search finds what is not hidden, so it would find what leaked.

mod planted;

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use kausal_store::{EmbeddedConfig, EmbeddedStore, SearchQuery, SpanStore};
use kausal_testkit::client::Client;
use kausal_testkit::event::{Target, list, request, text};
use kausal_testkit::kausal::{AllInOne, Kausal};
use kausal_testkit::raw::Request;
use planted::{Fate, Planted, canary, grove};
use serde_json::Value;

/// The least that must be planted, by webhook and by file each.
const CANARIES_MIN: usize = 40;
/// More facts than there are.
const FACTS_MAX: usize = 10_000;
/// Keeps whatever comes, as what is only counted could not leak; logs all there is to log; and asks
/// senders for a secret of theirs.
const SETTINGS: &str = "filter: {rules: [{name: all, action: keep}]}
log: {level: trace}
webhook: {tokens: [{cluster: prod, token_file: token}]}
";
const MODES: [&str; 4] = ["tracing", "tree [full tree]", "timeline", "grouped"];

/// Something that was written by the process, and what it is called.
type Written = (String, Vec<u8>);

/// A store into which all canaries went, and all that was said on the way and afterwards.
struct Sown {
    dir: tempfile::TempDir,
    planted: Vec<Planted>,
    token: String,
    written: Vec<Written>,
}

impl Sown {
    /// Half of the canaries by file, the other half by webhook, then every question there is.
    fn new(redaction: &str) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let by_file = grove("file");
        let (planted, token) = (grove("hook"), canary("token", 0));
        let mut sown = Self { dir, planted, token, written: Vec::new() };
        let configuration = format!("redaction: {redaction}\n{SETTINGS}");
        std::fs::write(sown.path("token"), &sown.token).expect("written");
        std::fs::write(sown.path("kausal.yaml"), &configuration).expect("written");
        sown.ingest(&by_file);
        let mut server = sown.kausal().all_in_one(Some(&configuration));
        // Again, to whoever holds the store now: the same spans, by OTLP.
        sown.ingest(&by_file);
        sown.post(&server);
        sown.planted.extend(by_file);
        sown.ask_http(&server);
        sown.ask_by_command(&server);
        let metrics = Client::http(server.at().admin).get("/metrics").text;
        sown.wrote("metrics", metrics);
        server.terminate();
        sown.wrote("log of the server", server.log());
        sown.read_back();
        sown
    }

    fn kausal(&self) -> Kausal {
        Kausal::new(env!("CARGO_BIN_EXE_kausal"), self.dir.path())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn wrote(&mut self, what: impl Into<String>, text: impl Into<Vec<u8>>) {
        self.written.push((what.into(), text.into()));
    }

    fn ingest(&mut self, planted: &[Planted]) {
        let lines: Vec<_> = planted.iter().map(|planted| planted.text.as_str()).collect();
        std::fs::write(self.path("audit.log"), lines.join("\n")).expect("written");
        let flags =
            ["--config", "kausal.yaml", "--log", "trace", "--store", "store", "--cluster", "prod"];
        let output = self.kausal().output(&[&["ingest"], &flags[..], &["audit.log"]].concat());
        self.wrote("ingest", [output.stdout, output.stderr].concat());
        assert!(output.status.success(), "ingest ended with {}", output.status);
        std::fs::remove_file(self.path("audit.log")).expect("removed");
    }

    /// Each behind another that lends it a time if it lost its own, and in a request of its own, as
    /// one that is cut ends its batch.
    fn post(&mut self, server: &AllInOne) {
        let neighbour = text(&request("neighbour", "get", Target::new("configmaps", "neighbour")));
        let bearer = format!("Bearer {}", self.token);
        for planted in self.planted.clone() {
            let whole = planted.text.ends_with('}');
            let body = list(&[&neighbour, &planted.text]);
            let body = if whole { &body } else { body.strip_suffix(b"]}").expect("a list") };
            let request =
                Request::post("/audit/prod", body).header("Authorization", bearer.as_str());
            let answer = request.send(server.at().webhook).expect("an answer");
            assert_eq!(answer.status, 200, "{}: {}", planted.place, answer.text);
            self.wrote(format!("answer to {}", planted.place), answer.text);
        }
    }

    fn ask_http(&mut self, server: &AllInOne) {
        let client = Client::http(server.at().http);
        for object in self.objects() {
            let asked = format!("object={object}&namespace=shop");
            let mut paths = vec![
                format!("/trace/{object}?namespace=shop"),
                format!("/trace/{object}?namespace=shop&to=1h"),
                format!("/api/v1/story?{asked}"),
                format!("/api/v1/manifest?{asked}"),
            ];
            let encoded =
                |mode: &str| mode.replace(' ', "%20").replace('[', "%5B").replace(']', "%5D");
            let views = MODES.map(encoded);
            paths.extend(views.iter().map(|mode| format!("/api/v1/view?{asked}&mode={mode}")));
            for path in paths {
                let answer = client.get(&path);
                let told = answer.is_success() || !path.contains("story");
                assert!(told, "{path}: {}", answer.text);
                self.wrote(path, answer.text);
            }
        }
        for path in ["/api/v1/stats", "/api/v1/clusters", "/", "/api/v1/story", "/nowhere"] {
            self.wrote(path, client.get(path).text);
        }
    }

    fn ask_by_command(&mut self, server: &AllInOne) {
        let url = format!("http://{}", server.at().http);
        let limit = FACTS_MAX.to_string();
        let mut commands: Vec<Vec<&str>> = vec![
            vec!["search", "--limit", &limit, "-o", "json"],
            vec!["search", "--limit", &limit],
            vec!["store", "stats"],
        ];
        let objects = self.objects();
        for object in &objects {
            commands.push(vec!["trace", object, "-n", "shop", "-o", "json"]);
            commands.push(vec!["trace", object, "-n", "shop", "-o", "otlp"]);
            commands.push(vec!["trace", object, "-n", "shop", "--all"]);
            commands.push(vec!["get", object, "-n", "shop", "-o", "yaml"]);
        }
        for command in commands {
            let output = self.kausal().output(&[&command[..], &["--server", &url]].concat());
            self.wrote(command.join(" "), [output.stdout, output.stderr].concat());
        }
    }

    fn objects(&self) -> BTreeSet<String> {
        let told = self.planted.iter().filter(|planted| planted.fate != Fate::SetAside);
        told.filter_map(|planted| planted.object.clone()).collect()
    }

    /// Every span, out of whatever compresses it, then every file as it lies there.
    fn read_back(&mut self) {
        let config = EmbeddedConfig::new(self.path("store"));
        let store = EmbeddedStore::open(&config, None).expect("the store opens");
        let found = store.search(&SearchQuery::newest(FACTS_MAX)).expect("a search");
        assert!(!found.exhausted && found.hits.len() < FACTS_MAX);
        for hit in found.hits {
            self.wrote("a span", hit.bytes);
        }
        drop(store);
        for file in files_below(&self.path("store")) {
            if !file.components().any(|part| part.as_os_str() == "dead-letters") {
                self.wrote(file.display().to_string(), std::fs::read(&file).expect("readable"));
            }
        }
    }

    /// What the dead letters hold; only the owner may read them.
    fn dead_letters(&self) -> String {
        let file = self.path("store/dead-letters/dead-letters.jsonl");
        let mode = std::fs::metadata(&file).expect("a dead-letter file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::read_to_string(file).expect("readable")
    }

    /// Nothing is proved by the silence of an event that never arrived.
    fn assert_ingested(&self) {
        let json = self.written.iter().find(|(what, _)| what.ends_with("-o json"));
        let rows: Value = serde_json::from_slice(&json.expect("a search").1).expect("JSON");
        let rows = rows["rows"].as_array().expect("rows");
        let found: BTreeSet<_> = rows.iter().filter_map(|row| row["audit_id"].as_str()).collect();
        let letters = self.dead_letters();
        for Planted { place, audit_id, fate, canary, .. } in &self.planted {
            let arrived = match fate {
                Fate::SetAside => letters.contains(canary.as_str()),
                Fate::Hidden | Fate::Cut => found.contains(audit_id.as_str()),
            };
            assert!(arrived, "{place} was not ingested");
        }
    }

    /// Where canaries were found: place of the canary, and what it stands in.
    fn found(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        let planted = self.planted.iter().map(|planted| (&*planted.place, &*planted.canary));
        let needles = Needles::of(planted.chain([("the token of a sender", &*self.token)]));
        let mut found: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (what, bytes) in &self.written {
            for place in needles.found_in(bytes) {
                found.entry(place).or_default().insert(what);
            }
        }
        found
    }
}

fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { files.extend(files_below(&path)) } else { files.push(path) }
    }
    files
}

/// Both halves of every canary, looked for in one pass.
struct Needles<'a> {
    /// By their first bytes, with the place of the canary.
    halves: BTreeMap<[u8; 4], Vec<(&'a [u8], &'a str)>>,
    /// Whether a needle may begin with these two bytes.
    begins: Vec<bool>,
}

impl<'a> Needles<'a> {
    fn of(canaries: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let mut needles = Self { halves: BTreeMap::new(), begins: vec![false; 1 << 16] };
        for (place, canary) in canaries {
            let (first, second) = canary.as_bytes().split_at(canary.len() / 2);
            for half in [first, second] {
                let head = *half.first_chunk().expect("a half is long enough");
                needles.halves.entry(head).or_default().push((half, place));
                needles.begins[pair(half[0], half[1])] = true;
            }
        }
        needles
    }

    fn found_in(&self, bytes: &[u8]) -> BTreeSet<&'a str> {
        let pairs = bytes.windows(2).enumerate();
        let starts = pairs.filter(|(_, two)| self.begins[pair(two[0], two[1])]);
        let mut found = BTreeSet::new();
        for (at, _) in starts {
            let rest = &bytes[at..];
            let halves = rest.first_chunk().and_then(|head| self.halves.get(head));
            let fitting = halves.into_iter().flatten().filter(|(half, _)| rest.starts_with(half));
            found.extend(fitting.map(|(_, place)| place));
        }
        found
    }
}

fn pair(first: u8, second: u8) -> usize {
    usize::from(first) << 8 | usize::from(second)
}

#[test]
fn no_secret_is_anywhere_but_in_the_dead_letters() {
    let sown = Sown::new("{paths: [spec.opened.pin]}");
    assert!(sown.planted.len() >= 2 * CANARIES_MIN);
    sown.assert_ingested();
    let found = sown.found();
    assert!(found.is_empty(), "secrets were found: {found:#?}");
}

#[test]
fn what_is_not_hidden_is_found() {
    let sown = Sown::new("{enabled: false}");
    sown.assert_ingested();
    let found = sown.found();
    for Planted { place, fate, .. } in &sown.planted {
        match (fate, found.get(place.as_str())) {
            (Fate::Hidden, None) => panic!("{place}: the search would not find it if it leaked"),
            (Fate::Hidden, Some(_)) | (Fate::Cut | Fate::SetAside, None) => {}
            (_, Some(places)) => panic!("{place} is in {places:?}"),
        }
    }
}
