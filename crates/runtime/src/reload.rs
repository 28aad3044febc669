//! Things made of files, and made again when the files change.
//!
//! Promise: what is in force is always whole. Changed files are read, checked and put in force at
//! once; where they do not do, the former stay in force, which is logged and counted once a change.
//! Connections and requests under way keep what they began with.
//! Never here: what the files mean.

use std::fmt::Display;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use crate::metrics::{DoorMetrics, FilesReloaded, ReloadFailed};

/// Time between two looks at the files. The kubelet itself takes about a minute to bring a changed
/// Secret into its volume.
const LOOK_SECONDS: Duration = Duration::from_secs(10);
/// Longest file: a bundle of all public authorities is a quarter of it.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// What was made of some files last; clones see the same.
#[derive(Debug)]
pub struct Current<T>(Arc<RwLock<Arc<T>>>);

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{} cannot be read: {source}", path.display())]
pub struct FileError {
    /// The file.
    pub path: PathBuf,
    /// What the system says.
    pub source: std::io::Error,
}

/// Everything of this process that is made of files.
#[derive(Default)]
pub struct Reloader(Vec<Box<dyn Watched>>);

impl<T> Current<T> {
    fn new(made: T) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(made))))
    }

    /// What is in force now.
    pub fn get(&self) -> Arc<T> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, made: T) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(made);
    }
}

impl<T> Clone for Current<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl std::fmt::Debug for Reloader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Reloader").field(&self.0.len()).finish()
    }
}

impl Reloader {
    /// Makes something of the content of `files`, in their order, now and whenever it has changed.
    /// `what` names it in logs and metrics.
    pub fn make<T, E>(
        &mut self,
        what: &'static str,
        files: &[&Path],
        make: impl Fn(&[Vec<u8>]) -> Result<T, E> + Send + 'static,
    ) -> Result<Current<T>, E>
    where
        T: Send + Sync + 'static,
        E: From<FileError> + Display + 'static,
    {
        let files: Vec<_> = files.iter().map(|file| (*file).to_owned()).collect();
        let content = read_all(&files)?;
        let current = Current::new(make(&content)?);
        let seen = Ok(fingerprint(&content));
        self.0.push(Box::new(Made { what, files, make, current: current.clone(), seen }));
        Ok(current)
    }

    /// Looks at every file once.
    pub fn look(&mut self, metrics: &DoorMetrics) {
        for watched in &mut self.0 {
            let what = watched.what();
            match watched.look() {
                None => {}
                Some(Ok(())) => FilesReloaded { what }.emit(metrics),
                Some(Err(error)) => ReloadFailed { what, error: &error }.emit(metrics),
            }
        }
    }

    /// Looks at the files every few seconds, and at once on SIGHUP, until cancelled. With nothing
    /// to look at, SIGHUP keeps its meaning: the terminal is gone.
    pub async fn run(mut self, metrics: DoorMetrics, stop: CancellationToken) {
        if self.0.is_empty() {
            return stop.cancelled().await;
        }
        let mut hangup = hangup();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = next(hangup.as_mut()) => {}
                () = tokio::time::sleep(LOOK_SECONDS) => {}
            }
            let metrics = metrics.clone();
            let looked = spawn_blocking(move || {
                self.look(&metrics);
                self
            });
            match looked.await {
                Ok(reloader) => self = reloader,
                Err(error) => {
                    tracing::error!(%error, "changes of files are not seen any more");
                    return stop.cancelled().await;
                }
            }
        }
    }
}

fn hangup() -> Option<Signal> {
    let hangup = signal(SignalKind::hangup());
    hangup.inspect_err(|error| tracing::warn!(%error, "SIGHUP cannot be listened for")).ok()
}

async fn next(signal: Option<&mut Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}

trait Watched: Send {
    fn what(&self) -> &'static str;

    /// `None` when nothing has changed since the last look.
    fn look(&mut self) -> Option<Result<(), String>>;
}

struct Made<T, F> {
    what: &'static str,
    files: Vec<PathBuf>,
    make: F,
    current: Current<T>,
    /// What the files held at the last look, or why that could not be seen.
    seen: Result<blake3::Hash, String>,
}

