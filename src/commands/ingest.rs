//! `kausal ingest`: audit log files into the store, or into the process that holds it.
use crate::{answer::Outcome, cli::Ingest, config::Loaded};
pub(crate) fn run(_l: &Loaded, _f: &Ingest) -> anyhow::Result<Outcome> {
    anyhow::bail!("soon")
}
