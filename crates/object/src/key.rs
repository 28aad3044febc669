//! The identity of a Kubernetes object.
//!
//! Promise: two requests that name the same object give equal keys, whoever wrote them down.
//! Never here: version and uid. They are attributes of what was seen, not identity.

use std::fmt;

use serde::{Deserialize, Serialize};

/// `(cluster, group, resource, namespace, name)`; empty parts are allowed: the core group, a
/// cluster-scoped object, a collection (no name).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ObjectKey {
    /// Cluster name, lower case, after aliases.
    pub cluster: String,
    /// API group; empty for the core group.
    pub group: String,
    /// Resource, the plural as it stands in a request path (`deployments`).
    pub resource: String,
    /// Namespace; empty for cluster-scoped objects.
    pub namespace: String,
    /// Name; empty for a collection. A request without an object has its URI path here.
    pub name: String,
}

/// The same five parts, borrowed: what the hot path carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyRef<'a> {
    /// See [`ObjectKey::cluster`].
    pub cluster: &'a str,
    /// See [`ObjectKey::group`].
    pub group: &'a str,
    /// See [`ObjectKey::resource`].
    pub resource: &'a str,
    /// See [`ObjectKey::namespace`].
    pub namespace: &'a str,
    /// See [`ObjectKey::name`].
    pub name: &'a str,
}

impl ObjectKey {
    /// The borrowed form.
    pub fn as_ref(&self) -> KeyRef<'_> {
        KeyRef {
            cluster: &self.cluster,
            group: &self.group,
            resource: &self.resource,
            namespace: &self.namespace,
            name: &self.name,
        }
    }
}

impl<'a> KeyRef<'a> {
    /// The parts in the order of identity: cluster, group, resource, namespace, name.
    pub fn parts(&self) -> [&'a str; 5] {
        [self.cluster, self.group, self.resource, self.namespace, self.name]
    }

    /// The owned form.
    pub fn to_owned(&self) -> ObjectKey {
        ObjectKey {
            cluster: self.cluster.to_owned(),
            group: self.group.to_owned(),
            resource: self.resource.to_owned(),
            namespace: self.namespace.to_owned(),
            name: self.name.to_owned(),
        }
    }
}

/// `cluster/resource.group/namespace/name`, for logs and errors; empty parts stay visible.
impl fmt::Display for KeyRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cluster, group, resource, namespace, name } = self;
        if group.is_empty() {
            write!(f, "{cluster}/{resource}/{namespace}/{name}")
        } else {
            write!(f, "{cluster}/{resource}.{group}/{namespace}/{name}")
        }
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_ref().fmt(f)
    }
}
