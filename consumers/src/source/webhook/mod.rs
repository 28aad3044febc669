//! The door an apiserver's audit webhook posts to: `POST /audit/CLUSTER`.
//!
//! Promise: 200 means that the spans of every good item are durable and every bad one is set
//! aside; under pressure the answer is 429 with Retry-After, and memory does not grow.
//! Never here: the listener itself; whoever owns the process serves the router.

mod answer;
mod auth;
mod body;
mod door;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use kausal_runtime::reload::Reloader;
use kausal_runtime::tls::TlsConfig;
use serde::{Deserialize, Serialize};

pub use auth::{CertificateConfig, SenderError, TokenConfig};

use crate::budget::Budget;
use crate::cluster::Clusters;
use crate::pipeline::Pipeline;
use auth::Senders;

/// Kind of this source, as metrics and the registry name it.
pub const KIND: &str = "webhook";

/// How audit webhooks are received.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WebhookConfig {
    /// Address to listen on. One that is not on loopback needs `tokens` or `client_certificates`,
    /// or `auth: none`.
    pub listen: SocketAddr,
    /// Certificate and key; plain HTTP without.
    pub tls: Option<TlsConfig>,
    /// Whether senders must show a token or a certificate.
    pub auth: Auth,
    /// The tokens that are accepted.
    pub tokens: Vec<TokenConfig>,
    /// The client certificates that are accepted, signed by an authority of `tls.client_ca_file`.
    pub client_certificates: Vec<CertificateConfig>,
    /// Most bytes of one body as it is sent. An apiserver's default batch holds 400 events; with
    /// bodies at their largest it could reach this.
    pub body_bytes_max: usize,
    /// Most bytes of one body after decompression.
    pub decoded_bytes_max: usize,
    /// Most bytes of all bodies held at a time; beyond it the answer is 429.
    pub in_flight_bytes_max: usize,
}

/// Whether senders must show a token or a certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Auth {
    /// They must, unless neither is configured and the listener is on loopback.
    #[default]
    Tokens,
    /// Nobody is asked.
    None,
}

impl Default for WebhookConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            tls: None,
            auth: Auth::Tokens,
            tokens: Vec::new(),
            client_certificates: Vec::new(),
            body_bytes_max: 32 << 20,
            decoded_bytes_max: 32 << 20,
            in_flight_bytes_max: 64 << 20,
        }
    }
}

/// Why a webhook cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum WebhookConfigError {
    /// Anybody who reaches the address could write history.
    #[error(
        "webhook.listen {listen} is not on loopback: configure webhook.tokens or \
         webhook.client_certificates, or say webhook.auth: none"
    )]
    Open {
        /// The address.
        listen: SocketAddr,
    },
    /// Tokens or certificates that nobody is asked for.
    #[error(
        "webhook.auth is none, but webhook.tokens or webhook.client_certificates are configured: \
         leave one of them out"
    )]
    Contradiction,
    /// Certificates that are verified and not looked at, or cannot be verified.
    #[error(
        "webhook.client_certificates and webhook.tls.client_ca_file need each other: which \
         certificates are accepted, and which authorities sign them"
    )]
    Authority,
    /// A limit that would refuse everything.
    #[error(
        "webhook.in_flight_bytes_max must hold one body as sent and decompressed, and no limit may be 0"
    )]
    Limits,
    /// A token or a certificate cannot be used.
    #[error("webhook.tokens, webhook.client_certificates: {0}")]
    Sender(#[from] SenderError),
}

/// A webhook source whose configuration is valid.
#[derive(Debug)]
pub struct Webhook {
    listen: SocketAddr,
    tls: Option<TlsConfig>,
    senders: Senders,
    body_bytes_max: usize,
    decoded_bytes_max: usize,
    in_flight: Budget,
    clusters: Clusters,
}

impl WebhookConfig {
    /// Checks everything and reads the token files, here and whenever they change.
    pub fn validate(
        self,
        clusters: Clusters,
        reloader: &mut Reloader,
    ) -> Result<Webhook, WebhookConfigError> {
        let senders = self.senders(&clusters, reloader)?;
        let (body, decoded) = (self.body_bytes_max, self.decoded_bytes_max);
        let needed = body.saturating_add(decoded);
        if body == 0 || decoded == 0 || needed > self.in_flight_bytes_max {
            return Err(WebhookConfigError::Limits);
        }
        Ok(Webhook {
            listen: self.listen,
            tls: self.tls,
            senders,
            body_bytes_max: body,
            decoded_bytes_max: decoded,
            in_flight: Budget::new(self.in_flight_bytes_max),
            clusters,
        })
    }

    fn senders(
        &self,
        clusters: &Clusters,
        reloader: &mut Reloader,
    ) -> Result<Senders, WebhookConfigError> {
        let (tokens, certificates) = (&self.tokens, &self.client_certificates);
        let authority = self.tls.as_ref().is_some_and(|tls| tls.client_ca_file.is_some());
        if authority == certificates.is_empty() {
            return Err(WebhookConfigError::Authority);
        }
        let is_empty = tokens.is_empty() && certificates.is_empty();
        match self.auth {
            Auth::None if is_empty => Ok(Senders::Open),
            Auth::None => Err(WebhookConfigError::Contradiction),
            Auth::Tokens if !is_empty => {
                Ok(Senders::load(tokens, certificates, clusters, reloader)?)
            }
            Auth::Tokens if self.listen.ip().is_loopback() => Ok(Senders::Open),
            Auth::Tokens => Err(WebhookConfigError::Open { listen: self.listen }),
        }
    }
}

impl Webhook {
    /// The address to listen on.
    pub fn listen(&self) -> SocketAddr {
        self.listen
    }

    /// Certificate and key to listen with.
    pub fn tls(&self) -> Option<&TlsConfig> {
        self.tls.as_ref()
    }

    /// The routes, served by whoever owns the listener.
    pub fn router(self, pipeline: Arc<Pipeline>) -> Router {
        door::router(Arc::new(self), pipeline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(config: WebhookConfig, expect: &str) {
        let result = config.validate(Clusters::default(), &mut Reloader::default());
        let said = result.map_or_else(|error| error.to_string(), |_| "fine".to_owned());
        assert!(said.contains(expect), "{said}");
    }

    #[test]
    fn an_open_door_must_be_wanted() {
        let everywhere: SocketAddr = "0.0.0.0:8080".parse().unwrap();
        let default = WebhookConfig::default;
        check(default(), "fine");
        check(WebhookConfig { listen: everywhere, ..default() }, "not on loopback");
        check(WebhookConfig { listen: everywhere, auth: Auth::None, ..default() }, "fine");
        let token_file = "/nowhere/token".into();
        let tokens = vec![TokenConfig { cluster: "*".to_owned(), token_file }];
        check(WebhookConfig { tokens: tokens.clone(), ..default() }, "/nowhere/token");
        check(WebhookConfig { tokens, auth: Auth::None, ..default() }, "leave one of them out");
        let (cluster, name) = ("*".to_owned(), "apiserver".to_owned());
        let client_certificates = vec![CertificateConfig { cluster, name }];
        check(WebhookConfig { client_certificates, ..default() }, "need each other");
    }

    #[test]
    fn one_body_must_fit() {
        let default = WebhookConfig::default;
        check(WebhookConfig { in_flight_bytes_max: 64 << 20, ..default() }, "fine");
        check(WebhookConfig { in_flight_bytes_max: (64 << 20) - 1, ..default() }, "must hold");
        check(WebhookConfig { body_bytes_max: 0, ..default() }, "must hold");
    }
}
