//! A certificate for loopback, and what shows it.
//!
//! An API server sends its bearer token only over TLS, so the audit webhook needs one too.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A self-signed certificate for 127.0.0.1 and its key, as files and as text.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// The certificate, PEM.
    pub file: PathBuf,
    /// Its key, PEM.
    pub key_file: PathBuf,
    /// The certificate itself, PEM.
    pub pem: String,
    server: Arc<ServerConfig>,
}

/// The server's end of a connection.
pub type TlsStream = StreamOwned<ServerConnection, TcpStream>;

impl Certificate {
    /// Makes one and writes it to `dir`.
    ///
    /// # Panics
    /// If that cannot be done.
    pub fn make(dir: &Path) -> Self {
        let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]);
        let made = made.expect("a certificate");
        let (pem, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        let (file, key_file) = (dir.join("webhook.crt"), dir.join("webhook.key"));
        std::fs::write(&file, &pem).expect("the certificate can be written");
        std::fs::write(&key_file, &key).expect("the key can be written");
        Self { file, key_file, server: Arc::new(server(&pem, &key)), pem }
    }

    /// Takes a connection; the handshake comes with the first read.
    pub fn accept(&self, connection: TcpStream) -> Option<TlsStream> {
        let tls = ServerConnection::new(Arc::clone(&self.server)).ok()?;
        Some(StreamOwned::new(tls, connection))
    }
}

fn server(pem: &str, key: &str) -> ServerConfig {
    let chain = vec![CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate")];
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.expect("the provider has the versions").with_no_client_auth();
    builder.with_single_cert(chain, key).expect("certificate and key fit")
}
