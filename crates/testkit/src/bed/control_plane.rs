//! A real control plane: etcd, API server, controller manager, scheduler, and nodes played by kwok.
//!
//! Promise: when [`ControlPlane::start`] returns, a Deployment gets running pods. Audit goes to the
//! webhook in batches, and to a file as soon as a request ends, to compare with.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Bed, files};
use crate::client::Client;
use crate::process::{NotReached, Process, START_LIMIT, free_address, wait_for};

/// The token of the only user without rights: `alice@example.com`, of the group `developers`.
pub const ALICE: &str = "alice-token";
const ADMIN: &str = "admin-token";
/// Another process may take a port between choosing and binding it.
const STARTS_MAX: usize = 3;
/// A state of the cluster takes seconds at most on a machine at rest.
const STATE_LIMIT: Duration = Duration::from_mins(2);

/// Where the API server sends its audit events.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// The whole URL, path included.
    pub url: String,
    /// PEM file of the certificate the webhook shows, if the URL is `https`.
    pub certificate: Option<PathBuf>,
    /// The bearer token to show it. The API server only does so over `https`.
    pub token: String,
}

/// A running control plane. The parts are in the order they are stopped in.
#[derive(Debug)]
pub struct ControlPlane {
    kwok: Process,
    scheduler: Process,
    controller_manager: Process,
    api_server: Process,
    etcd: Process,
    admin: Client,
    dir: PathBuf,
}

struct Addresses {
    etcd: SocketAddr,
    peer: SocketAddr,
    api: SocketAddr,
    controller_manager: SocketAddr,
    scheduler: SocketAddr,
}

impl ControlPlane {
    /// Starts all of it in `dir`, with one node, `node-0`.
    ///
    /// # Panics
    /// If a part does not start.
    pub fn start(bed: &Bed, dir: &Path, webhook: &Webhook) -> Self {
        let mut last = None;
        for attempt in 0..STARTS_MAX {
            let dir = dir.join(format!("control-plane-{attempt}"));
            std::fs::create_dir_all(&dir).expect("the folder can be made");
            match Self::try_start(bed, &dir, webhook) {
                Ok(started) => return started,
                Err(error) if error.to_string().contains("address already in use") => {
                    last = Some(error);
                }
                Err(error) => panic!("{error}"),
            }
        }
        panic!("every port was taken {STARTS_MAX} times: {last:?}")
    }

