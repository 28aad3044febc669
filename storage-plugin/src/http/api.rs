//! `/api/v1/`: questions as URL parameters, answers as JSON.

use axum::extract::{Query, State};
use axum::http::Uri;
use axum::response::Response;
use kausal_runtime::clock;
use kausal_trace::UnixNanos;

use super::json;
use crate::doors::Doors;
use crate::error::ReadError;
use crate::query::{Clusters, ObjectQuery, SearchRequest, time};

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
    let mut at = None;
    for (name, value) in given.iter().filter(|(name, _)| name == "at") {
        at = time(name, value, now())?;
    }
    given.retain(|(name, _)| name != "at");
    Ok((ObjectQuery::from_parameters(&given, now())?, at.unwrap_or_else(now)))
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
        "there are story, view, manifest, search, clusters and stats under /api/v1/",
    )))
}
