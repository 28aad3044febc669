//! Reads audit logs from files, folders and standard input.
//!
//! Promise: at most [`IN_FLIGHT_MAX`] batches wait for their acknowledgement; what the report
//! counts is durable. An input that breaks in the middle is told up to there and named.
//! Never here: remembering how far a file was read. Reading it again writes the same spans.

mod find;

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::time::Duration;

use kausal_audit::read::{DocumentReader, Piece, ReadError, ReadLimits};
use kausal_runtime::clock::Stopwatch;
use serde::{Deserialize, Serialize};

pub use find::{FindError, Input, find};

use crate::cluster::ClusterName;
use crate::counts::Counts;
use crate::intake::Intake;
use crate::pipeline::{Parcel, Pipeline, UnderWay};
use crate::sink::SinkError;

/// Kind of this source, as metrics and the registry name it.
pub const KIND: &str = "file";
/// Batches handed over and not acknowledged: the next is encoded while the store writes these.
pub const IN_FLIGHT_MAX: usize = 3;

/// How far reading is.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a> {
    /// Input that is read now.
    pub input: &'a str,
    /// Bytes of it that were read, as they lie on disk.
    pub bytes: u64,
    /// Its size, where it has one.
    pub bytes_total: Option<u64>,
    /// Events of all inputs that are durable, kept or counted.
    pub events: u64,
    /// Time since the first input was begun.
    pub elapsed: Duration,
}

/// What became of the inputs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct IngestReport {
    /// Of all inputs together.
    pub counts: Counts,
    /// Each input, in order.
    pub inputs: Vec<InputReport>,
    /// How long it took, until the last span was durable.
    pub seconds: f64,
    /// Whether it was told to stop before the end.
    pub stopped: bool,
}

/// What became of one input.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputReport {
    /// Its path, or `-`.
    pub name: String,
    /// Bytes read, as they lie on disk.
    pub bytes: u64,
    /// Why it was not read to its end, where it was not.
    pub error: Option<String>,
}

/// Asked between pieces; `Break` ends reading after what was taken is durable.
pub type OnProgress<'f> = &'f mut dyn FnMut(&Progress<'_>) -> ControlFlow<()>;

/// Reads inputs one after the other into the pipeline. Fails only when the sink does.
pub fn ingest(
    pipeline: &Pipeline,
    cluster: &ClusterName,
    inputs: &[Input],
    on_progress: OnProgress<'_>,
) -> Result<IngestReport, SinkError> {
    let mut run = Run {
        pipeline,
        in_flight: VecDeque::with_capacity(IN_FLIGHT_MAX),
        report: IngestReport::default(),
        on_progress,
        since: Stopwatch::start(),
    };
    for input in inputs {
        if run.input(cluster, input)?.is_break() {
            run.report.stopped = true;
            break;
        }
    }
    run.finish()
}

struct Run<'p, 'f> {
    pipeline: &'p Pipeline,
    in_flight: VecDeque<UnderWay>,
    report: IngestReport,
    on_progress: OnProgress<'f>,
    since: Stopwatch,
}

impl<'p> Run<'p, '_> {
    fn input(
        &mut self,
        cluster: &ClusterName,
        input: &Input,
    ) -> Result<ControlFlow<()>, SinkError> {
        let name = input.name();
        let mut intake = self.pipeline.intake(KIND, &name, cluster.clone());
        match open(input) {
            Ok((stream, total)) => {
                let reader = DocumentReader::new(stream, ReadLimits::default());
                self.pieces(reader, total, name, &mut intake)
            }
            Err(error) => {
                let error = Some(error.to_string());
                self.report.inputs.push(InputReport { name, bytes: 0, error });
                Ok(ControlFlow::Continue(()))
            }
        }
    }

    fn pieces(
        &mut self,
        mut reader: DocumentReader<Box<dyn Read>>,
        bytes_total: Option<u64>,
        name: String,
        intake: &mut Intake<'p>,
    ) -> Result<ControlFlow<()>, SinkError> {
        let mut report = InputReport { name, ..InputReport::default() };
        let mut flow = ControlFlow::Continue(());
        while let Some(piece) = reader.next() {
            match piece {
                Ok(Piece::Documents(chunk)) => {
                    let mut hand_over = |parcel| self.hand_over(parcel);
                    intake.take(&chunk.bytes, chunk.offset, &mut hand_over)?;
                }
                Ok(Piece::Oversized(oversized)) => intake.pass_over(&oversized),
                Err(error) => report.error = Some(said(&error)),
            }
            report.bytes = reader.input_bytes();
            flow = (self.on_progress)(&Progress {
                input: &report.name,
                bytes: report.bytes,
                bytes_total,
                events: self.report.counts.events,
                elapsed: self.since.elapsed(),
            });
            if flow.is_break() {
                break;
            }
        }
        self.report.inputs.push(report);
        self.hand_over(intake.finish())?;
        Ok(flow)
    }

    fn hand_over(&mut self, parcel: Parcel) -> Result<(), SinkError> {
        while self.in_flight.len() >= IN_FLIGHT_MAX {
            self.acknowledge_oldest()?;
        }
        self.in_flight.push_back(self.pipeline.hand_over(parcel));
        Ok(())
    }

    fn acknowledge_oldest(&mut self) -> Result<(), SinkError> {
        if let Some(parcel) = self.in_flight.pop_front() {
            self.report.counts.add(&self.pipeline.acknowledged_blocking(parcel)?);
        }
        Ok(())
    }

    fn finish(mut self) -> Result<IngestReport, SinkError> {
        while !self.in_flight.is_empty() {
            self.acknowledge_oldest()?;
        }
        self.report.seconds = self.since.elapsed().as_secs_f64();
        Ok(self.report)
    }
}

fn open(input: &Input) -> io::Result<(Box<dyn Read>, Option<u64>)> {
    match input {
        Input::Stdin => Ok((Box::new(io::stdin().lock()), None)),
        Input::Bundled(_, bytes) => Ok((Box::new(*bytes), Some(bytes.len() as u64))),
        Input::File(path) => {
            let file = File::open(path)?;
            let metadata = file.metadata()?;
            let total = metadata.is_file().then_some(metadata.len());
            Ok((Box::new(file), total))
        }
    }
}

/// The error and what caused it, in one line.
fn said(error: &ReadError) -> String {
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
