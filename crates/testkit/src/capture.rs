//! The bundled capture of a real cluster, and variations of it.

use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use kausal_trace::UnixNanos;

/// Namespaces of the capture; each copy of an amplified capture has its own.
const NAMESPACES: [&str; 5] = ["shop", "ci", "default", "kube-system", "kube-public"];
/// Members of an audit event and of objects that hold a time.
const RFC3339_LEN: usize = "2026-11-20T15:05:31Z".len();

/// The folder of the capture.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/capture")
}

/// The audit log: one event a line, as the apiserver wrote it.
///
/// # Panics
/// If the file is not there or broken: nothing can be tested without it.
pub fn audit_log() -> String {
    let file = std::fs::File::open(folder().join("audit.jsonl.gz")).expect("the capture is there");
    let mut text = String::new();
    GzDecoder::new(file).read_to_string(&mut text).expect("the capture is gzip");
    text
}

/// `copies` captures in one, each with its own audit ids and namespaces.
pub fn amplified(copies: usize) -> String {
    let log = audit_log();
    let mut out = String::with_capacity(log.len() * copies + copies * 4_096);
    for copy in 0..copies {
        out.push_str(&with_fresh_names(&log, copy));
    }
    out
}

fn with_fresh_names(log: &str, copy: usize) -> String {
    let mut log = log.replace("\"auditID\":\"", &format!("\"auditID\":\"{copy:03x}-"));
    for namespace in NAMESPACES {
        for (before, after) in [("\"", "\""), ("/namespaces/", "/"), ("/namespaces/", "?")] {
            let from = format!("{before}{namespace}{after}");
            log = log.replace(&from, &format!("{before}{namespace}-{copy:03}{after}"));
        }
    }
    log
}

/// Moves every RFC 3339 time of a log by whole seconds, wherever it stands.
///
/// # Panics
/// If a time leaves the years that can be written.
pub fn shifted(log: &str, seconds: i64) -> String {
    let mut out = String::with_capacity(log.len());
    let mut rest = log;
    while let Some(at) = rest.find("2026-11-20T") {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let (head, tail) = from.split_at(RFC3339_LEN - 1);
        match UnixNanos::parse_rfc3339(&format!("{head}Z")) {
            Some(time) => {
                let moved = time.seconds().checked_add_signed(seconds).expect("a time after 1970");
                let text = UnixNanos::from_seconds(moved).to_string();
                out.push_str(text.split_at(RFC3339_LEN - 1).0);
            }
            None => out.push_str(head),
        }
        rest = tail;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shifting_moves_every_time_and_nothing_else() {
        let line = r#"{"a":"2026-11-20T15:05:31.321174Z","b":"2026-11-20T23:59:59Z","c":"web"}"#;
        let moved = r#"{"a":"2026-11-21T15:05:31.321174Z","b":"2026-11-21T23:59:59Z","c":"web"}"#;
        assert_eq!(shifted(line, 86_400), moved);
    }

    #[test]
    fn copies_share_neither_audit_ids_nor_namespaces() {
        let log = amplified(2);
        assert_eq!(log.lines().count(), 2 * 1_876);
        assert!(!log.contains("\"namespace\":\"shop\""));
        assert_eq!(log.matches("\"auditID\":\"001-").count(), 1_876);
    }
}
