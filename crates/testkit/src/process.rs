//! Real processes for end-to-end tests: started on free ports, watched, killed, never left behind.

use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How often a state is looked at while waiting for it.
const POLL: Duration = Duration::from_millis(20);

/// A child process whose output goes to a file, killed when the test ends.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a command; standard output and error go to `<dir>/<name>.log`.
    ///
    /// # Panics
    /// If the log cannot be made or the command cannot be started: the test cannot go on.
    pub fn start(name: &str, dir: &Path, command: &mut Command) -> Self {
        let log = dir.join(format!("{name}.log"));
        let file = File::options().create(true).append(true).open(&log).expect("the log opens");
        let errors = file.try_clone().expect("the log opens twice");
        let child = command
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
        mut look: impl FnMut() -> Option<T>,
    ) -> T {
        let until = Instant::now() + limit;
        loop {
            if let Some(found) = look() {
                return found;
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                panic!("{} ended with {status} before {what}:\n{}", self.name, self.log());
            }
            assert!(
                Instant::now() < until,
                "{}: no {what} in {limit:?}:\n{}",
                self.name,
                self.log()
            );
            std::thread::sleep(POLL);
        }
    }
}

impl Drop for Process {
    #[expect(clippy::print_stderr, reason = "the place a failed test is read at")]
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let log = self.log();
            let tail = log.lines().rev().take(40).collect::<Vec<_>>();
            let tail = tail.into_iter().rev().collect::<Vec<_>>().join("\n");
            eprintln!("--- the last lines of {} ---\n{tail}", self.name);
        }
    }
}

/// Polls until `look` finds something.
///
/// # Panics
/// After `limit`.
pub fn wait_for<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + limit;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < until, "waited {limit:?} for {what}");
        std::thread::sleep(POLL);
    }
}

/// A loopback address nobody listens on at this moment.
///
/// # Panics
/// If the machine has no free port.
pub fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address")
}
