//! Where audit events come from.
//!
//! Promise: every source feeds the same [`Pipeline`](crate::Pipeline), and acknowledges its input,
//! each in its own way, only when the pipeline did.
//! Never here: decoding, filtering, encoding.

pub mod file;
pub mod webhook;

/// A kind of source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceKind {
    /// Its name in the configuration and in metrics.
    pub name: &'static str,
    /// What it takes, in a line.
    pub about: &'static str,
}

/// No source has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no source {name:?}; there are: {known}")]
pub struct UnknownSource {
    /// The name.
    pub name: String,
    /// Those that exist.
    pub known: String,
}

/// The sources of this build.
pub fn registered() -> &'static [SourceKind] {
    &[
        SourceKind { name: file::KIND, about: "audit logs in files, folders and standard input" },
        SourceKind { name: webhook::KIND, about: "an apiserver's audit webhook" },
    ]
}

/// The source of a name.
pub fn by_name(name: &str) -> Result<SourceKind, UnknownSource> {
    let found = registered().iter().find(|kind| kind.name == name).copied();
    found.ok_or_else(|| {
        let known: Vec<_> = registered().iter().map(|kind| kind.name).collect();
        UnknownSource { name: name.to_owned(), known: known.join(", ") }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_is_answered_with_the_known_ones() {
        assert_eq!(by_name("webhook").unwrap().name, webhook::KIND);
        let error = by_name("kafka").unwrap_err().to_string();
        assert_eq!(error, "there is no source \"kafka\"; there are: file, webhook");
    }
}
