//! Whether a span is what a search asks for. Pure.

use kausal_trace::{FactKind, UnixNanos};

use crate::SearchQuery;
use crate::scan::{Part, each_text, parts};

/// Compares spans with one query.
pub(crate) struct Matcher<'q> {
    query: &'q SearchQuery,
    /// For each attribute asked for, whether the span at hand has it.
    matched: Vec<bool>,
}

impl<'q> Matcher<'q> {
    pub(crate) fn new(query: &'q SearchQuery) -> Self {
        Self { query, matched: vec![false; query.attributes.len()] }
    }

    /// The start of the span, if all of the query is true of it.
    pub(crate) fn start_if_match(&mut self, span: &[u8]) -> Option<UnixNanos> {
        self.matched.fill(false);
        let mut start = UnixNanos(0);
        for part in parts(span) {
            match part {
                Part::Start(nanos) => start = UnixNanos(nanos),
                Part::Name(name) => self.is_wanted_kind(name).then_some(())?,
                Part::Attribute(name, value) => self.compare(name, value),
            }
        }
        let in_time = self.query.from.is_none_or(|from| start >= from)
            && self.query.to.is_none_or(|to| start < to);
        (in_time && self.matched.iter().all(|matched| *matched)).then_some(start)
    }

    fn is_wanted_kind(&self, name: &[u8]) -> bool {
        let kind = std::str::from_utf8(name).ok().and_then(FactKind::from_span_name);
        self.query.kinds.is_empty() || kind.is_some_and(|kind| self.query.kinds.contains(&kind))
    }

    fn compare(&mut self, name: &[u8], value: &[u8]) {
        for ((wanted, text), matched) in self.query.attributes.iter().zip(&mut self.matched) {
            if wanted.as_bytes() == name {
                each_text(value, &mut |found| *matched |= found == text.as_bytes());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use kausal_trace::{NewSpan, SpanBatch, SpanId, TraceId};

    use super::*;

    fn span() -> Vec<u8> {
        let mut batch = SpanBatch::default();
        let head = NewSpan {
            trace: TraceId([1; 16]),
            span: SpanId([2; 8]),
            name: "audit patch",
            start: UnixNanos(100),
            end: UnixNanos(101),
        };
        batch
            .open(head)
            .str("username", "alice")
            .int("http.response.status_code", 200)
            .strs("groups", ["dev", "ops"].into_iter());
        batch.iter().next().expect("one span").bytes.to_vec()
    }

    fn check(query: &SearchQuery, expect: bool) {
        let found = Matcher::new(query).start_if_match(&span());
        assert_eq!(found, expect.then_some(UnixNanos(100)), "{query:?}");
    }

    #[test]
    fn all_attributes_the_kind_and_the_time_must_be_right() {
        let any = SearchQuery::newest(1);
        check(&any, true);
        check(&any.clone().with("username", "alice").with("groups", "ops"), true);
        check(&any.clone().with("http.response.status_code", "200"), true);
        check(&any.clone().with("http.response.status_code", "0200"), false);
        check(&any.clone().with("username", "alice").with("username", "bob"), false);
        check(&any.clone().with("namespace", ""), false);
        check(&SearchQuery { kinds: vec![FactKind::Audit], ..any.clone() }, true);
        check(&SearchQuery { kinds: vec![FactKind::Event], ..any.clone() }, false);
        check(&SearchQuery { from: Some(UnixNanos(100)), ..any.clone() }, true);
        check(&SearchQuery { from: Some(UnixNanos(101)), ..any.clone() }, false);
        check(&SearchQuery { to: Some(UnixNanos(101)), ..any.clone() }, true);
        check(&SearchQuery { to: Some(UnixNanos(100)), ..any }, false);
    }
}
