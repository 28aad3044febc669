//! Where audit events come from.
pub mod webhook;
