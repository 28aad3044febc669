//! Kubernetes objects: keys, kinds, redaction, diffs and links, on JSON text.

pub mod key;

pub use key::{KeyRef, ObjectKey};
