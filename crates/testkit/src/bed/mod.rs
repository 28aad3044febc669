//! The real servers end-to-end tests run against: etcd, a Kubernetes control plane, Jaeger.
//!
//! Promise: every part runs on ports of its own, on loopback, and is gone when its handle is dropped.
//! What is not built makes the test fail and says how to build it; nothing is skipped.
//! Never here: building them (`tests/bed/build` does), and what a test expects of them.

mod control_plane;
mod files;
mod jaeger;
mod relay;
mod suite;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub use crate::certificate::Certificate;
pub use crate::client::{Answer, Client, PatchKind};
pub use crate::kausal::{AllInOne, Doors, Kausal};
pub use control_plane::{ALICE, ControlPlane, Webhook};
pub use jaeger::{Jaeger, JaegerSpan, JaegerTrace};
pub use relay::{Deliveries, LostAnswer, Relay};
pub use suite::{SuiteTest, Verdict, storage_suite};

/// Where the built servers are.
#[derive(Clone, Debug)]
pub struct Bed(BTreeMap<String, PathBuf>);

impl Bed {
    /// Asks `tests/bed/build --env`.
    ///
    /// # Panics
    /// If a server is not built.
    pub fn find() -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/bed/build");
        // What is missing, the script says itself on standard error.
        let output = Command::new(&script)
            .arg("--env")
            .stderr(Stdio::inherit())
            .output()
            .unwrap_or_else(|error| panic!("tests/bed/build does not run: {error}"));
        assert!(
            output.status.success(),
            "the servers these tests run against are not built: run `tests/bed/build` once \
             (needs Go 1.26 or newer and the network, about 12 minutes)"
        );
        Self(read_env(&String::from_utf8_lossy(&output.stdout)))
    }

    /// The file that `KAUSAL_BED_<part>` names.
    fn path(&self, part: &str) -> &Path {
        let name = format!("KAUSAL_BED_{part}");
        self.0.get(&name).unwrap_or_else(|| panic!("tests/bed/build --env does not name {name}"))
    }
}

/// `NAME=path` lines. The paths are written for a shell (`%q`): a backslash takes the next as it is.
fn read_env(text: &str) -> BTreeMap<String, PathBuf> {
    let line = |line: &str| {
        let (name, path) = line.split_once('=')?;
        let mut plain = String::with_capacity(path.len());
        let mut characters = path.chars();
        while let Some(character) = characters.next() {
            plain.extend(if character == '\\' { characters.next() } else { Some(character) });
        }
        Some((name.to_owned(), PathBuf::from(plain)))
    };
    text.lines().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_as_a_shell_would() {
        let read = read_env("KAUSAL_BED_A=/x/a\nKAUSAL_BED_B=/with\\ space/b\nnoise\n");
        let expect = [("KAUSAL_BED_A", "/x/a"), ("KAUSAL_BED_B", "/with space/b")];
        assert_eq!(read, expect.map(|(n, p)| (n.to_owned(), PathBuf::from(p))).into());
    }
}
