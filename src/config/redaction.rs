//! What is hidden before a span exists, and the installation key it is hidden with.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use kausal_object::Redaction;
use serde::{Deserialize, Serialize};

use super::Loaded;
use crate::answer::UsageError;

const KEY_BYTES: usize = 32;
/// Name of the key made in the folder of the store when none is given.
const KEY_FILE: &str = "redaction.key";

/// What is hidden before a span exists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RedactionConfig {
    /// Whether secrets are hidden. Turning this off stores them in the clear.
    pub(crate) enabled: bool,
    /// File with the installation key, 32 bytes or 64 hex digits; made in the folder of the store
    /// when not given. Processes that share a key make equal fingerprints.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key_file: Option<PathBuf>,
    /// Paths hidden besides the built-in ones: `spec.config.*.password`, `**.apiKey`.
    pub(crate) paths: Vec<String>,
}

impl Default for RedactionConfig {
    fn default() -> Self {
        Self { enabled: true, key_file: None, paths: Vec::new() }
    }
}

impl RedactionConfig {
    /// Checks the settings; makes no key.
    pub(crate) fn validate(&self, loaded: &Loaded) -> Result<(), UsageError> {
        let key = self.given_key(loaded)?.unwrap_or_default();
        self.with_key(key, loaded).map(drop)
    }

    /// Loads the key, or makes one in `store_dir`.
    pub(crate) fn load(&self, store_dir: &Path, loaded: &Loaded) -> anyhow::Result<Redaction> {
        if !self.enabled {
            return Ok(Redaction::disabled());
        }
        let key = match self.given_key(loaded)? {
            Some(key) => key,
            None => own_key(store_dir)?,
        };
        Ok(self.with_key(key, loaded)?)
    }

    fn given_key(&self, loaded: &Loaded) -> Result<Option<[u8; KEY_BYTES]>, UsageError> {
        let Some(file) = &self.key_file else { return Ok(None) };
        let wrong = |why| loaded.wrong("redaction.key_file", &format!("{}: {why}", file.display()));
        read_key(file).map(Some).map_err(wrong)
    }

    fn with_key(&self, key: [u8; KEY_BYTES], loaded: &Loaded) -> Result<Redaction, UsageError> {
        let redaction = Redaction::new(key, &self.paths);
        redaction.map_err(|error| loaded.wrong("redaction.paths", &error))
    }
}

fn own_key(dir: &Path) -> anyhow::Result<[u8; KEY_BYTES]> {
    let file = dir.join(KEY_FILE);
    std::fs::create_dir_all(dir)?;
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&file) {
        Ok(mut new) => {
            let mut key = [0; KEY_BYTES];
            File::open("/dev/urandom")?.read_exact(&mut key)?;
            new.write_all(&key)?;
            new.sync_all()?;
            File::open(dir)?.sync_all()?;
            Ok(key)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => read_key(&file)
            .map_err(|why| anyhow::anyhow!("redaction key {}: {why}", file.display())),
        Err(error) => Err(anyhow::anyhow!("redaction key {}: {error}", file.display())),
    }
}

fn read_key(file: &Path) -> Result<[u8; KEY_BYTES], String> {
    let mut bytes = Vec::new();
    File::open(file)
        .and_then(|file| file.take(1_024).read_to_end(&mut bytes))
        .map_err(|error| error.to_string())?;
    parse_key(&bytes).ok_or_else(|| "a key is 32 bytes, or 64 hex digits".to_owned())
}

fn parse_key(bytes: &[u8]) -> Option<[u8; KEY_BYTES]> {
    if let Ok(key) = bytes.try_into() {
        return Some(key);
    }
    let digits: &[u8; 2 * KEY_BYTES] = bytes.trim_ascii().try_into().ok()?;
    let mut key = [0; KEY_BYTES];
    for (byte, pair) in key.iter_mut().zip(digits.chunks_exact(2)) {
        let text = std::str::from_utf8(pair).ok()?;
        *byte = u8::from_str_radix(text, 16).ok()?;
    }
    Some(key)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_only_the_owner_can_read_it() {
        let dir = tempfile::tempdir().unwrap();
        let first = own_key(dir.path()).unwrap();
        assert_eq!(own_key(dir.path()).unwrap(), first);
        assert_ne!(first, [0; KEY_BYTES]);
        let mode = std::fs::metadata(dir.path().join(KEY_FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn keys_are_bytes_or_hex() {
        assert_eq!(parse_key(&[7; 32]), Some([7; 32]));
        assert_eq!(parse_key(format!("{}\n", "0f".repeat(32)).as_bytes()), Some([15; 32]));
        for wrong in [&b"short"[..], &[b'z'; 64], b""] {
            assert_eq!(parse_key(wrong), None);
        }
    }
}
