//! Walks one minute moment by moment, newest first.

use fjall::{Keyspace, Readable as _, Slice, Snapshot};
use kausal_trace::UnixNanos;

use super::cursor::{Entries, Minute};
use super::engine::read_failed;
use super::indexed::Attribute;
use super::posting::{InvertedMinute, Moment, Term, moment_of};
use crate::StoreError;

/// The moments of one minute that have facts.
pub(crate) struct Moments {
    minute: InvertedMinute,
    /// Any of its terms; all read lists alike.
    term: Term,
    lists: fjall::Iter,
    /// The list read last, when it belongs to the next moment.
    ahead: Option<(Moment, Slice)>,
}

impl Moments {
    /// Those with a start before `to`.
    pub(crate) fn new(
        snapshot: &Snapshot,
        index: &Keyspace,
        attribute: Attribute,
        minute: InvertedMinute,
        to: Option<UnixNanos>,
    ) -> Self {
        let last = to.map(|to| UnixNanos(to.0.saturating_sub(1)));
        let last = last.filter(|last| InvertedMinute::holding(*last) == minute);
        let newest = last.map_or(Moment::LAST, Moment::of);
        let term = Term::moment(attribute, minute, newest);
        let oldest = Term::moment(attribute, minute, Moment::of(UnixNanos(0)));
        let to = [&oldest.prefix()[..], &[0xff; 16]].concat();
        Self { minute, term, lists: snapshot.range(index, term.prefix()..=to), ahead: None }
    }

    /// When the next moment begins, and the traces that it proposes.
    pub(crate) fn next(
        &mut self,
        entries: &mut Entries,
    ) -> Result<Option<(UnixNanos, Minute)>, StoreError> {
        let Some((moment, mut list)) = self.next_list()? else { return Ok(None) };
        let mut traces = Vec::new();
        loop {
            entries.read += self.term.entries(&list);
            traces.extend(self.term.proposed(&list));
            match self.next_list()? {
                Some((other, next)) if other == moment => list = next,
                other => {
                    self.ahead = other;
                    break;
                }
            }
        }
        traces.sort_unstable();
        traces.dedup();
        Ok(Some((moment.start(self.minute), Minute { at: self.minute, traces })))
    }

    fn next_list(&mut self) -> Result<Option<(Moment, Slice)>, StoreError> {
        if let Some(ahead) = self.ahead.take() {
            return Ok(Some(ahead));
        }
        let Some(item) = self.lists.next() else { return Ok(None) };
        let (key, list) = item.into_inner().map_err(read_failed)?;
        let moment = moment_of(&key).ok_or_else(|| StoreError::ReadFailed {
            cause: "an index key is too short".to_owned(),
        })?;
        Ok(Some((moment, list)))
    }
}
