//! What a browser or curl sees without knowing anything: plain text.

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::Response;
use kausal_story::text::{TextStyle, render};

use super::api::now;
use super::{json, text, text_error};
use crate::doors::Doors;
use crate::error::ReadError;
use crate::query::ObjectQuery;

const FRONT: &str = "\
kausal: who asked for what, what changed, what followed

  /trace/deploy/web?namespace=shop      the story of an object, as text (JSON by Accept)
      &cluster=…  &from=2h  &to=2026-11-20T15:00:00Z  &mode=tracing+full+tree

  /api/v1/story?object=deploy/web&namespace=shop
  /api/v1/view?…            the same as OTLP/JSON spans, for trace viewers
  /api/v1/manifest?…&at=2h  the manifest as it was
  /api/v1/diff?…            its versions; &rv=… what one of them changed
  /api/v1/search?username=alice&verb=delete&from=1d&limit=20
  /api/v1/clusters  /api/v1/stats

  /redirect?resource=deployments&group=apps&namespace=shop&name=web&ts=2026-11-20T15:05:00Z
  /api/traces  /api/v3/traces  …  for Jaeger UI and Grafana's Jaeger data source
  /jaeger/                  Jaeger UI, where a build of it was given (--ui-assets)

The same from a terminal: kausal trace deploy/web -n shop --server URL
Jaeger reads from the gRPC port: a storage backend of type grpc.
";

pub(super) async fn front(State(doors): State<Doors>) -> Response {
    let known = match doors.read("clusters", |reader, _| reader.clusters()).await {
        Ok(clusters) if clusters.is_empty() => "Nothing is recorded yet.\n".to_owned(),
        Ok(clusters) => format!("Clusters recorded: {}\n", clusters.join(", ")),
        Err(error) => format!("The store does not answer: {error}\n"),
    };
    text(StatusCode::OK, format!("{FRONT}\n{known}"))
}

pub(super) async fn story(
    State(doors): State<Doors>,
    Path((resource, name)): Path<(String, String)>,
    Query(given): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Response {
    let mut parameters = given;
    parameters.retain(|(name, _)| name != "resource" && name != "name" && name != "object");
    parameters.extend([("resource".to_owned(), resource), ("name".to_owned(), name)]);
    let query = ObjectQuery::from_parameters(&parameters, now());
    let story = match query {
        Ok(query) => doors.read("story", move |reader, stop| reader.story(&query, stop)).await,
        Err(error) => Err(error),
    };
    if wants_json(&headers) {
        return json(story);
    }
    match story {
        Ok(story) => text(StatusCode::OK, render(&story, &TextStyle::default())),
        Err(error) => text_error(&error),
    }
}

pub(super) async fn nowhere(uri: Uri) -> Response {
    let error = ReadError::not_found(format!("nothing is at {}", uri.path()), "begin at /");
    text_error(&error)
}

fn wants_json(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    accept.is_some_and(|accept| accept.contains("application/json"))
}
