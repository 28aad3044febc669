//! When a commit counts as durable.
//!
//! Promise: the writer acknowledges nothing before [`Durability::persist`] returned `Ok`. The seam
//! exists so that tests can let it fail and stall: killing a process proves little about fsync,
//! because the page cache survives it.

/// Makes what was committed durable.
pub trait Durability: Send + 'static {
    /// Returns `Ok` only once everything committed before is on disk. `fsync` does that for the
    /// write-ahead journal. After an error the store takes no more writes until it is reopened.
    fn persist(&mut self, fsync: &mut dyn FnMut() -> Result<(), String>) -> Result<(), String>;
}

/// The real thing: fsync of the journal.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fsync;

impl Durability for Fsync {
    fn persist(&mut self, fsync: &mut dyn FnMut() -> Result<(), String>) -> Result<(), String> {
        fsync()
    }
}
