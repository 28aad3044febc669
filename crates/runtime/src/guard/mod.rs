//! Who may come in through a door: the check in front of a router.
//!
//! Promise: no request gets past that does not show a token or a certificate the door accepts, and
//! one of its tenants where it has some; but health and readiness answer everybody, since those
//! who probe have nothing to show. What a request says about for whom it asks is believed only
//! from those who were named for it.
//! Never here: what somebody may see once inside (everything), and the form of a refusal, which
//! belongs to the protocol behind the door.

mod config;
#[cfg(test)]
mod tests;
mod token;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;

pub use config::{
    ForwardedUserConfig, GuardConfig, GuardConfigError, NamedTokenConfig, TenantsConfig,
};
pub use token::{Presented, TokenError, TokenFile};
pub(crate) use token::{is_token, read_first};

use crate::metrics::{DoorMetrics, RequestRefused};
use crate::serve::Peer;
use crate::tls::ClientCertificate;

/// In a list of names: everybody.
const ANY: &str = "*";
/// What the holder of a certificate without names is called.
const NAMELESS: &str = "";
/// Paths that answer everybody.
const OPEN_PATHS: [&str; 2] = ["/healthz", "/readyz"];
/// Beginning of the paths of the gRPC health service.
const OPEN_SERVICE: &str = "/grpc.health.v1.Health/";
/// Longest name of a user that is taken from a header.
const USER_BYTES_MAX: usize = 256;

/// The checks of a door, ready.
#[derive(Debug)]
pub struct Guard {
    door: &'static str,
    tokens: Vec<(String, TokenFile)>,
    certificates: Vec<String>,
    tenants: Option<Tenants>,
    forwarded: Option<ForwardedUser>,
}

/// Writes a refusal in the form that the asker of this request reads.
pub type Refuse = fn(&Refusal, &Parts) -> Response;

/// Why somebody may not come in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No token and no certificate that the door accepts.
    #[error("{needed} is needed that this door accepts")]
    Unproven {
        /// What would do.
        needed: &'static str,
    },
    /// A certificate of the right authority, but none that was named.
    #[error("this client certificate may not come in")]
    Certificate,
    /// The request names no tenant.
    #[error("the header {header} must name a tenant")]
    NoTenant {
        /// Where it would be named.
        header: HeaderName,
    },
    /// The request names a tenant that may not come in, or several.
    #[error("this tenant may not come in")]
    Tenant,
}

impl Refusal {
    /// 401 where it is not known who asks, 403 where that is known and does not do.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Unproven { .. } | Self::NoTenant { .. } => StatusCode::UNAUTHORIZED,
            Self::Certificate | Self::Tenant => StatusCode::FORBIDDEN,
        }
    }

    /// One word for programs.
    pub fn code(&self) -> &'static str {
        match self.status() {
            StatusCode::UNAUTHORIZED => "unauthenticated",
            _ => "forbidden",
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Unproven { .. } => "unproven",
            Self::Certificate => "certificate",
            Self::NoTenant { .. } => "no_tenant",
            Self::Tenant => "tenant",
        }
    }
}

/// Somebody who may come in.
#[derive(Debug, PartialEq, Eq)]
struct Caller<'a> {
    /// The name of the token or in the certificate; empty where nobody is asked for either.
    name: &'a str,
    tenant: Option<&'a str>,
    /// For whom it asks.
    user: Option<&'a str>,
}

#[derive(Debug)]
struct Tenants {
    header: HeaderName,
    names: Vec<String>,
}

#[derive(Debug)]
struct ForwardedUser {
    header: HeaderName,
    from: Vec<String>,
}

#[derive(Clone)]
struct Gate {
    guard: Arc<Guard>,
    refuse: Refuse,
    metrics: DoorMetrics,
}

impl Guard {
    /// The router behind this guard.
    pub fn wrap(self, router: Router, refuse: Refuse, metrics: DoorMetrics) -> Router {
        let gate = Gate { guard: Arc::new(self), refuse, metrics };
        router.layer(from_fn_with_state(gate, pass))
    }

    fn admit<'a>(&'a self, head: &'a Parts) -> Result<Caller<'a>, Refusal> {
        let name = self.proven(head)?;
        let tenant = self.tenants.as_ref().map(|tenants| tenants.admit(&head.headers));
        let user = self.forwarded.as_ref().and_then(|user| user.of(name, &head.headers));
        Ok(Caller { name, tenant: tenant.transpose()?, user })
    }

    /// The name that was proved.
    fn proven<'a>(&'a self, head: &'a Parts) -> Result<&'a str, Refusal> {
        let presented = Presented::of(&head.headers);
        // Every file is asked, so that the time does not tell which one fits.
        let holder = self.tokens.iter().fold(None, |holder, (name, file)| {
            if file.holds(&presented) { Some(name.as_str()) } else { holder }
        });
        if let Some(name) = holder {
            return Ok(name);
        }
        let peer = head.extensions.get::<Peer>();
        match peer.and_then(|peer| peer.certificate.as_ref()) {
            Some(certificate) => self.proven_by(certificate).ok_or(Refusal::Certificate),
            None if self.tokens.is_empty() && self.certificates.is_empty() => Ok(""),
            None => Err(Refusal::Unproven { needed: self.needed() }),
        }
    }

    fn proven_by<'a>(&self, certificate: &'a ClientCertificate) -> Option<&'a str> {
        let named = certificate.names().iter().find(|name| is_named(&self.certificates, name));
        let nameless = || is_named(&self.certificates, NAMELESS).then_some(NAMELESS);
        named.map(String::as_str).or_else(nameless)
    }

    fn needed(&self) -> &'static str {
        match (self.tokens.is_empty(), self.certificates.is_empty()) {
            (false, true) => "a bearer token",
            (true, _) => "a client certificate",
            (false, false) => "a bearer token or a client certificate",
        }
    }
}

impl Tenants {
    fn admit<'a>(&self, headers: &'a HeaderMap) -> Result<&'a str, Refusal> {
        let mut named = headers.get_all(&self.header).iter();
        let Some(first) = named.next().filter(|value| !value.is_empty()) else {
            return Err(Refusal::NoTenant { header: self.header.clone() });
        };
        let tenant = first.to_str().ok().filter(|_| named.next().is_none());
        tenant.filter(|tenant| self.names.iter().any(|name| name == tenant)).ok_or(Refusal::Tenant)
    }
}

impl ForwardedUser {
    fn of<'a>(&self, caller: &str, headers: &'a HeaderMap) -> Option<&'a str> {
        let user = headers.get(&self.header)?.to_str().ok()?;
        (is_named(&self.from, caller) && user.len() <= USER_BYTES_MAX).then_some(user)
    }
}

fn is_named(names: &[String], name: &str) -> bool {
    names.iter().any(|one| one == ANY || one == name)
}

fn is_open(path: &str) -> bool {
    OPEN_PATHS.contains(&path) || path.starts_with(OPEN_SERVICE)
}

async fn pass(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    if is_open(request.uri().path()) {
        return next.run(request).await;
    }
    let (head, body) = request.into_parts();
    match gate.guard.admit(&head) {
        Ok(Caller { name, tenant, user }) => {
            let question = head.uri.path_and_query().map_or("", |text| text.as_str());
            let door = gate.guard.door;
            tracing::debug!(target: "access", door, caller = name, tenant, user, question, "asked");
        }
        Err(refusal) => {
            let reason = refusal.reason();
            RequestRefused { door: gate.guard.door, reason }.emit(&gate.metrics);
            return (gate.refuse)(&refusal, &head);
        }
    }
    next.run(Request::from_parts(head, body)).await
}
