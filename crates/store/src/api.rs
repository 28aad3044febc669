//! What every span store can do, and the words for asking.
//!
//! Promise: `traces` and `search` do bounded work and say when a budget cut them short.
//! Never here: how spans are kept.

use kausal_trace::{FactKind, SpanBatch, SpanId, TraceId, UnixNanos};
use tokio::sync::oneshot;

use crate::{StoreError, StoreStats};

/// Answers once: when the batch is durable, or when it is known that it will not be.
/// Threads wait with `blocking_recv`.
pub type Acknowledgement = oneshot::Receiver<Result<(), StoreError>>;

/// A place where spans are kept and found again.
pub trait SpanStore: Send + Sync + 'static {
    /// Takes a batch. The acknowledgement answers `Ok` only when the batch is durable.
    ///
    /// When the store is full, waits for room for a bounded time, then answers
    /// [`StoreError::Busy`]; asynchronous callers use [`SpanStore::try_submit`].
    fn submit(&self, batch: SpanBatch) -> Acknowledgement;

    /// Takes a batch without waiting; gives it back when there is no room for it now.
    fn try_submit(&self, batch: SpanBatch) -> Result<Acknowledgement, SpanBatch>;

    /// All spans of many traces, in the order asked; traces without spans are left out.
    ///
    /// What the budget did not allow is said by [`StoredTrace::cut`].
    fn traces(&self, ids: &[TraceId], budget: ReadBudget) -> Result<Vec<StoredTrace>, StoreError>;

    /// Facts whose attributes match, newest first.
    fn search(&self, query: &SearchQuery) -> Result<SearchAnswer, StoreError>;

    /// Names of the clusters that have facts, sorted.
    fn clusters(&self) -> Result<Vec<String>, StoreError>;

    /// Sizes, times and counts.
    fn stats(&self) -> Result<StoreStats, StoreError>;
}

/// How much one [`SpanStore::traces`] call may read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadBudget {
    /// Spans over all traces.
    pub spans_max: usize,
    /// Encoded bytes over all traces.
    pub bytes_max: usize,
}

impl Default for ReadBudget {
    /// Twenty times the largest view (1,500 spans), in a quarter of a small server's memory.
    fn default() -> Self {
        Self { spans_max: 30_000, bytes_max: 64 << 20 }
    }
}

/// The spans of one trace as stored; copies with equal content are there once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredTrace {
    /// The trace.
    pub id: TraceId,
    /// OTLP `Span` messages, ordered by span id.
    pub spans: Vec<Box<[u8]>>,
    /// The budget ended before this trace did: spans are missing, perhaps all of them.
    pub cut: bool,
}

/// What to look for. All attributes must be on one span.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchQuery {
    /// Name and value, compared as strings: integers in decimal, booleans as `true` and `false`;
    /// an array matches by any of its members. Empty: the newest facts.
    pub attributes: Vec<(String, String)>,
    /// Kinds of facts; empty: all.
    pub kinds: Vec<FactKind>,
    /// Spans that start at or after this time.
    pub from: Option<UnixNanos>,
    /// Spans that start before this time.
    pub to: Option<UnixNanos>,
    /// Hits wanted.
    pub limit: usize,
    /// Work allowed.
    pub budget: SearchBudget,
}

impl SearchQuery {
    /// The newest facts of every kind.
    pub fn newest(limit: usize) -> Self {
        Self {
            attributes: Vec::new(),
            kinds: Vec::new(),
            from: None,
            to: None,
            limit,
            budget: SearchBudget::default(),
        }
    }

    /// The same query, with one more attribute to match.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.attributes.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// How much work one search may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SearchBudget {
    /// Traces the index proposes and the search opens.
    pub candidates_max: usize,
    /// Spans looked at in those traces.
    pub spans_max: usize,
    /// Index entries read.
    pub entries_max: usize,
}

impl Default for SearchBudget {
    /// About a second of work on one core.
    fn default() -> Self {
        Self { candidates_max: 20_000, spans_max: 200_000, entries_max: 5_000_000 }
    }
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SearchAnswer {
    /// Matching spans, newest start first, each span once.
    pub hits: Vec<SearchHit>,
    /// The budget ended the search: older matches may exist.
    pub exhausted: bool,
    /// Where an exhausted search got to, if it can be said: every match that starts here or later
    /// was seen, and a search up to here goes on where this one ended.
    pub reached: Option<UnixNanos>,
    /// Traces that were opened.
    pub candidates: usize,
}

/// A span that matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchHit {
    /// The facts trace it is stored in.
    pub trace: TraceId,
    /// Its id.
    pub span: SpanId,
    /// When it starts.
    pub start: UnixNanos,
    /// OTLP `Span` message.
    pub bytes: Box<[u8]>,
}
