//! Ready when nothing is left to wait for.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// What a process still waits for, by name.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<Mutex<BTreeSet<&'static str>>>);

/// One thing to wait for; dropping it says that it is there.
#[derive(Debug)]
pub struct Latch {
    readiness: Readiness,
    name: &'static str,
}

impl Readiness {
    /// Adds something to wait for until the latch is dropped.
    pub fn latch(&self, name: &'static str) -> Latch {
        self.change(|waiting| waiting.insert(name));
        Latch { readiness: self.clone(), name }
    }

    /// The names still waited for; empty when ready.
    pub fn waiting(&self) -> Vec<&'static str> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }

    fn change(&self, change: impl FnOnce(&mut BTreeSet<&'static str>) -> bool) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Drop for Latch {
    fn drop(&mut self) {
        self.readiness.change(|waiting| waiting.remove(self.name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_ready_when_every_latch_is_gone() {
        let readiness = Readiness::default();
        let (store, webhook) = (readiness.latch("store"), readiness.latch("webhook"));
        assert_eq!(readiness.waiting(), ["store", "webhook"]);
        drop(store);
        assert_eq!(readiness.waiting(), ["webhook"]);
        drop(webhook);
        assert!(readiness.waiting().is_empty());
    }
}
