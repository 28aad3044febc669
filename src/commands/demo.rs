//! `kausal demo`: the bundled capture of a real cluster, told and kept open.

use std::path::{Path, PathBuf};

use anyhow::Context;
use kausal_consumers::ClusterName;
use kausal_consumers::source::file::{self, Input};
use kausal_runtime::clock;
use kausal_storage_plugin::{ObjectQuery, Stop};
use kausal_store::Clock;
use kausal_story::text::{TextStyle, render};
use kausal_trace::UnixNanos;

use super::all_in_one::{Running, start};
use super::process::Settings;
use super::running::runtime;
use crate::answer::{Outcome, colour, print, say};
use crate::cli::AllInOne;
use crate::config::Loaded;

/// An audit log of Kubernetes 1.36, gzip; `tests/data/capture` says how it was made.
const CAPTURE: &[u8] = include_bytes!("../../tests/data/capture/audit.jsonl.gz");
const CLUSTER: &str = "capture";
/// When the capture was made: 20 Nov 2026, 16:00 UTC.
const CAPTURED: UnixNanos = UnixNanos::from_seconds(1_795_190_400);
/// The demo leaves the real store alone.
const STORE_DIR: &str = "./kausal-demo";

/// Runs until told to leave.
pub(crate) fn run(loaded: &Loaded, flags: &AllInOne) -> anyhow::Result<Outcome> {
    let mut flags = flags.clone();
    let store = flags.plugin.store.get_or_insert_with(|| PathBuf::from(STORE_DIR)).clone();
    let mut settings = Settings::of(loaded, &flags)?;
    // The capture is no news from the future, however wrong this machine's clock is.
    settings.plugin.store.clock = Some(Clock::new(|| UnixNanos(clock::now()).max(CAPTURED)));
    runtime()?.block_on(async {
        let running = start(loaded, settings).await?;
        print(&tell(&running).await?)?;
        say(&further(&running, &store));
        running.serving.running.until_told().await
    })
}

async fn tell(running: &Running) -> anyhow::Result<String> {
    let (pipeline, reader) = (running.pipeline.clone(), running.serving.reader.clone());
    let work = move || -> anyhow::Result<String> {
        let input = Input::Bundled("audit.jsonl.gz", CAPTURE);
        let cluster = ClusterName::new(CLUSTER)?;
        let report = file::ingest(&pipeline, &cluster, &[input], &mut |_| {
            std::ops::ControlFlow::Continue(())
        })?;
        say(&format!(
            "{} events of a real cluster, taken in {:.1} s\n",
            report.counts.events, report.seconds
        ));
        let query = ObjectQuery {
            cluster: Some(CLUSTER.to_owned()),
            namespace: Some("shop".to_owned()),
            ..ObjectQuery::typed("deploy/web", None).context("the demo's own object")?
        };
        let story = reader.story(&query, &Stop::default())?;
        Ok(render(&story, &TextStyle { colour: colour(), ..TextStyle::default() }))
    };
    tokio::task::spawn_blocking(work).await?
}

fn further(running: &Running, store: &Path) -> String {
    let kausal = std::env::args().next().unwrap_or_else(|| "kausal".to_owned());
    let (url, grpc, store) = (&running.serving.url, running.serving.grpc, store.display());
    format!(
        "
The same story stands at {url}/trace/deploy/web?namespace=shop

Look further, in another terminal:
  {kausal} trace deploy/web -n shop --store {store} --all
  {kausal} trace deploy/web -n shop --store {store} --mode 'tree [owned objects]'
  {kausal} trace backups/nightly -n shop --store {store}
  {kausal} get deploy/web -n shop --store {store} --at 2026-11-20T15:05:50Z
  {kausal} search username=mallory@example.com --store {store}

Point a Jaeger 2 at it:
  jaeger_storage: {{ backends: {{ kausal: {{ grpc: {{ endpoint: {grpc}, tls: {{ insecure: true }} }} }} }} }}
  jaeger_query: {{ storage: {{ traces: kausal }} }}

Serving until Ctrl-C."
    )
}
