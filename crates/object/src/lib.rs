//! Kubernetes objects: keys, kinds, redaction, diffs and links, on JSON text.
//!
//! Promise: what leaves [`read_body`], [`redact_message`] and [`redact_uri`] holds no value that
//! the [`Redaction`] names, is valid where it was valid, and is the same for the same input.
//! Never here: IO, clocks, configuration files, what a cluster says about itself.

pub mod body;
pub mod diff;
pub mod json;
pub mod key;
pub mod kinds;
pub mod links;
mod lists;
pub mod message;
mod path;
pub mod redact;
pub mod uri;

pub use body::{BodyContext, BodyError, BodyFacts, BodyPart, read_body};
pub use key::{KeyRef, ObjectKey};
pub use kinds::is_own_kind;
pub use links::{Link, Role};
pub use message::redact_message;
pub use redact::{Redaction, RuleError};
pub use uri::redact_uri;
