//! Where documents end in a stream.
//!
//! Promise: an input of lines is cut at line ends alone, so that a broken line costs nothing but
//! itself; any other input is cut where brackets balance. Every byte is looked at once.
//! Never here: whether a document is any good.

use memchr::{memchr, memrchr};

use crate::{
    scan::Structure,
    text::{ends_itself, goes_on},
};

/// Finds document ends in a buffer that grows at its end and is taken from its front.
#[derive(Debug, Default)]
pub(super) struct Boundaries {
    form: Form,
    guess: Guess,
    /// How much of the buffer was looked at.
    seen: usize,
    structure: Structure,
    /// Open brackets between documents: 1 inside of an array of documents.
    floor: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Form {
    #[default]
    Unknown,
    /// A document a line.
    Lines,
    /// Documents over several lines, or several on a line.
    Balanced,
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    First,
    Last,
}

impl Boundaries {
    /// The last document end in `buffer`, of which the front may have been seen before.
    pub(super) fn last(&mut self, buffer: &mut [u8]) -> Option<usize> {
        self.find(buffer, Which::Last)
    }

    /// The first document end behind what was seen. An input that never said its form is taken for
    /// lines: nothing else recovers from a broken document.
    pub(super) fn first(&mut self, buffer: &mut [u8]) -> Option<usize> {
        if self.form == Form::Unknown {
            self.form = Form::Lines;
        }
        self.find(buffer, Which::First)
    }

    /// `bytes` were taken from the front of the buffer.
    pub(super) const fn taken(&mut self, bytes: usize) {
        self.seen = self.seen.saturating_sub(bytes);
    }

    fn find(&mut self, buffer: &mut [u8], which: Which) -> Option<usize> {
        if self.form == Form::Unknown {
            self.form = self.guess.form(buffer);
        }
        match self.form {
            Form::Unknown => None,
            Form::Lines => self.line_end(buffer, which),
            Form::Balanced => self.balanced(buffer, which),
        }
    }

    fn line_end(&mut self, buffer: &[u8], which: Which) -> Option<usize> {
        let unseen = buffer.get(self.seen..)?;
        let end = match which {
            Which::First => memchr(b'\n', unseen),
            Which::Last => memrchr(b'\n', unseen),
        };
        let end = end.map(|at| self.seen + at + 1);
        self.seen = match (end, which) {
            (Some(end), Which::First) => end,
            _ => buffer.len(),
        };
        end
    }

    fn balanced(&mut self, buffer: &mut [u8], which: Which) -> Option<usize> {
        let mut last = None;
        while self.seen < buffer.len() {
            if self.structure.depth() == self.floor && self.between(buffer) {
                continue;
            }
            let unseen = buffer.get(self.seen..).unwrap_or_default();
            let Some(length) = self.structure.feed(unseen, self.floor) else {
                self.seen = buffer.len();
                break;
            };
            self.seen += length;
            if self.structure.depth() < self.floor {
                self.set_floor(0);
            }
            last = Some(self.seen);
            if which == Which::First {
                break;
            }
        }
        last
    }

    /// Passes one byte between documents (white space, comma, byte order mark), if one is there; brackets of an array around documents
    /// become blanks.
    fn between(&mut self, buffer: &mut [u8]) -> bool {
        let Some(byte) = buffer.get_mut(self.seen) else { return false };
        match (*byte, self.floor) {
            (b'[', 0) => {
                *byte = b' ';
                self.set_floor(1);
            }
            (b']', 1) => {
                *byte = b' ';
                self.set_floor(0);
            }
            (b' ' | b'\n' | b'\r' | b'\t' | b',' | 0xef | 0xbb | 0xbf, _) => {}
            _ => return false,
        }
        self.seen += 1;
        true
    }

    fn set_floor(&mut self, floor: usize) {
        self.floor = floor;
        self.structure = Structure::at_depth(floor);
    }
}

/// Finds out the form of an input from its start.
#[derive(Debug, Default)]
struct Guess {
    looked: usize,
    structure: Structure,
    /// A document, or the first item of an array, ended with what was looked at.
    ended: bool,
}

impl Guess {
    /// `Unknown` while there is too little.
    fn form(&mut self, buffer: &[u8]) -> Form {
        let text = buffer.strip_prefix(BYTE_ORDER_MARK).unwrap_or(buffer).trim_ascii_start();
        let start = buffer.len() - text.len();
        self.looked = self.looked.max(start);
        let new = buffer.get(self.looked..).unwrap_or_default();
        if let Some(end) = memchr(b'\n', new).map(|end| self.looked + end) {
            let line = buffer.get(start..end).unwrap_or_default();
            let behind = buffer.get(end..).unwrap_or_default().trim_ascii_start();
            return match behind.first() {
                _ if ends_itself(line) => Form::Lines,
                None => Form::Unknown,
                Some(next) if goes_on(line, *next) => Form::Balanced,
                Some(_) => Form::Lines,
            };
        }
        if self.more_follows(text, new) { Form::Balanced } else { Form::Unknown }
    }

    /// Whether something follows a document on its line.
    fn more_follows(&mut self, text: &[u8], new: &[u8]) -> bool {
        self.looked += new.len();
        let mut rest = new;
        if !self.ended {
            let floor = match text.first() {
                Some(b'[') => 1,
                Some(b'{') => 0,
                _ => return false,
            };
            let Some(end) = self.structure.feed(new, floor) else { return false };
            self.ended = true;
            rest = new.get(end..).unwrap_or_default();
        }
        !rest.trim_ascii_start().is_empty()
    }
}
