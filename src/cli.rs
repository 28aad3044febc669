//! The command line: what can be typed.
//!
//! Never here: what a command does (`commands/`), and what a value means beyond its form.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use kausal_runtime::access::{Access, AccessConfig, AccessError};
use kausal_storage_plugin::query::ObjectQuery;

use crate::answer::UsageError;

/// Holds a token; no flag does, because everybody on a machine can read the flags of a process.
const TOKEN_VARIABLE: &str = "KAUSAL_TOKEN";

/// The causal story of every Kubernetes object: who asked for what, what changed, what followed.
#[derive(Debug, Parser)]
#[command(name = "kausal", version, arg_required_else_help = true, max_term_width = 100)]
#[command(
    after_help = "Exit codes: 0 done · 1 failed · 2 wrong usage or configuration · 3 nothing found"
)]
pub(crate) struct Cli {
    /// Configuration file (YAML); `kausal config print` shows every setting
    #[arg(long, global = true, env = "KAUSAL_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// What to log: error, warn, info, debug, trace, or directives
    #[arg(long, global = true, env = "KAUSAL_LOG", value_name = "LEVEL")]
    pub(crate) log: Option<String>,
    /// What to do
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run everything in one process: webhook in, store, views out
    AllInOne(AllInOne),
    /// Run the reading side alone: spans in by OTLP, store, views out
    StoragePlugin(StoragePluginCommand),
    /// Read audit log files into the store
    Ingest(Ingest),
    /// Tell the story of an object: `kausal trace deploy/web -n shop`
    Trace(Trace),
    /// Find requests and Events: `kausal search username=bob@example.com verb=patch`
    Search(Search),
    /// Show an object as it was: `kausal get deploy/web -n shop --at 30m`
    Get(Get),
    /// Ingest the bundled capture of a real cluster, tell its story, and keep serving it
    Demo(AllInOne),
    /// Check or print the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Look at the store itself
    #[command(subcommand)]
    Store(StoreCommand),
}

/// `kausal config …`.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Say whether the configuration is valid, and where it is not
    Check,
    /// Print the configuration in force, every setting with its value
    Print,
}

/// `kausal store …`.
#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    /// Spans, bytes, partitions, time range
    Stats(StatsArgs),
}

/// Where to read from or write to.
#[derive(Clone, Debug, Args)]
pub(crate) struct Target {
    /// Folder of the embedded store; a running server that holds it is asked instead
    /// [default: `$KAUSAL_STORE`, else ./kausal-data]
    #[arg(long, value_name = "DIR", conflicts_with = "server")]
    store: Option<PathBuf>,
    /// A running kausal to ask, such as <http://127.0.0.1:16686> [default: `$KAUSAL_SERVER`]
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// File with the bearer token to show a server [default: the token in `$KAUSAL_TOKEN`]
    #[arg(long, env = "KAUSAL_TOKEN_FILE", value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// File with the authorities to trust a server by, in place of the public ones
    #[arg(long, env = "KAUSAL_CA_FILE", value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// File with the client certificate to show a server
    #[arg(long, env = "KAUSAL_CERT_FILE", value_name = "FILE")]
    cert_file: Option<PathBuf>,
    /// File with the key of the client certificate
    #[arg(long, env = "KAUSAL_KEY_FILE", value_name = "FILE")]
    key_file: Option<PathBuf>,
}

/// What a [`Target`] names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A server, by its URL without a slash at the end.
    Server(String),
    /// The folder of a store.
    Store(PathBuf),
    /// The store of the configuration.
    Configured,
}

impl Target {
    /// What is shown to a server, and whom to trust.
    pub(crate) fn access(&self) -> Result<Access, UsageError> {
        let usage = |error: AccessError| UsageError(error.to_string());
        let given =
            |file: &Option<PathBuf>| file.clone().filter(|file| !file.as_os_str().is_empty());
        let files = AccessConfig {
            token_file: given(&self.token_file),
            ca_file: given(&self.ca_file),
            cert_file: given(&self.cert_file),
            key_file: given(&self.key_file),
        };
        let access = files.load().map_err(usage)?;
        match std::env::var(TOKEN_VARIABLE) {
            Ok(token) if !token.is_empty() => access
                .or_token(&token)
                .map_err(|error| UsageError(format!("{TOKEN_VARIABLE}: {error}"))),
            _ => Ok(access),
        }
    }

