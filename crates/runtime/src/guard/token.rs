//! Bearer tokens: those in files, and those that requests bring.
//!
//! Promise: tokens are kept and compared as hashes, in constant time, so that neither their length
//! nor a common beginning shows. Never here: a token in a log or an error.

use std::path::{Path, PathBuf};

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::reload::{self, Current, FileError, Reloader};

/// Longest token.
const TOKEN_BYTES_MAX: usize = 4_096;
/// Shortest token: 16 bytes cannot be guessed over a network if they are random.
const TOKEN_BYTES_MIN: usize = 16;
/// Most tokens of one file: the one in use, the next, and some to spare.
const FILE_TOKENS_MAX: usize = 16;

/// Where requests bring tokens beside `Authorization`: what login proxies add, and what Jaeger
/// hands on to its storage.
const TOKEN_HEADERS: [HeaderName; 2] =
    [HeaderName::from_static("x-forwarded-access-token"), HeaderName::from_static("bearer.token")];

/// Why tokens cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// Their file cannot be read.
    #[error("token file {0}")]
    File(#[from] FileError),
    /// One is too short, too long, or no printable ASCII without spaces; or there are too many.
    #[error(
        "token file {}: one to {FILE_TOKENS_MAX} lines are needed, each a token of \
         {TOKEN_BYTES_MIN} to {TOKEN_BYTES_MAX} printable ASCII characters without spaces",
        path.display()
    )]
    Unusable {
        /// The file.
        path: PathBuf,
    },
}

/// The tokens of one file, kept as new as it is: one a line, so that an old and a new one can be
/// good at the same time.
#[derive(Clone, Debug)]
pub struct TokenFile(Current<Vec<blake3::Hash>>);

/// The tokens that one request brings.
#[derive(Debug)]
pub struct Presented(Vec<blake3::Hash>);

impl TokenFile {
    /// Reads and checks the file, now and whenever it has changed.
    pub fn open(path: &Path, reloader: &mut Reloader) -> Result<Self, TokenError> {
        let name = path.to_owned();
        let make = move |content: &[Vec<u8>]| {
            let hashes = parse(content.first().map_or(&[], Vec::as_slice));
            let hashes = hashes.map(|tokens| tokens.into_iter().map(blake3::hash).collect());
            hashes.ok_or_else(|| TokenError::Unusable { path: name.clone() })
        };
        reloader.make("token", &[path], make).map(Self)
    }

    /// Whether one of the presented tokens is one of these.
    pub fn holds(&self, presented: &Presented) -> bool {
        let ours = self.0.get();
        let pairs = ours.iter().flat_map(|our| presented.0.iter().map(move |given| our == given));
        // All are compared, whichever fits.
        pairs.fold(false, |held, same| held | same)
    }
}

/// The first token of a file, for those who show it.
pub(crate) fn read_first(path: &Path) -> Result<String, TokenError> {
    let content = reload::read(path)?;
    let first = parse(&content).and_then(|tokens| String::from_utf8(tokens.first()?.to_vec()).ok());
    first.ok_or_else(|| TokenError::Unusable { path: path.to_owned() })
}

fn parse(content: &[u8]) -> Option<Vec<&[u8]>> {
    let lines = content.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let tokens: Vec<_> = lines.filter(|line| !line.is_empty()).collect();
    let counted = (1..=FILE_TOKENS_MAX).contains(&tokens.len());
    (counted && tokens.iter().all(|token| is_token(token))).then_some(tokens)
}

/// Whether this could be a token.
pub(crate) fn is_token(token: &[u8]) -> bool {
    let length = (TOKEN_BYTES_MIN..=TOKEN_BYTES_MAX).contains(&token.len());
    length && token.iter().all(u8::is_ascii_graphic)
}

impl Presented {
    /// From wherever a request may bring one.
    pub fn of(headers: &HeaderMap) -> Self {
        let all = |name| headers.get_all(name).iter().map(HeaderValue::as_bytes);
        let bearers = all(header::AUTHORIZATION).filter_map(bearer);
        let plain = TOKEN_HEADERS.into_iter().flat_map(all);
        let plain = plain.map(|value| bearer(value).unwrap_or(value.trim_ascii()));
        let tokens = bearers.chain(plain).filter(|token| is_token(token));
        Self(tokens.take(FILE_TOKENS_MAX).map(blake3::hash).collect())
    }
}

fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::DoorMetrics;

    const OLD: &str = "old-token-0123456789";
    const NEW: &str = "new-token-0123456789";

    fn presented(headers: &[(&str, &str)]) -> Presented {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name: HeaderName = name.parse().unwrap();
            map.append(name, value.parse().unwrap());
        }
        Presented::of(&map)
    }

    #[test]
    fn a_token_is_found_wherever_it_may_stand() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        std::fs::write(&path, format!("{OLD}\n")).unwrap();
        let file = TokenFile::open(&path, &mut Reloader::default()).unwrap();
        let check = |headers: &[(&str, &str)], expect: bool| {
            assert_eq!(file.holds(&presented(headers)), expect, "{headers:?}");
        };
        check(&[("authorization", &format!("Bearer {OLD}"))], true);
        check(&[("authorization", &format!("bearer  {OLD} "))], true);
        check(&[("x-forwarded-access-token", OLD)], true);
        check(&[("x-forwarded-access-token", &format!("Bearer {OLD}"))], true);
        check(&[("bearer.token", OLD)], true);
        check(&[("authorization", "Basic abc"), ("bearer.token", OLD)], true);
        check(&[("bearer.token", NEW), ("bearer.token", OLD)], true);
        for wrong in ["", "Bearer", "Bearer ", "Basic abc", OLD, &format!("Bearer {OLD}x")] {
            check(&[("authorization", wrong)], false);
        }
        check(&[("cookie", OLD)], false);
        check(&[], false);
    }

    #[test]
    fn two_tokens_are_good_while_one_replaces_the_other() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        let (mut reloader, metrics) = (Reloader::default(), DoorMetrics::default());
        std::fs::write(&path, OLD).unwrap();
        let file = TokenFile::open(&path, &mut reloader).unwrap();
        let mut check = |content: &str, expect: [bool; 2]| {
            std::fs::write(&path, content).unwrap();
            reloader.look(&metrics);
            let holds = [OLD, NEW].map(|token| file.holds(&presented(&[("bearer.token", token)])));
            assert_eq!(holds, expect, "{content}");
        };
        check(OLD, [true, false]);
        check(&format!("{OLD}\n{NEW}\n"), [true, true]);
        check("", [true, true]);
        check(&format!("\n{NEW}\n"), [false, true]);
    }

    #[test]
    fn unusable_files_are_named_without_their_content() {
        let dir = tempfile::tempdir().unwrap();
        let check = |name: &str, content: Option<&str>| {
            let path = dir.path().join(name);
            if let Some(content) = content {
                std::fs::write(&path, content).unwrap();
            }
            let error = TokenFile::open(&path, &mut Reloader::default()).unwrap_err().to_string();
            assert!(error.contains(name) && !error.contains("abc"), "{error}");
            assert!(read_first(&path).is_err());
        };
        check("missing", None);
        check("empty", Some(""));
        check("short", Some("abc"));
        check("inner", Some("abc456789 0123456789"));
        check("one-of-two", Some("abc4567890123456789\nabc"));
        check("many", Some(&format!("{OLD}\n").repeat(FILE_TOKENS_MAX + 1)));
        check("long", Some(&"x".repeat(TOKEN_BYTES_MAX + 1)));
    }
}
