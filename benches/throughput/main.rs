//! How fast, how small: the figures of `docs/benchmarks.md`, as shares of a parse-only bound taken
//! in the same run.
//!
//! Every row runs in a process of its own, so that its peak memory is its own; times are CPU time
//! of all its threads (user and system), so that a busy machine does not change them much.

#![expect(clippy::print_stdout, reason = "figures are what it prints")]
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "counts become rates and places in a sorted list"
)]

mod parse_only;
mod rows;
mod usage;
mod view;
mod webhook;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rows::Figures;

/// The allocator of the shipped binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Copies of the capture; 40 are 75,040 events.
const COPIES: usize = 40;
/// Rounds of each row; the median is told.
const ROUNDS: usize = 3;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|it| it != "--bench").collect();
    if let [row, file] = arguments.as_slice() {
        println!("{}", serde_json::to_string(&rows::run(row, Path::new(file))).expect("figures"));
        return;
    }
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("audit.jsonl");
    let log = kausal_testkit::capture::amplified(COPIES);
    println!("{} events, {} B on average\n", log.lines().count(), log.len() / log.lines().count());
    std::fs::write(&file, log).expect("the log is written");
    println!("| path | events per CPU second | of parse-only | peak memory | more |");
    println!("|---|---|---|---|---|");
    let bound = row("parse-only", &file, None);
    for name in ["in-memory", "file", "webhook"] {
        row(name, &file, Some(bound));
    }
    let view = median("view", &file);
    println!("\n{}", view.more);
}

/// Prints a row and answers its speed.
fn row(name: &str, file: &Path, bound: Option<f64>) -> f64 {
    let Figures { events, cpu_seconds, peak_bytes, more, .. } = median(name, file);
    let rate = events as f64 / cpu_seconds;
    let share = 100.0 * rate / bound.unwrap_or(rate);
    println!("| {name} | {rate:.0} | {share:.0} % | {} MB | {more} |", peak_bytes >> 20);
    rate
}

/// The round whose CPU time is the middle one.
fn median(name: &str, file: &Path) -> Figures {
    let mut rounds: Vec<Figures> = (0..ROUNDS).map(|_| in_own_process(name, file)).collect();
    rounds.sort_by(|a, b| a.cpu_seconds.total_cmp(&b.cpu_seconds));
    rounds.swap_remove(ROUNDS / 2)
}

fn in_own_process(name: &str, file: &Path) -> Figures {
    let me: PathBuf = std::env::current_exe().expect("this program");
    let output = Command::new(me)
        .arg(name)
        .arg(file)
        .stderr(Stdio::inherit())
        .output()
        .expect("a process of its own");
    assert!(output.status.success(), "{name} failed");
    serde_json::from_slice(&output.stdout).expect("figures")
}
