//! Walks posting lists, newest minute first.

use fjall::{Keyspace, Readable as _, Snapshot};

use super::engine::read_failed;
use super::posting::{InvertedMinute, Term, TraceRef, minute_of};
use crate::StoreError;

/// Lists passed one by one before it is cheaper to seek.
const STEPS_MAX: usize = 8;

/// The traces that one minute proposes, sorted, each once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Minute {
    pub(crate) at: InvertedMinute,
    pub(crate) traces: Vec<TraceRef>,
}

/// Index entries: how many were read, how many may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entries {
    pub(crate) read: usize,
    pub(crate) max: usize,
}

impl Entries {
    pub(crate) fn are_spent(self) -> bool {
        self.read >= self.max
    }
}

/// The minutes of one term, or of any of several.
pub(crate) enum Cursor {
    One(ListCursor),
    AnyOf(Vec<ListCursor>),
}

impl Cursor {
    /// The first minute at `from` or older that proposes traces; the same again until `from` has
    /// passed it. `None` at the end of the lists or of `entries`.
    pub(crate) fn minute(
        &mut self,
        from: InvertedMinute,
        entries: &mut Entries,
    ) -> Result<Option<Minute>, StoreError> {
        let lists = match self {
            Self::One(list) => return Ok(list.minute(from, entries)?.cloned()),
            Self::AnyOf(lists) => lists,
        };
        let mut first: Option<Minute> = None;
        for list in lists {
            let Some(minute) = list.minute(from, entries)? else { continue };
            match &mut first {
                Some(first) if first.at < minute.at => {}
                Some(first) if first.at == minute.at => first.traces.extend(&minute.traces),
                _ => first = Some(minute.clone()),
            }
        }
        if let Some(first) = &mut first {
            first.traces.sort_unstable();
            first.traces.dedup();
        }
        Ok(first)
    }
}

/// The minutes of one term.
pub(crate) struct ListCursor {
    snapshot: Snapshot,
    index: Keyspace,
    term: Term,
    prefix: Vec<u8>,
    oldest: InvertedMinute,
    lists: fjall::Iter,
    /// The list read last, when it belongs to the next minute.
    ahead: Option<(InvertedMinute, fjall::Slice)>,
    current: Option<Minute>,
    ended: bool,
}

impl ListCursor {
    /// From `newest` to `oldest`, both included.
    pub(crate) fn new(
        snapshot: &Snapshot,
        index: &Keyspace,
        term: Term,
        newest: InvertedMinute,
        oldest: InvertedMinute,
    ) -> Self {
        let prefix = term.prefix();
        let lists = range(snapshot, index, &prefix, newest, oldest);
        let (snapshot, index) = (snapshot.clone(), index.clone());
        Self {
            snapshot,
            index,
            term,
            prefix,
            oldest,
            lists,
            ahead: None,
            current: None,
            ended: false,
        }
    }

    /// See [`Cursor::minute`].
    pub(crate) fn minute(
        &mut self,
        from: InvertedMinute,
        entries: &mut Entries,
    ) -> Result<Option<&Minute>, StoreError> {
        let mut steps = 0;
        let is_older = |current: &Minute| current.at >= from;
        while !self.ended && !self.current.as_ref().is_some_and(is_older) {
            if entries.are_spent() {
                return Ok(None);
            }
            if steps == STEPS_MAX {
                self.lists = range(&self.snapshot, &self.index, &self.prefix, from, self.oldest);
                self.ahead = None;
            }
            steps += 1;
            self.read_minute(entries)?;
        }
        Ok(self.current.as_ref().filter(|_| !self.ended))
    }

    /// Reads all lists of the next minute; bucketed ones may propose nothing for this term.
    fn read_minute(&mut self, entries: &mut Entries) -> Result<(), StoreError> {
        let Some((at, first)) = self.next_list()? else {
            self.ended = true;
            return Ok(());
        };
        let mut traces = Vec::new();
        let mut list = first;
        loop {
            entries.read += self.term.entries(&list);
            traces.extend(self.term.proposed(&list));
            match self.next_list()? {
                Some((minute, next)) if minute == at => list = next,
                other => {
                    self.ahead = other;
                    break;
                }
            }
        }
        traces.sort_unstable();
        traces.dedup();
        self.current = (!traces.is_empty()).then_some(Minute { at, traces });
        Ok(())
    }

    fn next_list(&mut self) -> Result<Option<(InvertedMinute, fjall::Slice)>, StoreError> {
        if let Some(ahead) = self.ahead.take() {
            return Ok(Some(ahead));
        }
        let Some(item) = self.lists.next() else { return Ok(None) };
        let (key, list) = item.into_inner().map_err(read_failed)?;
        let minute = minute_of(&key).ok_or_else(|| StoreError::ReadFailed {
            cause: "an index key is too short".to_owned(),
        })?;
        Ok(Some((minute, list)))
    }
}

fn range(
    snapshot: &Snapshot,
    index: &Keyspace,
    prefix: &[u8],
    newest: InvertedMinute,
    oldest: InvertedMinute,
) -> fjall::Iter {
    let from = [prefix, &newest.0.to_be_bytes()].concat();
    let to = [prefix, &oldest.0.to_be_bytes(), &[0xff; 8]].concat();
    snapshot.range(index, from..=to)
}
