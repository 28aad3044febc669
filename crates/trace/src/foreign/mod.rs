//! Spans of anybody, as they came: taken apart, looked at, and put together again.
//!
//! Promise: resource, scope and span keep every byte, fields nobody knows included. What is taken
//! can be decoded by any reader of OTLP; what is not is refused by the span, with its reason.
//! Never here: what such spans mean, and ids of ours.

mod batch;
mod message;
mod query;
mod shape;
mod span;
mod term;
mod text;

pub use batch::{ForeignBatch, RECORD_BYTES_MAX, Refusals, SPANS_A_MESSAGE_MAX, SplitError};
pub use message::messages;
pub use query::ForeignQuery;
pub use span::{ForeignSpan, Head, Level, Status};
pub use term::{TERMS_A_SPAN_MAX, Term, terms};
