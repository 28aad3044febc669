//! `/api/v1/`: questions as URL parameters, answers as JSON.

use axum::extract::{Query, State};
use axum::http::Uri;
use axum::response::Response;
use kausal_runtime::clock;
use kausal_story::Version;
use kausal_trace::UnixNanos;

use super::json;
use crate::doors::Doors;
use crate::error::ReadError;
use crate::query::{Clusters, ObjectQuery, SearchRequest, Versions, time};

/// Versions that an error names.
const VERSIONS_NAMED: usize = 8;

type Parameters = Query<Vec<(String, String)>>;

pub(super) fn now() -> UnixNanos {
    UnixNanos(clock::now())
}

pub(super) async fn story(State(doors): State<Doors>, Query(given): Parameters) -> Response {
    json(match ObjectQuery::from_parameters(&given, now()) {
        Ok(query) => doors.read("story", move |reader, stop| reader.story(&query, stop)).await,
        Err(error) => Err(error),
    })
}

pub(super) async fn view(State(doors): State<Doors>, Query(given): Parameters) -> Response {
    json(match ObjectQuery::from_parameters(&given, now()) {
        Ok(query) => {
            let view = move |reader: &crate::Reader, stop: &crate::Stop| {
                Ok(reader.view(&query, stop)?.document())
            };
            doors.read("view", view).await
        }
        Err(error) => Err(error),
    })
}

pub(super) async fn manifest(State(doors): State<Doors>, Query(given): Parameters) -> Response {
    json(match manifest_query(given) {
        Ok((query, at)) => {
            doors.read("manifest", move |reader, stop| reader.manifest(&query, at, stop)).await
        }
        Err(error) => Err(error),
    })
}

/// The object and the time `at`; now when it is missing.
fn manifest_query(mut given: Vec<(String, String)>) -> Result<(ObjectQuery, UnixNanos), ReadError> {
    let at = take(&mut given, "at").map(|value| time("at", &value, now())).transpose()?.flatten();
    Ok((ObjectQuery::from_parameters(&given, now())?, at.unwrap_or_else(now)))
}

/// Takes a parameter out of those that name an object.
pub(super) fn take(given: &mut Vec<(String, String)>, name: &str) -> Option<String> {
    let taken = given.extract_if(.., |(given, _)| given == name);
    taken.map(|(_, value)| value).filter(|value| !value.is_empty()).last()
}

/// The versions of an object without what changed, or the one of `rv` with it.
pub(super) async fn diff(State(doors): State<Doors>, Query(mut given): Parameters) -> Response {
    let wanted = take(&mut given, "rv");
    let query = match ObjectQuery::from_parameters(&given, now()) {
        Ok(query) => query,
        Err(error) => return json::<()>(Err(error)),
    };
    let read = doors.read("diff", move |reader, stop| reader.versions(&query, stop)).await;
    let Some(wanted) = wanted else {
        return json(
            read.map(|versions| Versions { versions: versions.into_iter().map(head).collect() }),
        );
    };
    json(read.and_then(|versions| {
        let known = listed(&versions);
        let found = versions.into_iter().find(|version| version.resource_version == wanted);
        found.ok_or_else(|| {
            let message = format!("no write that made resourceVersion {wanted} is recorded");
            ReadError::not_found(message, format!("the newest known are: {known}"))
        })
    }))
}

fn head(version: Version) -> Version {
    Version { changes: Vec::new(), ..version }
}

fn listed(versions: &[Version]) -> String {
    let newest = versions.iter().rev().map(|version| version.resource_version.as_str());
    let named: Vec<_> = newest.filter(|version| !version.is_empty()).take(VERSIONS_NAMED).collect();
    named.join(", ")
}

pub(super) async fn search(State(doors): State<Doors>, Query(given): Parameters) -> Response {
    json(match SearchRequest::from_parameters(&given, now()) {
        Ok(request) => {
            doors.read("search", move |reader, stop| reader.search(&request, stop)).await
        }
        Err(error) => Err(error),
    })
}

pub(super) async fn clusters(State(doors): State<Doors>) -> Response {
    let clusters = doors.read("clusters", |reader, _| reader.clusters()).await;
    json(clusters.map(|clusters| Clusters { clusters }))
}

pub(super) async fn stats(State(doors): State<Doors>) -> Response {
    json(doors.read("stats", |reader, _| reader.stats()).await)
}

pub(super) async fn nowhere(uri: Uri) -> Response {
    json::<()>(Err(ReadError::not_found(
        format!("nothing is at {}", uri.path()),
        "there are story, view, manifest, diff, search, clusters and stats under /api/v1/",
    )))
}
