//! The way from other systems to a view, at the addresses Kelemetry has: `/redirect` for links in
//! alerts and dashboards, `/extensions/api/v1/trace` for one object's view as JSON.
//!
//! Promise: the API group counts; what is missing or ambiguous is said, never guessed; a redirect
//! leads to a page of ours or to the configured Jaeger, whatever stands in the question.

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use kausal_trace::view::{MESSAGE_BYTES_MAX, encode};
use kausal_trace::{UnixNanos, Window};

use super::api::{now, take};
use super::jaeger::{UiTrace, ui_trace};
use super::ui::Pages;
use super::{json, json_body, status};
use crate::doors::Doors;
use crate::error::ReadError;
use crate::query::{ObjectQuery, time};
use crate::reader::Reader;
use crate::stop::Stop;

type Given = Query<Vec<(String, String)>>;

/// Leads to the view of an object around a time.
pub(super) async fn redirect(
    State(doors): State<Doors>,
    State(pages): State<Pages>,
    Query(given): Given,
) -> Response {
    let query = match around(given) {
        Ok(query) => query,
        Err(error) => return json::<()>(Err(error)),
    };
    let own = own_page(&query);
    let read = doors.read("redirect", move |reader, stop| Ok(reader.view(&query, stop)?.id));
    match read.await {
        Ok(id) => found(&pages.trace(id).unwrap_or(own)),
        Err(error) => json::<()>(Err(error)),
    }
}

/// 302, which every browser and script follows with a GET.
fn found(location: &str) -> Response {
    let mut response = Redirect::to(location).into_response();
    *response.status_mut() = StatusCode::FOUND;
    response
}

/// The object, over the window of `ts` and one on either side.
fn around(mut given: Vec<(String, String)>) -> Result<ObjectQuery, ReadError> {
    let ts = take(&mut given, "ts").ok_or_else(|| missing("ts"))?;
    let wrong = || ReadError::invalid(format!("ts: '{ts}' is no RFC 3339 time"), "");
    let window = Window::of(UnixNanos::parse_rfc3339(&ts).ok_or_else(wrong)?);
    let query = object(&mut given)?;
    let from = Some(Window(window.0.saturating_sub(1)).start());
    let to = Some(Window(window.0 + 1).end());
    refuse_unknown(&given)?;
    Ok(ObjectQuery { from, to, ..query })
}

/// Takes the parts of an object's key; the API group belongs to the resource.
fn object(given: &mut Vec<(String, String)>) -> Result<ObjectQuery, ReadError> {
    let mut required = |name| take(given, name).ok_or_else(|| missing(name));
    let (resource, name) = (required("resource")?, required("name")?);
    let resource = match take(given, "group") {
        Some(group) if !resource.contains('.') => format!("{resource}.{group}"),
        _ => resource,
    };
    let (cluster, namespace) = (take(given, "cluster"), take(given, "namespace"));
    Ok(ObjectQuery { cluster, resource, namespace, name, ..ObjectQuery::default() })
}

fn missing(name: &str) -> ReadError {
    ReadError::invalid(
        format!("parameter '{name}' is missing"),
        "resource and name are needed, cluster, group and namespace where they settle which object",
    )
}

fn refuse_unknown(given: &[(String, String)]) -> Result<(), ReadError> {
    match given.iter().find(|(_, value)| !value.is_empty()) {
        Some((name, _)) => Err(ReadError::invalid(format!("unknown parameter '{name}'"), "")),
        None => Ok(()),
    }
}

/// The address of the story here.
fn own_page(query: &ObjectQuery) -> String {
    let path = format!("/trace/{}/{}", escaped(&query.resource), escaped(&query.name));
    let parameters = query.to_parameters().into_iter();
    let rest: Vec<_> = parameters
        .filter(|(name, _)| name != "resource" && name != "name")
        .map(|(name, value)| format!("{name}={}", escaped(&value)))
        .collect();
    format!("{path}?{}", rest.join("&"))
}

