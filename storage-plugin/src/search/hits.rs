//! Goes through the hits of a search, newest first, a bit of work at a time.
//!
//! Promise: each hit once; a fact that is told by a fuller record is none; whoever asks can leave
//! after about 50 ms of work; where the work ends before the search does, it is said.

use std::collections::HashSet;

use kausal_object::ObjectKey;
use kausal_store::{SearchAnswer, SearchBudget, SearchHit, SearchQuery, SpanStore};
use kausal_trace::{
    FactKind, IdParts, KeyHash, SpanId, SpanRef, TraceId, UnixNanos, attribute as a,
};

use crate::error::ReadError;
use crate::stop::Stop;

/// Hits of one call to the store, at most unless as many start at one instant.
const PAGE_HITS_MAX: usize = 500;
/// Work of one call to the store: about 50 ms on one core, at 18 µs a span (`make bench`).
const SLICE: SearchBudget =
    SearchBudget { candidates_max: 500, spans_max: 2_500, entries_max: 250_000 };
/// Slices of one search: about 3 s, as long as somebody waits for a list.
const SLICES_MAX: usize = 60;
/// Records of one audit id that are looked at: a few stages from a few servers.
const STAGES_MAX: usize = 16;

/// The hits of one search.
pub(crate) struct Hits<'s> {
    store: &'s dyn SpanStore,
    stop: &'s Stop,
    query: SearchQuery,
    page: std::vec::IntoIter<SearchHit>,
    put_back: Option<SearchHit>,
    seen: HashSet<(TraceId, SpanId)>,
    /// Hits that are looked at.
    most: usize,
    /// Slices of work left, and how many the next call gets.
    left: usize,
    slices: usize,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The store may have more.
    More,
    /// It has no more.
    Complete,
    /// Older matches may exist.
    Exhausted,
}

impl<'s> Hits<'s> {
    /// Hits of `query`, of which about its limit are wanted and at most `hits_max` are looked at.
    pub(crate) fn new(
        store: &'s dyn SpanStore,
        query: SearchQuery,
        hits_max: usize,
        stop: &'s Stop,
    ) -> Self {
        let query = SearchQuery { limit: query.limit.clamp(1, PAGE_HITS_MAX), ..query };
        Self {
            store,
            stop,
            query,
            page: Vec::new().into_iter(),
            put_back: None,
            seen: HashSet::new(),
            most: hits_max,
            left: SLICES_MAX,
            slices: 1,
            state: State::More,
        }
    }

    /// The next hit; `None` when there are no more, or no more can be looked for.
    pub(crate) fn next(&mut self) -> Result<Option<SearchHit>, ReadError> {
        if let Some(hit) = self.put_back.take() {
            return Ok(Some(hit));
        }
        loop {
            let Some(hit) = self.page.next() else {
                if self.state != State::More {
                    return Ok(None);
                }
                self.read_page()?;
                continue;
            };
            if self.seen.len() >= self.most {
                (self.state, self.page) = (State::Exhausted, Vec::new().into_iter());
                return Ok(None);
            }
            if self.seen.insert((hit.trace, hit.span)) && self.is_told(&hit)? {
                return Ok(Some(hit));
            }
        }
    }

    /// Gives a hit back; it is the next one again.
    pub(crate) fn put_back(&mut self, hit: SearchHit) {
        self.put_back = Some(hit);
    }

    /// Whether older matches may exist that were not looked for.
    pub(crate) fn are_exhausted(&self) -> bool {
        self.state == State::Exhausted
    }

    /// Whether all of them were shown.
    pub(crate) fn are_over(&self) -> bool {
        self.state != State::More && self.put_back.is_none() && self.page.len() == 0
    }

    fn is_told(&self, hit: &SearchHit) -> Result<bool, ReadError> {
        let Ok(span) = SpanRef::parse(&hit.bytes) else { return Ok(false) };
        Ok(is_at_home(hit, &span) && !is_told_by_another(self.store, &span)?)
    }

