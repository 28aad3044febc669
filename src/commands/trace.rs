//! `kausal trace`: the story of an object, or one of its views.

use kausal_storage_plugin::ObjectQuery;
use kausal_story::text::{TextStyle, render};

use super::asking::{Source, cluster, time};
use crate::answer::{Outcome, UsageError, colour, print};
use crate::cli::{Trace, TraceOutput};
use crate::config::Loaded;

/// Runs the command.
pub(crate) fn run(loaded: &Loaded, flags: &Trace) -> anyhow::Result<Outcome> {
    let query = query(loaded, flags)?;
    let source = Source::of(loaded, &flags.target)?;
    let text = match (flags.output, query.mode) {
        (TraceOutput::Otlp, _) => json(&source.view(&query)?.otlp)?,
        (TraceOutput::Text, Some(_)) => super::view_text::render(&source.view(&query)?)?,
        (TraceOutput::Text, None) => {
            let style = TextStyle { colour: colour(), all: flags.all, ..TextStyle::default() };
            render(&source.story(&query)?, &style)
        }
        (TraceOutput::Json, _) => json(&source.story(&query)?)?,
        (TraceOutput::Yaml, _) => serde_saphyr::to_string(&source.story(&query)?)?,
    };
    print(&text)?;
    Ok(Outcome::Done)
}

fn query(loaded: &Loaded, flags: &Trace) -> anyhow::Result<ObjectQuery> {
    let which = flags.which.query()?;
    let mode = flags.mode.as_deref().map(str::parse).transpose();
    Ok(ObjectQuery {
        cluster: cluster(loaded, which.cluster.as_deref())?,
        from: time("--from", flags.range.from.as_deref())?,
        to: time("--to", flags.range.to.as_deref())?,
        mode: mode.map_err(|error| UsageError(format!("--mode: {error}")))?,
        ..which
    })
}

fn json(value: &impl serde::Serialize) -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(value)?)
}