impl<T, E, F> Watched for Made<T, F>
where
    T: Send + Sync,
    E: From<FileError> + Display,
    F: Fn(&[Vec<u8>]) -> Result<T, E> + Send,
{
    fn what(&self) -> &'static str {
        self.what
    }

    fn look(&mut self) -> Option<Result<(), String>> {
        let content = read_all(&self.files);
        let seen = match &content {
            Ok(content) => Ok(fingerprint(content)),
            Err(error) => Err(error.to_string()),
        };
        if seen == self.seen {
            return None;
        }
        self.seen = seen;
        let made = content.map_err(E::from).and_then(|content| (self.make)(&content));
        Some(made.map(|made| self.current.set(made)).map_err(|error| error.to_string()))
    }
}

fn fingerprint(content: &[Vec<u8>]) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    for file in content {
        hasher.update(&(file.len() as u64).to_be_bytes()).update(file);
    }
    hasher.finalize()
}

fn read_all(files: &[PathBuf]) -> Result<Vec<Vec<u8>>, FileError> {
    files.iter().map(|file| read(file)).collect()
}

/// Reads a file of certificates, keys or tokens, within a limit.
pub fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    let failed = |source| FileError { path: path.to_owned(), source };
    let mut content = Vec::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut content).map_err(failed)?;
    if content.len() as u64 > FILE_BYTES_MAX {
        let why = format!("it is larger than {FILE_BYTES_MAX} bytes");
        return Err(failed(std::io::Error::new(std::io::ErrorKind::FileTooLarge, why)));
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two files that must hold the same, as a certificate and its key must fit.
    struct Pair {
        dir: tempfile::TempDir,
        reloader: Reloader,
        metrics: DoorMetrics,
        current: Current<String>,
    }

    fn same(content: &[Vec<u8>]) -> Result<String, FileError> {
        let text = String::from_utf8_lossy(&content[0]).into_owned();
        let differ = || FileError {
            path: "pair".into(),
            source: std::io::Error::other("the files do not fit"),
        };
        if content[0] == content[1] { Ok(text) } else { Err(differ()) }
    }

    impl Pair {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let files = ["a", "b"].map(|name| dir.path().join(name));
            for file in &files {
                std::fs::write(file, "one").unwrap();
            }
            let mut reloader = Reloader::default();
            let current = reloader.make("pair", &[&files[0], &files[1]], same).unwrap();
            Self { dir, reloader, metrics: DoorMetrics::default(), current }
        }

        fn write(&self, name: &str, text: &str) {
            std::fs::write(self.dir.path().join(name), text).unwrap();
        }

        #[track_caller]
        fn check(&mut self, expect: &str, taken: u64, refused: u64) {
            self.reloader.look(&self.metrics);
            let counts = ["taken", "refused"].map(|outcome| self.metrics.reloads("pair", outcome));
            assert_eq!(((*self.current.get()).as_str(), counts), (expect, [taken, refused]));
        }
    }

    #[test]
    fn a_change_is_in_force_at_the_next_look() {
        let mut pair = Pair::new();
        pair.check("one", 0, 0);
        pair.write("a", "two");
        pair.write("b", "two");
        pair.check("two", 1, 0);
        pair.check("two", 1, 0);
    }

    #[test]
    fn what_does_not_do_leaves_the_former_in_force_and_is_said_once() {
        let mut pair = Pair::new();
        pair.write("a", "half");
        pair.check("one", 0, 1);
        pair.check("one", 0, 1);
        std::fs::remove_file(pair.dir.path().join("b")).unwrap();
        pair.check("one", 0, 2);
        pair.check("one", 0, 2);
        pair.write("b", "half");
        pair.check("half", 1, 2);
    }

    /// How a volume of a Secret changes: a link to a folder is replaced.
    #[test]
    fn links_that_are_replaced_are_changes() {
        use std::os::unix::fs::symlink;

        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for version in ["v1", "v2"] {
            std::fs::create_dir(at(version)).unwrap();
            std::fs::write(at(version).join("key"), version).unwrap();
        }
        symlink("v1", at("..data")).unwrap();
        symlink("..data/key", at("key")).unwrap();
        let mut reloader = Reloader::default();
        let key = at("key");
        let current = reloader.make("pair", &[&key, &key], same).unwrap();
        symlink("v2", at("..new")).unwrap();
        std::fs::rename(at("..new"), at("..data")).unwrap();
        reloader.look(&DoorMetrics::default());
        assert_eq!(*current.get(), "v2");
    }

    #[test]
    fn files_have_a_limit() {
        let error = read(Path::new("/dev/zero")).unwrap_err().to_string();
        assert!(error.contains("larger than"), "{error}");
    }
}