/// Percent-encodes all but what means nothing in an address.
fn escaped(text: &str) -> String {
    let escape = |byte: u8| {
        let plain = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        if plain { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    text.bytes().map(escape).collect()
}

/// One object's view in the JSON of Jaeger UI.
pub(super) async fn extension(State(doors): State<Doors>, Query(given): Given) -> Response {
    let asked = match Asked::from_parameters(given) {
        Ok(asked) => asked,
        Err(error) => return json::<()>(Err(error)),
    };
    let read = doors.read("extension", move |reader, stop| asked.answer(reader, stop));
    match read.await {
        Ok(trace) => json_body(StatusCode::OK, &trace),
        Err(error) => json_body(status(&error), &error.body()),
    }
}

/// A question of the extension.
struct Asked {
    query: ObjectQuery,
    /// The field that logs must have to be shown (`audit`, `event`, `diff`).
    span_type: Option<String>,
}

impl Asked {
    fn from_parameters(mut given: Vec<(String, String)>) -> Result<Self, ReadError> {
        let mut instant = |name| {
            let text = take(&mut given, name).ok_or_else(|| missing(name))?;
            time(name, &text, now())
        };
        let (from, to) = (instant("start")?, instant("end")?);
        let span_type = take(&mut given, "span_type");
        let mode = take(&mut given, "displayMode").map(|mode| mode.parse());
        let wrong = |error| ReadError::invalid(format!("displayMode: {error}"), "");
        let mode = mode.transpose().map_err(wrong)?;
        let query = object(&mut given)?;
        refuse_unknown(&given)?;
        Ok(Self { query: ObjectQuery { from, to, mode, ..query }, span_type })
    }

    fn answer(&self, reader: &Reader, stop: &Stop) -> Result<UiTrace, ReadError> {
        let view = reader.view(&self.query, stop)?;
        let mut trace = ui_trace(&encode(&view.spans, MESSAGE_BYTES_MAX));
        if let Some(span_type) = &self.span_type {
            trace.keep_logs(span_type);
        }
        Ok(trace)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    #[test]
    fn a_link_is_an_object_around_a_time() {
        let query = around(pairs(
            "cluster=c1&group=apps&resource=deployments&namespace=shop&name=web\
             &ts=2026-11-20T15:05:31Z",
        ));
        let query = query.unwrap();
        assert_eq!((query.resource.as_str(), query.name.as_str()), ("deployments.apps", "web"));
        let page = own_page(&query);
        assert_eq!(
            page,
            "/trace/deployments.apps/web?cluster=c1&namespace=shop\
             &from=1795185000000000000&to=1795190400000000000"
        );
    }

    #[test]
    fn what_is_wrong_with_a_link_is_named() {
        let check = |text: &str, expect: &str| {
            let error = around(pairs(text)).unwrap_err();
            assert!(error.code() == "invalid" && error.to_string().contains(expect), "{error}");
        };
        check("resource=pods&name=a", "'ts' is missing");
        check("resource=pods&name=a&ts=", "'ts' is missing");
        check("resource=pods&name=a&ts=now", "no RFC 3339 time");
        check("name=a&ts=2026-11-20T15:05:31Z", "'resource' is missing");
        check("resource=pods&ts=2026-11-20T15:05:31Z", "'name' is missing");
        check("resource=pods&name=a&uid=7&ts=2026-11-20T15:05:31Z", "unknown parameter 'uid'");
    }

    #[test]
    fn nothing_of_a_name_gets_into_an_address_as_it_is() {
        let query = ObjectQuery {
            resource: "//evil.example.com".to_owned(),
            name: "a\r\nb?c=d/ä".to_owned(),
            ..ObjectQuery::default()
        };
        assert_eq!(own_page(&query), "/trace/%2F%2Fevil.example.com/a%0D%0Ab%3Fc%3Dd%2F%C3%A4?");
    }
}
