//! The `kausal` command: one binary, every role.
//!
//! Promise: reads the command line and the configuration, builds the roles, and says what happened
//! by its exit code. Never here: what a role does.

mod answer;
mod cli;
mod commands;
mod config;

use std::process::ExitCode;

use clap::Parser;

use crate::answer::Outcome;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match commands::run(cli::Cli::parse()) {
        Ok(outcome) => outcome.into(),
        Err(error) => Outcome::of_error(&error).into(),
    }
}
