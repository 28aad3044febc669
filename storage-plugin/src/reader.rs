//! Answers questions about stored facts; every door and the command line go through here.
//!
//! Promise: the same store gives the same answers, whichever door asks. Synchronous: asynchronous
//! doors run it on threads made for waiting ([`crate::doors`]).
//! Never here: sockets, and what facts mean (`kausal-story`).

use std::sync::Arc;

use kausal_object::ObjectKey;
use kausal_store::{ReadBudget, SearchQuery, SpanStore, StoreStats};
use kausal_story::{Manifest, Mode, Story, Version, manifest_at, tell, versions, view};
use kausal_trace::view::MESSAGE_BYTES_MAX;
use kausal_trace::{
    Day, IdParts, SpanId, SpanRecord, SpanRef, TraceId, UnixNanos, ViewId, ViewSpan, Window,
};
use kausal_trace::{attribute as a, export};

use crate::config::ReadLimits;
use crate::error::ReadError;
use crate::gather::{Gathering, Meter, Range, When, gather, object_of, windows_of};
use crate::metrics::{Metrics, SearchExhausted};
use crate::query::{ObjectQuery, ROWS_DEFAULT, SearchRequest, SearchRows, ViewDocument};
use crate::resolve::{not_found, others_named, resolve};
use crate::search::{
    Filter, Finds, Found, Hits, Question, Span, as_trees, identity, is_told_by_another,
    may_be_partial, row,
};
use crate::stop::Stop;

/// What a story shows unless told otherwise: the object and what it owns.
const STORY_MODE: Mode = Mode::OWNED_OBJECTS;
/// Requests of one collection whose fuller record is looked for.
const PARTIAL_LOOKUPS_MAX: usize = 500;
/// Hits looked at for one list of objects.
const FIND_HITS_MAX: usize = 5_000;
/// Hits asked for at first, for each object wanted: a write and what its controllers add.
const HITS_OF_AN_OBJECT: usize = 4;

/// Reads a store.
#[derive(Clone)]
pub struct Reader {
    store: Arc<dyn SpanStore>,
    limits: Arc<ReadLimits>,
    metrics: Option<Metrics>,
}

/// A view: its id and its spans.
#[derive(Clone, Debug)]
pub struct View {
    /// The trace id that opens it again.
    pub id: TraceId,
    /// Its spans; each carries that id.
    pub spans: Vec<ViewSpan>,
}

impl View {
    /// As OTLP/JSON.
    pub fn document(&self) -> ViewDocument {
        ViewDocument {
            trace_id: self.id.to_string(),
            otlp: kausal_trace::view::to_otlp_json(&self.spans),
        }
    }
}

impl Reader {
    /// Reads `store` within `limits`.
    pub fn new(store: Arc<dyn SpanStore>, limits: ReadLimits) -> Self {
        Self { store, limits: Arc::new(limits), metrics: None }
    }

    /// The same reader; what operators should know is counted.
    #[must_use]
    pub(crate) fn counting(self, metrics: Metrics) -> Self {
        Self { metrics: Some(metrics), ..self }
    }

    /// The store it reads.
    pub fn store(&self) -> &Arc<dyn SpanStore> {
        &self.store
    }

    /// How many reads may be at work at a time.
    pub(crate) fn concurrent_max(&self) -> usize {
        self.limits.concurrent_max
    }

    /// The budget of one question.
    pub(crate) fn meter<'a>(&'a self, stop: &'a Stop) -> Meter<'a> {
        Meter::start(&*self.store, &self.limits, stop)
    }

    /// The story of an object and of what it owns.
    pub fn story(&self, query: &ObjectQuery, stop: &Stop) -> Result<Story, ReadError> {
        let mode = query.mode.unwrap_or(STORY_MODE);
        let gathering = self.gather(query, (query.from, query.to), mode, stop)?;
        Ok(tell(&gathering.gathered, &self.limits.tell))
    }

    /// The view of an object, over whole windows.
    pub fn view(&self, query: &ObjectQuery, stop: &Stop) -> Result<View, ReadError> {
        let mode = query.mode.unwrap_or_default();
        let mut gathering = self.gather(query, (query.from, query.to), mode, stop)?;
        let range = Range::of_windows(gathering.range.first(), gathering.range.last());
        (gathering.gathered.from, gathering.gathered.to) = (range.from, UnixNanos(range.to.0 - 1));
        let key = kausal_trace::KeyHash::of(gathering.gathered.root.as_ref());
        let id = ViewId { mode: mode.id(), first: range.first(), windows: range.windows(), key };
        let unnamed = || {
            ReadError::invalid(
                format!("no view can begin at {}", range.from),
                "views begin in 2020 or later; ask for the story instead",
            )
        };
        Ok(self.render(&gathering, mode, id.encode().ok_or_else(unnamed)?))
    }

    /// The manifest of an object as it was.
    pub fn manifest(
        &self,
        query: &ObjectQuery,
        at: UnixNanos,
        stop: &Stop,
    ) -> Result<Manifest, ReadError> {
        let until = Some(UnixNanos(at.0.saturating_add(1)));
        let gathering = self.gather(query, (None, until), Mode::default(), stop)?;
        manifest_at(&gathering.gathered, at)
            .map_err(|none| ReadError::not_found(none.to_string(), "try another time (at)"))
    }

