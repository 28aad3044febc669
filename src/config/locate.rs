//! Finds the line of a setting in block-style YAML, for errors found after parsing.

/// The line (from 1) on which `path` (`store.retention`) is set; `None` when the file does not set
/// it, or not in block style.
pub(super) fn line_of(text: &str, path: &str) -> Option<usize> {
    let mut wanted = path.split('.').peekable();
    let mut inside: Option<usize> = None;
    for (index, line) in text.lines().enumerate() {
        let key = line.trim_start();
        if key.is_empty() || key.starts_with('#') {
            continue;
        }
        let indent = line.len() - key.len();
        if inside.is_some_and(|parent| indent <= parent) {
            return None;
        }
        let Some((name, _)) = key.split_once(':') else { continue };
        if wanted.next_if_eq(&name.trim()).is_some() {
            if wanted.peek().is_none() {
                return Some(index + 1);
            }
            inside = Some(indent);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_nested_settings_and_no_namesakes() {
        let text = "# mine\nlog:\n  level: info\nstore:\n\n  # days\n  retention: 2d\nread:\n  retention: x\n";
        let check = |path, expect| assert_eq!(line_of(text, path), expect, "{path}");
        check("log", Some(2));
        check("store.retention", Some(7));
        check("log.retention", None);
        check("http.listen", None);
    }
}
