//! What is secret, as data.
//!
//! **Invariant:** rules are only added. What a rule covers was promised to be covered.

/// How much of a value is secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secret {
    /// All of it.
    Value,
    /// Of a list of program arguments: all but the program's name.
    Arguments,
}

/// A secret that is known by its place in a body of one kind.
#[derive(Clone, Copy, Debug)]
pub struct SecretPath {
    /// Kind of the body.
    pub kind: &'static str,
    /// Resource and subresource whose bodies are treated as this kind, whatever they say they are.
    pub request: (&'static str, &'static str),
    /// Path of the value.
    pub path: &'static str,
    /// How much of it.
    pub secret: Secret,
}

impl SecretPath {
    /// Whether bodies of this request fall under the rule.
    pub(crate) fn answers(&self, resource: &str, subresource: &str) -> bool {
        self.request == (resource, subresource)
    }
}

/// Secrets by place, beside those of `Secret` objects.
pub const SECRET_PATHS: &[SecretPath] = &[
    SecretPath {
        kind: "TokenReview",
        request: ("tokenreviews", ""),
        path: "spec.token",
        secret: Secret::Value,
    },
    SecretPath {
        kind: "TokenRequest",
        request: ("serviceaccounts", "token"),
        path: "status.token",
        secret: Secret::Value,
    },
    SecretPath {
        kind: "PodExecOptions",
        request: ("pods", "exec"),
        path: "command",
        secret: Secret::Arguments,
    },
    SecretPath {
        kind: "OAuthClient",
        request: ("oauthclients", ""),
        path: "secret",
        secret: Secret::Value,
    },
    SecretPath {
        kind: "OAuthClient",
        request: ("oauthclients", ""),
        path: "additionalSecrets",
        secret: Secret::Value,
    },
];

/// Members of a `Secret` that are no secret; every other value in it is.
pub const SECRET_PLAIN_MEMBERS: &[&str] = &["apiVersion", "kind", "type", "immutable"];

/// Members of a `Secret`, wherever one is embedded, whose values are secret.
pub const SECRET_DATA_MEMBERS: &[&str] = &["data", "stringData"];

/// Keys that are cut with their value wherever they stand: whole copies of an object, made by
/// tools, with all its secrets. A key is cut if it ends like one of these.
pub const COPY_KEYS: &[&str] = &[
    "last-applied-configuration",
    "/last-handled-configuration",
    "kapp.k14s.io/original",
    "banzaicloud.com/last-applied",
    "objectset.rio.cattle.io/applied",
];

/// Words in the `name` of a `{name, value}` pair that make its `value` a secret. Compared without
/// regard to case and to `_`, `-`, `.` and space.
pub const SECRET_WORDS: &[&str] = &[
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "SECRET",
    "TOKEN",
    "APIKEY",
    "ACCESSKEY",
    "ACCOUNTKEY",
    "PRIVATEKEY",
    "SIGNINGKEY",
    "ENCRYPTIONKEY",
    "MASTERKEY",
    "SSHKEY",
    "CREDENTIAL",
    "AUTHORIZATION",
    "CONNECTIONSTRING",
    "BEARER",
    "COOKIE",
];

/// Whole words at the end of such a name: `DB_PASS`, but not `BYPASS` or `OLDPWD`.
pub const SECRET_ENDINGS: &[&str] = &["PASS", "PWD", "DSN", "AUTH"];

/// What the apiserver writes before a value in an error message.
/// Each ends with [`VALUE_LABEL_END`].
pub const VALUE_LABELS: &[&str] = &["Invalid value:", "Unsupported value:", "Duplicate value:"];

/// What [`VALUE_LABELS`] have in common.
pub const VALUE_LABEL_END: &str = "value:";

/// Where the apiserver prints whole structures, or what stood around a fault in a body, without an
/// end that could be found: from the word that holds one of these, the rest of the message goes.
/// All end with `{` or `|`.
pub const DUMPS: &[&str] = &["Spec{", "Container{", "EnvVar{", "'{", "...|"];

/// Members whose text is searched for [`VALUE_LABELS`].
pub const MESSAGE_MEMBERS: &[&str] = &["message", "note"];

/// Whether the name of a `{name, value}` pair, or of a query parameter, makes its value a secret.
pub fn is_secret_name(name: &str) -> bool {
    let is_gap = |c: char| matches!(c, '_' | '-' | '.' | ' ');
    let upper = name.to_ascii_uppercase();
    let mut words = upper.split(is_gap).rev();
    let last = words.next().unwrap_or_default();
    if SECRET_ENDINGS.contains(&last) && (words.next().is_some() || last != "PWD") {
        return true;
    }
    let joined = upper.replace(is_gap, "");
    SECRET_WORDS.iter().any(|word| joined.contains(word))
}

/// Whether a text holds an address with a password in it: `scheme://user:password@host`.
pub fn holds_url_password(text: &str) -> bool {
    text.match_indices("://").any(|(at, _)| {
        let rest = text.get(at + 3..).unwrap_or_default();
        // A password may hold any of the characters that would end it in a well-formed address.
        let address = rest.split(char::is_whitespace).next().unwrap_or_default();
        address.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'))
    })
}
