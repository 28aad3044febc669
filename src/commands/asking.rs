//! Asks a store, or the process that holds it, or a server by its URL: the same answers.

use std::sync::Arc;

use kausal_runtime::clock;
use kausal_storage_plugin::{
    ErrorDetail, ObjectQuery, ReadError, Reader, SearchRequest, SearchRows, Stop, ViewDocument,
    moment,
};
use kausal_store::StoreStats;
use kausal_story::{Manifest, Story};
use kausal_trace::UnixNanos;

use super::reach::{Missing, Reached, reach};
use super::server::Server;
use crate::answer::{NothingFound, UsageError};
use crate::cli::Target;
use crate::config::Loaded;

/// Whoever answers.
pub(crate) enum Source {
    /// This process has opened the store.
    Here(Box<Reader>),
    /// A server.
    There(Box<Server>),
}

impl Source {
    /// The server named, the holder of the store, or the store itself.
    pub(crate) fn of(loaded: &Loaded, target: &Target) -> anyhow::Result<Self> {
        let limits = super::process::read(loaded)?;
        Ok(match reach(loaded, target, Missing::Refuse)?.0 {
            Reached::Here(store) => Self::Here(Box::new(Reader::new(Arc::new(store), limits))),
            Reached::There(server) => Self::There(Box::new(server)),
        })
    }

    /// The story of an object.
    pub(crate) fn story(&self, query: &ObjectQuery) -> anyhow::Result<Story> {
        match self {
            Self::Here(reader) => {
                reader.story(query, &Stop::default()).map_err(|error| of_read(&error))
            }
            Self::There(server) => server.ask("story", &query.to_parameters()),
        }
    }

    /// The view of an object.
    pub(crate) fn view(&self, query: &ObjectQuery) -> anyhow::Result<ViewDocument> {
        match self {
            Self::Here(reader) => {
                let view = reader.view(query, &Stop::default()).map_err(|error| of_read(&error))?;
                Ok(view.document())
            }
            Self::There(server) => server.ask("view", &query.to_parameters()),
        }
    }

    /// The manifest of an object.
    pub(crate) fn manifest(&self, query: &ObjectQuery, at: UnixNanos) -> anyhow::Result<Manifest> {
        match self {
            Self::Here(reader) => {
                reader.manifest(query, at, &Stop::default()).map_err(|error| of_read(&error))
            }
            Self::There(server) => {
                let mut parameters = query.to_parameters();
                parameters.push(("at".to_owned(), at.0.to_string()));
                server.ask("manifest", &parameters)
            }
        }
    }

    /// Facts that match.
    pub(crate) fn search(&self, request: &SearchRequest) -> anyhow::Result<SearchRows> {
        match self {
            Self::Here(reader) => {
                reader.search(request, &Stop::default()).map_err(|error| of_read(&error))
            }
            Self::There(server) => server.ask("search", &request.to_parameters()),
        }
    }

    /// What the store says about itself.
    pub(crate) fn stats(&self) -> anyhow::Result<StoreStats> {
        match self {
            Self::Here(reader) => reader.stats().map_err(|error| of_read(&error)),
            Self::There(server) => server.ask("stats", &[]),
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

/// What a server answered, as if it had gone wrong here.
pub(super) fn of_answer(error: &ErrorDetail) -> anyhow::Error {
    let hint = match error.code.as_str() {
        "unauthenticated" => "show a token with --token-file or $KAUSAL_TOKEN, or --cert-file",
        _ => &error.hint,
    };
    of_code(&error.code, with_hint(&error.message, hint))
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
