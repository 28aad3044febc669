//! The file source, from real files into a sink in memory.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::io::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use common::{MemorySink, capture, names, pipeline, run};
use flate2::Compression;
use flate2::write::GzEncoder;
use kausal_consumers::ClusterName;
use kausal_consumers::dead_letters::DeadLetters;
use kausal_consumers::sink::SinkError;
use kausal_consumers::source::file::{IngestReport, Input, find, ingest};

fn gzip(path: &Path, bytes: &[u8]) {
    let mut file = GzEncoder::new(std::fs::File::create(path).unwrap(), Compression::fast());
    file.write_all(bytes).unwrap();
    file.finish().unwrap();
}

fn read(sink: &MemorySink, inputs: &[Input]) -> Result<IngestReport, SinkError> {
    let pipeline = pipeline(sink, None);
    let cluster = ClusterName::new("capture").unwrap();
    ingest(&pipeline, &cluster, inputs, &mut |_| ControlFlow::Continue(()))
}

#[test]
fn files_in_pieces_tell_what_one_file_tells() {
    let log = capture();
    let middle = log.len() / 2 + log[log.len() / 2..].iter().position(|b| *b == b'\n').unwrap() + 1;
    let (head, tail) = log.split_at(middle);
    let dir = tempfile::tempdir().unwrap();
    gzip(&dir.path().join("audit-1.log.gz"), head);
    std::fs::write(dir.path().join("audit-2.log.zst"), zstd::encode_all(tail, 1).unwrap()).unwrap();
    let sink = MemorySink::default();
    let inputs = find(&[dir.path().to_owned()]).unwrap();
    let report = read(&sink, &inputs).unwrap();

    let (counts, spans) = run(&[&log]);
    assert_eq!(report.counts.events, counts.events);
    assert_eq!(report.counts.kept, counts.kept);
    assert_eq!(report.counts.fact_spans, counts.fact_spans);
    assert_eq!(report.inputs.len(), 2);
    let sizes = |name: &str| dir.path().join(name).metadata().unwrap().len();
    assert_eq!(report.inputs[0].bytes, sizes("audit-1.log.gz"));
    assert_eq!(names(&sink.spans())["event"], names(&spans)["event"]);
}

#[test]
fn progress_is_said_and_may_end_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.log");
    let log = capture();
    std::fs::write(&path, &log).unwrap();
    let sink = MemorySink::default();
    let pipeline = pipeline(&sink, None);
    let cluster = ClusterName::new("capture").unwrap();
    let mut said = Vec::new();
    let report = ingest(&pipeline, &cluster, &[Input::File(path)], &mut |progress| {
        assert_eq!(progress.bytes_total, Some(log.len() as u64));
        said.push(progress.bytes);
        ControlFlow::Break(())
    });
    let report = report.unwrap();
    assert!(report.stopped && said.len() == 1, "{said:?}");
    assert!(report.counts.events > 100 && report.counts.events < 1_876, "{report:?}");
    let facts = names(&sink.spans()).into_iter().filter(|(name, _)| name != "object");
    let facts: usize = facts.filter(|(name, _)| name != "link").map(|(_, count)| count).sum();
    assert_eq!(facts as u64, report.counts.fact_spans, "what was taken is durable");
}

#[test]
fn a_broken_input_is_told_up_to_the_break_and_named() {
    let dir = tempfile::tempdir().unwrap();
    let paths: Vec<PathBuf> = ["a.gz", "b.log"].map(|name| dir.path().join(name)).to_vec();
    gzip(&paths[0], &capture());
    let cut = std::fs::read(&paths[0]).unwrap();
    std::fs::write(&paths[0], &cut[..cut.len() / 2]).unwrap();
    std::fs::write(&paths[1], "{\"kind\":\"Event\"\nnot json\n").unwrap();
    let mut inputs: Vec<Input> = paths.into_iter().map(Input::File).collect();
    inputs.push(Input::File(dir.path().join("missing.log")));

    let sink = MemorySink::default();
    let letters = dir.path().join("letters");
    let pipeline = pipeline(&sink, Some(DeadLetters::open(&letters, 1 << 20).unwrap()));
    let cluster = ClusterName::new("capture").unwrap();
    let report = ingest(&pipeline, &cluster, &inputs, &mut |_| ControlFlow::Continue(())).unwrap();
    let errors: Vec<bool> = report.inputs.iter().map(|input| input.error.is_some()).collect();
    assert_eq!(errors, [true, false, true], "{report:?}");
    assert!(report.counts.events > 100, "{report:?}");
    assert!(report.counts.rejected_total() >= 2, "{report:?}");
    let text = std::fs::read_to_string(letters.join("dead-letters.jsonl")).unwrap();
    assert_eq!(text.lines().count() as u64, report.counts.rejected_total());
    assert!(text.contains("not json") && text.contains("b.log"), "{text}");
}

#[test]
fn a_sink_that_fails_ends_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.log");
    std::fs::write(&path, capture()).unwrap();
    let sink = MemorySink::default();
    sink.hold();
    let failing = sink.clone();
    let reader = std::thread::spawn(move || read(&failing, &[Input::File(path)]));
    while sink.batches() < 2 {
        std::thread::yield_now();
    }
    sink.release(|| Err(SinkError::Failed { reason: "disk".to_owned() }));
    let error = reader.join().unwrap().unwrap_err().to_string();
    assert!(error.contains("disk"), "{error}");
}
