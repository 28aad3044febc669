//! Jaeger's own storage integration suite, run against a storage.

use std::path::Path;
use std::process::Command;

use super::{Bed, Doors};

/// One test of the suite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SuiteTest {
    /// Its name, with those of the tests it is part of.
    pub name: String,
    /// What became of it.
    pub verdict: Verdict,
}

/// What became of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It passed.
    Passed,
    /// It failed.
    Failed,
    /// The suite did not run it.
    Skipped,
}

/// Runs the suite against the storage at these doors, and answers with its tests and its output.
///
/// # Panics
/// If it does not start.
pub fn storage_suite(bed: &Bed, dir: &Path, at: Doors) -> (Vec<SuiteTest>, String) {
    let output = Command::new(bed.path("STORAGE_SUITE"))
        .args(["-test.run=^TestKausal$", "-test.v", "-test.timeout=5m"])
        .env("KAUSAL_GRPC", at.grpc.to_string())
        .env("KAUSAL_PURGE", format!("http://{}/purge", at.admin))
        .current_dir(dir)
        .output()
        .expect("the suite starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let tests = text.lines().filter_map(parse).collect();
    (tests, text + &String::from_utf8_lossy(&output.stderr))
}

/// `    --- PASS: TestKausal/GetTrace (0.04s)`.
fn parse(line: &str) -> Option<SuiteTest> {
    let (verdict, rest) = line.trim_start().strip_prefix("--- ")?.split_once(": ")?;
    let verdict = match verdict {
        "PASS" => Verdict::Passed,
        "FAIL" => Verdict::Failed,
        "SKIP" => Verdict::Skipped,
        _ => return None,
    };
    let (name, _) = rest.rsplit_once(" (")?;
    Some(SuiteTest { name: name.to_owned(), verdict })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_are_read_and_other_lines_are_not() {
        let test = |name: &str, verdict| Some(SuiteTest { name: name.to_owned(), verdict });
        let check = |line: &str, expect| assert_eq!(parse(line), expect, "{line}");
        check(
            "    --- PASS: TestKausal/GetTrace (0.04s)",
            test("TestKausal/GetTrace", Verdict::Passed),
        );
        check("--- FAIL: TestKausal (1.21s)", test("TestKausal", Verdict::Failed));
        check("    --- SKIP: TestKausal/A_(b) (0.00s)", test("TestKausal/A_(b)", Verdict::Skipped));
        check("=== RUN   TestKausal", None);
        check("    integration.go:1: waiting", None);
    }
}
