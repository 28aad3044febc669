//! The dictionaries of one store, as the writer sees them: which is in use, which are past.
//!
//! Promise: a dictionary is kept as long as anything written with it; an id is used once.

use std::collections::BTreeMap;

use fjall::UserValue;

use super::codec::{DictionaryId, Encoder};
use super::meta::{DICTIONARIES_MAX, StoredDictionary};
use super::trainer::Trainer;

/// Makes values and learns how to make them smaller.
pub(crate) struct Compression {
    encoder: Encoder,
    trainer: Trainer,
    /// Dictionaries not in use any more, with the first window after the newest they served.
    retired: BTreeMap<DictionaryId, u64>,
    next: Option<DictionaryId>,
}

/// A dictionary that was just learned.
pub(crate) struct Learned {
    pub(crate) id: DictionaryId,
    pub(crate) bytes: Vec<u8>,
    /// The one it replaces, and the first window that one does not serve.
    pub(crate) retired: Option<(DictionaryId, u64)>,
}

impl Compression {
    /// Goes on with what is stored.
    pub(crate) fn new(stored: &BTreeMap<DictionaryId, StoredDictionary>) -> Result<Self, String> {
        let mut encoder = Encoder::default();
        let in_use = stored.iter().rfind(|(_, dictionary)| dictionary.retired.is_none());
        if let Some((id, dictionary)) = in_use {
            encoder.adopt(*id, &dictionary.bytes)?;
        }
        let retired = |(id, dictionary): (&DictionaryId, &StoredDictionary)| {
            dictionary.retired.map(|end| (*id, end))
        };
        Ok(Self {
            trainer: Trainer::new(encoder.dictionary().is_some()),
            encoder,
            retired: stored.iter().filter_map(retired).collect(),
            next: stored.keys().next_back().map_or(Some(1), |last| last.checked_add(1)),
        })
    }

    /// The value of a fact, which also serves to learn from.
    pub(crate) fn value(&mut self, span: &[u8]) -> Result<UserValue, String> {
        self.trainer.offer(span);
        self.encoder.value(span)
    }

    /// A new dictionary, when it is time and it pays; `newest_end` bounds what the old one served.
    pub(crate) fn learn_if_due(&mut self, newest_end: u64) -> Result<Option<Learned>, String> {
        let Some(id) = self.next.filter(|_| self.retired.len() < DICTIONARIES_MAX) else {
            return Ok(None);
        };
        let old = self.encoder.dictionary();
        let Some(bytes) = self.trainer.learn_if_due(id, &mut self.encoder)? else {
            return Ok(None);
        };
        self.next = id.checked_add(1);
        let retired = old.map(|old| (old, newest_end));
        self.retired.extend(retired);
        tracing::debug!(dictionary = id, "learned how to compress spans");
        Ok(Some(Learned { id, bytes, retired }))
    }

    /// Dictionaries that served nothing after `horizon`; they are forgotten here.
    pub(crate) fn take_expired(&mut self, horizon: u64) -> Vec<DictionaryId> {
        let expired: Vec<DictionaryId> =
            self.retired.iter().filter(|(_, end)| **end <= horizon).map(|(id, _)| *id).collect();
        for id in &expired {
            self.retired.remove(id);
        }
        expired
    }
}
