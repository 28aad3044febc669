//! What could not be told, kept for whoever wants to know why.
//!
//! Promise: every original that is set aside lands in the file before its batch is acknowledged,
//! readable by the owner only (it may hold secrets), and the folder never grows past its limit:
//! a full file becomes `dead-letters.1.jsonl` and takes the place of the one before.
//! Never here: deciding what is set aside.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

/// Name of the file letters are written to.
const CURRENT: &str = "dead-letters.jsonl";
/// Name of the full file before it.
const PREVIOUS: &str = "dead-letters.1.jsonl";
/// An original longer than this is cut: its head tells what it was.
const ORIGINAL_BYTES_MAX: usize = 256 * 1024;
/// Default of [`DeadLettersConfig::bytes_max`].
const BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Where what cannot be decoded goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DeadLettersConfig {
    /// Folder of the file; empty: `dead-letters` in the folder of the store.
    pub folder: PathBuf,
    /// Most bytes kept, over the current file and the one before it.
    pub bytes_max: u64,
}

impl Default for DeadLettersConfig {
    fn default() -> Self {
        Self { folder: PathBuf::new(), bytes_max: BYTES_MAX }
    }
}

/// One original that was set aside.
#[derive(Clone, Copy, Debug)]
pub struct Letter<'a> {
    /// Why, in the words metrics use.
    pub reason: &'a str,
    /// Which source it came by (`webhook`, a file's name).
    pub source: &'a str,
    /// The cluster it was said to be of.
    pub cluster: &'a str,
    /// Where in its input it began, in bytes.
    pub position: u64,
    /// The original, or its beginning.
    pub bytes: &'a [u8],
    /// Length of the whole original, in bytes.
    pub length: u64,
}

/// The open dead-letter file.
#[derive(Debug)]
pub struct DeadLetters {
    folder: PathBuf,
    bytes_max: u64,
    open: Mutex<Open>,
}

#[derive(Debug)]
struct Open {
    file: File,
    bytes: u64,
    unsynced: bool,
}

/// A line of the file; exactly one of `text` and `base64` is there.
#[derive(Serialize)]
struct Line<'a> {
    reason: &'a str,
    source: &'a str,
    cluster: &'a str,
    position: u64,
    length: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
}

impl DeadLetters {
    /// Opens the file in `folder`, which is made when it does not exist.
    pub fn open(folder: &Path, bytes_max: u64) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let file = open_private(&folder.join(CURRENT))?;
        let bytes = file.metadata()?.len();
        let open = Mutex::new(Open { file, bytes, unsynced: false });
        Ok(Self { folder: folder.to_owned(), bytes_max, open })
    }

    /// Adds a letter; it is durable after [`Self::sync`].
    pub fn put(&self, letter: &Letter<'_>) -> io::Result<()> {
        let mut line = serde_json::to_vec(&Line::of(letter))?;
        line.push(b'\n');
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.bytes > 0 && open.bytes + line.len() as u64 > self.bytes_max / 2 {
            self.turn_over(&mut open)?;
        }
        open.file.write_all(&line)?;
        open.bytes += line.len() as u64;
        open.unsynced = true;
        Ok(())
    }

    /// Makes the letters put so far durable.
    pub fn sync(&self) -> io::Result<()> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.unsynced {
            open.file.sync_data()?;
            open.unsynced = false;
        }
        Ok(())
    }

    fn turn_over(&self, open: &mut Open) -> io::Result<()> {
        open.file.sync_data()?;
        let current = self.folder.join(CURRENT);
        std::fs::rename(&current, self.folder.join(PREVIOUS))?;
        *open = Open { file: open_private(&current)?, bytes: 0, unsynced: false };
        Ok(())
    }
}

impl<'a> Line<'a> {
    fn of(letter: &Letter<'a>) -> Self {
        let kept = letter.bytes.get(..ORIGINAL_BYTES_MAX).unwrap_or(letter.bytes);
        let text = std::str::from_utf8(kept).ok();
        Self {
            reason: letter.reason,
            source: letter.source,
            cluster: letter.cluster,
            position: letter.position,
            length: letter.length,
            base64: text.is_none().then(|| base64(kept)),
            text,
        }
    }
}

#[cfg(unix)]
fn open_private(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
    file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
    Ok(file)
}

#[cfg(not(unix))]
fn open_private(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

/// RFC 4648, with padding.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let word = (0..3).fold(0_usize, |word, at| {
            word << 8 | usize::from(group.get(at).copied().unwrap_or_default())
        });
        for at in 0..4 {
            let digit = DIGITS[word >> (18 - 6 * at) & 63];
            text.push(if at <= group.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn letter(bytes: &[u8]) -> Letter<'_> {
        let length = bytes.len() as u64;
        Letter { reason: "not-json", source: "webhook", cluster: "c", position: 7, bytes, length }
    }

    fn lines(path: &Path) -> Vec<Value> {
        let text = std::fs::read_to_string(path).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn keeps_text_as_text_and_bytes_as_base64() {
        let dir = tempfile::tempdir().unwrap();
        let letters = DeadLetters::open(dir.path(), 1 << 20).unwrap();
        letters.put(&letter(b"{\"a\"")).unwrap();
        letters.put(&letter(&[0xff, 0xfe])).unwrap();
        letters.put(&letter(&vec![b'x'; ORIGINAL_BYTES_MAX + 1])).unwrap();
        letters.sync().unwrap();
        let lines = lines(&dir.path().join(CURRENT));
        assert_eq!(lines[0]["text"], "{\"a\"");
        assert_eq!(lines[0]["position"], 7);
        assert_eq!(lines[1]["base64"], "//4=");
        assert_eq!(lines[2]["length"], ORIGINAL_BYTES_MAX + 1);
        assert_eq!(lines[2]["text"].as_str().unwrap().len(), ORIGINAL_BYTES_MAX);
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_may_read() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(CURRENT), "").unwrap();
        DeadLetters::open(dir.path(), 1 << 20).unwrap();
        let mode = std::fs::metadata(dir.path().join(CURRENT)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn never_grows_past_its_limit() {
        let dir = tempfile::tempdir().unwrap();
        let letters = DeadLetters::open(dir.path(), 4_000).unwrap();
        for _ in 0..100 {
            letters.put(&letter(&[b'x'; 300])).unwrap();
        }
        let sizes: u64 = std::fs::read_dir(dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().metadata().unwrap().len())
            .sum();
        assert!((2_000..=4_000).contains(&sizes), "{sizes}");
    }

    #[test]
    fn base64_has_the_published_vectors() {
        for (plain, coded) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }
}
