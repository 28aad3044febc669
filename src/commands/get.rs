//! `kausal get`: the manifest of an object as it was.

use kausal_runtime::clock;
use kausal_storage_plugin::ObjectQuery;
use kausal_story::Manifest;
use kausal_trace::UnixNanos;

use super::asking::{Source, cluster, time};
use crate::answer::{Outcome, print, say};
use crate::cli::{Get, GetOutput};
use crate::config::Loaded;

/// Runs the command. What is not sure about the manifest goes to standard error, so that the
/// manifest can be piped.
pub(crate) fn run(loaded: &Loaded, flags: &Get) -> anyhow::Result<Outcome> {
    let which = flags.which.query()?;
    let query = ObjectQuery { cluster: cluster(loaded, which.cluster.as_deref())?, ..which };
    let at = time("--at", flags.at.as_deref())?.unwrap_or_else(|| UnixNanos(clock::now()));
    let manifest = Source::of(loaded, &flags.target)?.manifest(&query, at)?;
    say(&origin(&manifest));
    for doubt in &manifest.doubts {
        say(&format!("# not sure: {doubt}"));
    }
    let text = match flags.output {
        GetOutput::Yaml => serde_saphyr::to_string(&manifest.value)?,
        GetOutput::Json => serde_json::to_string_pretty(&manifest.value)?,
    };
    print(&text)?;
    Ok(Outcome::Done)
}

fn origin(manifest: &Manifest) -> String {
    let Manifest { recorded_at, verb, actor, audit_id, .. } = manifest;
    format!("# as of {recorded_at}: {verb} by {} (audit id {audit_id})", actor.username)
}
