//! Ids, windows, the span model and its OTLP encoding.
//!
//! Promise: the same fact gives the same ids and the same bytes, anywhere and at any time.
//! Never here: IO, clocks, configuration. The layouts below are the format of stored data;
//! golden vectors in `tests/golden.rs` hold them.

pub mod attribute;
pub mod batch;
pub mod change;
pub mod export;
pub mod foreign;
pub mod id;
pub mod natural;
mod pack;
pub mod span;
pub mod time;
pub mod view;
pub mod window;
mod wire;

pub use batch::{EXPORT_BYTES_MAX, SPAN_BYTES_MAX};
pub use batch::{NewSpan, SpanBatch, SpanRecord, SpanWriter};
pub use change::{ChangeSpan, Operation};
pub use id::{FactKind, IdParts, KeyHash, SpanId, TraceId, ViewId};
pub use natural::{AuditIdentity, ChangeIdentity, EventIdentity, LinkIdentity};
pub use span::{SpanError, SpanRef, Value};
pub use time::UnixNanos;
pub use view::{AttrValue, SpanKind, ViewEvent, ViewSpan};
pub use window::{Day, Window};
