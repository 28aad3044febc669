//! One listening door: its address, TLS, and who may come in.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use kausal_runtime::tls::{ServerTls, TlsConfig};
use serde::{Deserialize, Serialize};

use super::Loaded;
use crate::answer::UsageError;

/// Where a door listens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListenConfig {
    /// Address and port; the door's default port on loopback when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) listen: Option<SocketAddr>,
    /// Certificate and key; without them the door speaks plain text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tls: Option<TlsConfig>,
    /// `none` says that nobody is asked who they are, which a door off loopback needs to be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) auth: Option<Auth>,
}

/// How a door asks who somebody is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Auth {
    /// Not at all.
    None,
}

/// A door that may be opened.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    /// Address and port.
    pub(crate) address: SocketAddr,
    /// TLS, loaded and checked.
    pub(crate) tls: Option<ServerTls>,
}

impl ListenConfig {
    /// A door on loopback.
    pub(crate) fn on_port(port: u16) -> Self {
        Self { listen: Some(loopback(port)), tls: None, auth: None }
    }

    /// Gives the door its default port where the file gave it none.
    pub(crate) fn fill(&mut self, port: u16) {
        self.listen.get_or_insert(loopback(port));
    }

    /// Checks the door; `door` is its name in the configuration (`http`).
    pub(crate) fn validate(&self, door: &'static str, loaded: &Loaded) -> Result<Door, UsageError> {
        let address = self.listen.unwrap_or(loopback(0));
        if !address.ip().is_loopback() && self.auth.is_none() {
            return Err(loaded.wrong(
                &format!("{door}.listen"),
                &format!(
                    "{address} can be reached from other machines and nobody is asked who they \
                     are; listen on 127.0.0.1, or say so with {door}.auth: none"
                ),
            ));
        }
        let tls = self.tls.as_ref().map(TlsConfig::load).transpose();
        let tls = tls.map_err(|error| loaded.wrong(&format!("{door}.tls"), &error))?;
        Ok(Door { address, tls })
    }
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(listen: &str, auth: Option<Auth>, fits: bool) {
        let config = ListenConfig { listen: Some(listen.parse().unwrap()), tls: None, auth };
        let door = config.validate("http", &Loaded::default());
        assert_eq!(door.is_ok(), fits, "{listen} {door:?}");
    }

    #[test]
    fn a_door_off_loopback_needs_a_check_or_a_word() {
        check("127.0.0.1:80", None, true);
        check("[::1]:80", None, true);
        check("0.0.0.0:80", None, false);
        check("0.0.0.0:80", Some(Auth::None), true);
    }
}
