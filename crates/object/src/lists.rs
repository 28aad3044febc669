//! What tells the elements of Kubernetes lists apart.
//!
//! Promise: one table for diffs and for the paths of fingerprints, so that an element keeps its
//! name when its position changes.

use crate::json;

/// How one list is read. Lists are known by the name of their field: the same field name means
/// the same thing all over the built-in API, and custom resources that embed pods keep the names.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ListRule {
    /// Name of the field that holds the list.
    pub(crate) field: &'static str,
    /// Members that together name an element; the first alternative that an element has.
    pub(crate) keys: &'static [&'static [&'static str]],
    /// Whether the order of the elements means something.
    pub(crate) ordered: bool,
}

const fn by(field: &'static str, keys: &'static [&'static [&'static str]]) -> ListRule {
    ListRule { field, keys, ordered: false }
}

const fn ordered(field: &'static str, keys: &'static [&'static [&'static str]]) -> ListRule {
    ListRule { field, keys, ordered: true }
}

const NAME: &[&[&str]] = &[&["name"]];
const TYPE: &[&[&str]] = &[&["type"]];

/// Merge keys as the API's own `patchMergeKey` and `x-kubernetes-list-map-keys` have them, with
/// the full key where the short one does not tell elements apart.
pub(crate) const LISTS: &[ListRule] = &[
    by("allocatedResourcesStatus", NAME),
    by("addresses", &[&["type", "address"], &["ip"]]),
    by("conditions", TYPE),
    by("configs", NAME),
    by("containerStatuses", NAME),
    by("containers", NAME),
    by("deletedPods", NAME),
    ordered("env", NAME),
    by("ephemeralContainerStatuses", NAME),
    by("ephemeralContainers", NAME),
    by("hostAliases", &[&["ip"]]),
    by("httpHeaders", NAME),
    by("imagePullSecrets", NAME),
    by("initContainerStatuses", NAME),
    ordered("initContainers", NAME),
    by("matchConditions", NAME),
    by("metrics", TYPE),
    by("options", NAME),
    by("ownerReferences", &[&["uid"]]),
    by("parameters", NAME),
    by("podIPs", &[&["ip"]]),
    by("hostIPs", &[&["ip"]]),
    by(
        "ports",
        &[
            &["containerPort", "protocol"],
            &["port", "protocol"],
            &["port"],
            &["containerPort"],
            &["name"],
        ],
    ),
    by("readinessGates", &[&["conditionType"]]),
    by("requests", NAME),
    by("resourceClaimStatuses", NAME),
    by("resourceClaims", NAME),
    by("schedulingGates", NAME),
    by("secrets", NAME),
    by("subjects", &[&["kind", "namespace", "name"], &["kind", "name"]]),
    by("sysctls", NAME),
    by("taints", &[&["key", "effect"]]),
    by(
        "tolerations",
        &[
            &["key", "operator", "value", "effect"],
            &["key", "operator", "effect"],
            &["key", "operator"],
            &["operator"],
        ],
    ),
    by("topologySpreadConstraints", &[&["topologyKey", "whenUnsatisfiable"]]),
    by("validations", &[&["expression"]]),
    by("variables", NAME),
    by("versions", NAME),
    by("volumeClaimTemplates", &[&["metadata.name"]]),
    by("volumeDevices", &[&["devicePath"]]),
    by("volumeMounts", &[&["mountPath"]]),
    by("volumes", NAME),
    by("volumesAttached", NAME),
    by("webhooks", NAME),
];

/// Lists of scalars that are sets: a value is in it or not.
pub(crate) const SETS: &[&str] = &[
    "accessModes",
    "apiGroups",
    "apiVersions",
    "categories",
    "finalizers",
    "groups",
    "namespaces",
    "nonResourceURLs",
    "operations",
    "policyTypes",
    "podCIDRs",
    "resourceNames",
    "resources",
    "shortNames",
    "verbs",
    "volumesInUse",
];

/// The rule of the list in a field of this name. `$setElementOrder/…` of a strategic merge patch
/// holds the same elements.
pub(crate) fn rule(field: &str) -> Option<&'static ListRule> {
    let field = field.strip_prefix("$setElementOrder/").unwrap_or(field);
    LISTS.iter().find(|rule| rule.field == field)
}

impl ListRule {
    /// The name of an element, given a way to read one of its scalar members as text.
    pub(crate) fn label(&self, mut member: impl FnMut(&str) -> Option<String>) -> Option<String> {
        self.keys.iter().find_map(|names| {
            let parts: Option<Vec<String>> = names.iter().map(|name| member(name)).collect();
            parts.map(|parts| parts.join("/"))
        })
    }
}

/// The name of an element as it stands in JSON text, by the rule of its list.
pub(crate) fn label_in_text(field: &str, element: &str) -> Option<String> {
    rule(field)?.label(|name| scalar_at(element, name))
}

/// Text of the scalar at a dotted path of an object.
fn scalar_at(object: &str, path: &str) -> Option<String> {
    let mut value = object;
    for name in path.split('.') {
        value = json::members(value).map_while(Result::ok).find(|member| member.is(name))?.value;
    }
    match value.as_bytes().first()? {
        b'"' => json::string(value).map(std::borrow::Cow::into_owned),
        b'{' | b'[' => None,
        _ => Some(value.to_owned()),
    }
}