    fn try_start(bed: &Bed, dir: &Path, webhook: &Webhook) -> Result<Self, NotReached> {
        let at = Addresses {
            etcd: free_address(),
            peer: free_address(),
            api: free_address(),
            controller_manager: free_address(),
            scheduler: free_address(),
        };
        files::write_control_plane(dir, at.api, webhook);
        let etcd = start_etcd(bed, dir, &at)?;
        let (api_server, admin) = start_api_server(bed, dir, &at)?;
        let mut controller_manager = start_controller_manager(bed, dir, &at);
        let mut scheduler = start_scheduler(bed, dir, &at);
        let kwok = start_kwok(bed, dir);
        let healthy = |address, path: &'static str| {
            let probe = Client::https_unverified(address);
            move || probe.try_get(path)?.is_success().then_some(())
        };
        let probe = healthy(at.controller_manager, "/healthz");
        controller_manager.try_wait_for("health", START_LIMIT, probe)?;
        scheduler.try_wait_for("readiness", START_LIMIT, healthy(at.scheduler, "/readyz"))?;
        let dir = dir.to_owned();
        let it = Self { kwok, scheduler, controller_manager, api_server, etcd, admin, dir };
        it.wait_for_service_account("default");
        it.create_node("node-0");
        Ok(it)
    }

    /// A client with all rights, named `admin`.
    pub fn admin(&self) -> &Client {
        &self.admin
    }

    /// A client as the user of `token`.
    pub fn client(&self, token: &str) -> Client {
        self.admin.with_token(token)
    }

    /// The API server's own audit log: an event a line, there before the request is answered.
    ///
    /// # Panics
    /// If it cannot be read.
    pub fn audit_log(&self) -> String {
        std::fs::read_to_string(self.dir.join("audit.log")).expect("the audit log can be read")
    }

    /// What a part has logged: `etcd`, `kube-apiserver`, ….
    pub fn log(&self, part: &str) -> String {
        std::fs::read_to_string(self.dir.join(format!("{part}.log"))).unwrap_or_default()
    }

    /// The parts and their process ids.
    pub fn processes(&self) -> [(&'static str, u32); 5] {
        [
            ("etcd", self.etcd.id()),
            ("kube-apiserver", self.api_server.id()),
            ("kube-controller-manager", self.controller_manager.id()),
            ("kube-scheduler", self.scheduler.id()),
            ("kwok", self.kwok.id()),
        ]
    }

    /// Makes a namespace and waits until pods can be made in it.
    ///
    /// # Panics
    /// If that does not happen.
    pub fn create_namespace(&self, name: &str) {
        let body = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        drop(self.admin.post("/api/v1/namespaces", &body).ok());
        self.wait_for_service_account(name);
    }

    fn wait_for_service_account(&self, namespace: &str) {
        let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts/default");
        self.wait_until(&format!("{path} to exist"), &path, |_| true);
    }

    /// Makes a node and waits until pods are scheduled to it.
    ///
    /// # Panics
    /// If that does not happen.
    pub fn create_node(&self, name: &str) {
        let room = json!({"cpu": "32", "memory": "256Gi", "pods": "110"});
        let labels = json!({
            "kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
        });
        let body = json!({
            "apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels},
            "status": {"allocatable": room, "capacity": room},
        });
        drop(self.admin.post("/api/v1/nodes", &body).ok());
        self.wait_until(&format!("node {name} ready"), &format!("/api/v1/nodes/{name}"), is_ready);
    }

    /// Waits until exactly `count` pods are selected and all of them run.
    ///
    /// # Panics
    /// If that does not happen.
    pub fn wait_for_pods(&self, namespace: &str, selector: &str, count: usize) {
        let path = format!("/api/v1/namespaces/{namespace}/pods?labelSelector={selector}");
        self.wait_until(&format!("{count} running pods {selector}"), &path, |list| {
            let pods = list["items"].as_array().map(Vec::as_slice).unwrap_or_default();
            pods.len() == count && pods.iter().all(|pod| pod["status"]["phase"] == "Running")
        });
    }

    /// Polls an API path until it is there and `is_so`; gives the object.
    ///
    /// # Panics
    /// If that does not happen.
    pub fn wait_until(&self, what: &str, path: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        wait_for(what, STATE_LIMIT, || {
            let answer = self.admin.try_get(path).filter(super::Answer::is_success)?;
            Some(answer.json()).filter(&is_so)
        })
    }
}

/// Ready, and no taint keeps pods away.
fn is_ready(node: &Value) -> bool {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let ready = |c: &Value| c["type"] == "Ready" && c["status"] == "True";
    list(&node["status"]["conditions"]).iter().any(ready)
        && !list(&node["spec"]["taints"]).iter().any(|taint| taint["effect"] == "NoSchedule")
}

fn start_etcd(bed: &Bed, dir: &Path, at: &Addresses) -> Result<Process, NotReached> {
    let Addresses { etcd, peer, .. } = at;
    let mut command = Command::new(bed.path("ETCD"));
    command.arg("--name=bed").arg(flag("data-dir", &dir.join("etcd"))).args([
        format!("--listen-client-urls=http://{etcd}"),
        format!("--advertise-client-urls=http://{etcd}"),
        format!("--listen-peer-urls=http://{peer}"),
        format!("--initial-advertise-peer-urls=http://{peer}"),
        format!("--initial-cluster=bed=http://{peer}"),
    ]);
    command.args(["--unsafe-no-fsync", "--log-level=warn"]);
    let mut process = Process::start("etcd", dir, &command);
    let probe = Client::http(*etcd);
    process.try_wait_for("readiness", START_LIMIT, || {
        probe.try_get("/readyz")?.is_success().then_some(())
    })?;
    Ok(process)
}