    /// Flags win over the environment, whichever of the two they are; a server over a store.
    pub(crate) fn place(&self) -> Result<Place, UsageError> {
        let env = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        if let Some(url) = &self.server {
            return server(url);
        }
        if let Some(dir) = &self.store {
            return Ok(Place::Store(dir.clone()));
        }
        match (env("KAUSAL_SERVER"), env("KAUSAL_STORE")) {
            (Some(url), _) => server(&url.to_string_lossy()),
            (None, Some(dir)) => Ok(Place::Store(dir.into())),
            (None, None) => Ok(Place::Configured),
        }
    }
}

fn server(url: &str) -> Result<Place, UsageError> {
    if url.starts_with("http://") || url.starts_with("https://") {
        return Ok(Place::Server(url.trim_end_matches('/').to_owned()));
    }
    let why = format!("--server: '{url}' is no URL; write http://127.0.0.1:16686");
    Err(UsageError(why))
}

/// `kausal all-in-one` and `kausal demo`.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct AllInOne {
    /// Where the audit webhook listens [default: 127.0.0.1:8080]
    #[arg(long, env = "KAUSAL_WEBHOOK_LISTEN", value_name = "ADDR")]
    pub(crate) webhook_listen: Option<SocketAddr>,
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap would print it as the text of a group")]
    pub(crate) plugin: StoragePlugin,
}

/// `kausal storage-plugin`.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct StoragePluginCommand {
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap would print it as the text of a group")]
    pub(crate) plugin: StoragePlugin,
    /// Be a plain Jaeger storage: keep spans of anybody as they came, in DIR/raw, without views
    #[arg(long)]
    pub(crate) identity: bool,
    /// Let POST /purge on the admin port, on loopback, forget every span
    #[arg(long, requires = "identity")]
    pub(crate) allow_purge: bool,
}

/// Store and doors of the reading side.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct StoragePlugin {
    /// Folder of the embedded store [default: ./kausal-data]
    #[arg(long, env = "KAUSAL_STORE", value_name = "DIR")]
    pub(crate) store: Option<PathBuf>,
    /// Where the HTTP API listens [default: 127.0.0.1:16686]
    #[arg(long, env = "KAUSAL_HTTP_LISTEN", value_name = "ADDR")]
    pub(crate) http_listen: Option<SocketAddr>,
    /// Folder of a Jaeger UI build, served at /jaeger/
    #[arg(long, env = "KAUSAL_UI_ASSETS", value_name = "DIR")]
    pub(crate) ui_assets: Option<PathBuf>,
    /// Where the gRPC storage plugin listens [default: 127.0.0.1:17271]
    #[arg(long, env = "KAUSAL_GRPC_LISTEN", value_name = "ADDR")]
    pub(crate) grpc_listen: Option<SocketAddr>,
    /// Where probes and metrics listen [default: 127.0.0.1:9090]
    #[arg(long, env = "KAUSAL_ADMIN_LISTEN", value_name = "ADDR")]
    pub(crate) admin_listen: Option<SocketAddr>,
}

/// `kausal ingest`.
#[derive(Debug, Args)]
pub(crate) struct Ingest {
    /// Name of the cluster the log is from
    #[arg(long, value_name = "NAME")]
    pub(crate) cluster: String,
    /// Files, folders, or `-` for standard input; plain, gzip or zstd
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Say nothing but errors
    #[arg(long, short)]
    pub(crate) quiet: bool,
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap would print it as the text of a group")]
    pub(crate) target: Target,
}

/// Which object, when.
#[derive(Clone, Debug, Args)]
pub(crate) struct Which {
    /// The object, as kubectl takes it: deploy/web, deployments.apps/web, ns/shop
    #[arg(value_name = "OBJECT", num_args = 1..=2, required = true)]
    object: Vec<String>,
    /// Namespace; without it the only object of that name, wherever it is
    #[arg(long, short, value_name = "NAME")]
    pub(crate) namespace: Option<String>,
    /// Cluster; without it the only one there is
    #[arg(long, value_name = "NAME")]
    pub(crate) cluster: Option<String>,
}

