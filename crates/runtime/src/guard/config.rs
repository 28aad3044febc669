//! What a door is told about who may come in.

use std::path::PathBuf;

use axum::http::HeaderName;
use serde::{Deserialize, Serialize};

use super::token::{TokenError, TokenFile};
use super::{ANY, ForwardedUser, Guard, Tenants};
use crate::reload::Reloader;
use crate::tls::TlsConfig;

/// The checks of a door. Whoever shows one of the tokens or one of the certificates may come in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GuardConfig {
    /// Bearer tokens that are accepted.
    pub tokens: Vec<NamedTokenConfig>,
    /// Names in client certificates that are accepted: common name, DNS name or URI. `*` accepts
    /// every certificate of the authorities in `tls.client_ca_file`.
    pub client_certificates: Vec<String>,
    /// Tenants of whom one must be named as well; alone it proves nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenants: Option<TenantsConfig>,
    /// Whose word is taken for who asks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forwarded_user: Option<ForwardedUserConfig>,
}

/// A bearer token, and what its holder is called in logs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedTokenConfig {
    /// What its holder is called.
    pub name: String,
    /// File that holds the token; several lines are several tokens that are good.
    pub token_file: PathBuf,
}

/// The tenants that may come in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TenantsConfig {
    /// Header that names the tenant.
    #[serde(default = "tenant_header")]
    pub header: String,
    /// The tenants.
    pub names: Vec<String>,
}

/// A header that says for whom a proxy asks, for the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForwardedUserConfig {
    /// The header.
    #[serde(default = "user_header")]
    pub header: String,
    /// Names of the token holders and certificates that are believed; `*` for all.
    pub from: Vec<String>,
}

/// As Jaeger has it.
fn tenant_header() -> String {
    "x-tenant".to_owned()
}

/// As login proxies have it.
fn user_header() -> String {
    "x-forwarded-user".to_owned()
}

/// Why a door cannot be guarded as configured.
#[derive(Debug, thiserror::Error)]
pub enum GuardConfigError {
    /// A token cannot be used.
    #[error("tokens: {0}")]
    Token(#[from] TokenError),
    /// Nobody could show a certificate.
    #[error("client_certificates need tls.client_ca_file, the authorities that sign them")]
    NoAuthority,
    /// Certificates would be verified and then not looked at.
    #[error(
        "tls.client_ca_file is set, but no certificate lets in: name some in \
         auth.client_certificates, or '*' for all of its authorities"
    )]
    UnusedAuthority,
    /// Nothing would be checked.
    #[error("nothing is checked: name tokens, client_certificates or tenants, or say auth: none")]
    Nothing,
    /// Nobody could come in.
    #[error("tenants.names is empty, nobody could come in")]
    NoTenants,
    /// A header that cannot be.
    #[error("{header:?} is no name of a header")]
    Header {
        /// What was given.
        header: String,
    },
    /// Nobody is called so.
    #[error("forwarded_user.from: {name:?} is the name of no token and no client certificate here")]
    Stranger {
        /// What was given.
        name: String,
    },
}

impl GuardConfig {
    /// Whether whoever comes in has proved who they are.
    pub fn proves_identity(&self) -> bool {
        !self.tokens.is_empty() || !self.client_certificates.is_empty()
    }

    /// Checks everything and reads the token files; `door` is its name in metrics.
    pub fn build(
        &self,
        door: &'static str,
        tls: Option<&TlsConfig>,
        reloader: &mut Reloader,
    ) -> Result<Guard, GuardConfigError> {
        let authority = tls.is_some_and(|tls| tls.client_ca_file.is_some());
        match (authority, self.client_certificates.is_empty()) {
            (true, true) => return Err(GuardConfigError::UnusedAuthority),
            (false, false) => return Err(GuardConfigError::NoAuthority),
            _ if !self.proves_identity() && self.tenants.is_none() => {
                return Err(GuardConfigError::Nothing);
            }
            _ => {}
        }
        let open = |token: &NamedTokenConfig| -> Result<_, TokenError> {
            Ok((token.name.clone(), TokenFile::open(&token.token_file, reloader)?))
        };
        Ok(Guard {
            door,
            tokens: self.tokens.iter().map(open).collect::<Result<_, _>>()?,
            certificates: self.client_certificates.clone(),
            tenants: self.tenants.as_ref().map(TenantsConfig::build).transpose()?,
            forwarded: self.forwarded_user.as_ref().map(|user| self.believing(user)).transpose()?,
        })
    }

