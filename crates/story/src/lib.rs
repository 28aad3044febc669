//! From stored facts to what is told: merge, states, effects, views, text.
//!
//! Promise: what is told follows from the facts given and from nothing else; their order and
//! repetition never show. A malformed fact costs a warning, never the rest of the story. What is
//! recorded, derived and unknown is told apart, and every statement carries the audit ids it rests
//! on.
//! Never here: IO, clocks, budgets of time. Whoever gathers decides what is given.
//!
//! The way through: [`Gathered`] → facts ([`fact`], merged by [`merge`],
//! joined with what watches saw by [`join`]) → lives and states
//! ([`state`]) → who caused what ([`effects`]) → [`tell`] (terminal, JSON), [`view`] (Jaeger) or
//! [`manifest_at`].

mod act;
pub mod actor;
mod body;
mod changes;
pub mod classify;
mod describe;
mod effects;
mod fact;
pub mod frames;
mod gathered;
mod join;
mod manifest;
mod merge;
pub mod mode;
mod policy;
mod rfc3339;
mod state;
pub mod story;
mod tell;
pub mod text;
mod versions;
pub mod view;
mod watched;
mod world;

pub use frames::{Frame, LinkFrame, LinkRole};
pub use gathered::{Gathered, GatheredObject, Relation};
pub use manifest::{Confidence, Manifest, NoManifest, manifest_at};
pub use mode::{Display, Mode};
pub use policy::{TellPolicy, VIEW_SPANS_MAX};
pub use story::Story;
pub use tell::tell;
pub use versions::{Version, versions};
