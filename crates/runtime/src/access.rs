//! The other side of a guard: what somebody who asks a server shows, and whom they trust.
//!
//! Promise: a token goes to this machine or over TLS, never in plain text over a network. Never
//! here: a token or a key in a log or an error.

use std::fmt;
use std::path::PathBuf;

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde::{Deserialize, Serialize};

use crate::guard::{TokenError, is_token, read_first};
use crate::reload::{FileError, read};

/// What is shown to a server, and whom to trust; all of it can be left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AccessConfig {
    /// File that holds the bearer token to show; the first of several.
    pub token_file: Option<PathBuf>,
    /// PEM file with the authorities that may have signed the server's certificate, in place of
    /// the public ones.
    pub ca_file: Option<PathBuf>,
    /// PEM file with the client certificate to show, and its chain.
    pub cert_file: Option<PathBuf>,
    /// PEM file with its private key.
    pub key_file: Option<PathBuf>,
}

/// Why a server cannot be asked like this.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The token's file cannot be used.
    #[error(transparent)]
    TokenFile(#[from] TokenError),
    /// A token that no server would take.
    #[error("the token is none: one is 16 to 4096 printable ASCII characters without spaces")]
    Token,
    /// The certificate and its key do not fit, or one of them is none.
    #[error("client certificate {} and its key cannot be used: {source}", path.display())]
    Unusable {
        /// The certificate file.
        path: PathBuf,
        /// What rustls says.
        source: rustls::Error,
    },
    /// A certificate without its key, or the other way around.
    #[error("a client certificate and its key are given together or not at all")]
    Half,
    /// Whoever listens on the way would have the token.
    #[error("a token is sent to this machine or over https, not to {url}")]
    Plain {
        /// Where it would have gone.
        url: String,
    },
}

/// What is shown to a server, read from its files.
#[derive(Clone, Default)]
pub struct Access {
    token: Option<String>,
    authorities: Option<Vec<u8>>,
    certificate: Option<Pair>,
}

#[derive(Clone)]
struct Pair {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let has = |is_there: bool| if is_there { "given" } else { "none" };
        f.debug_struct("Access")
            .field("token", &has(self.token.is_some()))
            .field("authorities", &has(self.authorities.is_some()))
            .field("certificate", &has(self.certificate.is_some()))
            .finish()
    }
}

impl AccessConfig {
    /// Reads the files.
    pub fn load(&self) -> Result<Access, AccessError> {
        let certificate = match (&self.cert_file, &self.key_file) {
            (Some(path), Some(key)) => {
                let pair = Pair { certificate: read(path)?, key: read(key)? };
                let unusable = |source| AccessError::Unusable { path: path.clone(), source };
                pair.check().map_err(unusable)?;
                Some(pair)
            }
            (None, None) => None,
            _ => return Err(AccessError::Half),
        };
        Ok(Access {
            token: self.token_file.as_deref().map(read_first).transpose()?,
            authorities: self.ca_file.as_deref().map(read).transpose()?,
            certificate,
        })
    }
}

impl Pair {
    /// Both are read by clients of their own later, which do not all take a wrong pair calmly.
    fn check(&self) -> Result<(), rustls::Error> {
        let general = |error: pem::Error| rustls::Error::General(error.to_string());
        let chain = CertificateDer::pem_slice_iter(&self.certificate);
        let chain = chain.collect::<Result<Vec<_>, _>>().map_err(general)?;
        let key = PrivateKeyDer::from_pem_slice(&self.key).map_err(general)?;
        let provider = rustls::crypto::ring::default_provider();
        rustls::sign::CertifiedKey::from_der(chain, key, &provider).map(drop)
    }
}

impl Access {
    /// The same, with this token where there is none yet.
    pub fn or_token(self, token: &str) -> Result<Self, AccessError> {
        if self.token.is_some() {
            return Ok(self);
        }
        if !is_token(token.as_bytes()) {
            return Err(AccessError::Token);
        }
        Ok(Self { token: Some(token.to_owned()), ..self })
    }

    /// Whether what is shown may be shown to this server.
    pub fn check(&self, url: &str) -> Result<(), AccessError> {
        if self.token.is_some() && !url.starts_with("https://") && !is_loopback(url) {
            return Err(AccessError::Plain { url: url.to_owned() });
        }
        Ok(())
    }

    /// The value of the header `authorization`.
    pub fn authorization(&self) -> Option<String> {
        self.token.as_ref().map(|token| format!("Bearer {token}"))
    }

    /// PEM of the authorities to trust; the public ones without.
    pub fn authorities(&self) -> Option<&[u8]> {
        self.authorities.as_deref()
    }

    /// PEM of the client certificate and of its key.
    pub fn certificate(&self) -> Option<(&[u8], &[u8])> {
        self.certificate.as_ref().map(|pair| (&*pair.certificate, &*pair.key))
    }
}

/// Whether `url` is an address on this machine.
fn is_loopback(url: &str) -> bool {
    let Ok(uri) = url.parse::<axum::http::Uri>() else { return false };
    let host = uri.host().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse();
    host == "localhost" || address.is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "a-token-0123456789";

    #[test]
    fn a_token_stays_off_the_open_network() {
        let with = Access::default().or_token(TOKEN).unwrap();
        let check = |url: &str, fits: bool| {
            assert_eq!(with.check(url).is_ok(), fits, "{url}");
            assert!(Access::default().check(url).is_ok());
        };
        check("https://kausal.example", true);
        check("http://127.0.0.1:16686", true);
        check("http://[::1]:16686", true);
        check("http://localhost:16686", true);
        check("http://kausal.example", false);
        check("http://127.0.0.1.example", false);
        check("http://127.0.0.1@kausal.example", false);
        check("http://localhost.example:80", false);
    }

    #[test]
    fn a_token_shows_nowhere() {
        let access = Access::default().or_token(TOKEN).unwrap();
        assert!(!format!("{access:?}").contains("token-0"));
        let error = Access::default().or_token("two words of a token").unwrap_err();
        assert!(!error.to_string().contains("words"), "{error}");
        assert_eq!(access.authorization().unwrap(), format!("Bearer {TOKEN}"));
    }

    #[test]
    fn files_are_read_and_wrong_ones_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            std::fs::write(dir.path().join(name), text).unwrap();
            Some(dir.path().join(name))
        };
        let pair = || rcgen::generate_simple_self_signed(["jaeger".to_owned()]).unwrap();
        let (own, other) = (pair(), pair());
        let whole = AccessConfig {
            token_file: file("token", TOKEN),
            ca_file: file("ca", "authorities"),
            cert_file: file("crt", &own.cert.pem()),
            key_file: file("key", &own.signing_key.serialize_pem()),
        };
        let access = whole.load().unwrap().or_token("another-token-0123456789").unwrap();
        assert_eq!(access.authorization().unwrap(), format!("Bearer {TOKEN}"));
        assert_eq!(access.authorities(), Some(&b"authorities"[..]));
        assert!(access.certificate().is_some());

        let check = |config: AccessConfig, says: &str| {
            let error = config.load().unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        };
        let missing = Some(dir.path().join("missing"));
        check(AccessConfig { ca_file: missing, ..whole.clone() }, "missing cannot be read");
        check(AccessConfig { key_file: None, ..whole.clone() }, "together or not at all");
        let others = file("other", &other.signing_key.serialize_pem());
        check(AccessConfig { key_file: others, ..whole.clone() }, "crt and its key");
        check(AccessConfig { cert_file: file("none", ""), ..whole.clone() }, "none and its key");
        check(AccessConfig { token_file: file("short", "short"), ..whole }, "short");
    }
}
