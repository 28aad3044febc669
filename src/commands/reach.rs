//! Reaches the store a command is about: opens it, or finds who holds it or serves it.

use kausal_store::{EmbeddedConfig, EmbeddedStore, OpenError};

use super::server::Server;
use crate::answer::NothingFound;
use crate::cli::{Place, Target};
use crate::config::Loaded;

/// A store, one way or the other.
pub(crate) enum Reached {
    /// This process has opened it.
    Here(EmbeddedStore),
    /// A server has it.
    There(Server),
}

/// What to do where there is no store yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    /// Make one.
    Make,
    /// Say so: a question must not leave a store behind.
    Refuse,
}

/// The server named, the holder of the store, or the store itself; and the store's settings.
pub(crate) fn reach(
    loaded: &Loaded,
    target: &Target,
    missing: Missing,
) -> anyhow::Result<(Reached, EmbeddedConfig)> {
    let mut config = loaded.config.store.validate(loaded)?;
    match target.place()? {
        Place::Server(url) => return Ok((there(url, target)?, config)),
        Place::Store(dir) => config.dir = dir,
        Place::Configured => {}
    }
    if missing == Missing::Refuse && !EmbeddedStore::is_at(&config.dir) {
        let dir = config.dir.display();
        return Err(NothingFound(format!(
            "there is no store in {dir}; fill one with kausal ingest, or name it with --store"
        ))
        .into());
    }
    match EmbeddedStore::open(&config, None) {
        Ok(store) => Ok((Reached::Here(store), config)),
        Err(OpenError::Held { address: Some(url), .. }) => Ok((there(url, target)?, config)),
        Err(error) => Err(error.into()),
    }
}

fn there(url: String, target: &Target) -> anyhow::Result<Reached> {
    Ok(Reached::There(Server::new(url, target.access()?)?))
}
