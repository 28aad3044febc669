//! Generators and fakes for tests, and the processes end-to-end tests run.
//!
//! Never here: anything a shipped binary needs. What cannot work panics: a test cannot go on.

pub mod authority;
#[cfg(feature = "bed")]
pub mod bed;
pub mod capture;
pub mod certificate;
pub mod client;
pub mod event;
pub mod kausal;
pub mod process;
pub mod raw;
pub mod store_contract;
