//! The format version of a store, in a file of its own, readable before anything else is.

use std::fs::{DirBuilder, File};
use std::io::Write as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::OpenError;

/// The format this program reads and writes: keys, values, postings and the meta keyspace.
pub(crate) const FORMAT: u32 = 1;
const FORMAT_FILE: &str = "FORMAT";

#[derive(Debug, Serialize, Deserialize)]
struct Stamp {
    format: u32,
    created_by: String,
}

/// Whether a store was made in `dir`.
pub(crate) fn is_stamped(dir: &Path) -> bool {
    dir.join(FORMAT_FILE).is_file()
}

/// Makes the folder if it is missing, for its owner only: bodies may hold secrets that no rule knew.
pub(crate) fn make_dir(dir: &Path) -> Result<(), OpenError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(|source| OpenError::Io { path: dir.to_owned(), source })
}

/// Checks that the store in `dir` has the format `known`; stamps a new one with it.
pub(crate) fn check_or_stamp(dir: &Path, database: &Path, known: u32) -> Result<(), OpenError> {
    let path = dir.join(FORMAT_FILE);
    let io = |source| OpenError::Io { path: path.clone(), source };
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            if database.try_exists().map_err(io)? {
                return Err(damaged(&path, "it is missing, but there is data"));
            }
            return stamp(dir, &path, known).map_err(io);
        }
        Err(error) => return Err(io(error)),
    };
    let found: Stamp =
        serde_json::from_str(&text).map_err(|error| damaged(&path, &error.to_string()))?;
    match found.format {
        0 => Err(damaged(&path, "there is no format 0")),
        format if format == known => Ok(()),
        newer => Err(OpenError::NewerFormat {
            dir: dir.to_owned(),
            found: newer,
            known,
            created_by: found.created_by,
        }),
    }
}

fn damaged(path: &Path, cause: &str) -> OpenError {
    OpenError::Damaged { path: path.to_owned(), cause: cause.to_owned() }
}

fn stamp(dir: &Path, path: &Path, format: u32) -> std::io::Result<()> {
    let created_by = concat!("kausal ", env!("CARGO_PKG_VERSION")).to_owned();
    let text = serde_json::to_string(&Stamp { format, created_by })?;
    let new = dir.join("FORMAT.new");
    let mut file = File::create(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&new, path)?;
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(content: Option<&str>, with_data: bool, expect: &str) {
        let dir = tempfile::tempdir().expect("a folder");
        let database = dir.path().join("spans");
        if with_data {
            make_dir(&database).expect("writable");
        }
        if let Some(content) = content {
            std::fs::write(dir.path().join(FORMAT_FILE), content).expect("writable");
        }
        let answer = match check_or_stamp(dir.path(), &database, FORMAT) {
            Ok(()) => "fine".to_owned(),
            Err(error) => error.to_string(),
        };
        assert!(answer.contains(expect), "{content:?}: {answer}");
    }

    #[test]
    fn a_store_is_stamped_once_and_checked_after() {
        let dir = tempfile::tempdir().expect("a folder");
        let database = dir.path().join("spans");
        check_or_stamp(dir.path(), &database, FORMAT).expect("stamped");
        make_dir(&database).expect("writable");
        check_or_stamp(dir.path(), &database, FORMAT).expect("the same format");
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        check(Some(r#"{"format":1,"created_by":"kausal 0.1.0"}"#), true, "fine");
        check(
            Some(r#"{"format":2,"created_by":"kausal 9.0.0"}"#),
            true,
            "has format 2, made by kausal 9.0.0; this program reads format 1",
        );
        check(Some("no"), true, "FORMAT is not what a store has there");
        check(Some(r#"{"format":0,"created_by":"x"}"#), false, "there is no format 0");
        check(None, true, "it is missing, but there is data");
    }
}
