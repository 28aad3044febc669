//! The webhook row: the built program takes batches as an apiserver sends them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use kausal_testkit::process::{Process, free_address};

use crate::rows::Figures;
use crate::usage;

/// Events of one batch: the apiserver's default.
const BATCH: usize = 400;
/// Connections at a time, as from two apiservers that retry nothing.
const CONNECTIONS: usize = 2;
const LIMIT: Duration = Duration::from_mins(1);

/// Posts the log to `kausal all-in-one` and tells what that cost the server.
pub(crate) fn run(file: &Path) -> Figures {
    let log = std::fs::read_to_string(file).expect("the log");
    let lines: Vec<&str> = log.lines().collect();
    let bodies: Vec<String> = lines.chunks(BATCH).map(body).collect();
    let dir = tempfile::tempdir().expect("a folder");
    let address = free_address();
    let mut server = start(dir.path(), address);
    server.wait_for("listener", LIMIT, || TcpStream::connect(address).ok());
    let process = server.id().to_string();
    let before = usage::cpu_seconds(&process);
    std::thread::scope(|scope| {
        for first in 0..CONNECTIONS {
            let bodies = bodies.iter().skip(first).step_by(CONNECTIONS);
            scope.spawn(move || post(address, bodies));
        }
    });
    Figures {
        events: lines.len() as u64,
        cpu_seconds: usage::cpu_seconds(&process) - before,
        peak_bytes: usage::peak_bytes(&process),
        more: format!("{} batches of {BATCH}, {CONNECTIONS} connections", bodies.len()),
    }
}

fn start(dir: &Path, webhook: SocketAddr) -> Process {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kausal"));
    command.args(["all-in-one", "--log", "warn", "--store"]).arg(dir.join("store"));
    command.arg("--webhook-listen").arg(webhook.to_string());
    for door in ["--http-listen", "--grpc-listen", "--admin-listen"] {
        command.arg(door).arg(free_address().to_string());
    }
    Process::start("kausal", dir, &command)
}

fn body(lines: &[&str]) -> String {
    let items = lines.join(",");
    format!(
        r#"{{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{{}},"items":[{items}]}}"#
    )
}

fn post<'b>(address: SocketAddr, bodies: impl Iterator<Item = &'b String>) {
    let mut stream = TcpStream::connect(address).expect("connected");
    let mut answers = BufReader::new(stream.try_clone().expect("two ways"));
    for body in bodies {
        let length = body.len();
        write!(
            stream,
            "POST /audit/bench HTTP/1.1\r\nhost: bench\r\ncontent-length: {length}\r\n\r\n"
        )
        .and_then(|()| stream.write_all(body.as_bytes()))
        .expect("sent");
        answer(&mut answers);
    }
}

fn answer(answers: &mut BufReader<TcpStream>) {
    let mut length = 0;
    let mut line = String::new();
    answers.read_line(&mut line).expect("an answer");
    assert!(line.starts_with("HTTP/1.1 200"), "{line}");
    while !line.trim().is_empty() {
        line.clear();
        answers.read_line(&mut line).expect("a header");
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().expect("a length");
        }
    }
    let mut rest = vec![0; length];
    answers.read_exact(&mut rest).expect("its body");
}