fn start_api_server(
    bed: &Bed,
    dir: &Path,
    at: &Addresses,
) -> Result<(Process, Client), NotReached> {
    let mut command = Command::new(bed.path("KUBE_APISERVER"));
    command.args([
        format!("--etcd-servers=http://{}", at.etcd),
        format!("--secure-port={}", at.api.port()),
        flag("cert-dir", &dir.join("certs")),
        flag("service-account-key-file", &dir.join("sa.pub")),
        flag("service-account-signing-key-file", &dir.join("sa.key")),
        flag("token-auth-file", &dir.join("tokens.csv")),
        flag("audit-policy-file", &dir.join("audit-policy.yaml")),
        flag("audit-log-path", &dir.join("audit.log")),
        flag("audit-webhook-config-file", &dir.join("audit-webhook.yaml")),
    ]);
    command.args([
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        "--endpoint-reconciler-type=none",
        "--service-account-issuer=https://kubernetes.default.svc",
        "--authorization-mode=RBAC",
        "--service-cluster-ip-range=10.0.0.0/16",
        // Written before the answer goes out: what a client knows of, the log has.
        "--audit-log-mode=blocking-strict",
        "--audit-webhook-mode=batch",
        "--audit-webhook-batch-max-wait=1s",
        // Five attempts, each wait half as long again: a webhook may be away for 10 s.
        "--audit-webhook-initial-backoff=2s",
    ]);
    let mut process = Process::start("kube-apiserver", dir, &command);
    let certificate = dir.join("certs/apiserver.crt");
    let admin = process.try_wait_for("readiness", START_LIMIT, || {
        // It makes its certificate itself, some time after its start.
        let client = Client::https(at.api, &std::fs::read(&certificate).ok()?)?.with_token(ADMIN);
        client.try_get("/readyz")?.is_success().then_some(client)
    })?;
    Ok((process, admin))
}

fn start_controller_manager(bed: &Bed, dir: &Path, at: &Addresses) -> Process {
    let mut command = Command::new(bed.path("KUBE_CONTROLLER_MANAGER"));
    as_client(&mut command, &dir.join("kcm.kubeconfig"));
    command.args([
        flag("service-account-private-key-file", &dir.join("sa.key")),
        flag("root-ca-file", &dir.join("certs/apiserver.crt")),
        flag("flex-volume-plugin-dir", &dir.join("flex")),
        flag("cert-dir", &dir.join("kcm-certs")),
        format!("--secure-port={}", at.controller_manager.port()),
    ]);
    // Each controller acts under its own name, as in production.
    command.args(["--use-service-account-credentials=true", "--bind-address=127.0.0.1"]);
    Process::start("kube-controller-manager", dir, &command)
}

fn start_scheduler(bed: &Bed, dir: &Path, at: &Addresses) -> Process {
    let mut command = Command::new(bed.path("KUBE_SCHEDULER"));
    as_client(&mut command, &dir.join("scheduler.kubeconfig"));
    command.arg(flag("cert-dir", &dir.join("sched-certs")));
    command.arg(format!("--secure-port={}", at.scheduler.port()));
    command.arg("--bind-address=127.0.0.1");
    Process::start("kube-scheduler", dir, &command)
}

fn as_client(command: &mut Command, kubeconfig: &Path) {
    command.args([
        flag("kubeconfig", kubeconfig),
        flag("authentication-kubeconfig", kubeconfig),
        flag("authorization-kubeconfig", kubeconfig),
    ]);
    command.args(["--authentication-skip-lookup=true", "--leader-elect=false"]);
    command.args(["--kube-api-qps=500", "--kube-api-burst=1000"]);
}

fn start_kwok(bed: &Bed, dir: &Path) -> Process {
    let mut command = Command::new(bed.path("KWOK"));
    // It writes into its home.
    command.env("HOME", dir.join("home"));
    command.arg(flag("kubeconfig", &dir.join("kwok.kubeconfig")));
    command.arg(flag("config", bed.path("KWOK_STAGES")));
    command.args(["--manage-all-nodes=true", "--node-ip=127.0.0.1", "--cidr=10.64.0.0/16"]);
    command.arg("--node-lease-duration-seconds=40");
    Process::start("kwok", dir, &command)
}

fn flag(name: &str, path: &Path) -> String {
    format!("--{name}={}", path.display())
}
