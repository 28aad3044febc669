//! Which files a list of paths stands for.

use std::io;
use std::path::{Path, PathBuf};

/// Deepest folder below a given one that is looked into; audit logs do not lie deeper, and a link
/// that points upwards must end somewhere.
const DEPTH_MAX: usize = 16;

/// One input.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Input {
    /// Standard input.
    Stdin,
    /// A file.
    File(PathBuf),
    /// A log that is part of the program, and its name.
    Bundled(&'static str, &'static [u8]),
}

/// Why a path stands for no input.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// It cannot be looked at.
    #[error("{}: {source}", path.display())]
    Io {
        /// The path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A folder without a file that could be an audit log.
    #[error("{}: no audit log in this folder (*.json*, *.log*, *.gz, *.zst)", path.display())]
    Empty {
        /// The folder.
        path: PathBuf,
    },
}

impl Input {
    /// What it is called in reports.
    pub fn name(&self) -> String {
        match self {
            Self::Stdin => "-".to_owned(),
            Self::File(path) => path.display().to_string(),
            Self::Bundled(name, _) => (*name).to_owned(),
        }
    }
}

/// The inputs that paths stand for: `-` is standard input, a folder stands for the audit logs in it
/// and below it, sorted by path, and a file for itself whatever it is called.
pub fn find(paths: &[PathBuf]) -> Result<Vec<Input>, FindError> {
    let mut inputs = Vec::new();
    for path in paths {
        if path.as_os_str() == "-" {
            inputs.push(Input::Stdin);
        } else if at(path, path.metadata())?.is_dir() {
            let before = inputs.len();
            walk(path, 0, &mut inputs)?;
            if inputs.len() == before {
                return Err(FindError::Empty { path: path.clone() });
            }
        } else {
            inputs.push(Input::File(path.clone()));
        }
    }
    Ok(inputs)
}

fn walk(folder: &Path, depth: usize, inputs: &mut Vec<Input>) -> Result<(), FindError> {
    let mut paths = Vec::new();
    for entry in at(folder, folder.read_dir())? {
        paths.push(at(folder, entry)?.path());
    }
    paths.sort();
    for path in paths {
        let metadata = at(&path, path.metadata())?;
        if metadata.is_dir() && depth < DEPTH_MAX {
            walk(&path, depth + 1, inputs)?;
        } else if metadata.is_file() && is_log(&path) {
            inputs.push(Input::File(path));
        }
    }
    Ok(())
}

fn is_log(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let mut endings = name.split('.').skip(1);
    endings.any(|ending| {
        ending.starts_with("json") || ending.starts_with("log") || matches!(ending, "gz" | "zst")
    })
}

fn at<T>(path: &Path, result: io::Result<T>) -> Result<T, FindError> {
    result.map_err(|source| FindError::Io { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_stands_for_its_logs_in_order() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("b")).unwrap();
        let names = ["audit.log", "audit-2026.log.gz", "b/x.jsonl", "c.zst", "notes.txt", "json"];
        for name in names {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        let folder = dir.path().to_owned();
        let found = find(&["-".into(), folder.clone(), folder.join("notes.txt")]).unwrap();
        let expected = ["audit-2026.log.gz", "audit.log", "b/x.jsonl", "c.zst", "notes.txt"];
        let files = expected.map(|name| Input::File(folder.join(name)));
        assert_eq!(found, [vec![Input::Stdin], files.to_vec()].concat());
    }

    #[test]
    fn what_is_not_there_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let error = find(&[dir.path().join("missing.log")]).unwrap_err().to_string();
        assert!(error.contains("missing.log"), "{error}");
        let error = find(&[dir.path().to_owned()]).unwrap_err().to_string();
        assert!(error.contains("no audit log"), "{error}");
    }
}
