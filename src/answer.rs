//! How a command ends: its exit code, its output, its error.

use std::io::Write;
use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Done.
    Done,
    /// It went wrong; standard error says how.
    Failed,
    /// The command line or the configuration is wrong (also clap's own code).
    Usage,
    /// The question was understood and there is nothing to show.
    Nothing,
}

/// An error of the user's making: command line or configuration.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct UsageError(pub String);

/// Nothing was found; the text says what was looked for and where.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct NothingFound(pub String);

impl Outcome {
    /// Prints the error and picks the code.
    pub(crate) fn of_error(error: &anyhow::Error) -> Self {
        if is_broken_pipe(error) {
            return Self::Done;
        }
        say(&format!("kausal: {error:#}"));
        if error.is::<UsageError>() {
            Self::Usage
        } else if error.is::<NothingFound>() {
            Self::Nothing
        } else {
            Self::Failed
        }
    }
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        Self::from(match outcome {
            Outcome::Done => 0,
            Outcome::Failed => 1,
            Outcome::Usage => 2,
            Outcome::Nothing => 3,
        })
    }
}

/// Writes a line to standard error.
pub(crate) fn say(line: &str) {
    // Standard error may be gone; there is nobody left to tell.
    drop(writeln!(std::io::stderr(), "{line}"));
}

/// Writes a line over the one before it, for somebody who watches.
pub(crate) fn progress(line: &str) {
    // Nobody watches any more: nothing to do.
    drop(write!(std::io::stderr(), "\r\x1b[K{line}"));
}

/// Writes an answer to standard output, with a line end.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    if !text.ends_with('\n') {
        out.write_all(b"\n")?;
    }
    out.flush()?;
    Ok(())
}

/// Whether standard output wants colour.
pub(crate) fn colour() -> bool {
    kausal_runtime::telemetry::colour(&std::io::stdout())
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<std::io::Error>()
        .is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}
