//! The rules of the repository that no compiler holds.
//!
//! Promise: quick, no server, no network; a failure names the file and what would be right.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Who may be known by whom: a crate depends only on crates of a smaller layer, pure and IO crates
/// also on their own. `kausal-testkit` stands outside: only tests depend on it.
const LAYERS: &[(&str, Layer)] = &[
    ("kausal", Layer::Binary),
    ("kausal-consumers", Layer::Role),
    ("kausal-storage-plugin", Layer::Role),
    ("kausal-proto", Layer::Io),
    ("kausal-runtime", Layer::Io),
    ("kausal-store", Layer::Io),
    ("kausal-audit", Layer::Pure),
    ("kausal-object", Layer::Pure),
    ("kausal-story", Layer::Pure),
    ("kausal-trace", Layer::Pure),
];
const TESTKIT: &str = "kausal-testkit";

/// What waits, talks or stores. Pure crates have none of these below them.
const IO_CRATES: &[&str] =
    &["axum", "fjall", "hyper", "kube", "mio", "rdkafka", "rustls", "tokio", "tonic", "ureq"];

const RUST_LINES_MAX: usize = 600;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Layer {
    Pure,
    Io,
    Role,
    Binary,
}

impl Layer {
    fn may_use(self, other: Self) -> bool {
        other < self || (other == self && self <= Self::Io)
    }
}

#[test]
fn dependencies_point_one_way() {
    let metadata = Metadata::read();
    let layers: BTreeMap<_, _> = LAYERS.iter().copied().collect();
    let mut wrong = Vec::new();
    for member in metadata.members().filter(|member| *member != TESTKIT) {
        let Some(layer) = layers.get(member) else {
            wrong.push(format!("{member} has no layer: add it to LAYERS"));
            continue;
        };
        for used in metadata.uses(member).filter(|used| metadata.members.contains_key(*used)) {
            match layers.get(used) {
                Some(other) if layer.may_use(*other) => {}
                _ => wrong.push(format!("{member} depends on {used}")),
            }
        }
    }
    report("src → roles → IO crates → pure crates", &wrong);
}

#[test]
fn pure_crates_do_no_io() {
    let metadata = Metadata::read();
    let mut wrong = Vec::new();
    for (name, _) in LAYERS.iter().filter(|(_, layer)| *layer == Layer::Pure) {
        for below in metadata.all_below(name) {
            if IO_CRATES.contains(&below) {
                wrong.push(format!("{name} brings in {below}"));
            }
        }
    }
    report("pure crates depend on nothing that waits, talks or stores", &wrong);
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace() {
    let metadata = Metadata::read();
    let lacks = |manifest: &&PathBuf| !read(manifest).contains("[lints]\nworkspace = true");
    let wrong: Vec<_> = metadata.members.values().filter(lacks).map(|m| relative(m)).collect();
    report("[lints] workspace = true", &wrong);
}

#[test]
fn rust_files_stay_readable() {
    let mut wrong = Vec::new();
    for file in files().iter().filter(|file| has_extension(file, "rs")) {
        let lines = read(file).lines().count();
        if lines > RUST_LINES_MAX {
            wrong.push(format!("{}: {lines} lines", relative(file)));
        }
    }
    report(&format!("at most {RUST_LINES_MAX} lines a file: split it along its ideas"), &wrong);
}

#[test]
fn nothing_is_left_for_later() {
    let marks = [concat!("to", "do!("), concat!("unimple", "mented!("), concat!("FIX", "ME")];
    report("finish it, or write an issue", &lines_with(&["rs", "sh", "proto"], &marks));
}

#[test]
fn nothing_knows_the_machine_it_was_written_on() {
    let roots = ["work", "root", "home", "tmp"].map(|root| format!("/{root}/"));
    let roots: Vec<_> = roots.iter().map(String::as_str).collect();
    let kinds = ["", "md", "proto", "rs", "toml", "yaml", "yml"];
    report("say where it is by a variable or a relative path", &lines_with(&kinds, &roots));
}

#[test]
fn decisions_are_numbered_without_gaps() {
    let folder = root().join("docs/decisions");
    let names = std::fs::read_dir(&folder).expect("docs/decisions").map(|entry| {
        entry.expect("an entry of docs/decisions").file_name().to_string_lossy().into_owned()
    });
    let mut names: Vec<_> = names.collect();
    names.sort();
    let wrong: Vec<_> = names
        .iter()
        .zip(1..)
        .filter(|(name, number)| !name.starts_with(&format!("{number:04}-")))
        .map(|(name, number)| format!("{name} should be {number:04}-…"))
        .collect();
    report("one page a decision, numbered as they were taken", &wrong);
}

#[test]
fn links_in_the_documentation_lead_somewhere() {
    let mut wrong = Vec::new();
    for page in files().iter().filter(|file| has_extension(file, "md")) {
        let folder = page.parent().expect("a file stands in a folder");
        let text = read(page);
        for target in links(&text).filter(|target| !folder.join(target).exists()) {
            wrong.push(format!("{}: {target}", relative(page)));
        }
    }
    report("targets that exist", &wrong);
}

#[test]
fn links_are_found() {
    let text = "[a](b.md#c) ![d](e.png) [f](https://g) [h](#i) `[j](k)` [l] (m) [n](o \"p\")";
    assert_eq!(links(text).collect::<Vec<_>>(), ["b.md", "e.png", "o"]);
}

/// Local targets of the links in a page, without anchors; code spans are no links.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let prose = text.split('`').step_by(2);
    prose.flat_map(|text| text.split("](").skip(1)).filter_map(|rest| {
        let target = rest.split([')', ' ', '\n']).next()?;
        let path = target.split('#').next()?;
        let is_local = !path.is_empty() && !target.contains(':');
        is_local.then_some(path)
    })
}

