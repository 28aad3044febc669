//! From a valid configuration to running parts, for every command that writes or serves.

use std::sync::Arc;

use kausal_audit::Limits;
use kausal_consumers::dead_letters::DeadLetters;
use kausal_consumers::sink::Sink;
use kausal_consumers::source::webhook::Webhook;
use kausal_consumers::{Clusters, Filter, Metrics, Pipeline, PipelineParts};
use kausal_runtime::reload::Reloader;
use kausal_runtime::tls::ServerTls;
use kausal_storage_plugin::{Pages, ReadLimits};
use kausal_store::EmbeddedConfig;

use crate::cli::{AllInOne, StoragePlugin};
use crate::config::{Door, Loaded, wall_clock};

/// Folder of the dead letters within that of the store.
const DEAD_LETTERS: &str = "dead-letters";

/// Every setting of all-in-one, valid.
#[derive(Debug)]
pub(crate) struct Settings {
    /// Store and reading doors.
    pub(crate) plugin: PluginSettings,
    /// Which requests become spans.
    pub(crate) filter: Filter,
    /// The audit webhook.
    pub(crate) webhook: Webhook,
    /// Its certificate and key.
    pub(crate) webhook_tls: Option<ServerTls>,
    /// What of the above is made of files that may change.
    pub(crate) reloader: Reloader,
}

/// What the storage plugin needs, valid.
#[derive(Debug)]
pub(crate) struct PluginSettings {
    /// The embedded store.
    pub(crate) store: EmbeddedConfig,
    /// What one question may cost.
    pub(crate) read: ReadLimits,
    /// Jaeger UI, and where links to views lead.
    pub(crate) pages: Pages,
    /// Where it listens.
    pub(crate) doors: PluginDoors,
}

/// The doors of the storage plugin.
#[derive(Debug)]
pub(crate) struct PluginDoors {
    /// The HTTP API.
    pub(crate) http: Door,
    /// The gRPC storage plugin.
    pub(crate) grpc: Door,
    /// Probes and metrics.
    pub(crate) admin: Door,
}

impl Settings {
    /// Checks everything, flags over file.
    pub(crate) fn of(loaded: &Loaded, flags: &AllInOne) -> anyhow::Result<Self> {
        let mut loaded = with_flags(loaded, &flags.plugin);
        set(&mut loaded.config.webhook.listen, flags.webhook_listen.as_ref());
        let (loaded, config) = (&loaded, &loaded.config);
        config.redaction.validate(loaded)?;
        let mut reloader = Reloader::default();
        let webhook = config.webhook.clone().validate(clusters(loaded)?, &mut reloader);
        let webhook = webhook.map_err(|error| loaded.wrong("webhook", &error))?;
        let webhook_tls = webhook.tls().map(|tls| tls.load(&mut reloader)).transpose();
        Ok(Self {
            plugin: PluginSettings::of(loaded, &mut reloader)?,
            filter: filter(loaded)?,
            webhook,
            webhook_tls: webhook_tls.map_err(|error| loaded.wrong("webhook.tls", &error))?,
            reloader,
        })
    }
}

impl PluginSettings {
    /// Checks what reading needs; the reloader learns of the files that may change.
    pub(crate) fn of(loaded: &Loaded, reloader: &mut Reloader) -> anyhow::Result<Self> {
        let config = &loaded.config;
        config.log.validate().map_err(|error| loaded.wrong("log.level", &error))?;
        Ok(Self {
            store: config.store.validate(loaded)?,
            read: read(loaded)?,
            pages: pages(loaded)?,
            doors: PluginDoors::of(loaded, reloader)?,
        })
    }
}

impl PluginDoors {
    /// Checks the doors; the reloader learns of their files.
    pub(crate) fn of(loaded: &Loaded, reloader: &mut Reloader) -> anyhow::Result<Self> {
        let config = &loaded.config;
        Ok(Self {
            http: config.http.validate("http", loaded, reloader)?,
            grpc: config.grpc.validate("grpc", loaded, reloader)?,
            admin: config.admin.validate("admin", loaded, reloader)?,
        })
    }
}

/// The configuration with flags over it.
pub(crate) fn with_flags(loaded: &Loaded, flags: &StoragePlugin) -> Loaded {
    let mut loaded = loaded.clone();
    let config = &mut loaded.config;
    set(&mut config.store.dir, flags.store.as_ref());
    config.http.listen = flags.http_listen.or(config.http.listen);
    config.grpc.listen = flags.grpc_listen.or(config.grpc.listen);
    config.admin.listen = flags.admin_listen.or(config.admin.listen);
    config.ui.assets = flags.ui_assets.clone().or(config.ui.assets.take());
    loaded
}

/// Names of clusters.
pub(crate) fn clusters(loaded: &Loaded) -> anyhow::Result<Clusters> {
    let clusters = loaded.config.clusters.clone().validate();
    Ok(clusters.map_err(|error| loaded.wrong("clusters.aliases", &error))?)
}

/// Which requests become spans.
pub(crate) fn filter(loaded: &Loaded) -> anyhow::Result<Filter> {
    let filter = loaded.config.filter.clone().validate();
    Ok(filter.map_err(|error| loaded.wrong("filter.rules", &error))?)
}

/// What one question may cost.
pub(crate) fn read(loaded: &Loaded) -> anyhow::Result<ReadLimits> {
    let limits = loaded.config.read.clone().validate();
    Ok(limits.map_err(|error| loaded.wrong(&format!("read.{}", error.setting), &error))?)
}

/// What is served besides answers.
pub(crate) fn pages(loaded: &Loaded) -> anyhow::Result<Pages> {
    let pages = loaded.config.ui.validate();
    Ok(pages.map_err(|error| loaded.wrong(&format!("ui.{}", error.setting()), &error))?)
}

/// The pipeline from bytes to durable spans; what belongs beside the store goes into its folder.
pub(crate) fn pipeline(
    loaded: &Loaded,
    filter: Filter,
    sink: Arc<dyn Sink>,
    store: &EmbeddedConfig,
    metrics: Metrics,
) -> anyhow::Result<Arc<Pipeline>> {
    let letters = &loaded.config.dead_letters;
    let folder = if letters.folder.as_os_str().is_empty() {
        store.dir.join(DEAD_LETTERS)
    } else {
        letters.folder.clone()
    };
    let dead_letters = DeadLetters::open(&folder, letters.bytes_max).map_err(|error| {
        loaded.wrong("dead_letters.folder", &format!("{}: {error}", folder.display()))
    })?;
    Ok(Pipeline::new(PipelineParts {
        filter,
        redaction: Arc::new(loaded.config.redaction.load(&store.dir, loaded)?),
        limits: Limits::default(),
        sink,
        dead_letters: Some(dead_letters),
        clock: store.clock.clone().unwrap_or_else(wall_clock),
        metrics,
    }))
}

fn set<T: Clone>(setting: &mut T, flag: Option<&T>) {
    if let Some(flag) = flag {
        setting.clone_from(flag);
    }
}
