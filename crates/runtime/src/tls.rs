//! TLS for every listener, from PEM files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde::{Deserialize, Serialize};
use tokio_rustls::TlsAcceptor;

/// Certificate and key of a listener.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// PEM file with the certificate and its chain.
    pub cert_file: PathBuf,
    /// PEM file with the private key.
    pub key_file: PathBuf,
}

/// Why a listener cannot speak TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or holds no PEM of the kind that is needed.
    #[error("{what} {path}: {source}")]
    Pem {
        /// `certificate` or `private key`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: pem::Error,
    },
    /// The certificate file holds no certificate.
    #[error("certificate {path}: no certificate in it")]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// Certificate and key do not fit, or are of a kind that is not supported.
    #[error("certificate {path} and its key cannot be used: {source}")]
    Unusable {
        /// The certificate file.
        path: PathBuf,
        /// What rustls says.
        source: rustls::Error,
    },
}

/// A listener's TLS, loaded and checked.
#[derive(Clone)]
pub struct ServerTls(TlsAcceptor);

impl std::fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ServerTls")
    }
}

impl TlsConfig {
    /// Reads and checks both files.
    pub fn load(&self) -> Result<ServerTls, TlsError> {
        let certificates = certificates(&self.cert_file)?;
        let key = PrivateKeyDer::from_pem_file(&self.key_file).map_err(|source| TlsError::Pem {
            what: "private key",
            path: self.key_file.clone(),
            source,
        })?;
        let unusable = |source| TlsError::Unusable { path: self.cert_file.clone(), source };
        let mut config = rustls::ServerConfig::builder_with_provider(Arc::new(
            rustls::crypto::ring::default_provider(),
        ))
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .map_err(unusable)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(ServerTls(TlsAcceptor::from(Arc::new(config))))
    }
}

impl ServerTls {
    pub(crate) fn acceptor(&self) -> &TlsAcceptor {
        &self.0
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = |source| TlsError::Pem { what: "certificate", path: path.to_owned(), source };
    let chain: Vec<_> =
        CertificateDer::pem_file_iter(path).map_err(pem)?.collect::<Result<_, _>>().map_err(pem)?;
    if chain.is_empty() {
        return Err(TlsError::Empty { path: path.to_owned() });
    }
    Ok(chain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(dir: &Path, cert: &str, key: &str) -> TlsConfig {
        let config = TlsConfig { cert_file: dir.join("tls.crt"), key_file: dir.join("tls.key") };
        std::fs::write(&config.cert_file, cert).unwrap();
        std::fs::write(&config.key_file, key).unwrap();
        config
    }

    #[test]
    fn takes_a_pair_and_names_the_file_that_is_wrong() {
        let dir = tempfile::tempdir().unwrap();
        let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (cert, key) = (pair.cert.pem(), pair.signing_key.serialize_pem());
        config(dir.path(), &cert, &key).load().unwrap();

        let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let wrong = config(dir.path(), &cert, &other.signing_key.serialize_pem()).load();
        assert!(matches!(wrong, Err(TlsError::Unusable { .. })), "{wrong:?}");
        let error = config(dir.path(), "", &key).load().unwrap_err().to_string();
        assert!(error.contains("tls.crt"), "{error}");
        let error = config(dir.path(), &cert, "nothing").load().unwrap_err().to_string();
        assert!(error.contains("tls.key"), "{error}");
    }
}
