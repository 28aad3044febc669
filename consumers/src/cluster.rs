//! Names of clusters: what a source calls them, and what they are called in keys.
//!
//! Promise: one cluster has one name in every key, however sources write it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Longest cluster name, as for a DNS name.
pub const CLUSTER_NAME_BYTES_MAX: usize = 253;

/// How clusters are named.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClustersConfig {
    /// Other names of a cluster, each with the name it has in keys: `{TEST-AKS-1: test}`. Upper and
    /// lower case are the same on both sides.
    pub aliases: BTreeMap<String, String>,
}

/// A cluster's name as it stands in keys: lower case, `a-z 0-9 . _ -`, at most
/// [`CLUSTER_NAME_BYTES_MAX`] bytes, first and last a letter or digit.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClusterName(Arc<str>);

/// Why a text names no cluster.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "cluster name {given:?} is not usable: 1 to {CLUSTER_NAME_BYTES_MAX} of a-z, 0-9, '.', '_' and '-', beginning and ending with a letter or digit"
)]
pub struct ClusterNameError {
    /// What was given, cut to a printable length.
    pub given: String,
}

/// The validated aliases.
#[derive(Clone, Debug, Default)]
pub struct Clusters {
    aliases: BTreeMap<String, ClusterName>,
}

impl ClusterName {
    /// Lower-cases and checks a name.
    pub fn new(name: &str) -> Result<Self, ClusterNameError> {
        let usable = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        let bytes = name.as_bytes();
        let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else {
            return Err(ClusterNameError { given: String::new() });
        };
        let ends = first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric();
        if !ends || bytes.len() > CLUSTER_NAME_BYTES_MAX || !bytes.iter().all(|b| usable(*b)) {
            return Err(ClusterNameError { given: name.chars().take(64).collect() });
        }
        Ok(Self(name.to_ascii_lowercase().into()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClusterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl ClustersConfig {
    /// Checks every name on both sides.
    pub fn validate(self) -> Result<Clusters, ClusterNameError> {
        let checked = |(alias, name): (String, String)| {
            Ok((ClusterName::new(&alias)?.as_str().to_owned(), ClusterName::new(&name)?))
        };
        Ok(Clusters { aliases: self.aliases.into_iter().map(checked).collect::<Result<_, _>>()? })
    }
}

impl Clusters {
    /// The name in keys of what a source calls `name`.
    pub fn resolve(&self, name: &str) -> Result<ClusterName, ClusterNameError> {
        let name = ClusterName::new(name)?;
        Ok(self.aliases.get(name.as_str()).cloned().unwrap_or(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(given: &str, expect: Option<&str>) {
        let aliases = [("TEST-AKS-1", "test"), ("old.name", "New")];
        let aliases = aliases.map(|(alias, name)| (alias.to_owned(), name.to_owned())).into();
        let clusters = ClustersConfig { aliases }.validate().unwrap();
        let name = clusters.resolve(given).ok();
        assert_eq!(name.as_ref().map(ClusterName::as_str), expect, "{given}");
    }

    #[test]
    fn lower_cases_maps_and_refuses() {
        check("prod", Some("prod"));
        check("PROD.eu-1_a", Some("prod.eu-1_a"));
        check("test-aks-1", Some("test"));
        check("Old.Name", Some("new"));
        check("a", Some("a"));
        check(&"a".repeat(253), Some(&"a".repeat(253)));
        check(&"a".repeat(254), None);
        for bad in ["", "-a", "a.", "a b", "a/b", "é", "a\n", ".."] {
            check(bad, None);
        }
    }

    #[test]
    fn a_bad_alias_is_named() {
        let aliases = [("fine".to_owned(), "not fine".to_owned())].into();
        let error = ClustersConfig { aliases }.validate().unwrap_err();
        assert!(error.to_string().contains("not fine"), "{error}");
    }
}
