use axum::http::Request as HttpRequest;
use axum::routing::get;
use tower::ServiceExt;

use super::*;
use crate::reload::Reloader;
use crate::tls::TlsConfig;

const TOKEN: &str = "grafana-token-0123456789";

/// A guard and the folder of its files.
struct Bed {
    guard: Guard,
    _dir: tempfile::TempDir,
}

impl Bed {
    fn new(configure: impl FnOnce(&mut GuardConfig, NamedTokenConfig)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let token_file = dir.path().join("token");
        std::fs::write(&token_file, TOKEN).unwrap();
        let mut config = GuardConfig::default();
        configure(&mut config, NamedTokenConfig { name: "grafana".to_owned(), token_file });
        let tls = TlsConfig {
            cert_file: "tls.crt".into(),
            key_file: "tls.key".into(),
            client_ca_file: (!config.client_certificates.is_empty()).then(|| "ca.crt".into()),
        };
        let guard = config.build("http", Some(&tls), &mut Reloader::default()).unwrap();
        Self { guard, _dir: dir }
    }

    /// Who comes in with these headers and a certificate of these names, as `name tenant user`; or
    /// the refusal.
    fn check(&self, headers: &[(&str, &str)], certificate: Option<&[&str]>, expect: &str) {
        let mut request = HttpRequest::builder().uri("/api/v1/story");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (mut head, ()) = request.body(()).unwrap().into_parts();
        let certificate = certificate.map(ClientCertificate::named);
        head.extensions.insert(Peer { address: "192.0.2.1:80".parse().unwrap(), certificate });
        let said = match self.guard.admit(&head) {
            Ok(Caller { name, tenant, user }) => {
                format!("{name} {} {}", tenant.unwrap_or("-"), user.unwrap_or("-"))
            }
            Err(refusal) => format!("{}: {refusal}", refusal.status().as_u16()),
        };
        assert_eq!(said, expect, "{headers:?}");
    }
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn a_token_or_a_named_certificate_lets_in() {
    let bed = Bed::new(|config, token| {
        config.tokens = vec![token];
        config.client_certificates = names(&["jaeger"]);
    });
    let bearer = format!("Bearer {TOKEN}");
    let nothing = "401: a bearer token or a client certificate is needed that this door accepts";
    let stranger = "403: this client certificate may not come in";
    bed.check(&[("authorization", &bearer)], None, "grafana - -");
    bed.check(&[("bearer.token", TOKEN)], None, "grafana - -");
    bed.check(&[("authorization", &bearer)], Some(&["stranger"]), "grafana - -");
    bed.check(&[], Some(&["jaeger"]), "jaeger - -");
    bed.check(&[], Some(&["other", "jaeger"]), "jaeger - -");
    bed.check(&[], Some(&["stranger"]), stranger);
    bed.check(&[], Some(&["*"]), stranger);
    bed.check(&[], Some(&[]), stranger);
    bed.check(&[], None, nothing);
    bed.check(&[("authorization", "Bearer wrong-token-0123456789")], None, nothing);
}

#[test]
fn every_certificate_of_the_authority_can_let_in() {
    let bed = Bed::new(|config, _| config.client_certificates = names(&["*"]));
    bed.check(&[], Some(&["anybody"]), "anybody - -");
    bed.check(&[], Some(&[]), " - -");
    bed.check(&[], None, "401: a client certificate is needed that this door accepts");
}

#[test]
fn one_known_tenant_must_be_named() {
    let bed = Bed::new(|config, token| {
        config.tokens = vec![token];
        let header = "x-tenant".to_owned();
        config.tenants = Some(TenantsConfig { header, names: names(&["acme", "umbrella"]) });
    });
    let check = |tenants: &[&str], expect: &str| {
        let tenants = tenants.iter().map(|tenant| ("x-tenant", *tenant));
        let headers: Vec<_> = tenants.chain([("bearer.token", TOKEN)]).collect();
        bed.check(&headers, None, expect);
    };
    check(&["acme"], "grafana acme -");
    check(&["umbrella"], "grafana umbrella -");
    check(&[], "401: the header x-tenant must name a tenant");
    check(&[""], "401: the header x-tenant must name a tenant");
    check(&["other"], "403: this tenant may not come in");
    check(&["acme", "acme"], "403: this tenant may not come in");
    let unproven = "401: a bearer token is needed that this door accepts";
    bed.check(&[("x-tenant", "acme")], None, unproven);
}

#[test]
fn only_those_named_for_it_are_believed_for_whom_they_ask() {
    let bed = Bed::new(|config, token| {
        config.tokens = vec![token];
        config.client_certificates = names(&["*"]);
        let (header, from) = ("x-forwarded-user".to_owned(), names(&["grafana"]));
        config.forwarded_user = Some(ForwardedUserConfig { header, from });
    });
    let user = ("x-forwarded-user", "bob@example.com");
    bed.check(&[("bearer.token", TOKEN), user], None, "grafana - bob@example.com");
    bed.check(&[user], Some(&["mallory"]), "mallory - -");
    let long = "x".repeat(USER_BYTES_MAX + 1);
    bed.check(&[("bearer.token", TOKEN), (user.0, &long)], None, "grafana - -");
}

/// Through the router: what is open stays so, and refusals are counted.
#[tokio::test]
async fn those_who_probe_are_asked_nothing() {
    let bed = Bed::new(|config, token| config.tokens = vec![token]);
    let metrics = DoorMetrics::default();
    let paths = ["/healthz", "/readyz", "/metrics", "/grpc.health.v1.Health/Check", "/x"];
    let router = paths
        .iter()
        .take(4)
        .fold(Router::new(), |router, path| router.route(path, get(|| async { "inside" })));
    let refuse: Refuse = |refusal, _| {
        let mut response = Response::default();
        *response.status_mut() = refusal.status();
        response
    };
    let router = bed.guard.wrap(router, refuse, metrics.clone());
    let mut codes = Vec::new();
    for path in paths {
        let request = HttpRequest::get(path).body(axum::body::Body::empty()).unwrap();
        codes.push(router.clone().oneshot(request).await.unwrap().status().as_u16());
    }
    assert_eq!(codes, [200, 200, 401, 200, 401], "also where nothing is");
    assert_eq!(metrics.refused("http", "unproven"), 2);
}
