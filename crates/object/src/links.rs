//! What a body says of other objects: its owners, and the config maps and secrets it uses.
//!
//! Promise: links follow from rules that are data, below. Each is given once.
//! Never here: whether the body is a state of the object (see [`crate::is_own_kind`]).

use std::borrow::Cow;

/// What the other object is to this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// The other stands above: an owner.
    Parent,
    /// The other stands below or is used.
    Child,
}

impl Role {
    /// `parent` or `child`, as stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Parent => "parent",
            Self::Child => "child",
        }
    }
}

/// One relation of an object to another in the same cluster.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Link<'a> {
    /// API group of the other.
    pub group: Cow<'a, str>,
    /// Resource of the other; by [`crate::kinds::plural`] where only its kind is known.
    pub resource: Cow<'a, str>,
    /// Namespace of the other; empty for cluster-scoped built-in kinds.
    pub namespace: Cow<'a, str>,
    /// Name of the other.
    pub name: Cow<'a, str>,
    /// Uid of the other; empty where the body does not say it.
    pub uid: Cow<'a, str>,
    /// Kind of the other.
    pub kind: Cow<'a, str>,
    /// API version of the other; empty where the body does not say it.
    pub api_version: Cow<'a, str>,
    /// What the other is to this object.
    pub role: Role,
    /// Which rule said so: `owner`, `configmap`, `secret`.
    pub class: &'static str,
}

/// What a reference by name points to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    ConfigMap,
    Secret,
}

impl Target {
    pub(crate) fn link<'a>(self, namespace: Cow<'a, str>, name: Cow<'a, str>) -> Link<'a> {
        let (resource, kind, class) = match self {
            Self::ConfigMap => ("configmaps", "ConfigMap", "configmap"),
            Self::Secret => ("secrets", "Secret", "secret"),
        };
        Link {
            group: Cow::Borrowed(""),
            resource: Cow::Borrowed(resource),
            namespace,
            name,
            uid: Cow::Borrowed(""),
            kind: Cow::Borrowed(kind),
            api_version: Cow::Borrowed("v1"),
            role: Role::Child,
            class,
        }
    }
}

/// Kinds that hold a pod spec, and where.
pub(crate) const POD_SPECS: &[(&str, &str)] = &[
    ("Pod", "spec"),
    ("Deployment", "spec.template.spec"),
    ("ReplicaSet", "spec.template.spec"),
    ("StatefulSet", "spec.template.spec"),
    ("DaemonSet", "spec.template.spec"),
    ("Job", "spec.template.spec"),
    ("ReplicationController", "spec.template.spec"),
    ("CronJob", "spec.jobTemplate.spec.template.spec"),
    ("PodTemplate", "template.spec"),
];

/// References of a pod spec: a path below it, `*` for each element of a list.
pub(crate) const POD_REFERENCES: &[(&str, Target)] = &[
    ("volumes.*.configMap.name", Target::ConfigMap),
    ("volumes.*.secret.secretName", Target::Secret),
    ("volumes.*.projected.sources.*.configMap.name", Target::ConfigMap),
    ("volumes.*.projected.sources.*.secret.name", Target::Secret),
    ("volumes.*.azureFile.secretName", Target::Secret),
    ("volumes.*.cephfs.secretRef.name", Target::Secret),
    ("volumes.*.cinder.secretRef.name", Target::Secret),
    ("volumes.*.csi.nodePublishSecretRef.name", Target::Secret),
    ("volumes.*.flexVolume.secretRef.name", Target::Secret),
    ("volumes.*.iscsi.secretRef.name", Target::Secret),
    ("volumes.*.rbd.secretRef.name", Target::Secret),
    ("volumes.*.scaleIO.secretRef.name", Target::Secret),
    ("volumes.*.storageos.secretRef.name", Target::Secret),
    ("containers.*.env.*.valueFrom.configMapKeyRef.name", Target::ConfigMap),
    ("containers.*.env.*.valueFrom.secretKeyRef.name", Target::Secret),
    ("containers.*.envFrom.*.configMapRef.name", Target::ConfigMap),
    ("containers.*.envFrom.*.secretRef.name", Target::Secret),
    ("initContainers.*.env.*.valueFrom.configMapKeyRef.name", Target::ConfigMap),
    ("initContainers.*.env.*.valueFrom.secretKeyRef.name", Target::Secret),
    ("initContainers.*.envFrom.*.configMapRef.name", Target::ConfigMap),
    ("initContainers.*.envFrom.*.secretRef.name", Target::Secret),
    ("ephemeralContainers.*.env.*.valueFrom.configMapKeyRef.name", Target::ConfigMap),
    ("ephemeralContainers.*.env.*.valueFrom.secretKeyRef.name", Target::Secret),
    ("ephemeralContainers.*.envFrom.*.configMapRef.name", Target::ConfigMap),
    ("ephemeralContainers.*.envFrom.*.secretRef.name", Target::Secret),
    ("imagePullSecrets.*.name", Target::Secret),
];

/// References of other kinds: kind, path from its root, target.
pub(crate) const OTHER_REFERENCES: &[(&str, &str, Target)] = &[
    ("Ingress", "spec.tls.*.secretName", Target::Secret),
    ("ServiceAccount", "secrets.*.name", Target::Secret),
    ("ServiceAccount", "imagePullSecrets.*.name", Target::Secret),
];
