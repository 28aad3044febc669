//! The built `kausal`: commands that end, and servers that can be killed and started again.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::client::Client;
use crate::process::{Process, START_LIMIT, free_address};

/// The binary, run in a folder of the test's, without settings from the caller's environment.
#[derive(Clone, Debug)]
pub struct Kausal {
    binary: PathBuf,
    dir: PathBuf,
}

impl Kausal {
    /// The binary at `binary`; relative paths given to it start at `dir`.
    pub fn new(binary: impl Into<PathBuf>, dir: &Path) -> Self {
        Self { binary: binary.into(), dir: dir.to_owned() }
    }

    /// The command line, for tests that need more of it than its output.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(arguments).current_dir(&self.dir).env("NO_COLOR", "1");
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("KAUSAL_") {
                command.env_remove(name);
            }
        }
        command
    }

    /// Runs a command to its end, whatever that is.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn output(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("kausal starts")
    }

    /// Runs a command that must succeed; gives its standard output.
    ///
    /// # Panics
    /// If it does not.
    pub fn run(&self, arguments: &[&str]) -> String {
        let output = self.output(arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "kausal {arguments:?}: {}\n{errors}", output.status);
        String::from_utf8(output.stdout).expect("kausal writes UTF-8")
    }

    /// Starts `all-in-one` on free ports, with the store in `<dir>/store` and, if given, this text
    /// as its configuration file; waits until it is ready.
    ///
    /// # Panics
    /// If it does not become ready.
    pub fn all_in_one(&self, configuration: Option<&str>) -> AllInOne {
        let webhook = free_address();
        self.serve("all-in-one", &[("--webhook-listen", webhook)], configuration)
    }

    /// Starts `storage-plugin` in the same way; it has no webhook.
    ///
    /// # Panics
    /// If it does not become ready.
    pub fn storage_plugin(&self, configuration: Option<&str>) -> AllInOne {
        self.serve("storage-plugin", &[], configuration)
    }

    /// Starts `storage-plugin --identity` in the same way.
    ///
    /// # Panics
    /// If it does not become ready.
    pub fn raw_storage(&self, configuration: Option<&str>) -> AllInOne {
        self.serve("storage-plugin --identity", &[], configuration)
    }

    fn serve(
        &self,
        command: &str,
        writers: &[(&str, SocketAddr)],
        configuration: Option<&str>,
    ) -> AllInOne {
        let readers = [
            ("--http-listen", free_address()),
            ("--grpc-listen", free_address()),
            ("--admin-listen", free_address()),
        ];
        let [(_, http), (_, grpc), (_, admin)] = readers;
        let webhook = writers.first().map_or(http, |(_, address)| *address);
        let store = self.dir.join("store").display().to_string();
        let mut arguments: Vec<String> = command.split(' ').map(str::to_owned).collect();
        arguments.extend(["--store".to_owned(), store]);
        for (flag, address) in writers.iter().chain(&readers) {
            arguments.extend([(*flag).to_owned(), address.to_string()]);
        }
        if let Some(text) = configuration {
            let file = self.dir.join("kausal.yaml");
            std::fs::write(&file, text).expect("the configuration can be written");
            arguments.extend(["--config".to_owned(), file.display().to_string()]);
        }
        let process = self.start_and_wait(&arguments, admin);
        AllInOne {
            kausal: self.clone(),
            arguments,
            at: Doors { webhook, http, grpc, admin },
            process,
        }
    }

    fn start_and_wait(&self, arguments: &[String], admin: SocketAddr) -> Process {
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let mut process = Process::start("kausal", &self.dir, &self.command(&arguments));
        let probe = Client::http(admin);
        process.wait_for("readiness", START_LIMIT, || {
            probe.try_get("/readyz")?.is_success().then_some(())
        });
        process
    }
}

/// Where a server listens.
#[derive(Clone, Copy, Debug)]
pub struct Doors {
    /// Audit events; a storage plugin has no such door, and its HTTP API answers 404 there.
    pub webhook: SocketAddr,
    /// The HTTP API.
    pub http: SocketAddr,
    /// The storage plugin for Jaeger.
    pub grpc: SocketAddr,
    /// Probes and metrics.
    pub admin: SocketAddr,
}

/// A running `kausal all-in-one` or `kausal storage-plugin`.
#[derive(Debug)]
pub struct AllInOne {
    kausal: Kausal,
    arguments: Vec<String>,
    at: Doors,
    process: Process,
}

impl AllInOne {
    /// Where it listens.
    pub fn at(&self) -> Doors {
        self.at
    }

    /// kill −9.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// SIGTERM, and waits until it has left.
    ///
    /// # Panics
    /// If it does not leave, or not in good order.
    pub fn terminate(&mut self) {
        let status = self.process.terminate(START_LIMIT);
        assert!(status.success(), "it left with {status}");
    }

    /// Starts it again with the same store and ports, and waits until it is ready.
    ///
    /// # Panics
    /// If it does not become ready.
    pub fn start_again(&mut self) {
        self.process.kill();
        self.process = self.kausal.start_and_wait(&self.arguments, self.at.admin);
    }

    /// Runs a command that must succeed, against this server.
    pub fn run(&self, arguments: &[&str]) -> String {
        let server = format!("http://{}", self.at.http);
        self.kausal.run(&[arguments, &["--server", &server]].concat())
    }

    /// The sum of the samples of a metric whose labels contain all of `labels`.
    ///
    /// # Panics
    /// If it does not answer.
    pub fn metric(&self, name: &str, labels: &[&str]) -> f64 {
        sum(&Client::http(self.at.admin).get("/metrics").ok().text, name, labels)
    }

    /// Everything it has logged, in all its lives.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// The most memory it has held at once, in bytes.
    ///
    /// # Panics
    /// If the system does not say.
    pub fn peak_memory(&self) -> u64 {
        self.process.peak_memory().expect("the system says how much memory a process holds")
    }
}

fn sum(metrics: &str, name: &str, labels: &[&str]) -> f64 {
    let sample = |line: &str| {
        let (series, value) = line.rsplit_once(' ')?;
        let (metric, labelled) = series.split_once('{').unwrap_or((series, ""));
        let fits = metric == name && labels.iter().all(|label| labelled.contains(label));
        fits.then(|| value.parse::<f64>().ok())?
    };
    metrics.lines().filter_map(sample).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_summed_by_name_and_labels() {
        let text =
            "# HELP x\nx_total{a=\"1\",b=\"2\"} 3\nx_total{a=\"1\",b=\"3\"} 4\nx_totals 9\ny 5\n";
        let check = |name: &str, labels: &[&str], expect: f64| {
            assert!((sum(text, name, labels) - expect).abs() < 1e-9, "{name} {labels:?}");
        };
        check("x_total", &["a=\"1\""], 7.0);
        check("x_total", &["a=\"1\"", "b=\"3\""], 4.0);
        check("y", &[], 5.0);
        check("z", &[], 0.0);
    }
}
