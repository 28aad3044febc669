//! `kausal demo`
use crate::{answer::Outcome, cli::AllInOne, config::Loaded};
pub fn run(_l:Loaded,_f:&AllInOne)->anyhow::Result<Outcome>{ anyhow::bail!("soon") }
