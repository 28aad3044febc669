//! A build of Jaeger UI, served at [`PREFIX`].
//!
//! Promise: what is served was read once, at the start, from inside the folder; no request touches
//! the disk, so no path leads anywhere else. A folder that is no build, or a configuration that
//! cannot be read, is an error before any port is bound.
//! The page is filled in as a Jaeger does it: its configuration, a version, what is behind it.

mod files;
mod index;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path as UrlPath, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use kausal_trace::TraceId;
use serde::{Deserialize, Serialize};

use super::text;
use files::{Files, read_within};
use index::{Filling, fill};

/// Where Jaeger UI stands; `/` is ours.
pub(super) const PREFIX: &str = "/jaeger";
/// Our configuration of Jaeger UI.
const UI_JSON: &str = include_str!("../ui.json");
/// Largest page and largest configuration; those of Jaeger have a few kilobytes.
const PAGE_BYTES_MAX: u64 = 1 << 20;

/// Settings of the pages, as they stand in the configuration file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UiConfig {
    /// Folder of a Jaeger UI build (`index.html` and `static/`), served at `/jaeger/`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assets: Option<PathBuf>,
    /// Configuration of that UI, instead of ours: JSON, or a script with `function UIConfig()`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config: Option<PathBuf>,
    /// Address of a Jaeger that shows our views; `/redirect` leads there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jaeger_url: Option<String>,
}

/// Pages ready to be served.
#[derive(Clone, Debug, Default)]
pub struct Pages {
    ui: Option<Arc<Ui>>,
    jaeger_url: Option<String>,
}

/// Why pages cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum UiConfigError {
    /// A file or folder cannot be read.
    #[error("{path}: {source}")]
    Unreadable {
        /// The setting that leads to it.
        setting: &'static str,
        /// Where.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Something is there, but not what is wanted.
    #[error("{path} {why}")]
    Unfit {
        /// The setting that leads to it.
        setting: &'static str,
        /// Where.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// No address of a web page.
    #[error("'{given}' is no address; write http://jaeger.example.com or https://…")]
    Address {
        /// What was given.
        given: String,
    },
}

/// The page and the files it asks for.
#[derive(Debug)]
struct Ui {
    index: Bytes,
    files: Files,
}

impl UiConfigError {
    /// The setting that is wrong (`assets`).
    pub fn setting(&self) -> &'static str {
        match self {
            Self::Unreadable { setting, .. } | Self::Unfit { setting, .. } => setting,
            Self::Address { .. } => "jaeger_url",
        }
    }
}

impl UiConfig {
    /// Reads everything that will be served.
    pub fn validate(&self) -> Result<Pages, UiConfigError> {
        let jaeger_url = self.jaeger_url.as_deref().map(address).transpose()?;
        let ui = match &self.assets {
            Some(folder) => Some(Arc::new(Ui::read(folder, self.config.as_deref())?)),
            None => None,
        };
        Ok(Pages { ui, jaeger_url })
    }
}

fn address(given: &str) -> Result<String, UiConfigError> {
    let plain = given.bytes().all(|byte| byte.is_ascii_graphic());
    let known = given.starts_with("http://") || given.starts_with("https://");
    if known && plain {
        return Ok(given.trim_end_matches('/').to_owned());
    }
    Err(UiConfigError::Address { given: given.to_owned() })
}

impl Pages {
    /// Where a trace is shown by a Jaeger UI; `None` where there is none.
    pub(super) fn trace(&self, id: TraceId) -> Option<String> {
        let base = match (&self.jaeger_url, &self.ui) {
            (Some(url), _) => url,
            (None, Some(_)) => PREFIX,
            (None, None) => return None,
        };
        Some(format!("{base}/trace/{id}"))
    }

    /// The UI with the paths it asks, which it looks for below its own prefix; nothing without a
    /// build.
    pub(super) fn router(&self, api: Router) -> Router {
        let Some(ui) = self.ui.clone() else { return Router::new() };
        Router::new()
            .route(PREFIX, get(|| async { Redirect::temporary("/jaeger/") }))
            .route("/jaeger/", get(page))
            .route("/jaeger/{*path}", get(page))
            .route("/jaeger/static/{*path}", get(file))
            .with_state(ui)
            .nest(PREFIX, api)
    }
}

impl Ui {
    fn read(folder: &Path, config: Option<&Path>) -> Result<Self, UiConfigError> {
        let unreadable = |path: &Path, source| UiConfigError::Unreadable {
            setting: "assets",
            path: path.to_owned(),
            source,
        };
        let root = folder.canonicalize().map_err(|source| unreadable(folder, source))?;
        let path = root.join("index.html");
        let html = read_text("assets", &path)?;
        let given = config.map(read_filling).transpose()?;
        let filling = given.unwrap_or_else(|| Filling::Json(UI_JSON.to_owned()));
        let index = fill(&html, &filling).ok_or_else(|| UiConfigError::Unfit {
            setting: "assets",
            path,
            why: "is no page of Jaeger UI: it has no place for its configuration".to_owned(),
        })?;
        Ok(Self { index: index.into(), files: Files::read(&root)? })
    }
}

