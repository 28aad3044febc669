//! A small JSON client: what tests ask of the API server, of Jaeger and of ourselves.
//!
//! Promise: an answer is an answer whatever its status; [`Answer::ok`] is for those who need success.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use ureq::Agent;
use ureq::http::{Method, Request, Response};
use ureq::tls::{
    Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, TlsConfigBuilder,
};

use crate::authority::Signed;

/// One request may take this long; only a server that hangs takes longer.
const REQUEST_LIMIT: Duration = Duration::from_mins(1);
/// The largest answer read.
const ANSWER_BYTES_MAX: u64 = 256 << 20;

/// A client of one server, as one user.
#[derive(Clone, Debug)]
pub struct Client {
    agent: Agent,
    base: String,
    token: Option<String>,
}

/// What a patch is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchKind {
    /// RFC 7386.
    Merge,
    /// Kubernetes' own, with lists merged by key.
    Strategic,
    /// Server-side apply.
    Apply,
}

impl PatchKind {
    fn content_type(self) -> &'static str {
        match self {
            Self::Merge => "application/merge-patch+json",
            Self::Strategic => "application/strategic-merge-patch+json",
            Self::Apply => "application/apply-patch+yaml",
        }
    }
}

/// What a server answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The `Audit-Id` header: what the API server's audit log calls this request.
    pub audit_id: Option<String>,
    /// The body as text.
    pub text: String,
}

impl Answer {
    /// The body, which must be JSON.
    ///
    /// # Panics
    /// If it is not.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text)
            .unwrap_or_else(|error| panic!("no JSON ({error}): {} {}", self.status, self.text))
    }

    /// Whether the status is a success.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// This answer, which must be a success.
    ///
    /// # Panics
    /// If it is not.
    #[must_use]
    pub fn ok(self) -> Self {
        assert!(self.is_success(), "status {}: {}", self.status, self.text);
        self
    }
}

impl Client {
    /// Plain HTTP.
    pub fn http(address: SocketAddr) -> Self {
        Self::with(TlsConfig::builder().build(), format!("http://{address}"))
    }

    /// HTTPS with a server that shows a certificate made from one of these; `None` while there are none.
    pub fn https(address: SocketAddr, authorities_pem: &[u8]) -> Option<Self> {
        let tls = trusting(authorities_pem)?.build();
        Some(Self::with(tls, format!("https://{address}")))
    }

    /// The same, showing a certificate; `None` also where there is none to show.
    pub fn https_showing(
        address: SocketAddr,
        authorities_pem: &[u8],
        shown: &Signed,
    ) -> Option<Self> {
        let key = PrivateKey::from_pem(shown.key_pem.as_bytes()).ok()?;
        let shown = ClientCert::new_with_certs(&certificates(shown.pem.as_bytes()), key);
        let tls = trusting(authorities_pem)?.client_cert(Some(shown)).build();
        Some(Self::with(tls, format!("https://{address}")))
    }

    /// HTTPS without looking at the certificate: for probes of servers that make up their own.
    pub fn https_unverified(address: SocketAddr) -> Self {
        let tls = TlsConfig::builder().disable_verification(true).build();
        Self::with(tls, format!("https://{address}"))
    }

    fn with(tls: TlsConfig, base: String) -> Self {
        let agent = Agent::config_builder()
            .tls_config(tls)
            .proxy(None)
            .http_status_as_error(false)
            .timeout_global(Some(REQUEST_LIMIT))
            .build()
            .new_agent();
        Self { agent, base, token: None }
    }

    /// The same, with this bearer token.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// GET.
    ///
    /// # Panics
    /// If no answer comes, as with the others below.
    pub fn get(&self, path: &str) -> Answer {
        self.try_get(path).unwrap_or_else(|| panic!("no answer from {}{path}", self.base))
    }

    /// GET from a server that may not be there.
    pub fn try_get(&self, path: &str) -> Option<Answer> {
        self.try_send(Method::GET, path, "application/json", "").ok()
    }

    /// POST of JSON.
    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, "application/json", &body.to_string())
    }

    /// POST of text that is JSON already, to a server that may not be there.
    pub fn try_post_text(&self, path: &str, body: &str) -> Option<Answer> {
        self.try_send(Method::POST, path, "application/json", body).ok()
    }

    /// PUT of JSON.
    pub fn put(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::PUT, path, "application/json", &body.to_string())
    }

    /// PATCH.
    pub fn patch(&self, path: &str, kind: PatchKind, body: &Value) -> Answer {
        self.send(Method::PATCH, path, kind.content_type(), &body.to_string())
    }

    /// DELETE; options go into the query.
    pub fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, "application/json", "")
    }

    fn send(&self, method: Method, path: &str, content_type: &str, body: &str) -> Answer {
        self.try_send(method, path, content_type, body)
            .unwrap_or_else(|error| panic!("no answer from {}{path}: {error}", self.base))
    }

    fn try_send(
        &self,
        method: Method,
        path: &str,
        content_type: &str,
        body: &str,
    ) -> Result<Answer, ureq::Error> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        if body.is_empty() {
            return read(self.agent.run(request.body(())?)?);
        }
        let request = request.header("Content-Type", content_type);
        read(self.agent.run(request.body(body.to_owned())?)?)
    }
}

fn trusting(authorities_pem: &[u8]) -> Option<TlsConfigBuilder> {
    let authorities = certificates(authorities_pem);
    let roots = RootCerts::new_with_certs(&authorities);
    (!authorities.is_empty()).then(|| TlsConfig::builder().root_certs(roots))
}

fn certificates(pem: &[u8]) -> Vec<Certificate<'static>> {
    let certificate = |item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        _ => None,
    };
    ureq::tls::parse_pem(pem).filter_map(certificate).collect()
}

fn read(mut response: Response<ureq::Body>) -> Result<Answer, ureq::Error> {
    let audit_id = response.headers().get("Audit-Id").and_then(|id| id.to_str().ok());
    let audit_id = audit_id.map(str::to_owned);
    let status = response.status().as_u16();
    let text = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_string()?;
    Ok(Answer { status, audit_id, text })
}
