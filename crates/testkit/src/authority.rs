//! An authority that signs certificates: for servers on loopback, and for clients by name.

use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair,
};

/// An authority of a test's own; two of them know nothing of each other.
#[derive(Debug)]
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate that an authority has signed, and its key.
#[derive(Clone, Debug)]
pub struct Signed {
    /// The certificate, PEM.
    pub pem: String,
    /// Its key, PEM.
    pub key_pem: String,
}

/// The same, as files.
#[derive(Clone, Debug)]
pub struct SignedFiles {
    /// The certificate.
    pub file: PathBuf,
    /// Its key.
    pub key_file: PathBuf,
}

impl Authority {
    /// Makes one.
    ///
    /// # Panics
    /// If that cannot be done.
    pub fn make() -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name = named("an authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("an authority"))
    }

    /// Its certificate, PEM.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for a server on 127.0.0.1, and for a client of this common name.
    ///
    /// # Panics
    /// If that cannot be done.
    pub fn sign(&self, common_name: &str) -> Signed {
        let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("an address");
        params.distinguished_name = named(common_name);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        Signed { pem: certificate.pem(), key_pem: key.serialize_pem() }
    }
}

impl Signed {
    /// Writes both to `dir`, as `NAME.crt` and `NAME.key`.
    ///
    /// # Panics
    /// If that cannot be done.
    pub fn write(&self, dir: &Path, name: &str) -> SignedFiles {
        let (file, key_file) = (dir.join(format!("{name}.crt")), dir.join(format!("{name}.key")));
        std::fs::write(&file, &self.pem).expect("the certificate can be written");
        std::fs::write(&key_file, &self.key_pem).expect("the key can be written");
        SignedFiles { file, key_file }
    }
}

fn named(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}