    /// The versions of an object, oldest first.
    pub fn versions(&self, query: &ObjectQuery, stop: &Stop) -> Result<Vec<Version>, ReadError> {
        let gathering = self.gather(query, (query.from, query.to), Mode::default(), stop)?;
        Ok(versions(&gathering.gathered, &self.limits.tell))
    }

    /// Facts that match, newest first.
    pub fn search(&self, request: &SearchRequest, stop: &Stop) -> Result<SearchRows, ReadError> {
        let mut filter = Filter { from: request.from, to: request.to, ..Filter::default() };
        for (name, value) in &request.attributes {
            filter.attribute(name, value);
        }
        let mode = request.mode.unwrap_or_default();
        let limit = request.limit.unwrap_or(ROWS_DEFAULT).min(self.limits.results_max);
        let query = SearchQuery { limit, ..filter.query() };
        let mut hits = Hits::new(&*self.store, query, limit.max(FIND_HITS_MAX), stop);
        let mut rows = Vec::new();
        while rows.len() < limit
            && let Some(hit) = hits.next()?
        {
            let span = SpanRef::parse(&hit.bytes).ok().filter(|span| filter.passes(span));
            rows.extend(span.map(|span| row(&span, mode, filter.span())));
        }
        self.tell_exhausted(&hits, &filter);
        Ok(SearchRows { exhausted: hits.are_exhausted() && rows.len() < limit, rows })
    }

    /// Clusters that have facts.
    pub fn clusters(&self) -> Result<Vec<String>, ReadError> {
        Ok(self.store.clusters()?)
    }

    /// What the store says about itself.
    pub fn stats(&self) -> Result<StoreStats, ReadError> {
        Ok(self.store.stats()?)
    }

    /// Encoded `TracesData` messages of a trace: a view if the id is one and its object is known,
    /// else what is stored under the id; none when nothing is.
    pub fn messages(&self, id: TraceId, stop: &Stop) -> Result<Vec<Vec<u8>>, ReadError> {
        if let IdParts::View(parts) = id.parts()
            && let Some(view) = self.open(id, parts, stop)?
        {
            return Ok(kausal_trace::view::encode(&view.spans, MESSAGE_BYTES_MAX));
        }
        stop.check()?;
        let budget =
            ReadBudget { spans_max: self.limits.spans_max, bytes_max: self.limits.bytes_max };
        let traces = self.store.traces(&[id], budget)?;
        let spans = traces.iter().flat_map(|trace| &trace.spans);
        let records = spans.map(|bytes| SpanRecord { trace: id, span: SpanId([0; 8]), bytes });
        Ok(export::encode_within(records, MESSAGE_BYTES_MAX))
    }

    /// The view of an id; `None` when it is not plausible or nothing is known of its object.
    pub fn open(&self, id: TraceId, parts: ViewId, stop: &Stop) -> Result<Option<View>, ReadError> {
        let Some(mode) = Mode::from_id(parts.mode) else { return Ok(None) };
        let last = Window(parts.first.0 + parts.windows - 1);
        let range = Range::of_windows(parts.first, last);
        let mut meter = self.meter(stop);
        let mut objects = object_of(&mut meter, parts.key, range)?;
        let Some(object) = objects.pop_first() else { return Ok(None) };
        let Some(horizon) = self.horizon()? else { return Ok(None) };
        let when = When::Exactly(range);
        let Some(mut gathering) = gather(&mut meter, &object, when, mode, horizon)? else {
            return Ok(None);
        };
        let others = objects.iter().map(|other| {
            format!("{other} shares this id with {object}; open it by a search that finds it alone")
        });
        gathering.gathered.warnings.extend(others);
        self.leave_out_partial(&mut gathering, stop)?;
        Ok(Some(self.render(&gathering, mode, id)))
    }

    /// Objects with facts that match, in the order of their newest hit; where the mode shows
    /// trees, one object for each.
    pub(crate) fn find_objects(
        &self,
        filter: &Filter,
        mode: Mode,
        objects_max: usize,
        stop: &Stop,
    ) -> Result<Vec<Found>, ReadError> {
        if let Some(found) = self.find_by_key(filter, stop)? {
            return Ok(vec![found]);
        }
        let Some(horizon) = self.horizon()? else { return Ok(Vec::new()) };
        let question = Question { mode, asked: filter.span(), horizon };
        let objects_max = objects_max.min(self.limits.results_max);
        let query = SearchQuery { limit: objects_max * HITS_OF_AN_OBJECT, ..filter.query() };
        let mut hits = Hits::new(&*self.store, query, FIND_HITS_MAX, stop);
        let (mut finds, mut wanted) = (Finds::default(), objects_max);
        let mut meter = self.meter(stop);
        loop {
            finds.take(&mut hits, filter, wanted)?;
            let mut results = as_trees(&mut meter, finds.found(), question)?;
            let is_enough = results.len() >= objects_max || wanted >= self.limits.results_max;
            if is_enough || hits.are_over() || meter.is_spent() {
                results.truncate(objects_max);
                self.tell_exhausted(&hits, filter);
                return Ok(results);
            }
            wanted = (wanted * 2).min(self.limits.results_max);
        }
    }

