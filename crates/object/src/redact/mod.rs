//! Secrets become fingerprints.
//!
//! Promise: under one key, the same value at the same path of the same object gives the same
//! fingerprint, and nothing else does; without the key a fingerprint says nothing.
//! Never here: where the key comes from, and which values are met (see [`crate::read_body`]).

mod describe;
mod pattern;
pub mod rules;

use std::fmt::Write as _;

use crate::KeyRef;
pub use describe::describe;
pub use pattern::RuleError;
pub(crate) use pattern::{Rule, Segment, is_position};

/// Most rules a policy may have; each costs time on every member of every body.
pub const RULES_MAX: usize = 64;

/// A validated redaction policy.
#[derive(Clone)]
pub struct Redaction {
    key: Option<Key>,
    rules: Vec<Rule>,
}

#[derive(Clone)]
struct Key {
    secret: [u8; 32],
    id: String,
}

impl Redaction {
    /// A policy that replaces secrets by fingerprints under `key`: those of the built-in rules
    /// (see [`rules`]) and those that `paths` name.
    ///
    /// A path is written as diffs write it, with patterns: `spec.password`,
    /// `spec.users[*].token`, `data["a.b"]`, `spec.**.apiKey`, `spec.*_key`. `*` stands for one
    /// member or element, `**` for any number of them; elements of lists may be left out. In front
    /// may stand the resource it is for: `configmaps:data.*`, `backups.acme.example:spec.key`.
    pub fn new<S: AsRef<str>>(key: [u8; 32], paths: &[S]) -> Result<Self, RuleError> {
        if paths.len() > RULES_MAX {
            return Err(RuleError::TooMany { count: paths.len() });
        }
        let rules =
            paths.iter().map(|path| Rule::parse(path.as_ref())).collect::<Result<_, _>>()?;
        let id = blake3::derive_key("kausal redaction key id v1", &key);
        let id = id.iter().take(4).fold(String::new(), |mut text, byte| {
            let _infallible = write!(text, "{byte:02x}");
            text
        });
        Ok(Self { key: Some(Key { secret: key, id }), rules })
    }

    /// A policy that shows secrets. What is cut is still cut.
    pub fn disabled() -> Self {
        Self { key: None, rules: Vec::new() }
    }

    /// Whether secrets are shown.
    pub fn is_disabled(&self) -> bool {
        self.key.is_none()
    }

    /// Public name of the key, 8 hexadecimal digits; empty if disabled.
    pub fn key_id(&self) -> &str {
        self.key.as_ref().map_or("", |key| &key.id)
    }

    /// The rules that are for objects of this key.
    pub(crate) fn rules_for(&self, key: &KeyRef<'_>) -> impl Iterator<Item = &Rule> {
        self.rules.iter().filter(|rule| rule.is_for(key.group, key.resource))
    }

    /// Appends `redacted:<key id>:<16 hex>`; nothing if disabled.
    pub(crate) fn fingerprint(
        &self,
        of: &KeyRef<'_>,
        path: &str,
        value: Value<'_>,
        out: &mut String,
    ) {
        let Some(key) = &self.key else { return };
        let mut mac = blake3::Hasher::new_keyed(&key.secret);
        let mut part = |bytes: &[u8]| {
            mac.update(&(bytes.len() as u64).to_le_bytes());
            mac.update(bytes);
        };
        for text in of.parts() {
            part(text.as_bytes());
        }
        part(path.as_bytes());
        match value {
            Value::Text(text) => part(text.as_bytes()),
            Value::Json(raw) => {
                part(raw.as_bytes());
                part(b"json");
            }
        }
        let mut first = [0; 8];
        mac.finalize_xof().fill(&mut first);
        let _infallible = write!(out, "redacted:{}:{:016x}", key.id, u64::from_be_bytes(first));
    }
}

/// Shows no key.
impl std::fmt::Debug for Redaction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redaction")
            .field("key_id", &self.key_id())
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}

/// A value to be fingerprinted: text is the same however it was escaped.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Value<'a> {
    Text(&'a str),
    Json(&'a str),
}
