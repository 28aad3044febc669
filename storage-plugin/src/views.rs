//! Views behind Jaeger's doors: display modes stand in for services and clusters for operations.
//! Nothing in Jaeger checks that the spans of a result belong to what was searched for.
//!
//! Promise: an id that a search answers with opens the same view, today and after a restart.

mod architecture;
mod summary;

use kausal_story::Mode;
use kausal_trace::{TraceId, UnixNanos, ViewId, Window, attribute as a};

use crate::error::ReadError;
use crate::reader::Reader;
use crate::search::Filter;
use crate::stop::Stop;
use crate::traces::{
    Dependency, FoundTrace, Operation, RESULTS_DEFAULT, TraceQuery, TraceSummary, Traces,
};

impl Traces for Reader {
    fn services(&self, _: &Stop) -> Result<Vec<String>, ReadError> {
        Ok(Mode::all().map(|mode| mode.to_string()).collect())
    }

    fn operations(&self, service: &str, _: &str, _: &Stop) -> Result<Vec<Operation>, ReadError> {
        if !service.is_empty() && service.parse::<Mode>().is_err() {
            return Ok(Vec::new());
        }
        let clusters = self.clusters()?.into_iter();
        Ok(clusters.map(|name| Operation { name, span_kind: String::new() }).collect())
    }

    fn find(&self, query: &TraceQuery, stop: &Stop) -> Result<Vec<FoundTrace>, ReadError> {
        let views = self.views(query, stop)?.into_iter();
        Ok(views.filter_map(found).collect())
    }

    fn summaries(&self, query: &TraceQuery, stop: &Stop) -> Result<Vec<TraceSummary>, ReadError> {
        let mut summaries = Vec::new();
        for parts in self.views(query, stop)? {
            let Some(id) = parts.encode() else { continue };
            let opened = self.open(id, parts, stop)?;
            summaries.extend(opened.and_then(|view| summary::of(&view)));
        }
        Ok(summaries)
    }

    fn messages(&self, id: TraceId, stop: &Stop) -> Result<Vec<Vec<u8>>, ReadError> {
        Reader::messages(self, id, stop)
    }

    fn dependencies(
        &self,
        from: Option<UnixNanos>,
        to: Option<UnixNanos>,
        stop: &Stop,
    ) -> Result<Vec<Dependency>, ReadError> {
        architecture::dependencies(self, from, to, stop)
    }
}

impl Reader {
    /// The views that show what was searched for.
    fn views(&self, query: &TraceQuery, stop: &Stop) -> Result<Vec<ViewId>, ReadError> {
        let Some((mode, filter)) = asked(query) else { return Ok(Vec::new()) };
        let limit = query.limit.unwrap_or(RESULTS_DEFAULT);
        let found = self.find_objects(&filter, mode, limit, stop)?.into_iter();
        Ok(found.map(|found| found.view(mode, filter.span())).collect())
    }
}

fn found(view: ViewId) -> Option<FoundTrace> {
    let last = Window(view.first.0 + view.windows - 1);
    Some(FoundTrace { id: view.encode()?, start: view.first.start(), end: last.end() })
}

/// Mode and conditions of a search; `None` when the service is none of ours: nothing can be found
/// then.
fn asked(query: &TraceQuery) -> Option<(Mode, Filter)> {
    let mode = match query.service.as_str() {
        "" => Mode::default(),
        service => service.parse().ok()?,
    };
    let mut filter = Filter {
        from: query.from,
        // Jaeger's end belongs to the range, ours does not.
        to: query.to.map(|to| UnixNanos(to.0.saturating_add(1))),
        shortest: query.shortest,
        longest: query.longest,
        ..Filter::default()
    };
    if !query.operation.is_empty() {
        filter.attribute(a::CLUSTER, &query.operation);
    }
    for (name, value) in &query.attributes {
        filter.attribute(name, value);
    }
    Some((mode, filter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_services_and_clusters_are_operations() {
        let attributes = [("resource", "deploy"), ("code", "403"), ("error", "true")];
        let query = TraceQuery {
            service: "tracing [full tree]".to_owned(),
            operation: "Capture".to_owned(),
            attributes: attributes.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            ..TraceQuery::default()
        };
        let (mode, filter) = asked(&query).unwrap();
        assert_eq!(mode.to_string(), "tracing [full tree]");
        let pairs = [
            ("cluster", "capture"),
            ("resource", "deployments"),
            ("http.response.status_code", "403"),
        ];
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(filter.attributes, pairs);
        assert_eq!(filter.error, Some(true));
    }

    #[test]
    fn an_empty_form_asks_for_anything_and_a_foreign_service_for_nothing() {
        let (mode, filter) = asked(&TraceQuery::default()).unwrap();
        assert_eq!((mode, filter), (Mode::default(), Filter::default()));
        let foreign = TraceQuery { service: "checkout".to_owned(), ..TraceQuery::default() };
        assert!(asked(&foreign).is_none());
    }
}