/// `file:line` of every line that holds one of `marks`, in files with one of these extensions.
fn lines_with(extensions: &[&str], marks: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for file in files().iter().filter(|file| extensions.iter().any(|e| has_extension(file, e))) {
        for (number, line) in read(file).lines().enumerate() {
            if let Some(mark) = marks.iter().find(|mark| line.contains(**mark)) {
                found.push(format!("{}:{}: {mark}", relative(file), number + 1));
            }
        }
    }
    found
}

fn report(rule: &str, wrong: &[String]) {
    assert!(wrong.is_empty(), "the rule is: {rule}\n  {}", wrong.join("\n  "));
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn relative(file: &Path) -> String {
    file.strip_prefix(root()).unwrap_or(file).display().to_string()
}

fn read(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", relative(file)))
}

fn has_extension(file: &Path, extension: &str) -> bool {
    file.extension().map_or("", |e| e.to_str().unwrap_or("?")) == extension
}

/// Files of the repository as git sees them: tracked, or new and not ignored. Data is left out.
fn files() -> Vec<PathBuf> {
    let listed = output("git", &["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let names =
        listed.split('\0').filter(|name| !name.is_empty() && !name.starts_with("tests/data"));
    let files: Vec<_> = names.map(|name| root().join(name)).filter(|file| file.is_file()).collect();
    assert!(files.iter().any(|file| file.ends_with("tests/tidy.rs")), "git lists this file");
    files
}

fn output(program: &str, arguments: &[&str]) -> String {
    let mut command = Command::new(program);
    let output = command.current_dir(root()).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{program} does not start: {error}"));
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// What `cargo metadata` says: the members, and who uses whom outside of tests.
struct Metadata {
    members: BTreeMap<String, PathBuf>,
    uses: BTreeMap<String, BTreeSet<String>>,
}

impl Metadata {
    fn read() -> Self {
        // Crates for other systems need not be there.
        let about = output(env!("CARGO"), &["-vV"]);
        let host = about.lines().find_map(|line| line.strip_prefix("host: ")).expect("a host");
        let arguments = ["metadata", "--format-version=1", "--locked", "--filter-platform", host];
        let said = output(env!("CARGO"), &arguments);
        let said: Value = serde_json::from_str(&said).expect("JSON");
        let text = |value: &Value| value.as_str().expect("a string").to_owned();
        let list = |value: &Value| value.as_array().expect("an array").clone();
        let packages = list(&said["packages"]);
        let names: BTreeMap<_, _> =
            packages.iter().map(|p| (text(&p["id"]), text(&p["name"]))).collect();
        let is_member =
            |package: &&Value| list(&said["workspace_members"]).contains(&package["id"]);
        let members = packages.iter().filter(is_member);
        let members =
            members.map(|p| (text(&p["name"]), PathBuf::from(text(&p["manifest_path"])))).collect();
        let mut uses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for node in list(&said["resolve"]["nodes"]) {
            let entry = uses.entry(names[&text(&node["id"])].clone()).or_default();
            for dependency in list(&node["deps"]) {
                if list(&dependency["dep_kinds"]).iter().any(|kind| kind["kind"] != "dev") {
                    entry.insert(names[&text(&dependency["pkg"])].clone());
                }
            }
        }
        Self { members, uses }
    }

    fn members(&self) -> impl Iterator<Item = &str> {
        self.members.keys().map(String::as_str)
    }

    fn uses(&self, name: &str) -> impl Iterator<Item = &str> {
        self.uses.get(name).into_iter().flatten().map(String::as_str)
    }

    /// Everything a crate brings in, by name.
    fn all_below(&self, name: &str) -> BTreeSet<&str> {
        let mut below = BTreeSet::new();
        let mut next: Vec<_> = self.uses(name).collect();
        while let Some(name) = next.pop() {
            if below.insert(name) {
                next.extend(self.uses(name));
            }
        }
        below
    }
}
