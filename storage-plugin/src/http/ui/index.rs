//! The page of Jaeger UI, filled in as Jaeger's own server does it.
//!
//! Promise: pure; JSON cannot end the script it stands in; a marker that a version of the UI does
//! not have is passed over.

/// What Jaeger UI is told to be like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Filling {
    /// A JSON object.
    Json(String),
    /// JavaScript with a function `UIConfig`.
    Script(String),
}

/// What is behind the UI, as it asks since 2.20 and before.
const CAPABILITIES: [(&str, &str, &str); 2] = [
    (
        "JAEGER_STORAGE_CAPABILITIES",
        "DEFAULT_STORAGE_CAPABILITIES",
        r#"{"archiveStorage":false,"metricsStorage":false}"#,
    ),
    (
        "JAEGER_BACKEND_CAPABILITIES",
        "DEFAULT_BACKEND_CAPABILITIES",
        r#"{"archiveStorage":false,"metricsStorage":false,"aiAssistant":false,"searchWithoutServiceName":true}"#,
    ),
];
/// The UI cuts the commit, which must be there.
const VERSION: &str = concat!(
    r#"{"gitCommit":"kausal","gitVersion":"kausal "#,
    env!("CARGO_PKG_VERSION"),
    r#"","buildDate":""}"#
);
/// Where a script goes in; the line after it goes out.
const SCRIPT_MARKER: &str = "JAEGER_CONFIG_JS";

/// The page filled in; `None` when it has no place for a configuration.
pub(super) fn fill(html: &str, filling: &Filling) -> Option<String> {
    let mut page = match filling {
        Filling::Json(json) => {
            assign(html, "JAEGER_CONFIG", "DEFAULT_CONFIG", &within_script(json))
        }
        Filling::Script(script) => insert_script(html, script),
    }?;
    for (name, default, value) in CAPABILITIES {
        page = assign(&page, name, default, value).unwrap_or(page);
    }
    page = assign(&page, "JAEGER_VERSION", "DEFAULT_VERSION", VERSION).unwrap_or(page);
    // Since 2.18 the page finds its base by itself.
    Some(page.replace(r#"<base href="/""#, r#"<base href="/jaeger/""#))
}

/// JSON that can stand between script tags: the same value without a `<`.
fn within_script(json: &str) -> String {
    json.replace('<', r"\u003c")
}

/// Replaces `name = default;` by `name = value;`.
fn assign(html: &str, name: &str, default: &str, value: &str) -> Option<String> {
    let found = html.match_indices(name).find_map(|(at, _)| {
        let after = html.get(at + name.len()..)?;
        let rest = after.trim_start_matches(' ').strip_prefix('=')?;
        let rest = rest.trim_start_matches(' ').strip_prefix(default)?.strip_prefix(';')?;
        Some((html.get(..at)?, rest))
    });
    let (before, rest) = found?;
    Some(format!("{before}{name} = {value};{rest}"))
}

/// Puts a script in the place of the marker's line and the next one.
fn insert_script(html: &str, script: &str) -> Option<String> {
    let is_marker = |line: &&str| {
        let comment = line.trim_start().strip_prefix("//");
        comment.is_some_and(|comment| comment.trim_start().starts_with(SCRIPT_MARKER))
    };
    let line = html.lines().find(is_marker)?;
    let (before, after) = html.split_once(line)?;
    let rest = after.strip_prefix("\r\n").or_else(|| after.strip_prefix('\n')).unwrap_or(after);
    let rest = rest.split_once('\n').map_or("", |(_, rest)| rest);
    Some(format!("{before}{script}\n{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "<head>
  <base href=\"/\" data-inject-target=\"BASE_URL\" />
  <script>
      function getJaegerUiConfig() {
        const DEFAULT_CONFIG = null;
        const JAEGER_CONFIG = DEFAULT_CONFIG;
        return JAEGER_CONFIG;
      }
      // JAEGER_CONFIG_JS
      // the line after
      const JAEGER_STORAGE_CAPABILITIES =  DEFAULT_STORAGE_CAPABILITIES;
      const JAEGER_VERSION=DEFAULT_VERSION;
  </script>
</head>
";

    fn check(filling: &Filling, there: &[&str], gone: &[&str]) {
        let page = fill(PAGE, filling).unwrap();
        for part in there {
            assert!(page.contains(part), "{part} in {page}");
        }
        for part in gone {
            assert!(!page.contains(part), "{part} in {page}");
        }
    }

    #[test]
    fn everything_is_filled_in() {
        check(
            &Filling::Json(r#"{"a":"</script>"}"#.to_owned()),
            &[
                r#"const JAEGER_CONFIG = {"a":"\u003c/script>"};"#,
                r#"JAEGER_STORAGE_CAPABILITIES = {"archiveStorage":false"#,
                r#"JAEGER_VERSION = {"gitCommit":"kausal""#,
                r#"<base href="/jaeger/""#,
                "// JAEGER_CONFIG_JS",
            ],
            &["DEFAULT_VERSION", "= DEFAULT_CONFIG", r#"href="/" "#],
        );
    }

    #[test]
    fn a_script_goes_where_its_marker_is() {
        let script = "function UIConfig() { return {}; }";
        check(
            &Filling::Script(script.to_owned()),
            &[script, "JAEGER_CONFIG = DEFAULT_CONFIG;", "const JAEGER_VERSION"],
            &["JAEGER_CONFIG_JS", "the line after"],
        );
    }

    #[test]
    fn a_page_without_a_place_for_it_is_not_filled() {
        for page in ["", "<html>", "JAEGER_CONFIG", "JAEGER_CONFIG = DEFAULT_CONFIG"] {
            assert_eq!(fill(page, &Filling::Json("{}".to_owned())), None, "{page}");
        }
    }
}
