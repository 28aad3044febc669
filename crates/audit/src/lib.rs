//! audit.k8s.io events and the forms they are delivered in.
//!
//! Promise: every byte given is answered for, by an [`Event`] or by a [`Rejected`] with its reason;
//! one bad item never costs its neighbours; no size in the input goes unchecked. Strings and bodies
//! are borrowed from the input, and bodies stay unparsed text.
//! Never here: clocks, threads, files, any opinion on which events matter.

mod cursor;
mod decode;
mod event;
mod item;
mod limits;
mod nested;
mod parse;
pub mod read;
mod recover;
mod scan;
mod text;

pub use decode::{NoEventList, WebhookBody, decode_all, decode_webhook_body};
pub use event::{Body, Cause, Details, Event, Extent, Level, ObjectRef, Stage, Status, User};
pub use item::{Item, Reason, Rejected};
pub use limits::{AUDIT_ID_BYTES_MAX, Limits};
