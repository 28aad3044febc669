//! TLS for every listener, from PEM files: version 1.2 or newer, HTTP/2 or HTTP/1.1.
//!
//! Promise: a certificate that a client shows was signed by an authority of `client_ca_file`, or
//! the handshake fails. New files serve new connections; those that exist go on.
//! Never here: whether a client must show one, and which names may do what; the door decides, so
//! that probes get through and everybody else gets an answer that can be read.

mod peer;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use serde::{Deserialize, Serialize};
use tokio_rustls::TlsAcceptor;

pub use peer::ClientCertificate;

use crate::reload::{Current, FileError, Reloader};

/// Certificate and key of a listener.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// PEM file with the certificate and its chain.
    pub cert_file: PathBuf,
    /// PEM file with the private key.
    pub key_file: PathBuf,
    /// PEM file with the authorities that sign certificates of clients.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_ca_file: Option<PathBuf>,
}

/// Why a listener cannot speak TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file holds no PEM of the kind that is needed.
    #[error("{what} {}: {source}", path.display())]
    Pem {
        /// `certificate`, `private key` or `client authority`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: pem::Error,
    },
    /// The file holds no certificate.
    #[error("{what} {}: no certificate in it", path.display())]
    Empty {
        /// `certificate` or `client authority`.
        what: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// Certificate and key do not fit, or are of a kind that is not supported.
    #[error("certificate {} and its key cannot be used: {source}", path.display())]
    Unusable {
        /// The certificate file.
        path: PathBuf,
        /// What rustls says.
        source: rustls::Error,
    },
    /// An authority is of a kind that is not supported.
    #[error("client authority {} cannot be used: {source}", path.display())]
    Authority {
        /// The file.
        path: PathBuf,
        /// What rustls says.
        source: rustls::Error,
    },
}

/// A listener's TLS, loaded, checked, and kept as new as its files.
#[derive(Clone)]
pub struct ServerTls(Current<ServerConfig>);

impl std::fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ServerTls")
    }
}

impl TlsConfig {
    /// Reads and checks the files, now and whenever they have changed.
    pub fn load(&self, reloader: &mut Reloader) -> Result<ServerTls, TlsError> {
        let mut files: Vec<&Path> = vec![&self.cert_file, &self.key_file];
        files.extend(self.client_ca_file.as_deref());
        let config = self.clone();
        let current =
            reloader.make("certificate", &files, move |content| config.made_of(content))?;
        Ok(ServerTls(current))
    }

    /// `content` is that of the files, in the order of the fields.
    fn made_of(&self, content: &[Vec<u8>]) -> Result<ServerConfig, TlsError> {
        let [certificate, key, authorities @ ..] = content else {
            return Err(TlsError::Empty { what: "certificate", path: self.cert_file.clone() });
        };
        let unusable = |source| TlsError::Unusable { path: self.cert_file.clone(), source };
        let chain = certificates("certificate", &self.cert_file, certificate)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|source| TlsError::Pem {
            what: "private key",
            path: self.key_file.clone(),
            source,
        })?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(unusable)?;
        let builder = match (&self.client_ca_file, authorities.first()) {
            (Some(path), Some(pem)) => {
                let roots = Arc::new(roots(path, pem)?);
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider)
                    .allow_unauthenticated()
                    .build()
                    .map_err(|error| unusable(rustls::Error::General(error.to_string())))?;
                builder.with_client_cert_verifier(verifier)
            }
            _ => builder.with_no_client_auth(),
        };
        let mut config = builder.with_single_cert(chain, key).map_err(unusable)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }
}

impl ServerTls {
    /// For one connection: what is in force when it begins.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.0.get())
    }
}

fn roots(path: &Path, pem: &[u8]) -> Result<RootCertStore, TlsError> {
    let what = "client authority";
    let mut roots = RootCertStore::empty();
    for certificate in certificates(what, path, pem)? {
        let unusable = |source| TlsError::Authority { path: path.to_owned(), source };
        roots.add(certificate).map_err(unusable)?;
    }
    Ok(roots)
}

fn certificates(
    what: &'static str,
    path: &Path,
    pem: &[u8],
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|source| TlsError::Pem { what, path: path.to_owned(), source })?;
    if chain.is_empty() {
        return Err(TlsError::Empty { what, path: path.to_owned() });
    }
    Ok(chain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(dir: &Path, cert: &str, key: &str) -> TlsConfig {
        let config = TlsConfig {
            cert_file: dir.join("tls.crt"),
            key_file: dir.join("tls.key"),
            client_ca_file: Some(dir.join("clients.crt")),
        };
        std::fs::write(&config.cert_file, cert).unwrap();
        std::fs::write(&config.key_file, key).unwrap();
        config
    }

    #[test]
    fn takes_a_pair_and_names_the_file_that_is_wrong() {
        let dir = tempfile::tempdir().unwrap();
        let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (cert, key) = (pair.cert.pem(), pair.signing_key.serialize_pem());
        let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let check = |cert: &str, key: &str, authority: Option<&str>, says: &str| {
            let config = config(dir.path(), cert, key);
            match (&config.client_ca_file, authority) {
                (Some(file), Some(pem)) => std::fs::write(file, pem).unwrap(),
                (Some(file), None) => drop(std::fs::remove_file(file)),
                _ => {}
            }
            let said = match config.load(&mut Reloader::default()) {
                Ok(_) => "fine".to_owned(),
                Err(error) => error.to_string(),
            };
            assert!(said.contains(says), "{said}");
        };
        check(&cert, &key, Some(&cert), "fine");
        check(&cert, &other.signing_key.serialize_pem(), Some(&cert), "cannot be used");
        check("", &key, Some(&cert), "tls.crt: no certificate");
        check(&cert, "nothing", Some(&cert), "tls.key");
        check(&cert, &key, None, "clients.crt cannot be read");
        check(&cert, &key, Some(""), "clients.crt: no certificate");
    }
}
