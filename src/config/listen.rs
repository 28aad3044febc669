//! One listening door: its address, TLS, and who may come in.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use kausal_runtime::guard::{Guard, GuardConfig, GuardConfigError};
use kausal_runtime::reload::Reloader;
use kausal_runtime::tls::{ServerTls, TlsConfig};
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

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
    /// How the door asks who somebody is. A door off loopback needs to be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) auth: Option<Auth>,
}

/// How a door asks who somebody is: `none`, or what it checks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Auth {
    /// Not at all.
    None,
    /// By these checks.
    Checked(GuardConfig),
}

/// A door that may be opened.
#[derive(Debug)]
pub(crate) struct Door {
    /// Address and port.
    pub(crate) address: SocketAddr,
    /// TLS, loaded and checked.
    pub(crate) tls: Option<ServerTls>,
    /// Who may come in; everybody without.
    pub(crate) guard: Option<Guard>,
}

impl Serialize for Auth {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::None => serializer.serialize_str("none"),
            Self::Checked(config) => config.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Auth {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AuthVisitor)
    }
}

/// By hand, so that a misspelt setting below `auth` is named with the known ones.
struct AuthVisitor;

impl<'de> Visitor<'de> for AuthVisitor {
    type Value = Auth;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("none, or the checks of the door (tokens, client_certificates, …)")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Auth, E> {
        match text {
            "none" => Ok(Auth::None),
            _ => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Auth, A::Error> {
        GuardConfig::deserialize(MapAccessDeserializer::new(map)).map(Auth::Checked)
    }
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

    /// Checks the door and reads its files, here and whenever they change; `door` is its name in
    /// the configuration (`http`).
    pub(crate) fn validate(
        &self,
        door: &'static str,
        loaded: &Loaded,
        reloader: &mut Reloader,
    ) -> Result<Door, UsageError> {
        let address = self.listen.unwrap_or(loopback(0));
        if !address.ip().is_loopback() && !self.is_decided() {
            return Err(loaded.wrong(
                &format!("{door}.listen"),
                &format!(
                    "{address} can be reached from other machines and nobody is asked who they \
                     are; listen on 127.0.0.1, or name tokens or client_certificates in \
                     {door}.auth, or say so with {door}.auth: none"
                ),
            ));
        }
        let guard = self.guard(door, reloader);
        let guard = guard.map_err(|error| loaded.wrong(&format!("{door}.auth"), &error))?;
        let tls = self.tls.as_ref().map(|tls| tls.load(reloader)).transpose();
        let tls = tls.map_err(|error| loaded.wrong(&format!("{door}.tls"), &error))?;
        Ok(Door { address, tls, guard })
    }

    /// Whether somebody has said who may come in. A tenant's name is no secret and proves nothing.
    fn is_decided(&self) -> bool {
        match &self.auth {
            None => false,
            Some(Auth::None) => true,
            Some(Auth::Checked(config)) => config.proves_identity(),
        }
    }

    fn guard(
        &self,
        door: &'static str,
        reloader: &mut Reloader,
    ) -> Result<Option<Guard>, GuardConfigError> {
        match &self.auth {
            Some(Auth::Checked(config)) => {
                config.build(door, self.tls.as_ref(), reloader).map(Some)
            }
            None | Some(Auth::None) => match &self.tls {
                Some(TlsConfig { client_ca_file: Some(_), .. }) => {
                    Err(GuardConfigError::UnusedAuthority)
                }
                _ => Ok(None),
            },
        }
    }
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `auth` is YAML as it stands in the file; the door says `expect`, or `fine`.
    fn check(listen: &str, auth: &str, expect: &str) {
        let config = format!("listen: '{listen}'\n{auth}\n");
        let said = match serde_saphyr::from_str::<ListenConfig>(&config) {
            Err(error) => error.to_string(),
            Ok(config) => {
                let door = config.validate("http", &Loaded::default(), &mut Reloader::default());
                door.map_or_else(|error| error.to_string(), |_| "fine".to_owned())
            }
        };
        assert!(said.contains(expect), "{config}{said}");
    }

    #[test]
    fn a_door_off_loopback_needs_a_check_or_a_word() {
        check("127.0.0.1:80", "", "fine");
        check("[::1]:80", "", "fine");
        check("127.0.0.1:80", "auth: none", "fine");
        check("0.0.0.0:80", "", "http.auth: none");
        check("[::]:80", "", "http.auth: none");
        check("0.0.0.0:80", "auth: none", "fine");
        check("0.0.0.0:80", "auth: {}", "http.auth: none");
        check("0.0.0.0:80", "auth: {tenants: {names: [acme]}}", "http.auth: none");
        check("127.0.0.1:80", "auth: {tenants: {names: [acme]}}", "fine");
        let token = "auth: {tokens: [{name: ci, token_file: /nowhere}]}";
        check("0.0.0.0:80", token, "http.auth: tokens: token file /nowhere");
    }

    #[test]
    fn what_cannot_be_checked_is_named() {
        let tls = "tls: {cert_file: a, key_file: b, client_ca_file: c}";
        check("127.0.0.1:80", tls, "no certificate lets in");
        check("127.0.0.1:80", &format!("{tls}\nauth: none"), "no certificate lets in");
        check("127.0.0.1:80", &format!("{tls}\nauth: {{client_certificates: ['*']}}"), "http.tls");
        check("127.0.0.1:80", "auth: {client_certificates: [jaeger]}", "tls.client_ca_file");
        check("127.0.0.1:80", "auth: {token: []}", "tokens");
        check("127.0.0.1:80", "auth: nobody", "none, or the checks");
    }

    #[test]
    fn what_is_printed_can_be_read_again() {
        for auth in ["none", "{client_certificates: ['*'], tenants: {names: [acme]}}"] {
            let config: ListenConfig = serde_saphyr::from_str(&format!("auth: {auth}")).unwrap();
            let printed = serde_saphyr::to_string(&config).unwrap();
            assert_eq!(serde_saphyr::from_str::<ListenConfig>(&printed).unwrap(), config);
        }
    }
}
