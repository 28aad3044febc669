//! Who may come in, as an operator meets it: the built server with TLS and an identity check, and
//! its own command line as the client.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use kausal_testkit::authority::{Authority, Signed};
use kausal_testkit::capture;
use kausal_testkit::client::Client;
use kausal_testkit::kausal::{AllInOne, Kausal};
use kausal_testkit::process::{START_LIMIT, wait_for};
use serde_json::json;

const TOKEN: &str = "the-token-zq7hunter2";

/// A server whose HTTP door is guarded, and the files of those who ask it.
struct House {
    dir: tempfile::TempDir,
    kausal: Kausal,
    server: AllInOne,
    servers: Authority,
    clients: Authority,
}

impl House {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let (servers, clients) = (Authority::make(), Authority::make());
        let files = servers.sign("kausal").write(dir.path(), "tls");
        write(dir.path(), "servers.crt", &servers.pem());
        let client_ca_file = write(dir.path(), "clients.crt", &clients.pem());
        let token_file = write(dir.path(), "token", TOKEN);
        let tls = json!({"cert_file": files.file, "key_file": files.key_file,
            "client_ca_file": client_ca_file});
        // JSON is YAML too.
        let configuration = json!({
            "http": {"tls": tls, "auth": {
                "tokens": [{"name": "people", "token_file": token_file}],
                "client_certificates": ["ci"],
                "forwarded_user": {"from": ["people"]},
            }},
            "log": {"level": "info,access=debug"},
        });
        let kausal = Kausal::new(env!("CARGO_BIN_EXE_kausal"), dir.path());
        let server = kausal.all_in_one(Some(&configuration.to_string()));
        Self { dir, kausal, server, servers, clients }
    }

    fn url(&self) -> String {
        format!("https://{}", self.server.at().http)
    }

    /// A command of ours, with these variables.
    fn asks(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
        let mut command = self.kausal.command(arguments);
        command.envs(variables.iter().copied()).output().expect("kausal starts")
    }

    /// Whoever asks for a search with these flags and variables: exit code 0 or 3 means inside.
    fn check(&self, flags: &[&str], variables: &[(&str, &str)], code: i32, says: &str) {
        let url = self.url();
        let arguments = [&["search", "username=nobody", "--server", &url], flags].concat();
        let output = self.asks(&arguments, variables);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{flags:?} {variables:?}: {errors}");
        assert!(errors.contains(says) && !errors.contains(TOKEN), "{says} is not in {errors}");
    }
}

fn write(dir: &Path, name: &str, text: &str) -> PathBuf {
    std::fs::write(dir.join(name), text).expect("a file can be written");
    dir.join(name)
}

fn signed_files(signed: &Signed, dir: &Path, name: &str) -> [String; 4] {
    let files = signed.write(dir, name);
    let [file, key_file] = [files.file, files.key_file].map(|file| file.display().to_string());
    ["--cert-file".to_owned(), file, "--key-file".to_owned(), key_file]
}

