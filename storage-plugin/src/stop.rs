//! Tells work that nobody waits for it any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::ReadError;

/// Asked between steps by whoever works.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

/// Stops the work when it is dropped: held by whoever waits.
#[derive(Debug)]
pub struct StopOnDrop(Stop);

impl Stop {
    /// The other end.
    pub fn on_drop(&self) -> StopOnDrop {
        StopOnDrop(self.clone())
    }

    /// Whether to go on.
    pub fn check(&self) -> Result<(), ReadError> {
        if self.0.load(Ordering::Relaxed) { Err(ReadError::Abandoned) } else { Ok(()) }
    }
}

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}
