//! Who may send audit events of which cluster.
//!
//! Promise: tokens are compared in constant time, as hashes, so neither their length nor a common
//! beginning shows. Never here: a token in a log or an error.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::cluster::{ClusterName, ClusterNameError, Clusters};

/// Longest token.
const TOKEN_BYTES_MAX: u64 = 4_096;
/// Shortest token: 16 bytes cannot be guessed over a network if they are random.
const TOKEN_BYTES_MIN: usize = 16;

/// A bearer token and the cluster whose events it may send.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenConfig {
    /// The cluster, or `*` for every cluster.
    pub cluster: String,
    /// File that holds the token; white space around it does not belong to it.
    pub token_file: PathBuf,
}

/// Why a token cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The cluster it is bound to has no usable name.
    #[error(transparent)]
    Cluster(#[from] ClusterNameError),
    /// Its file cannot be read.
    #[error("token file {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is too short, too long, or no printable ASCII without spaces.
    #[error(
        "token file {}: a token is {TOKEN_BYTES_MIN} to {TOKEN_BYTES_MAX} printable ASCII characters without spaces",
        path.display()
    )]
    Unusable {
        /// The file.
        path: PathBuf,
    },
}

/// What a request may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Send events of this cluster.
    Granted,
    /// Nothing: it brought no token, or none of ours.
    Unknown,
    /// Nothing for this cluster: its token is bound to another.
    OtherCluster,
}

/// The tokens that are accepted.
#[derive(Clone, Debug)]
pub(super) enum Tokens {
    /// Nobody is asked.
    Open,
    /// Hash of each token and the cluster it is bound to; `None` for every cluster.
    Bound(Vec<(blake3::Hash, Option<ClusterName>)>),
}

impl TokenConfig {
    fn load(&self, clusters: &Clusters) -> Result<(blake3::Hash, Option<ClusterName>), TokenError> {
        let cluster = match self.cluster.as_str() {
            "*" => None,
            name => Some(clusters.resolve(name)?),
        };
        let path = &self.token_file;
        let read = |source| TokenError::Read { path: path.clone(), source };
        if std::fs::metadata(path).map_err(read)?.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::Unusable { path: path.clone() });
        }
        let text = std::fs::read(path).map_err(read)?;
        let token = text.trim_ascii();
        if token.len() < TOKEN_BYTES_MIN || !token.iter().all(u8::is_ascii_graphic) {
            return Err(TokenError::Unusable { path: path.clone() });
        }
        Ok((blake3::hash(token), cluster))
    }
}

impl Tokens {
    /// Reads the token files.
    pub(super) fn load(list: &[TokenConfig], clusters: &Clusters) -> Result<Self, TokenError> {
        list.iter().map(|token| token.load(clusters)).collect::<Result<_, _>>().map(Self::Bound)
    }

    /// What the holder of `authorization` (the header's value) may do for `cluster`.
    pub(super) fn check(&self, authorization: Option<&[u8]>, cluster: &ClusterName) -> Access {
        let Self::Bound(tokens) = self else { return Access::Granted };
        let Some(token) = authorization.and_then(bearer) else { return Access::Unknown };
        let given = blake3::hash(token);
        let mut access = Access::Unknown;
        for (hash, bound_to) in tokens {
            let is_this = *hash == given;
            let fits = bound_to.as_ref().is_none_or(|bound_to| bound_to == cluster);
            access = match (is_this, fits, access) {
                (false, _, access) => access,
                (true, true, _) | (true, false, Access::Granted) => Access::Granted,
                (true, false, _) => Access::OtherCluster,
            };
        }
        access
    }
}

fn bearer(header: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = header.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    const EAST: &str = "east-token-0123456789";
    const ANY: &str = "any-token-0123456789";

    fn tokens() -> Tokens {
        let dir = tempfile::tempdir().unwrap();
        let config = [("East", EAST), ("*", ANY)].map(|(cluster, token)| {
            let token_file = dir.path().join(token);
            std::fs::write(&token_file, format!("{token}\n")).unwrap();
            TokenConfig { cluster: cluster.to_owned(), token_file }
        });
        Tokens::load(&config, &Clusters::default()).unwrap()
    }

    #[test]
    fn a_token_opens_its_own_cluster() {
        let tokens = tokens();
        let check = |header: Option<&str>, cluster: &str, expect| {
            let cluster = ClusterName::new(cluster).unwrap();
            let access = tokens.check(header.map(str::as_bytes), &cluster);
            assert_eq!(access, expect, "{header:?} {cluster}");
        };
        check(Some(&format!("Bearer {EAST}")), "east", Access::Granted);
        check(Some(&format!("bearer  {EAST} ")), "EAST", Access::Granted);
        check(Some(&format!("Bearer {EAST}")), "west", Access::OtherCluster);
        check(Some(&format!("Bearer {ANY}")), "west", Access::Granted);
        for bad in [None, Some(""), Some("Bearer"), Some("Bearer "), Some("Basic abc"), Some(EAST)]
        {
            check(bad, "east", Access::Unknown);
        }
        check(Some(&format!("Bearer {EAST}x")), "east", Access::Unknown);
    }

    #[test]
    fn unusable_files_are_named() {
        let dir = tempfile::tempdir().unwrap();
        for (name, content) in [("short", "abc"), ("inner", "0123456789 0123456789"), ("empty", "")]
        {
            let token_file = dir.path().join(name);
            std::fs::write(&token_file, content).unwrap();
            let config = [TokenConfig { cluster: "*".to_owned(), token_file }];
            let error = Tokens::load(&config, &Clusters::default()).unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        }
        let token_file = dir.path().join("missing");
        let config = [TokenConfig { cluster: "*".to_owned(), token_file }];
        let error = Tokens::load(&config, &Clusters::default()).unwrap_err().to_string();
        assert!(error.contains("missing"), "{error}");
    }
}