#[test]
fn our_own_command_line_comes_in_with_what_it_is_given() {
    let house = House::new();
    let inside = (3, "nothing recorded matches");
    let ca = ["--ca-file", "servers.crt"];
    let with = |more: &[&'static str]| [&ca[..], more].concat();

    house.check(&with(&["--token-file", "token"]), &[], inside.0, inside.1);
    house.check(&ca, &[("KAUSAL_TOKEN", TOKEN)], inside.0, inside.1);
    let variables = [("KAUSAL_CA_FILE", "servers.crt"), ("KAUSAL_TOKEN_FILE", "token")];
    house.check(&[], &variables, inside.0, inside.1);
    house.check(&ca, &[], 1, "a bearer token or a client certificate is needed");
    house.check(&ca, &[], 1, "--token-file or $KAUSAL_TOKEN");
    house.check(&ca, &[("KAUSAL_TOKEN", "another-token-0123456789")], 1, "is needed");
    house.check(&[], &[("KAUSAL_TOKEN", TOKEN)], 1, "--ca-file or $KAUSAL_CA_FILE");
    house.check(&ca, &[("KAUSAL_TOKEN", "short")], 2, "KAUSAL_TOKEN: the token is none");
    house.check(&with(&["--token-file", "nowhere"]), &[], 2, "nowhere cannot be read");
    house.check(&with(&["--cert-file", "servers.crt"]), &[], 2, "together or not at all");

    let (dir, clients) = (house.dir.path(), &house.clients);
    let check = |signed: &Signed, name: &str, code: i32, says: &str| {
        let shown = signed_files(signed, dir, name);
        let flags = [&ca[..], &shown.each_ref().map(String::as_str)].concat();
        house.check(&flags, &[], code, says);
    };
    check(&clients.sign("ci"), "ci", inside.0, inside.1);
    check(&clients.sign("stranger"), "stranger", 1, "may not come in");
    check(&Authority::make().sign("ci"), "forged", 1, "does not answer");
    let mixed = Signed { key_pem: clients.sign("ci").key_pem, ..clients.sign("ci") };
    check(&mixed, "mixed", 2, "cannot be used");

    let url = format!("http://kausal.invalid:{}", house.server.at().http.port());
    let output = house.asks(&["trace", "po/x", "--server", &url], &[("KAUSAL_TOKEN", TOKEN)]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && errors.contains("over https"), "{errors}");
}

/// The store is held by the guarded server; the lock says where it is asked.
#[test]
fn a_log_is_handed_to_the_holder_of_the_store_by_those_who_may() {
    let house = House::new();
    let log = capture::folder().join("audit.jsonl.gz").display().to_string();
    let arguments = ["ingest", "--cluster", "capture", "--store", "store", &log];
    let ca = ("KAUSAL_CA_FILE", "servers.crt");
    let output = house.asks(&arguments, &[ca]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.contains("Unauthenticated: a bearer token or"), "{errors}");

    let known = [ca, ("KAUSAL_TOKEN", TOKEN)];
    let output = house.asks(&arguments, &known);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let output = house.asks(&["trace", "deploy/web", "-n", "shop", "--store", "store"], &known);
    let story = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && story.contains("alice"), "{story}");
}

#[test]
fn who_asked_for_whom_is_logged_and_no_token_is() {
    let house = House::new();
    let pem = house.servers.pem();
    let client = Client::https(house.server.at().http, pem.as_bytes()).expect("a certificate");
    let codes =
        ["/api/v1/stats", "/api/traces/1", "/metrics", "/"].map(|path| client.get(path).status);
    assert_eq!(codes, [401; 4]);
    let answer = client.with_token(TOKEN).get("/api/v1/stats");
    assert_eq!(answer.status, 200, "{}", answer.text);
    let refused =
        house.server.metric("kausal_door_requests_refused_total", &["reason=\"unproven\""]);
    assert!((refused - 4.0).abs() < 1e-9, "{refused}");
    let log = house.server.log();
    assert!(log.contains("caller=\"people\"") && log.contains("/api/v1/stats"), "{log}");
    assert!(!log.contains(TOKEN), "{log}");
}

#[test]
fn a_new_certificate_is_in_force_after_sighup() {
    let house = House::new();
    let reloads = |outcome: &str| {
        let labels = ["what=\"certificate\"", &format!("outcome=\"{outcome}\"")].map(str::to_owned);
        let labels = labels.each_ref().map(String::as_str);
        house.server.metric("kausal_door_file_reloads_total", &labels)
    };
    let told = |outcome: &str| {
        let id = house.server.id().to_string();
        let sent = Command::new("kill").args(["-HUP", &id]).status().expect("kill runs");
        assert!(sent.success());
        wait_for("the reload", START_LIMIT, || (reloads(outcome) > 0.5).then_some(()));
    };
    let next = Authority::make();
    write(house.dir.path(), "next.crt", &next.pem());
    let token = [("KAUSAL_TOKEN", TOKEN)];

    write(house.dir.path(), "tls.crt", "rubbish");
    told("refused");
    house.check(&["--ca-file", "servers.crt"], &token, 3, "nothing recorded");
    next.sign("kausal").write(house.dir.path(), "tls");
    told("taken");
    house.check(&["--ca-file", "next.crt"], &token, 3, "nothing recorded");
    house.check(&["--ca-file", "servers.crt"], &token, 1, "does not answer");
}
