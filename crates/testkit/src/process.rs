//! Real processes for end-to-end tests: started on free ports, watched, killed, never left behind.
//!
//! Promise: a process ends with its [`Process`], and on Linux also when the test itself is killed.
//! Never here: waiting a fixed time. A state is looked for until it is there or the limit has passed.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use kausal_runtime::clock::Stopwatch;

/// How long a server may take to start; a machine whose cores are all taken is slow, not broken.
pub const START_LIMIT: Duration = Duration::from_mins(3);
/// How often a state is looked at while waiting for it.
const POLL: Duration = Duration::from_millis(20);
/// How many lines of a process's log a failed test shows.
const LAST_LINES: usize = 40;
/// Ports handed out: below those the kernel gives to outgoing connections (32768 and up on Linux),
/// one of which could otherwise take the port of a server between its stop and its next start.
const PORTS: std::ops::Range<u16> = 15_000..32_000;

/// A child process whose output goes to a file, killed when the test ends.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

/// Why a state was never seen: the process ended, or the time was up. Holds what it had written.
#[derive(Debug)]
pub struct NotReached(String);

impl std::fmt::Display for NotReached {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl Process {
    /// Starts a command; standard output and error are appended to `<dir>/<name>.log`.
    ///
    /// On Linux the kernel kills it when the thread that called this ends, however that happens.
    ///
    /// # Panics
    /// If the log cannot be made or the command cannot be started: the test cannot go on.
    pub fn start(name: &str, dir: &Path, command: &Command) -> Self {
        let log = dir.join(format!("{name}.log"));
        let file = File::options().create(true).append(true).open(&log).expect("the log opens");
        let errors = file.try_clone().expect("the log opens twice");
        let child = bound_to_this_thread(command)
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(errors)
            .spawn()
            .unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        Self { name: name.to_owned(), child, log }
    }

    /// Everything it has written so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The most memory it has held at once, in bytes; `None` where the system does not say, and
    /// when it is gone.
    pub fn peak_memory(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kibibytes * 1_024)
    }

    /// Its exit status, once it has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// kill −9, and waits until it is gone.
    pub fn kill(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }

    /// Sends SIGTERM through `kill`, then waits for the end.
    ///
    /// # Panics
    /// If it does not leave within `limit`.
    pub fn terminate(&mut self, limit: Duration) -> ExitStatus {
        let id = self.child.id().to_string();
        drop(Command::new("kill").args(["-TERM", &id]).status());
        wait_for(&format!("{} to leave", self.name), limit, || self.child.try_wait().ok().flatten())
    }

    /// Waits until `look` finds something; fails at once, with the log, when the process ends.
    ///
    /// # Panics
    /// After `limit`, or when the process has ended.
    pub fn wait_for<T>(
        &mut self,
        what: &str,
        limit: Duration,
        look: impl FnMut() -> Option<T>,
    ) -> T {
        self.try_wait_for(what, limit, look).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Waits until `look` finds something, `limit` has passed or the process has ended.
    ///
    /// # Errors
    /// When the state was not reached.
    pub fn try_wait_for<T>(
        &mut self,
        what: &str,
        limit: Duration,
        mut look: impl FnMut() -> Option<T>,
    ) -> Result<T, NotReached> {
        let watch = Stopwatch::start();
        loop {
            if let Some(found) = look() {
                return Ok(found);
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(self.not_reached(&format!("ended with {status} before {what}")));
            }
            if watch.elapsed() >= limit {
                return Err(self.not_reached(&format!("no {what} in {limit:?}")));
            }
            std::thread::sleep(POLL);
        }
    }

    fn not_reached(&self, why: &str) -> NotReached {
        NotReached(format!("{}: {why}:\n{}", self.name, self.last_lines()))
    }

    fn last_lines(&self) -> String {
        let log = self.log();
        let lines: Vec<_> = log.lines().collect();
        lines.get(lines.len().saturating_sub(LAST_LINES)..).unwrap_or_default().join("\n")
    }
}

impl Drop for Process {
    #[expect(clippy::print_stderr, reason = "the place a failed test is read at")]
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("--- the last lines of {} ---\n{}", self.name, self.last_lines());
        }
    }
}

