//! Draws what is told: as logs on objects, as spans under them, or as one list.
//!
//! Promise: what is told is drawn once in every display; ids are the same in all of them.

use std::collections::HashMap;

use kausal_trace::{AttrValue, SpanId, SpanKind, ViewSpan, attribute as a};

use super::act_span::Told;
use super::object_span::{self, key_attributes, operation};
use super::{AllTold, Time, View, time_of, union};
use crate::mode::Display;
use crate::world::{FactId, Record};

/// Source of what stays on the object itself in `grouped`.
const UNGROUPED: &str = "event";

/// Ids of what is told.
struct Ids {
    /// By object and place.
    of: Vec<Vec<SpanId>>,
    by_fact: HashMap<FactId, SpanId>,
}

impl View<'_, '_> {
    /// The spans, the root first.
    pub(super) fn draw(&self, mut told: AllTold, mut warnings: Vec<String>) -> Vec<ViewSpan> {
        let times = self.times(&told);
        let ids = self.ids(&told);
        let mut spans = Vec::with_capacity(self.room_for(&told));
        let flat = self.mode.display == Display::Timeline;
        if flat {
            warnings.extend(self.records().filter_map(|(_, record)| {
                Some(format!("{}: {}", record.key, object_span::lives(record)?))
            }));
        }
        let mut warnings = Some(warnings);
        for (object, record) in self.records() {
            let Some(time) = time_of(&times, object) else { continue };
            let told = told.get_mut(object).map(std::mem::take).unwrap_or_default();
            let own_ids = ids.of.get(object).map(Vec::as_slice).unwrap_or_default();
            let is_root = warnings.is_some();
            if is_root || !flat {
                let mut span = self.object_span(object, record, time);
                span.error = told.iter().find_map(Told::error_of_object);
                let own = object_span::lives(record).filter(|_| !flat);
                warn(&mut span, warnings.take().into_iter().flatten().chain(own).collect());
                spans.push(span);
            }
            let told = told.into_iter().zip(own_ids.iter().copied());
            self.put_acts(&mut spans, record, told, &ids);
        }
        if let Some((_, acts)) = spans.split_first_mut().filter(|_| flat) {
            acts.sort_by_key(|span| (span.start, span.end));
        }
        spans
    }

    /// Objects in the order of the tree.
    fn records(&self) -> impl Iterator<Item = (usize, &Record<'_>)> {
        let record = |object: &usize| Some((*object, self.world.objects.get(*object)?));
        self.tree.order.iter().filter_map(record)
    }

    fn room_for(&self, told: &AllTold) -> usize {
        let acts = told.iter().flatten().map(Told::spans).sum::<usize>();
        let groups = if self.mode.display == Display::Grouped { self.tree.order.len() } else { 0 };
        self.tree.order.len() + acts + groups
    }

    fn put_acts(
        &self,
        spans: &mut Vec<ViewSpan>,
        record: &Record<'_>,
        told: impl Iterator<Item = (Told, SpanId)>,
        ids: &Ids,
    ) {
        let on = self.object_id(record);
        match self.mode.display {
            Display::Tracing => {
                let Some(span) = spans.last_mut() else { return };
                span.events = told.map(|(told, _)| told.into_event()).collect();
            }
            Display::Grouped => self.put_groups(spans, record, told.map(|(told, _)| told), on),
            Display::Tree => {
                for (told, id) in told {
                    self.put_act(spans, record, told, (id, on), ids);
                }
            }
            Display::Timeline => {
                let Some(root) = spans.first().map(|root| root.span) else { return };
                for (mut told, id) in told {
                    let name = operation(record);
                    told.name = format!("{} {name}", told.name);
                    told.service.clone_from(&record.key.resource);
                    self.put_act(spans, record, told, (id, root), ids);
                }
            }
        }
    }

