//! The names in a client's certificate.
//!
//! Promise: called only with certificates whose chain was verified; one that cannot be read names
//! nobody.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use webpki::EndEntityCert;

/// DER tags of what a subject is made of.
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OBJECT_ID: u8 = 0x06;
/// `UTF8String`, `PrintableString` and `IA5String`: of these, the bytes are UTF-8.
const TEXTS: [u8; 3] = [0x0c, 0x13, 0x16];
/// 2.5.4.3, commonName.
const COMMON_NAME: [u8; 3] = [0x55, 0x04, 0x03];

/// A certificate that a client has shown, signed by an authority that the listener trusts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    names: Arc<[String]>,
}

impl ClientCertificate {
    /// The names in a verified certificate.
    pub(crate) fn of(certificate: &CertificateDer<'_>) -> Self {
        let Ok(parsed) = EndEntityCert::try_from(certificate) else {
            return Self { names: Arc::default() };
        };
        let others = parsed.valid_dns_names().chain(parsed.valid_uri_names());
        let names = common_names(parsed.subject()).into_iter().chain(others);
        Self { names: names.map(str::to_owned).collect() }
    }

    /// The common name, which is what Kubernetes calls the user, then DNS names and URIs.
    pub fn names(&self) -> &[String] {
        &self.names
    }
}

#[cfg(test)]
impl ClientCertificate {
    pub(crate) fn named(names: &[&str]) -> Self {
        Self { names: names.iter().map(|name| (*name).to_owned()).collect() }
    }
}

/// Common names of a subject: a sequence (its own tag and length left out) of sets of pairs.
fn common_names(mut subject: &[u8]) -> Vec<&str> {
    let mut names = Vec::new();
    while let Some((SET, mut set, rest)) = element(subject) {
        subject = rest;
        while let Some((SEQUENCE, pair, rest)) = element(set) {
            set = rest;
            names.extend(common_name(pair));
        }
    }
    names
}

fn common_name(pair: &[u8]) -> Option<&str> {
    let (OBJECT_ID, id, rest) = element(pair)? else { return None };
    let (tag, text, _) = element(rest)?;
    let fits = id == COMMON_NAME && TEXTS.contains(&tag);
    fits.then(|| std::str::from_utf8(text).ok())?
}

/// The first element of some DER: its tag, its content, and what comes after it.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        // Two bytes of length are more than any name needs.
        0x81 | 0x82 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};

    use super::*;

    fn certificate(common_name: Option<&str>, others: Vec<SanType>) -> CertificateDer<'static> {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::OrganizationName, "shop");
        if let Some(name) = common_name {
            params.distinguished_name.push(DnType::CommonName, name);
        }
        params.subject_alt_names = others;
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
    }

    #[test]
    fn common_name_first_then_dns_names_and_uris() {
        let check = |name: Option<&str>, others: Vec<SanType>, expect: &[&str]| {
            assert_eq!(ClientCertificate::of(&certificate(name, others)).names(), expect);
        };
        let long = "x".repeat(300);
        let dns = || SanType::DnsName("jaeger.example".try_into().unwrap());
        let uri = || SanType::URI("spiffe://shop/ns/obs/sa/jaeger".try_into().unwrap());
        check(Some("jaeger"), vec![], &["jaeger"]);
        check(Some("Jäger"), vec![dns()], &["Jäger", "jaeger.example"]);
        check(Some(&long), vec![], &[&long]);
        check(None, vec![uri(), dns()], &["jaeger.example", "spiffe://shop/ns/obs/sa/jaeger"]);
        check(None, vec![], &[]);
    }

    #[test]
    fn what_is_no_certificate_names_nobody() {
        let whole = certificate(Some("jaeger"), vec![]);
        for length in 0..whole.len() {
            let cut = CertificateDer::from(&whole[..length]);
            assert!(ClientCertificate::of(&cut).names().is_empty());
        }
        for hostile in [&[0x31, 0x82, 0xff, 0xff][..], &[0x31, 0x80], &[0x31, 0x84, 0, 0, 0, 1]] {
            assert!(common_names(hostile).is_empty());
        }
    }
}
