//! The files the servers read: tokens, keys, the audit policy, kubeconfigs, Jaeger's configuration.

use std::net::SocketAddr;
use std::path::Path;

use super::Webhook;

/// Token, user, uid, groups. The users are named as their roles ask for: the controller manager and
/// the scheduler have their rights by name, and `kwok-*` is a controller to us by default.
const TOKENS: &str = r#"admin-token,admin,admin,"system:masters"
kcm-token,system:kube-controller-manager,kcm
scheduler-token,system:kube-scheduler,scheduler
kwok-token,kwok-admin,kwok,"system:masters"
alice-token,alice@example.com,alice,"developers"
"#;

/// First match wins. Leases and reads would drown what the tests look for.
const AUDIT_POLICY: &str = r#"apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: None
  nonResourceURLs: ["/healthz*", "/livez*", "/readyz*", "/metrics", "/openapi/*", "/version"]
- level: None
  resources: [{group: coordination.k8s.io, resources: [leases]}]
- level: Metadata
  resources: [{group: "", resources: [secrets]}, {group: authentication.k8s.io, resources: [tokenreviews]}]
- level: None
  verbs: [get, list, watch]
- level: RequestResponse
"#;

/// Writes all the control plane's servers need, into `dir`.
pub(super) fn write_control_plane(dir: &Path, api: SocketAddr, webhook: &Webhook) {
    for folder in ["certs", "etcd", "kcm-certs", "sched-certs", "flex", "home"] {
        std::fs::create_dir_all(dir.join(folder)).expect("the folder can be made");
    }
    let key = rcgen::KeyPair::generate().expect("a key pair");
    write(dir, "sa.key", &key.serialize_pem());
    write(dir, "sa.pub", &key.public_key_pem());
    write(dir, "tokens.csv", TOKENS);
    write(dir, "audit-policy.yaml", AUDIT_POLICY);
    let sink = kubeconfig(&webhook.url, webhook.certificate.as_deref(), &webhook.token);
    write(dir, "audit-webhook.yaml", &sink);
    for (who, token) in
        [("kcm", "kcm-token"), ("scheduler", "scheduler-token"), ("kwok", "kwok-token")]
    {
        let authority = dir.join("certs/apiserver.crt");
        let text = kubeconfig(&format!("https://{api}"), Some(&authority), token);
        write(dir, &format!("{who}.kubeconfig"), &text);
    }
}

fn kubeconfig(server: &str, authority: Option<&Path>, token: &str) -> String {
    let authority = authority.map_or_else(String::new, |file| {
        // JSON quoting is YAML quoting.
        let file = serde_json::Value::from(file.display().to_string());
        format!(", certificate-authority: {file}")
    });
    format!(
        r#"apiVersion: v1
kind: Config
clusters: [{{name: bed, cluster: {{server: "{server}"{authority}}}}}]
users: [{{name: me, user: {{token: "{token}"}}}}]
contexts: [{{name: bed, context: {{cluster: bed, user: me}}}}]
current-context: bed
"#
    )
}

/// The addresses a Jaeger listens on.
pub(super) struct JaegerAddresses {
    pub health: SocketAddr,
    pub http: SocketAddr,
    pub grpc: SocketAddr,
    pub otlp_grpc: SocketAddr,
    pub otlp_http: SocketAddr,
}

/// A Jaeger that reads traces from `plugin`.
pub(super) fn write_jaeger(dir: &Path, at: &JaegerAddresses, plugin: SocketAddr) {
    let JaegerAddresses { health, http, grpc, otlp_grpc, otlp_http } = at;
    let text = format!(
        r#"service:
  extensions: [jaeger_storage, jaeger_query, healthcheckv2]
  pipelines:
    traces: {{receivers: [otlp], exporters: [jaeger_storage_exporter]}}
  telemetry: {{metrics: {{level: none}}, logs: {{level: warn}}}}
extensions:
  healthcheckv2: {{use_v2: true, http: {{endpoint: "{health}"}}}}
  jaeger_storage:
    backends:
      main: {{grpc: {{endpoint: "{plugin}", tls: {{insecure: true}}}}}}
  jaeger_query:
    storage: {{traces: main}}
    http: {{endpoint: "{http}"}}
    grpc: {{endpoint: "{grpc}"}}
receivers:
  otlp: {{protocols: {{grpc: {{endpoint: "{otlp_grpc}"}}, http: {{endpoint: "{otlp_http}"}}}}}}
exporters:
  jaeger_storage_exporter: {{trace_storage: main}}
"#
    );
    write(dir, "jaeger.yaml", &text);
}

fn write(dir: &Path, name: &str, text: &str) {
    std::fs::write(dir.join(name), text).expect("the file can be written");
}
