//! `kausal storage-plugin --identity` as somebody starts it: who may purge, and how it leaves.

use kausal_testkit::client::Client;
use kausal_testkit::kausal::Kausal;

fn kausal(dir: &tempfile::TempDir) -> Kausal {
    Kausal::new(env!("CARGO_BIN_EXE_kausal"), dir.path())
}

#[test]
fn a_purge_exists_only_where_it_was_allowed() {
    let check = |configuration: Option<&str>, status: u16| {
        let dir = tempfile::tempdir().expect("a folder");
        let mut server = kausal(&dir).raw_storage(configuration);
        let admin = Client::http(server.at().admin);
        let answer = admin.try_post_text("/purge", "").expect("an answer");
        assert_eq!(answer.status, status, "{configuration:?} {}", answer.text);
        assert_ne!(admin.get("/purge").status, 200, "a purge is no question");
        server.terminate();
        assert!(dir.path().join("store/raw/FORMAT").is_file());
        assert!(!dir.path().join("store/FORMAT").exists(), "no other store was made");
    };
    check(None, 404);
    check(Some("raw: {allow_purge: true}\n"), 200);
}

#[test]
fn what_cannot_be_allowed_is_an_error_before_anything_is_opened() {
    let check = |arguments: &[&str], why: &str| {
        let dir = tempfile::tempdir().expect("a folder");
        let all = [&["storage-plugin", "--store", "store"], arguments].concat();
        let output = kausal(&dir).output(&all);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(why), "{said}");
        assert!(!dir.path().join("store").exists());
    };
    check(&["--allow-purge"], "--identity");
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("kausal.yaml");
    std::fs::write(&file, "admin: {listen: \"0.0.0.0:0\", auth: none}\n").expect("writable");
    let file = file.display().to_string();
    check(&["--identity", "--allow-purge", "--config", &file], "raw.allow_purge");
}
