//! `kausal demo`
use crate::{answer::Outcome, cli::AllInOne, config::Loaded};
pub(crate) fn run(_l: &Loaded, _f: &AllInOne) -> anyhow::Result<Outcome> {
    anyhow::bail!("soon")
}
