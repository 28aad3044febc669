//! The span store: one trait, embedded implementation.
