//! What can go wrong at the door of a store.

use std::path::PathBuf;

use kausal_trace::TraceId;

use crate::clock::Ahead;

/// Why a store did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The queue stayed full for the whole wait; nothing was stored, try again later.
    #[error("the store is busy: its write queue is full")]
    Busy,
    /// A span's trace id has no layout of ours; nothing of the batch was stored.
    #[error("trace {trace} is no facts or catalogue trace of ours, foreign traces are not stored")]
    ForeignTrace {
        /// The id.
        trace: TraceId,
    },
    /// A span lies too far in the future; nothing of the batch was stored.
    #[error("trace {trace}: {ahead}")]
    AheadOfClock {
        /// Its trace.
        trace: TraceId,
        /// By how much.
        ahead: Ahead,
    },
    /// The disk is nearly full; nothing was stored, try again later. Writing goes on by itself once
    /// there is room.
    #[error(
        "the disk is nearly full: {free_bytes} bytes are free, store.reserve keeps {reserve_bytes} \
         free; make room, writing then goes on by itself"
    )]
    NoSpace {
        /// What is free.
        free_bytes: u64,
        /// What is kept free.
        reserve_bytes: u64,
    },
    /// A write did not become durable; after this the store takes no more until it is reopened.
    #[error("writing failed, the store takes no more writes until it is reopened: {cause}")]
    WriteFailed {
        /// What the storage engine or the disk said.
        cause: String,
    },
    /// Reading failed.
    #[error("reading failed: {cause}")]
    ReadFailed {
        /// What the storage engine or the disk said.
        cause: String,
    },
    /// The store is being closed.
    #[error("the store is closed")]
    Closed,
}

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process holds it: speak to that one.
    #[error(
        "the store is held by process {pid}{}",
        address.as_ref().map(|address| format!(" at {address}")).unwrap_or_default()
    )]
    Held {
        /// Where the holder can be spoken to, if it told.
        address: Option<String>,
        /// Its process id; 0 when it has not written it yet.
        pid: u32,
    },
    /// It was written by a later version.
    #[error(
        "the store in {} has format {found}, made by {created_by}; this program reads format {known}",
        dir.display()
    )]
    NewerFormat {
        /// The store.
        dir: PathBuf,
        /// Its format.
        found: u32,
        /// The newest format this program knows.
        known: u32,
        /// The program that made it.
        created_by: String,
    },
    /// A file in it cannot be understood.
    #[error("{} is not what a store has there: {cause}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// The configuration cannot be.
    #[error("store configuration: {0}")]
    Config(String),
    /// The file system refused.
    #[error("{}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What it said.
        source: std::io::Error,
    },
    /// The storage engine refused.
    #[error("the storage engine could not open {}: {cause}", dir.display())]
    Engine {
        /// The store.
        dir: PathBuf,
        /// What it said.
        cause: String,
    },
}
