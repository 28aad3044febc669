//! One process holds a store, and says where it can be spoken to.
//!
//! Promise: the lock is the operating system's, so a holder that was killed holds nothing; what it
//! left in the file is no obstacle.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::OpenError;

const LOCK_FILE: &str = "LOCK";
/// A glance of [`read_holder`] locks the file for microseconds: opening tries again this often.
const ATTEMPTS: u32 = 10;
const ATTEMPT_WAIT: Duration = Duration::from_millis(10);
/// The file holds one small JSON object.
const HOLDER_BYTES_MAX: u64 = 4_096;

/// Who holds a store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Process id.
    pub pid: u32,
    /// URL under which it can be spoken to, if it serves.
    pub address: Option<String>,
    /// When it opened the store, RFC 3339, if it had a clock.
    pub started: Option<String>,
}

/// The lock of an open store; let go on drop, and by the operating system when the process ends.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock and writes `holder` into it.
    pub(crate) fn take(dir: &Path, holder: &Holder) -> Result<Self, OpenError> {
        let path = dir.join(LOCK_FILE);
        let io = |source| OpenError::Io { path: path.clone(), source };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(io)?;
        if !try_lock(&file).map_err(io)? {
            let other = read(&mut file).map_err(io)?;
            let (pid, address) = other.map_or((0, None), |other| (other.pid, other.address));
            return Err(OpenError::Held { address, pid });
        }
        write(&mut file, holder).map_err(io)?;
        Ok(Self { _file: file })
    }
}

/// Who holds the store in `dir` now; `None` when nobody does or there is none.
pub fn read_holder(dir: &Path) -> std::io::Result<Option<Holder>> {
    let mut file = match File::open(dir.join(LOCK_FILE)) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(None),
        Err(TryLockError::WouldBlock) => {
            let unknown = Holder { pid: 0, address: None, started: None };
            Ok(Some(read(&mut file)?.unwrap_or(unknown)))
        }
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn try_lock(file: &File) -> std::io::Result<bool> {
    for _ in 0..ATTEMPTS {
        match file.try_lock() {
            Ok(()) => return Ok(true),
            Err(TryLockError::WouldBlock) => std::thread::sleep(ATTEMPT_WAIT),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Ok(false)
}

/// `None` when the holder has not written itself yet.
fn read(file: &mut File) -> std::io::Result<Option<Holder>> {
    let mut text = String::new();
    file.rewind()?;
    file.take(HOLDER_BYTES_MAX).read_to_string(&mut text)?;
    Ok(serde_json::from_str(&text).ok())
}

fn write(file: &mut File, holder: &Holder) -> std::io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(serde_json::to_string(holder)?.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(address: &str) -> Holder {
        Holder { pid: 7, address: Some(address.to_owned()), started: None }
    }

    #[test]
    fn the_second_taker_learns_who_holds_it() {
        let dir = tempfile::tempdir().expect("a folder");
        assert_eq!(read_holder(dir.path()).expect("readable"), None);
        let lock = Lock::take(dir.path(), &holder("http://127.0.0.1:16686")).expect("free");
        let refused = Lock::take(dir.path(), &holder("other")).expect_err("held");
        assert_eq!(refused.to_string(), "the store is held by process 7 at http://127.0.0.1:16686");
        assert_eq!(
            read_holder(dir.path()).expect("readable"),
            Some(holder("http://127.0.0.1:16686"))
        );
        drop(lock);
        assert_eq!(read_holder(dir.path()).expect("readable"), None);
    }

    #[test]
    fn what_a_killed_holder_left_is_overwritten() {
        let dir = tempfile::tempdir().expect("a folder");
        let left = "x".repeat(500);
        std::fs::write(dir.path().join(LOCK_FILE), left).expect("writable");
        let _lock = Lock::take(dir.path(), &holder("here")).expect("free");
        assert_eq!(read_holder(dir.path()).expect("readable"), Some(holder("here")));
    }
}