    /// Events on the object, everything else on a span for its source.
    fn put_groups(
        &self,
        spans: &mut Vec<ViewSpan>,
        record: &Record<'_>,
        told: impl Iterator<Item = Told>,
        on: SpanId,
    ) {
        let mut groups: Vec<(ViewSpan, Time)> = Vec::new();
        let at = spans.len().saturating_sub(1);
        for told in told {
            if told.source == UNGROUPED {
                if let Some(span) = spans.get_mut(at) {
                    span.events.push(told.into_event());
                }
                continue;
            }
            let time = (told.time, told.end);
            let group = groups.iter_mut().find(|(span, _)| span.service == told.source);
            if let Some((span, whole)) = group {
                *whole = union(*whole, time);
                span.error = span.error.take().or_else(|| told.error_of_object());
                span.events.push(told.into_event());
            } else {
                groups.push((self.group_span(record, told, on), time));
            }
        }
        spans.extend(groups.into_iter().map(|(span, (start, end))| ViewSpan {
            start,
            end,
            ..span
        }));
    }

    fn group_span(&self, record: &Record<'_>, told: Told, on: SpanId) -> ViewSpan {
        ViewSpan {
            trace: self.id,
            span: SpanId::derived(self.id, &[b"group", &on.0, told.source.as_bytes()]),
            parent: Some(on),
            name: told.source.to_owned(),
            service: told.source.to_owned(),
            cluster: record.key.cluster.clone(),
            start: told.time,
            end: told.end,
            attributes: key_attributes(record),
            error: told.error_of_object(),
            events: vec![told.into_event()],
            links: Vec::new(),
            kind: SpanKind::Internal,
        }
    }

    fn put_act(
        &self,
        spans: &mut Vec<ViewSpan>,
        record: &Record<'_>,
        told: Told,
        (span, parent): (SpanId, SpanId),
        ids: &Ids,
    ) {
        let cluster = &record.key.cluster;
        let cause = told.cause.and_then(|cause| ids.by_fact.get(&cause).copied());
        let kind = told.kind();
        let mut attributes = key_attributes(record);
        attributes.push(("summary".to_owned(), told.summary.into()));
        attributes.extend(told.attributes);
        spans.push(ViewSpan {
            trace: self.id,
            span,
            parent: Some(parent),
            name: told.name,
            service: told.service,
            cluster: cluster.clone(),
            start: told.time,
            end: told.end,
            attributes,
            events: Vec::new(),
            links: cause.filter(|cause| *cause != span).into_iter().collect(),
            error: told.error,
            kind,
        });
        for (at, inside) in told.inside.into_iter().enumerate() {
            let nth = (at as u64).to_be_bytes();
            spans.push(inside.into_span(
                SpanId::derived(self.id, &[b"inside", &span.0, &nth]),
                (self.id, span),
                cluster,
            ));
        }
    }

    /// An id for everything told; what has the same stored span twice (two records of one request
    /// that contradict each other) gets two.
    fn ids(&self, told: &AllTold) -> Ids {
        let mut ids = Ids { of: Vec::with_capacity(told.len()), by_fact: HashMap::new() };
        for (record, told) in self.world.objects.iter().zip(told) {
            let on = self.object_id(record);
            let mut times_seen: HashMap<(&str, [u8; 8]), u64> = HashMap::new();
            let mut of_object = Vec::with_capacity(told.len());
            for told in told {
                let nth = times_seen.entry((told.source, told.identity)).or_default();
                let parts: [&[u8]; 5] =
                    [b"act", &on.0, told.source.as_bytes(), &told.identity, &nth.to_be_bytes()];
                let span = SpanId::derived(self.id, &parts);
                *nth += 1;
                of_object.push(span);
                ids.by_fact.extend(told.id.map(|fact| (fact, span)));
            }
            ids.of.push(of_object);
        }
        ids
    }
}

fn warn(span: &mut ViewSpan, warnings: Vec<String>) {
    if !warnings.is_empty() {
        span.attributes.push((a::JAEGER_WARNINGS.to_owned(), AttrValue::Strs(warnings)));
    }
}