/// The same command, which the kernel kills when this thread ends, where `setpriv` can ask for that.
fn bound_to_this_thread(command: &Command) -> Command {
    let mut words: Vec<OsString> = Vec::new();
    if has_setpriv() {
        words.extend(["setpriv", "--pdeathsig", "KILL", "--"].map(OsString::from));
    }
    words.push(command.get_program().to_owned());
    words.extend(command.get_args().map(OsStr::to_owned));
    let mut words = words.into_iter();
    let mut bound = Command::new(words.next().unwrap_or_default());
    bound.args(words);
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => bound.env(name, value),
            None => bound.env_remove(name),
        };
    }
    if let Some(dir) = command.get_current_dir() {
        bound.current_dir(dir);
    }
    bound
}

fn has_setpriv() -> bool {
    static FOUND: OnceLock<bool> = OnceLock::new();
    *FOUND.get_or_init(|| Command::new("setpriv").arg("--version").output().is_ok())
}

/// Polls until `look` finds something.
///
/// # Panics
/// After `limit`.
pub fn wait_for<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let watch = Stopwatch::start();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(watch.elapsed() < limit, "waited {limit:?} for {what}");
        std::thread::sleep(POLL);
    }
}

/// A loopback address nobody listens on at this moment; never the same twice in one process.
///
/// # Panics
/// If the machine has no free port.
pub fn free_address() -> SocketAddr {
    static NEXT: OnceLock<AtomicU16> = OnceLock::new();
    let count = PORTS.end - PORTS.start;
    // Tests that run side by side begin at places of their own.
    let first =
        || AtomicU16::new(u16::try_from(std::process::id() * 97 % u32::from(count)).unwrap_or(0));
    let next = NEXT.get_or_init(first);
    (0..count)
        .map(|_| PORTS.start + next.fetch_add(1, Ordering::Relaxed) % count)
        .map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
        .find(|address| TcpListener::bind(address).is_ok())
        .expect("a free port")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(20);

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_process_gets_its_arguments_environment_and_folder_and_its_output_is_kept() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut command = shell("echo $0 $WORD $(basename $PWD); echo bad >&2; tail -f /dev/null");
        command.arg("first").env("WORD", "second").current_dir("/usr/bin");
        let mut process = Process::start("echo", dir.path(), &command);
        let log = process.log.clone();
        process.wait_for("all it writes", LIMIT, || {
            (std::fs::read_to_string(&log).ok()? == "first second bin\nbad\n").then_some(())
        });
    }

    #[test]
    fn a_process_that_ends_is_noticed_while_waiting() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut process = Process::start("brief", dir.path(), &shell("echo why; exit 3"));
        let error = process.try_wait_for("the moon", LIMIT, || None::<()>).expect_err("it ended");
        let error = error.to_string();
        assert!(error.contains("exit status: 3") && error.contains("why"), "{error}");
    }

    #[test]
    fn a_process_ends_with_its_handle() {
        let dir = tempfile::tempdir().expect("a folder");
        let process = Process::start("long", dir.path(), &shell("exec tail -f /dev/null"));
        let id = process.id().to_string();
        drop(process);
        let alive = Command::new("kill").args(["-0", &id]).output().expect("kill runs");
        assert!(!alive.status.success());
    }

    #[test]
    fn free_addresses_differ_and_can_be_bound() {
        let addresses: Vec<_> = (0..50).map(|_| free_address()).collect();
        let ports: std::collections::BTreeSet<_> = addresses.iter().map(SocketAddr::port).collect();
        assert_eq!(ports.len(), 50);
        let listeners: Vec<_> = addresses.iter().map(TcpListener::bind).collect();
        assert!(listeners.iter().all(Result::is_ok));
    }
}