    /// Nothing in Jaeger's answers can say that older matches may exist; operators see it.
    fn tell_exhausted(&self, hits: &Hits<'_>, filter: &Filter) {
        if hits.are_exhausted() {
            SearchExhausted { attributes: filter.names() }.emit(self.metrics.as_ref());
        }
    }

    /// A filter that names one object needs no search: its key is computed and looked up.
    fn find_by_key(&self, filter: &Filter, stop: &Stop) -> Result<Option<Found>, ReadError> {
        let Some(parts) = identity(filter) else { return Ok(None) };
        let part = |name: &str| parts.get(name).map(|value| (*value).to_owned());
        let group = part(a::GROUP).filter(|group| !group.is_empty());
        let resource = part(a::RESOURCE).unwrap_or_default();
        let query = ObjectQuery {
            cluster: part(a::CLUSTER),
            resource: group.map_or(resource.clone(), |group| format!("{resource}.{group}")),
            namespace: part(a::NAMESPACE),
            name: part(a::NAME).unwrap_or_default(),
            ..ObjectQuery::default()
        };
        // Ambiguity and absence are left to the search.
        let Ok(object) = resolve(&*self.store, &query, stop) else { return Ok(None) };
        let Some(horizon) = self.horizon()? else { return Ok(None) };
        let mut meter = self.meter(stop);
        let windows = windows_of(&mut meter, &object, horizon)?;
        let asked = filter.span();
        let mut inside = windows.into_iter().filter(|w| (asked.first..=asked.last).contains(w));
        let Some(first) = inside.next() else { return Ok(None) };
        let last = inside.next_back().unwrap_or(first);
        Ok(Some(Found { object, hits: Span { first, last } }))
    }

    fn gather(
        &self,
        query: &ObjectQuery,
        (from, to): (Option<UnixNanos>, Option<UnixNanos>),
        mode: Mode,
        stop: &Stop,
    ) -> Result<Gathering, ReadError> {
        if from.zip(to).is_some_and(|(from, to)| from >= to) {
            return Err(ReadError::invalid("the time range is empty: from is not before to", ""));
        }
        let object = resolve(&*self.store, query, stop)?;
        let Some(horizon) = self.horizon()? else {
            return Err(ReadError::not_found("the store is empty", "ingest an audit log first"));
        };
        let mut meter = self.meter(stop);
        let Some(mut gathering) = gather(&mut meter, &object, When::Wish(from, to), mode, horizon)?
        else {
            return Err(self.unknown(query, &object, horizon, stop)?);
        };
        self.leave_out_partial(&mut gathering, stop)?;
        Ok(gathering)
    }

    /// Collections hold early stages of requests that did not know their object's name yet; where
    /// the object's own record is there, that one tells the act.
    fn leave_out_partial(&self, gathering: &mut Gathering, stop: &Stop) -> Result<(), ReadError> {
        let mut lookups = PARTIAL_LOOKUPS_MAX;
        for object in &mut gathering.gathered.objects {
            if !may_be_partial(&object.key) {
                continue;
            }
            let mut kept = Vec::with_capacity(object.spans.len());
            for bytes in object.spans.drain(..) {
                stop.check()?;
                let span = SpanRef::parse(&bytes).ok().filter(|_| lookups > 0);
                lookups -= usize::from(span.is_some());
                let told =
                    span.map_or(Ok(false), |span| is_told_by_another(&*self.store, &span))?;
                if !told {
                    kept.push(bytes);
                }
            }
            object.spans = kept;
        }
        Ok(())
    }

    /// Why there is nothing: not in this time, or not at all.
    fn unknown(
        &self,
        query: &ObjectQuery,
        object: &ObjectKey,
        horizon: (Day, Day),
        stop: &Stop,
    ) -> Result<ReadError, ReadError> {
        let mut meter = self.meter(stop);
        let windows = windows_of(&mut meter, object, horizon)?;
        if let (Some(first), Some(last)) = (windows.first(), windows.last()) {
            return Ok(ReadError::not_found(
                format!("nothing is recorded of {object} in the time asked for"),
                format!("there are facts of it from {} to {}", first.start(), last.end()),
            ));
        }
        Ok(not_found(query, others_named(&*self.store, object, stop)?.iter()))
    }

    /// Days in which the store may have anything.
    fn horizon(&self) -> Result<Option<(Day, Day)>, ReadError> {
        let stats = self.store.stats()?;
        Ok(stats.oldest.zip(stats.newest).map(|(old, new)| (Day::of(old), Day::of(new))))
    }

    fn render(&self, gathering: &Gathering, mode: Mode, id: TraceId) -> View {
        View { id, spans: view::render(&gathering.gathered, mode, id, &self.limits.tell) }
    }
}
