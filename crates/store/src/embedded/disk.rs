//! How much space is free where the store lies.
//!
//! Promise: the number is the file system's own, for a process without special rights.

use std::path::{Path, PathBuf};

use super::room::Disk;

/// The file system of a store, and what is kept free on it.
#[derive(Clone, Debug)]
pub(crate) struct Volume {
    dir: PathBuf,
    reserve_bytes: u64,
}

impl Volume {
    pub(crate) fn new(dir: &Path, reserve_bytes: u64) -> Self {
        Self { dir: dir.to_owned(), reserve_bytes }
    }

    pub(crate) fn reserve_bytes(&self) -> u64 {
        self.reserve_bytes
    }

    /// Bytes that can still be written. A file system that does not say counts as empty: writing
    /// then fails or does not, as without a reserve.
    pub(crate) fn free_bytes(&self) -> u64 {
        match rustix::fs::statvfs(&self.dir) {
            Ok(found) => found.f_bavail.saturating_mul(found.f_frsize),
            Err(error) => {
                tracing::debug!(%error, "the file system does not say what is free");
                u64::MAX
            }
        }
    }

    pub(crate) fn state(&self) -> Disk {
        if self.free_bytes() < self.reserve_bytes { Disk::Short } else { Disk::Ample }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reserve_is_compared_with_what_is_free() {
        let dir = tempfile::tempdir().expect("a folder");
        assert_eq!(Volume::new(dir.path(), 1).state(), Disk::Ample);
        assert_eq!(Volume::new(dir.path(), u64::MAX).state(), Disk::Short);
        assert_eq!(Volume::new(&dir.path().join("none"), 1).free_bytes(), u64::MAX);
    }
}
