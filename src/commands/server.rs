//! A server that is asked, over HTTP.
//!
//! Promise: it is shown what was given for it and nothing else, and over TLS only if it shows a
//! certificate that is trusted.

use kausal_runtime::access::Access;
use kausal_storage_plugin::ErrorBody;
use serde::de::DeserializeOwned;
use ureq::Agent;
use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig};

use super::asking::of_answer;
use crate::answer::UsageError;

/// Longest answer taken from a server.
const ANSWER_BYTES_MAX: u64 = 256 << 20;

/// A server, and what it is shown.
#[derive(Debug)]
pub(crate) struct Server {
    /// Without a slash at the end.
    pub(crate) url: String,
    /// What it is shown, and whom to trust.
    pub(crate) access: Access,
    agent: Agent,
}

impl Server {
    /// Reads the certificates; nothing is connected yet.
    pub(crate) fn new(url: String, access: Access) -> Result<Self, UsageError> {
        access.check(&url).map_err(|error| UsageError(error.to_string()))?;
        let config = Agent::config_builder().http_status_as_error(false).tls_config(tls(&access)?);
        Ok(Self { url, access, agent: config.build().into() })
    }

    /// Asks one question (`story`).
    pub(crate) fn ask<T: DeserializeOwned>(
        &self,
        question: &str,
        parameters: &[(String, String)],
    ) -> anyhow::Result<T> {
        let address = format!("{}/api/v1/{question}", self.url);
        let pairs = parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let mut request = self.agent.get(&address).query_pairs(pairs);
        if let Some(value) = self.access.authorization() {
            request = request.header("authorization", value);
        }
        let mut answer = request.call().map_err(|error| no_answer(&self.url, &error))?;
        let status = answer.status();
        let body = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec()?;
        if status.is_success() {
            return serde_json::from_slice(&body).map_err(|error| {
                anyhow::anyhow!(
                    "{address} answers in another form than this version reads: {error}"
                )
            });
        }
        let Ok(ErrorBody { error }) = serde_json::from_slice(&body) else {
            anyhow::bail!("{address} answers {status}; is it a kausal server?");
        };
        Err(of_answer(&error))
    }
}

fn no_answer(url: &str, error: &ureq::Error) -> anyhow::Error {
    let hint = match error {
        ureq::Error::Rustls(_) | ureq::Error::Io(_) if url.starts_with("https://") => {
            "\n        an authority that is not public is named with --ca-file or $KAUSAL_CA_FILE"
        }
        _ => "",
    };
    anyhow::anyhow!("{url} does not answer: {error}{hint}")
}

fn tls(access: &Access) -> Result<TlsConfig, UsageError> {
    let mut tls = TlsConfig::builder();
    if let Some(pem) = access.authorities() {
        tls = tls.root_certs(RootCerts::new_with_certs(&certificates("--ca-file", pem)?));
    }
    if let Some((certificate, key)) = access.certificate() {
        let wrong = |error| UsageError(format!("--key-file: {error}"));
        let key = PrivateKey::from_pem(key).map_err(wrong)?;
        let chain = certificates("--cert-file", certificate)?;
        tls = tls.client_cert(Some(ClientCert::new_with_certs(&chain, key)));
    }
    Ok(tls.build())
}

fn certificates(flag: &str, pem: &[u8]) -> Result<Vec<Certificate<'static>>, UsageError> {
    let items = ureq::tls::parse_pem(pem).collect::<Result<Vec<_>, _>>();
    let items = items.map_err(|error| UsageError(format!("{flag}: {error}")))?;
    let certificates = items.into_iter().filter_map(|item| match item {
        PemItem::Certificate(certificate) => Some(certificate),
        _ => None,
    });
    let certificates: Vec<_> = certificates.collect();
    if certificates.is_empty() {
        return Err(UsageError(format!("{flag}: there is no certificate in it")));
    }
    Ok(certificates)
}
