//! How many bytes may be under way at a time.
//!
//! Promise: what is taken comes back when it is dropped, and never more than the limit is out.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A limit on bytes that several requests share.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    limit: usize,
    taken: Arc<AtomicUsize>,
}

/// Bytes taken from a budget; they come back when this is dropped.
#[derive(Debug)]
pub(crate) struct Taken {
    budget: Budget,
    bytes: usize,
}

impl Budget {
    /// A budget of `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, taken: Arc::default() }
    }

    /// Bytes taken now.
    pub(crate) fn in_use(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    /// Begins to take, with nothing.
    pub(crate) fn open(&self) -> Taken {
        Taken { budget: self.clone(), bytes: 0 }
    }
}

impl Taken {
    /// Takes `bytes` more; `false`, and nothing taken, when they are not to be had now.
    #[must_use]
    pub(crate) fn grow(&mut self, bytes: usize) -> bool {
        let limit = self.budget.limit;
        let fits = |taken: usize| taken.checked_add(bytes).filter(|sum| *sum <= limit);
        let granted = self.budget.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits);
        if granted.is_ok() {
            self.bytes += bytes;
        }
        granted.is_ok()
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.budget.taken.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_until_the_limit_and_takes_back() {
        let budget = Budget::new(100);
        let mut first = budget.open();
        assert!(first.grow(60) && first.grow(40));
        let mut second = budget.open();
        assert!(!second.grow(1) && !second.grow(usize::MAX));
        drop(first);
        assert!(second.grow(100));
        drop(second);
        assert_eq!(budget.in_use(), 0);
    }
}
