//! The rules in words, for the documentation: from the tables, so that it cannot lag behind.

use std::fmt::Write as _;

use super::rules::{
    COPY_KEYS, DUMPS, MESSAGE_MEMBERS, SECRET_DATA_MEMBERS, SECRET_ENDINGS, SECRET_PATHS,
    SECRET_PLAIN_MEMBERS, SECRET_WORDS, Secret, VALUE_LABELS,
};

/// A Markdown table of everything that is cut or redacted without being asked to.
pub fn describe() -> String {
    let mut table = String::from("| where | what | becomes |\n|---|---|---|\n");
    let mut row = |place: &str, what: &str, becomes: &str| {
        let _infallible = writeln!(table, "| {place} | {what} | {becomes} |");
    };
    row("`metadata` of any object, nested ones too", "`managedFields`", "cut");
    row("keys that end with", &list(COPY_KEYS), "cut");
    row("a `Secret`, and writes to one", &except(SECRET_PLAIN_MEMBERS), "fingerprints");
    row("a `Secret` inside another object", &list(SECRET_DATA_MEMBERS), "fingerprints");
    row("JSON patches of a `Secret`", "every `value`", "fingerprints");
    for rule in SECRET_PATHS {
        let becomes = match rule.secret {
            Secret::Value => "fingerprints",
            Secret::Arguments => "fingerprints, but for the program's name",
        };
        row(&format!("`{}`", rule.kind), &format!("`{}`", rule.path), becomes);
    }
    row("`{name, value}` pairs whose name holds", &list(SECRET_WORDS), "fingerprint");
    row(
        "`{name, value}` pairs whose name ends with the word",
        &list(SECRET_ENDINGS),
        "fingerprint",
    );
    row("`{name, value}` pairs", "a `value` like `scheme://user:password@host`", "fingerprint");
    row("JSON patches", "the `value` for `…/<position>/value`", "fingerprint");
    row(&list(MESSAGE_MEMBERS), &format!("what follows {}", list(VALUE_LABELS)), "fingerprint");
    row(&list(MESSAGE_MEMBERS), &format!("from {} on", list(DUMPS)), "fingerprint");
    row(
        "URIs of `exec` and `attach`, also of a kubelet, and its `run`",
        "`command` and `cmd` after the program's name",
        "fingerprints",
    );
    row("all URIs", "parameters with the name of a secret", "fingerprint");
    table
}

fn list(names: &[&str]) -> String {
    names.iter().map(|name| code(name)).collect::<Vec<_>>().join(", ")
}

/// Inside of a table, where a bar would end the cell.
fn code(text: &str) -> String {
    format!("`{}`", text.replace('|', "\\|"))
}

fn except(names: &[&str]) -> String {
    format!("all but {} and `metadata`", list(names))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_is_described() {
        let table = describe();
        for name in [COPY_KEYS, SECRET_WORDS, SECRET_ENDINGS, VALUE_LABELS, DUMPS].concat() {
            assert!(table.contains(&code(name)), "{name}");
        }
        let bars = |line: &str| line.replace("\\|", "").matches('|').count();
        assert!(table.lines().all(|line| bars(line) == 4), "{table}");
    }

    #[test]
    fn labels_end_as_the_search_expects() {
        let end = super::super::rules::VALUE_LABEL_END;
        assert!(end.ends_with(':') && VALUE_LABELS.iter().all(|label| label.ends_with(end)));
        assert!(DUMPS.iter().all(|dump| dump.ends_with(['{', '|'])));
    }
}