    fn read_page(&mut self) -> Result<(), ReadError> {
        self.stop.check()?;
        self.query.budget = budget(self.slices);
        let answer = self.store.search(&self.query)?;
        let hits = if answer.exhausted { self.go_on(answer) } else { self.turn(answer) };
        self.page = hits.into_iter();
        Ok(())
    }

    /// After a whole page: the next one begins where it ended.
    fn turn(&mut self, answer: SearchAnswer) -> Vec<SearchHit> {
        let oldest = answer.hits.last().map(|hit| hit.start);
        match oldest.filter(|_| answer.hits.len() >= self.query.limit) {
            None => self.state = State::Complete,
            Some(oldest) => {
                let is_new = |hit: &SearchHit| !self.seen.contains(&(hit.trace, hit.span));
                // Facts of one instant may stand on both sides of a page's end, or fill it.
                let room = if answer.hits.iter().any(is_new) { PAGE_HITS_MAX } else { usize::MAX };
                self.query.limit = self.query.limit.saturating_mul(2).min(room);
                self.query.to = Some(UnixNanos(oldest.0.saturating_add(1)));
            }
        }
        answer.hits
    }

    /// After a slice of work: what it saw in full counts, the next one begins there. A slice that
    /// saw nothing in full is done again, twice as large.
    fn go_on(&mut self, mut answer: SearchAnswer) -> Vec<SearchHit> {
        self.left = self.left.saturating_sub(self.slices);
        if self.left == 0 {
            self.state = State::Exhausted;
            return answer.hits;
        }
        let further = |reached: &UnixNanos| self.query.to.is_none_or(|to| *reached < to);
        let reached = answer.reached.filter(further);
        self.slices = if reached.is_some() { 1 } else { self.slices * 2 }.min(self.left);
        self.query.to = reached.or(self.query.to);
        answer.hits.retain(|hit| reached.is_some_and(|reached| hit.start >= reached));
        answer.hits
    }
}

fn budget(slices: usize) -> SearchBudget {
    SearchBudget {
        candidates_max: SLICE.candidates_max * slices,
        spans_max: SLICE.spans_max * slices,
        entries_max: SLICE.entries_max * slices,
    }
}

/// Whether a fact stands in a trace of its own object; no view of that object shows it elsewhere.
fn is_at_home(hit: &SearchHit, span: &SpanRef<'_>) -> bool {
    matches!(hit.trace.parts(), IdParts::Facts(key, _) if key == KeyHash::of(span.object_key()))
}

/// Whether facts of this object may have a fuller record elsewhere.
pub(crate) fn may_be_partial(object: &ObjectKey) -> bool {
    object.name.is_empty() || object.resource == "events"
}

/// Whether a fuller record of the same request is stored elsewhere: this one of an early stage or
/// a cut copy did not know its object's name (`generateName`), or is the write of an Event that
/// lost its body.
pub(crate) fn is_told_by_another(
    store: &dyn SpanStore,
    span: &SpanRef<'_>,
) -> Result<bool, ReadError> {
    let audit_id = span.str(a::AUDIT_ID);
    let is_event = |span: &SpanRef<'_>| span.kind() == Some(FactKind::Event);
    let nameless = span.str(a::NAME).is_empty() && span.str(a::VERB) == "create";
    let event_write = !is_event(span) && span.str(a::RESOURCE) == "events";
    if audit_id.is_empty() || !(nameless || event_write) {
        return Ok(false);
    }
    let request = |span: &SpanRef<'_>| {
        [a::USERNAME, a::VERB, a::REQUEST_URI].map(|name| span.str(name).to_owned())
    };
    let found = store.search(&SearchQuery::newest(STAGES_MAX).with(a::AUDIT_ID, audit_id))?;
    Ok(found.hits.iter().filter_map(|hit| SpanRef::parse(&hit.bytes).ok()).any(|other| {
        event_write && is_event(&other)
            || nameless && !other.str(a::NAME).is_empty() && request(&other) == request(span)
    }))
}
