//! Role: audit logs in, spans out.
//!
//! Promise: a source's input is acknowledged only when the spans of its events are durable; what
//! cannot be told is set aside with its reason and costs its neighbours nothing; the same events
//! give the same spans, whichever way and however often they come.
//! Never here: reading spans, joining what different sources saw.

mod budget;
pub mod cluster;
mod counts;
pub mod dead_letters;
pub mod filter;
pub mod frames;
pub mod intake;
pub mod metrics;
pub mod pipeline;
pub mod sink;
pub mod source;
pub mod spans;

pub use cluster::{ClusterName, ClusterNameError, Clusters, ClustersConfig};
pub use counts::Counts;
pub use filter::{Filter, FilterConfig, FilterError};
pub use metrics::Metrics;
pub use pipeline::{Pipeline, PipelineParts};
