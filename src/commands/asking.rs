//! Asks a store, or the process that holds it, or a server by its URL: the same answers.

use std::sync::Arc;

use kausal_runtime::clock;
use kausal_storage_plugin::{
    ErrorBody, ObjectQuery, ReadError, Reader, SearchRequest, SearchRows, Stop, ViewDocument,
    moment,
};
use kausal_store::StoreStats;
use kausal_story::{Manifest, Story};
use kausal_trace::UnixNanos;
use serde::de::DeserializeOwned;

use super::reach::{Missing, Reached, reach};
use crate::answer::{NothingFound, UsageError};
use crate::cli::Target;
use crate::config::Loaded;

/// Longest answer taken from a server.
const ANSWER_BYTES_MAX: u64 = 256 << 20;

/// Whoever answers.
pub(crate) enum Source {
    /// This process has opened the store.
    Here(Box<Reader>),
    /// A server, by its URL without a slash at the end.
    There(String),
}

impl Source {
    /// The server named, the holder of the store, or the store itself.
    pub(crate) fn of(loaded: &Loaded, target: &Target) -> anyhow::Result<Self> {
        let limits = super::process::read(loaded)?;
        Ok(match reach(loaded, target, Missing::Refuse)?.0 {
            Reached::Here(store) => Self::Here(Box::new(Reader::new(Arc::new(store), limits))),
            Reached::There(url) => Self::There(url),
        })
    }

    /// The story of an object.
    pub(crate) fn story(&self, query: &ObjectQuery) -> anyhow::Result<Story> {
        match self {
            Self::Here(reader) => {
                reader.story(query, &Stop::default()).map_err(|error| of_read(&error))
            }
            Self::There(url) => ask(url, "story", &query.to_parameters()),
        }
    }

    /// The view of an object.
    pub(crate) fn view(&self, query: &ObjectQuery) -> anyhow::Result<ViewDocument> {
        match self {
            Self::Here(reader) => {
                let view = reader.view(query, &Stop::default()).map_err(|error| of_read(&error))?;
                Ok(view.document())
            }
            Self::There(url) => ask(url, "view", &query.to_parameters()),
        }
    }

    /// The manifest of an object.
    pub(crate) fn manifest(&self, query: &ObjectQuery, at: UnixNanos) -> anyhow::Result<Manifest> {
        match self {
            Self::Here(reader) => {
                reader.manifest(query, at, &Stop::default()).map_err(|error| of_read(&error))
            }
            Self::There(url) => {
                let mut parameters = query.to_parameters();
                parameters.push(("at".to_owned(), at.0.to_string()));
                ask(url, "manifest", &parameters)
            }
        }
    }

    /// Facts that match.
    pub(crate) fn search(&self, request: &SearchRequest) -> anyhow::Result<SearchRows> {
        match self {
            Self::Here(reader) => {
                reader.search(request, &Stop::default()).map_err(|error| of_read(&error))
            }
            Self::There(url) => ask(url, "search", &request.to_parameters()),
        }
    }

    /// What the store says about itself.
    pub(crate) fn stats(&self) -> anyhow::Result<StoreStats> {
        match self {
            Self::Here(reader) => reader.stats().map_err(|error| of_read(&error)),
            Self::There(url) => ask(url, "stats", &[]),
        }
    }
}

/// A time typed on the command line.
pub(crate) fn time(flag: &str, text: Option<&str>) -> Result<Option<UnixNanos>, UsageError> {
    let Some(text) = text else { return Ok(None) };
    let now = UnixNanos(clock::now());
    let time = moment::parse(text, now);
    time.map(Some).ok_or_else(|| UsageError(moment::refusal(flag, text)))
}

/// A cluster typed on the command line, as it stands in keys.
pub(crate) fn cluster(loaded: &Loaded, typed: Option<&str>) -> anyhow::Result<Option<String>> {
    let Some(typed) = typed else { return Ok(None) };
    let name = super::process::clusters(loaded)?.resolve(typed);
    let name = name.map_err(|error| UsageError(error.to_string()))?;
    Ok(Some(name.as_str().to_owned()))
}

fn ask<T: DeserializeOwned>(
    url: &str,
    question: &str,
    parameters: &[(String, String)],
) -> anyhow::Result<T> {
    let address = format!("{url}/api/v1/{question}");
    let agent: ureq::Agent =
        ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let pairs = parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let mut answer = agent
        .get(&address)
        .query_pairs(pairs)
        .call()
        .map_err(|error| anyhow::anyhow!("{url} does not answer: {error}"))?;
    let status = answer.status();
    let body = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec()?;
    if status.is_success() {
        return serde_json::from_slice(&body).map_err(|error| {
            anyhow::anyhow!("{address} answers in another form than this version reads: {error}")
        });
    }
    let Ok(ErrorBody { error }) = serde_json::from_slice(&body) else {
        anyhow::bail!("{address} answers {status}; is it a kausal server?");
    };
    Err(of_code(&error.code, with_hint(&error.message, &error.hint)))
}

fn of_read(error: &ReadError) -> anyhow::Error {
    of_code(error.code(), with_hint(&error.to_string(), error.hint()))
}

/// The same question fails in the same way, whoever was asked.
fn of_code(code: &str, text: String) -> anyhow::Error {
    match code {
        "not_found" => NothingFound(text).into(),
        "ambiguous" | "invalid" => UsageError(text).into(),
        _ => anyhow::anyhow!(text),
    }
}

fn with_hint(message: &str, hint: &str) -> String {
    if hint.is_empty() { message.to_owned() } else { format!("{message}\n        {hint}") }
}