    fn believing(&self, user: &ForwardedUserConfig) -> Result<ForwardedUser, GuardConfigError> {
        let is_known = |name: &&String| {
            let certificate = |own: &String| own == *name || own == ANY;
            (*name == ANY && self.proves_identity())
                || self.tokens.iter().any(|token| token.name == **name)
                || self.client_certificates.iter().any(certificate)
        };
        match user.from.iter().find(|name| !is_known(name)) {
            Some(name) => Err(GuardConfigError::Stranger { name: name.clone() }),
            None => Ok(ForwardedUser { header: header(&user.header)?, from: user.from.clone() }),
        }
    }
}

impl TenantsConfig {
    fn build(&self) -> Result<Tenants, GuardConfigError> {
        if self.names.is_empty() {
            return Err(GuardConfigError::NoTenants);
        }
        Ok(Tenants { header: header(&self.header)?, names: self.names.clone() })
    }
}

fn header(name: &str) -> Result<HeaderName, GuardConfigError> {
    name.parse().map_err(|_| GuardConfigError::Header { header: name.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(authority: Option<&str>, change: impl FnOnce(&mut GuardConfig), expect: &str) {
        let mut config = GuardConfig::default();
        change(&mut config);
        let tls = TlsConfig {
            cert_file: "tls.crt".into(),
            key_file: "tls.key".into(),
            client_ca_file: authority.map(Into::into),
        };
        let said = match config.build("http", Some(&tls), &mut Reloader::default()) {
            Ok(_) => "fine".to_owned(),
            Err(error) => error.to_string(),
        };
        assert!(said.contains(expect), "{said}");
    }

    fn tenants(names: &[&str], header: &str) -> TenantsConfig {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        TenantsConfig { header: header.to_owned(), names }
    }

    fn believed(name: &str) -> ForwardedUserConfig {
        ForwardedUserConfig { header: user_header(), from: vec![name.to_owned()] }
    }

    #[test]
    fn checks_that_check_nothing_are_refused() {
        let jaeger = || vec!["jaeger".to_owned()];
        check(None, |_| {}, "nothing is checked");
        check(Some("ca.crt"), |_| {}, "no certificate lets in");
        check(None, |config| config.client_certificates = jaeger(), "tls.client_ca_file");
        check(Some("ca.crt"), |config| config.client_certificates = jaeger(), "fine");
        check(None, |config| config.tenants = Some(tenants(&["acme"], "x-tenant")), "fine");
        check(
            None,
            |config| config.tenants = Some(tenants(&[], "x-tenant")),
            "nobody could come in",
        );
        check(None, |config| config.tenants = Some(tenants(&["acme"], "x tenant")), "\"x tenant\"");
    }

    #[test]
    fn who_is_believed_must_be_known() {
        let with = |own: &str, name: &str, expect: &str| {
            let change = |config: &mut GuardConfig| {
                config.client_certificates = vec![own.to_owned()];
                config.forwarded_user = Some(believed(name));
            };
            check(Some("ca.crt"), change, expect);
        };
        with("jaeger", "jaeger", "fine");
        with("jaeger", "*", "fine");
        with("*", "grafana", "fine");
        with("jaeger", "grafana", "\"grafana\"");
    }

    #[test]
    fn a_token_file_that_is_not_there_is_named() {
        let token = NamedTokenConfig { name: "ci".to_owned(), token_file: "/nowhere".into() };
        check(None, |config| config.tokens = vec![token], "tokens: token file /nowhere");
    }
}
