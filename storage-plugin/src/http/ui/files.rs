//! The files of a build, in memory.
//!
//! Promise: nothing from outside the folder, whatever links in it say; bounded in number, depth
//! and bytes.

use std::collections::HashMap;
use std::io::Read;
use std::path::Path;

use axum::body::Bytes;

use super::UiConfigError;

/// Bytes of all files: several times a build with its source maps.
const BYTES_MAX: u64 = 128 << 20;
/// Files; a build has some hundreds.
const FILES_MAX: usize = 4_096;
/// Folders in folders; a build has two.
const DEPTH_MAX: usize = 8;
/// Characters at the end of a name that can only be a hash.
const HASH_CHARS_MIN: usize = 8;

/// Content types by extension.
const CONTENT_TYPES: [(&str, &str); 16] = [
    ("css", "text/css; charset=utf-8"),
    ("gif", "image/gif"),
    ("html", "text/html; charset=utf-8"),
    ("ico", "image/x-icon"),
    ("jpg", "image/jpeg"),
    ("js", "text/javascript; charset=utf-8"),
    ("json", "application/json"),
    ("map", "application/json"),
    ("mjs", "text/javascript; charset=utf-8"),
    ("png", "image/png"),
    ("svg", "image/svg+xml"),
    ("ttf", "font/ttf"),
    ("txt", "text/plain; charset=utf-8"),
    ("wasm", "application/wasm"),
    ("woff", "font/woff"),
    ("woff2", "font/woff2"),
];

/// A file as it goes out.
#[derive(Debug)]
pub(super) struct File {
    pub(super) bytes: Bytes,
    pub(super) content_type: &'static str,
    pub(super) cache_control: &'static str,
}

/// Files by their path below `static/`.
#[derive(Debug, Default)]
pub(super) struct Files {
    files: HashMap<String, File>,
    bytes: u64,
}

impl Files {
    /// Reads `static/` of a build; `root` is canonical.
    pub(super) fn read(root: &Path) -> Result<Self, UiConfigError> {
        let mut files = Self::default();
        files.add_folder(root, &root.join("static"), "", DEPTH_MAX)?;
        Ok(files)
    }

    /// A file by its path in the address.
    pub(super) fn get(&self, path: &str) -> Option<&File> {
        self.files.get(path)
    }

    fn add_folder(
        &mut self,
        root: &Path,
        folder: &Path,
        prefix: &str,
        depth: usize,
    ) -> Result<(), UiConfigError> {
        let entries = std::fs::read_dir(folder).map_err(|source| unreadable(folder, source))?;
        for entry in entries {
            let entry = entry.map_err(|source| unreadable(folder, source))?;
            let name = entry.file_name();
            // Hidden ones are no part of a build: mounted volumes keep their versions there.
            let Some(name) = name.to_str().filter(|name| !name.starts_with('.')) else { continue };
            let (path, at) = (entry.path(), format!("{prefix}{name}"));
            let real = path.canonicalize().map_err(|source| unreadable(&path, source))?;
            if !real.starts_with(root) {
                return Err(unfit(&path, "leads out of the folder"));
            }
            if real.is_dir() {
                let depth = depth.checked_sub(1);
                let depth = depth.ok_or_else(|| unfit(&path, "lies too deep"))?;
                self.add_folder(root, &real, &format!("{at}/"), depth)?;
            } else {
                self.add_file(&real, at)?;
            }
        }
        Ok(())
    }

    fn add_file(&mut self, path: &Path, at: String) -> Result<(), UiConfigError> {
        if self.files.len() >= FILES_MAX {
            return Err(unfit(path, &format!("is one file more than {FILES_MAX}")));
        }
        let bytes = read_within(path, BYTES_MAX - self.bytes);
        let bytes = bytes.map_err(|source| unreadable(path, source))?;
        self.bytes += bytes.len() as u64;
        let file = File {
            bytes: bytes.into(),
            content_type: content_type(&at),
            cache_control: cache_control(&at),
        };
        self.files.insert(at, file);
        Ok(())
    }
}

/// Reads a file of at most so many bytes.
pub(super) fn read_within(path: &Path, bytes_max: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > bytes_max {
        let why = format!("is larger than the {bytes_max} bytes there is room for");
        return Err(std::io::Error::new(std::io::ErrorKind::FileTooLarge, why));
    }
    Ok(bytes)
}

fn content_type(path: &str) -> &'static str {
    let extension = path.rsplit_once('.').map_or("", |(_, extension)| extension);
    let known = CONTENT_TYPES.iter().find(|(known, _)| known.eq_ignore_ascii_case(extension));
    known.map_or("application/octet-stream", |(_, content_type)| content_type)
}

/// A name with a hash in it never gets another content.
fn cache_control(path: &str) -> &'static str {
    let name = path.rsplit_once('/').map_or(path, |(_, name)| name);
    let is_hash = |part: &str| {
        part.len() >= HASH_CHARS_MIN
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            && part.bytes().any(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase())
    };
    if name.split(['-', '.']).skip(1).any(is_hash) {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    }
}

fn unreadable(path: &Path, source: std::io::Error) -> UiConfigError {
    UiConfigError::Unreadable { setting: "assets", path: path.to_owned(), source }
}

fn unfit(path: &Path, why: &str) -> UiConfigError {
    UiConfigError::Unfit { setting: "assets", path: path.to_owned(), why: why.to_owned() }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn names_say_type_and_how_long_to_keep() {
        let check = |name: &str, kind: &str, kept: bool| {
            assert!(content_type(name).starts_with(kind), "{name}");
            assert_eq!(cache_control(name) != "no-cache", kept, "{name}");
        };
        check("index-DkY2n8pQ.js", "text/javascript", true);
        check("css/main.3f2a9c1b.css", "text/css", true);
        check("favicon.ico", "image/x-icon", false);
        check("jaeger-component.JS", "text/javascript", false);
        check("LICENSE", "application/octet-stream", false);
    }

    #[test]
    fn links_inside_are_followed_and_links_out_are_refused() {
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("secret"), "s").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        std::fs::create_dir_all(root.join("static/.v1")).unwrap();
        std::fs::write(root.join("static/.v1/a.js"), "1").unwrap();
        symlink(root.join("static/.v1/a.js"), root.join("static/a.js")).unwrap();
        let files = Files::read(&root).unwrap();
        assert_eq!(files.get("a.js").map(|file| file.bytes.as_ref()), Some(&b"1"[..]));
        assert!(files.get(".v1/a.js").is_none());
        symlink(outside.path().join("secret"), root.join("static/b.js")).unwrap();
        let error = Files::read(&root).unwrap_err().to_string();
        assert!(error.contains("b.js leads out of the folder"), "{error}");
    }

    #[test]
    fn a_folder_within_itself_ends() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        std::fs::create_dir_all(root.join("static")).unwrap();
        symlink(root.join("static"), root.join("static/again")).unwrap();
        let error = Files::read(&root).unwrap_err().to_string();
        assert!(error.contains("lies too deep"), "{error}");
    }
}
