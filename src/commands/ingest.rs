//! `kausal ingest`: audit log files into the store, or into the process that holds it.

use std::io::IsTerminal;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use kausal_consumers::Metrics;
use kausal_consumers::sink::{ExportConfig, ExportSink, Sink, StoreSink};
use kausal_consumers::source::file::{self, IngestReport, Progress};
use kausal_runtime::prometheus_client::registry::Registry;
use kausal_store::EmbeddedConfig;

use super::process::{clusters, filter, pipeline};
use super::reach::{Missing, Reached, reach};
use super::running::runtime;
use crate::answer::{Outcome, UsageError, progress, say};
use crate::cli::{Ingest, Target};
use crate::config::Loaded;

/// How often a terminal is told how far reading is.
const PROGRESS_SECONDS: f64 = 0.2;

/// Runs the command.
pub(crate) fn run(loaded: &Loaded, flags: &Ingest) -> anyhow::Result<Outcome> {
    let cluster = clusters(loaded)?.resolve(&flags.cluster);
    let cluster = cluster.map_err(|error| UsageError(error.to_string()))?;
    let inputs = file::find(&flags.files).map_err(|error| UsageError(error.to_string()))?;
    let filter = filter(loaded)?;
    // Kept until the last acknowledgement: it drives the connection to a holder.
    let runtime = runtime()?;
    let (sink, store) = sink(loaded, &flags.target, runtime.handle())?;
    let pipeline =
        pipeline(loaded, filter, sink, &store, Metrics::register(&mut Registry::default()))?;
    let mut shown = Shown::new(flags.quiet);
    let report = file::ingest(&pipeline, &cluster, &inputs, &mut |progress| shown.show(progress))?;
    shown.end();
    Ok(told(&report, flags.quiet))
}

/// Where spans go, and the store beside which the redaction key and dead letters lie.
fn sink(
    loaded: &Loaded,
    target: &Target,
    runtime: &tokio::runtime::Handle,
) -> anyhow::Result<(Arc<dyn Sink>, EmbeddedConfig)> {
    let (reached, config) = reach(loaded, target, Missing::Make)?;
    let sink: Arc<dyn Sink> = match reached {
        Reached::Here(store) => Arc::new(StoreSink::new(Arc::new(store))),
        Reached::There(server) => {
            let export = ExportConfig { endpoint: server.url, ..ExportConfig::default() };
            Arc::new(ExportSink::new(&export, &server.access, runtime.clone())?)
        }
    };
    Ok((sink, config))
}

/// Says what became of the inputs; a file that could not be read to its end is a failure.
fn told(report: &IngestReport, quiet: bool) -> Outcome {
    let mut outcome = Outcome::Done;
    for input in &report.inputs {
        if let Some(error) = &input.error {
            say(&format!("kausal: {}: {error}", input.name));
            outcome = Outcome::Failed;
        }
    }
    if !quiet {
        say(&summary(report));
    }
    outcome
}

fn summary(report: &IngestReport) -> String {
    let counts = &report.counts;
    let (kept, counted) = (counts.kept_total(), counts.filtered_total());
    let set_aside = counts.rejected_total();
    let head = format!(
        "{} events in {:.1} s: {kept} kept, {counted} counted only, {set_aside} set aside",
        kept + counted + set_aside,
        report.seconds,
    );
    let reasons = counts.rejected.iter();
    let reasons = reasons.map(|(reason, count)| format!("\n  set aside, {reason}: {count}"));
    std::iter::once(head).chain(reasons).collect()
}

/// One line that is written over itself, where somebody watches.
struct Shown {
    wanted: bool,
    last: f64,
    drawn: bool,
}

impl Shown {
    fn new(quiet: bool) -> Self {
        Self { wanted: !quiet && std::io::stderr().is_terminal(), last: 0.0, drawn: false }
    }

    fn show(&mut self, now: &Progress<'_>) -> ControlFlow<()> {
        let elapsed = now.elapsed.as_secs_f64();
        if self.wanted && elapsed - self.last >= PROGRESS_SECONDS {
            (self.last, self.drawn) = (elapsed, true);
            let share = now.bytes_total.filter(|total| *total > 0).map_or(String::new(), |total| {
                format!(" {:>3} %", now.bytes.min(total) * 100 / total)
            });
            let name = Path::new(now.input).file_name().unwrap_or_default().to_string_lossy();
            let rate = u128::from(now.events) * 1_000 / now.elapsed.as_millis().max(1);
            progress(&format!("{name}{share}  {} events, {rate}/s", now.events));
        }
        ControlFlow::Continue(())
    }

    fn end(&mut self) {
        if self.drawn {
            progress("");
        }
    }
}