/// A configuration of Jaeger UI that somebody wrote.
fn read_filling(path: &Path) -> Result<Filling, UiConfigError> {
    let unfit =
        |why: String| UiConfigError::Unfit { setting: "config", path: path.to_owned(), why };
    let given = read_text("config", path)?;
    if path.extension().is_some_and(|extension| extension == "js") {
        let is_function = given.contains("function UIConfig(");
        return if is_function {
            Ok(Filling::Script(given))
        } else {
            Err(unfit("has no function UIConfig()".to_owned()))
        };
    }
    match serde_json::from_str::<serde_json::Map<_, _>>(&given) {
        Ok(_) => Ok(Filling::Json(given)),
        Err(error) => Err(unfit(format!("is no JSON object: {error}"))),
    }
}

fn read_text(setting: &'static str, path: &Path) -> Result<String, UiConfigError> {
    let unfit =
        |why: &str| UiConfigError::Unfit { setting, path: path.to_owned(), why: why.to_owned() };
    let bytes = read_within(path, PAGE_BYTES_MAX);
    let bytes = bytes.map_err(|source| UiConfigError::Unreadable {
        setting,
        path: path.to_owned(),
        source,
    })?;
    String::from_utf8(bytes).map_err(|_| unfit("is no text"))
}

/// The page, for every path of its own: it reads the path itself.
async fn page(State(ui): State<Arc<Ui>>) -> Response {
    let headers =
        [(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CACHE_CONTROL, "no-cache")];
    (headers, ui.index.clone()).into_response()
}

async fn file(State(ui): State<Arc<Ui>>, UrlPath(path): UrlPath<String>) -> Response {
    match ui.files.get(&path) {
        Some(file) => {
            let headers = [
                (header::CONTENT_TYPE, file.content_type),
                (header::CACHE_CONTROL, file.cache_control),
                (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            ];
            (headers, file.bytes.clone()).into_response()
        }
        None => text(StatusCode::NOT_FOUND, "no such file in this build of Jaeger UI\n".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes files into a folder; the error of reading it as a build.
    fn check(files: &[(&str, &str)], config: Option<&str>, expect: &str) {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        let config = config.map(|name| folder.path().join(name));
        let ui = UiConfig { assets: Some(folder.path().to_owned()), config, jaeger_url: None };
        let said = ui
            .validate()
            .map_or_else(|error| format!("{}: {error}", error.setting()), |_| "fine".to_owned());
        assert!(said.contains(expect), "{said}");
    }

    const INDEX: (&str, &str) = ("index.html", "<script>JAEGER_CONFIG = DEFAULT_CONFIG;</script>");
    const SCRIPT: (&str, &str) = ("static/a.js", "1");

    #[test]
    fn a_folder_that_is_no_build_is_named() {
        check(&[INDEX, SCRIPT], None, "fine");
        check(&[], None, "index.html: No such file");
        check(&[("index.html", "<html>"), SCRIPT], None, "assets: ");
        check(&[("index.html", "<html>"), SCRIPT], None, "no page of Jaeger UI");
        check(&[INDEX], None, "static");
    }

    #[test]
    fn a_configuration_that_cannot_be_read_is_named() {
        check(&[INDEX, SCRIPT], Some("ui.json"), "config: ");
        check(&[INDEX, SCRIPT, ("ui.json", "[]")], Some("ui.json"), "no JSON object");
        check(&[INDEX, SCRIPT, ("ui.js", "{}")], Some("ui.js"), "no function UIConfig()");
        check(&[INDEX, SCRIPT, ("ui.json", "{}")], Some("ui.json"), "fine");
    }

    #[test]
    fn our_own_configuration_is_a_json_object() {
        assert!(serde_json::from_str::<serde_json::Map<_, _>>(UI_JSON).is_ok());
    }

    #[test]
    fn a_view_is_shown_where_a_jaeger_ui_is() {
        let at = |url: Option<&str>| {
            let config = UiConfig { jaeger_url: url.map(str::to_owned), ..UiConfig::default() };
            config.validate().map(|pages| pages.trace(TraceId([1; 16])))
        };
        assert_eq!(at(None).unwrap(), None);
        let shown = at(Some("https://jaeger.example.com/ui/")).unwrap().unwrap();
        assert_eq!(shown, format!("https://jaeger.example.com/ui/trace/{}", "01".repeat(16)));
        for wrong in ["jaeger:16686", "javascript:alert(1)", "http://a b"] {
            assert!(at(Some(wrong)).is_err(), "{wrong}");
        }
    }
}
