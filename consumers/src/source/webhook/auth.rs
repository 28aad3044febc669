//! Who may send audit events of which cluster.
//!
//! Promise: each token and each certificate is good for the cluster it is bound to, and for no
//! other. Never here: how tokens are read, kept and compared (`kausal_runtime::guard`).

use std::path::PathBuf;

use axum::http::HeaderMap;
use kausal_runtime::guard::{Presented, TokenError, TokenFile};
use kausal_runtime::reload::Reloader;
use kausal_runtime::tls::ClientCertificate;
use serde::{Deserialize, Serialize};

use crate::cluster::{ClusterName, ClusterNameError, Clusters};

/// A bearer token and the cluster whose events it may send.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenConfig {
    /// The cluster, or `*` for every cluster.
    pub cluster: String,
    /// File that holds the token; several lines are several tokens that are good.
    pub token_file: PathBuf,
}

/// A client certificate and the cluster whose events it may send.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateConfig {
    /// The cluster, or `*` for every cluster.
    pub cluster: String,
    /// A name in the certificate: common name, DNS name or URI.
    pub name: String,
}

/// Why a token or a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SenderError {
    /// The cluster it is bound to has no usable name.
    #[error(transparent)]
    Cluster(#[from] ClusterNameError),
    /// The token's file cannot be used.
    #[error(transparent)]
    Token(#[from] TokenError),
}

/// What a request may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Send events of this cluster.
    Granted,
    /// Nothing: it showed nothing, or nothing of ours.
    Unknown,
    /// Nothing for this cluster: what it showed is bound to another.
    OtherCluster,
}

/// Those who may send.
#[derive(Clone, Debug)]
pub(super) enum Senders {
    /// Nobody is asked.
    Open,
    /// What must be shown for a cluster; `None` for every cluster.
    Bound(Vec<(Proof, Option<ClusterName>)>),
}

#[derive(Clone, Debug)]
pub(super) enum Proof {
    Token(TokenFile),
    Certificate(String),
}

impl Proof {
    fn is_shown(&self, presented: &Presented, certificate: Option<&ClientCertificate>) -> bool {
        match self {
            Self::Token(file) => file.holds(presented),
            Self::Certificate(name) => {
                certificate.is_some_and(|shown| shown.names().contains(name))
            }
        }
    }
}

impl Senders {
    /// Reads the token files.
    pub(super) fn load(
        tokens: &[TokenConfig],
        certificates: &[CertificateConfig],
        clusters: &Clusters,
        reloader: &mut Reloader,
    ) -> Result<Self, SenderError> {
        let mut bound = Vec::new();
        for TokenConfig { cluster, token_file } in tokens {
            let token = TokenFile::open(token_file, reloader)?;
            bound.push((Proof::Token(token), bound_to(cluster, clusters)?));
        }
        for CertificateConfig { cluster, name } in certificates {
            bound.push((Proof::Certificate(name.clone()), bound_to(cluster, clusters)?));
        }
        Ok(Self::Bound(bound))
    }

    /// What may be done for `cluster` by whoever sent these headers over a connection that showed
    /// this certificate.
    pub(super) fn check(
        &self,
        headers: &HeaderMap,
        certificate: Option<&ClientCertificate>,
        cluster: &ClusterName,
    ) -> Access {
        let Self::Bound(bound) = self else { return Access::Granted };
        let presented = Presented::of(headers);
        let mut access = Access::Unknown;
        // Each is looked at, so that the time does not tell which one fits.
        for (proof, bound_to) in bound {
            let is_shown = proof.is_shown(&presented, certificate);
            let fits = bound_to.as_ref().is_none_or(|bound_to| bound_to == cluster);
            access = match (is_shown, fits, access) {
                (false, _, access) => access,
                (true, true, _) | (true, false, Access::Granted) => Access::Granted,
                (true, false, _) => Access::OtherCluster,
            };
        }
        access
    }
}

fn bound_to(cluster: &str, clusters: &Clusters) -> Result<Option<ClusterName>, ClusterNameError> {
    match cluster {
        "*" => Ok(None),
        name => clusters.resolve(name).map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EAST: &str = "east-token-0123456789";
    const ANY: &str = "any-token-0123456789";

    #[test]
    fn a_token_opens_its_own_cluster() {
        let dir = tempfile::tempdir().unwrap();
        let tokens = [("East", EAST), ("*", ANY)].map(|(cluster, token)| {
            let token_file = dir.path().join(token);
            std::fs::write(&token_file, token).unwrap();
            TokenConfig { cluster: cluster.to_owned(), token_file }
        });
        let clusters = Clusters::default();
        let senders = Senders::load(&tokens, &[], &clusters, &mut Reloader::default()).unwrap();
        let check = |tokens: &[&str], cluster: &str, expect| {
            let mut headers = HeaderMap::new();
            for token in tokens {
                headers.append("authorization", format!("Bearer {token}").parse().unwrap());
            }
            let cluster = ClusterName::new(cluster).unwrap();
            assert_eq!(senders.check(&headers, None, &cluster), expect, "{tokens:?} {cluster}");
        };
        check(&[EAST], "east", Access::Granted);
        check(&[EAST], "EAST", Access::Granted);
        check(&[EAST], "west", Access::OtherCluster);
        check(&[ANY], "west", Access::Granted);
        check(&[ANY, EAST], "west", Access::Granted);
        check(&[], "east", Access::Unknown);
        check(&["other-token-0123456789"], "east", Access::Unknown);
    }

    #[test]
    fn what_cannot_be_bound_is_named() {
        let check = |tokens: &[TokenConfig], certificates: &[CertificateConfig], says: &str| {
            let clusters = Clusters::default();
            let reloader = &mut Reloader::default();
            let error = Senders::load(tokens, certificates, &clusters, reloader).unwrap_err();
            assert!(error.to_string().contains(says), "{error}");
        };
        let (cluster, token_file) = ("*".to_owned(), "/nowhere/token".into());
        check(&[TokenConfig { cluster, token_file }], &[], "/nowhere/token");
        let (cluster, name) = ("not a name".to_owned(), "apiserver".to_owned());
        check(&[], &[CertificateConfig { cluster, name }], "not a name");
    }
}