impl Which {
    /// The question for the object named by one argument (`deploy/web`) or two (`deploy web`).
    pub(crate) fn query(&self) -> Result<ObjectQuery, UsageError> {
        let [object, rest @ ..] = self.object.as_slice() else {
            return Err(UsageError("no object given".to_owned()));
        };
        let query = ObjectQuery::typed(object, rest.first().map(String::as_str))
            .map_err(|error| UsageError(format!("{error}; {}", error.hint())))?;
        let (namespace, cluster) = (self.namespace.clone(), self.cluster.clone());
        Ok(ObjectQuery { namespace, cluster, ..query })
    }
}

/// A time range.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Range {
    /// Begin: RFC 3339, or how long ago (30m, 6h, 2d)
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<String>,
    /// End: RFC 3339, or how long ago
    #[arg(long, value_name = "TIME")]
    pub(crate) to: Option<String>,
}

/// `kausal trace`.
#[derive(Debug, Args)]
#[allow(missing_docs, reason = "clap would print it as the text of flattened groups")]
pub(crate) struct Trace {
    #[command(flatten)]
    pub(crate) which: Which,
    #[command(flatten)]
    pub(crate) range: Range,
    /// Show a view instead of the story: tracing, tree, "tree [full tree]", … or eight hex digits
    #[arg(long, value_name = "MODE")]
    pub(crate) mode: Option<String>,
    /// Show every write, also what is folded otherwise
    #[arg(long)]
    pub(crate) all: bool,
    /// Form of the answer
    #[arg(long, short, value_enum, default_value_t = TraceOutput::Text)]
    pub(crate) output: TraceOutput,
    #[command(flatten)]
    pub(crate) target: Target,
}

/// `kausal search`.
#[derive(Debug, Args)]
#[allow(missing_docs, reason = "clap would print it as the text of flattened groups")]
pub(crate) struct Search {
    /// Attributes that must all hold: username=bob@example.com verb=patch resource=deployments namespace=shop
    #[arg(value_name = "KEY=VALUE")]
    pub(crate) attributes: Vec<String>,
    #[command(flatten)]
    pub(crate) range: Range,
    /// How many, newest first
    #[arg(long, default_value_t = 50, value_name = "N")]
    pub(crate) limit: usize,
    /// Form of the answer
    #[arg(long, short, value_enum, default_value_t = SearchOutput::Text)]
    pub(crate) output: SearchOutput,
    #[command(flatten)]
    pub(crate) target: Target,
}

/// `kausal get`.
#[derive(Debug, Args)]
#[allow(missing_docs, reason = "clap would print it as the text of flattened groups")]
pub(crate) struct Get {
    #[command(flatten)]
    pub(crate) which: Which,
    /// When: RFC 3339, or how long ago; without it the newest state
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<String>,
    /// Form of the answer
    #[arg(long, short, value_enum, default_value_t = GetOutput::Yaml)]
    pub(crate) output: GetOutput,
    #[command(flatten)]
    pub(crate) target: Target,
}

/// `kausal store stats`.
#[derive(Debug, Args)]
#[allow(missing_docs, reason = "clap would print it as the text of flattened groups")]
pub(crate) struct StatsArgs {
    /// Form of the answer
    #[arg(long, short, value_enum, default_value_t = SearchOutput::Text)]
    pub(crate) output: SearchOutput,
    #[command(flatten)]
    pub(crate) target: Target,
}

/// Forms of a story.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TraceOutput {
    /// For people.
    Text,
    /// The story with all it rests on.
    Json,
    /// The view as OTLP/JSON.
    Otlp,
    /// The story, as YAML.
    Yaml,
}

/// Forms of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SearchOutput {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// Forms of a manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum GetOutput {
    /// As kubectl prints it.
    Yaml,
    /// As the API returns it.
    Json,
}
