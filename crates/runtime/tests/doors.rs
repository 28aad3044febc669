//! Doors behind a real port: certificates of both sides, and files that change under them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::response::IntoResponse;
use axum::routing::get;
use kausal_runtime::CancellationToken;
use kausal_runtime::guard::{GuardConfig, NamedTokenConfig, Refuse};
use kausal_runtime::metrics::DoorMetrics;
use kausal_runtime::reload::Reloader;
use kausal_runtime::serve::{bind, serve};
use kausal_runtime::tls::TlsConfig;
use kausal_testkit::authority::{Authority, Signed};
use kausal_testkit::client::Client;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tempfile::TempDir;
use tokio::runtime::Runtime;

const TOKEN: &str = "the-token-0123456789";

/// A guarded door, its files and the authority of its own certificate.
struct Door {
    address: SocketAddr,
    servers: Authority,
    dir: TempDir,
    reloader: Reloader,
    metrics: DoorMetrics,
    stop: CancellationToken,
    _runtime: Runtime,
}

impl Drop for Door {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Door {
    /// Clients of this authority come in who are called `jaeger`, and those who know the token.
    fn open(clients: &Authority) -> Self {
        let (servers, dir) = (Authority::make(), tempfile::tempdir().unwrap());
        let files = servers.sign("one").write(dir.path(), "tls");
        let (client_ca_file, token_file) = (dir.path().join("ca"), dir.path().join("token"));
        std::fs::write(&client_ca_file, clients.pem()).unwrap();
        std::fs::write(&token_file, TOKEN).unwrap();
        let tls = TlsConfig {
            cert_file: files.file,
            key_file: files.key_file,
            client_ca_file: Some(client_ca_file),
        };
        let guard = GuardConfig {
            tokens: vec![NamedTokenConfig { name: "grafana".to_owned(), token_file }],
            client_certificates: vec!["jaeger".to_owned()],
            ..GuardConfig::default()
        };
        let (mut reloader, metrics) = (Reloader::default(), DoorMetrics::default());
        let guard = guard.build("test", Some(&tls), &mut reloader).unwrap();
        let tls = tls.load(&mut reloader).unwrap();
        let refuse: Refuse = |refusal, _| (refusal.status(), refusal.to_string()).into_response();
        let router = Router::new().route("/", get(|| async { "inside" }));
        let router = guard.wrap(router, refuse, metrics.clone());
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(bind("test", "127.0.0.1:0".parse().unwrap())).unwrap();
        let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
        runtime.spawn(serve(listener, Some(tls), router, stop.clone()));
        Self { address, servers, dir, reloader, metrics, stop, _runtime: runtime }
    }

    /// What a new connection is answered; `None` without a connection.
    fn asked(&self, shown: Option<&Signed>, token: Option<&str>) -> Option<u16> {
        let pem = self.servers.pem();
        let client = match shown {
            Some(shown) => Client::https_showing(self.address, pem.as_bytes(), shown),
            None => Client::https(self.address, pem.as_bytes()),
        };
        let mut client = client.unwrap();
        if let Some(token) = token {
            client = client.with_token(token);
        }
        client.try_get("/").map(|answer| answer.status)
    }

    fn look(&mut self) {
        self.reloader.look(&self.metrics);
    }
}

#[test]
fn certificates_of_the_right_authority_and_name_come_in() {
    let (clients, others) = (Authority::make(), Authority::make());
    let door = Door::open(&clients);
    let check = |shown: Option<&Signed>, token: Option<&str>, expect: Option<u16>| {
        assert_eq!(door.asked(shown, token), expect, "{token:?}");
    };
    let (jaeger, stranger) = (clients.sign("jaeger"), clients.sign("stranger"));
    check(Some(&jaeger), None, Some(200));
    check(Some(&stranger), None, Some(403));
    check(Some(&stranger), Some(TOKEN), Some(200));
    check(None, None, Some(401));
    check(None, Some("another-token-0123456789"), Some(401));
    check(None, Some(TOKEN), Some(200));
    // What no authority of ours has signed ends the handshake, whatever else is shown.
    check(Some(&others.sign("jaeger")), None, None);
    check(Some(&others.sign("jaeger")), Some(TOKEN), None);
}

/// A connection that stays open, and the certificate it was shown.
struct Connection(StreamOwned<ClientConnection, TcpStream>);

impl Connection {
    fn open(door: &Door) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(door.servers.pem().as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::from(door.address.ip());
        let tls = ClientConnection::new(Arc::new(config), name).unwrap();
        let mut connection = Self(StreamOwned::new(tls, TcpStream::connect(door.address).unwrap()));
        connection.ask();
        connection
    }

    fn ask(&mut self) {
        let request = format!("GET / HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\n\r\n");
        self.0.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        while !answer.ends_with("inside") {
            let mut bytes = [0; 512];
            let count = self.0.read(&mut bytes).unwrap();
            assert!(count > 0, "the connection ended: {answer}");
            answer += std::str::from_utf8(&bytes[..count]).unwrap();
        }
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    fn shown(&self) -> CertificateDer<'static> {
        self.0.conn.peer_certificates().unwrap()[0].clone()
    }
}

fn der(file: &Path) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(file).unwrap()
}

#[test]
fn a_new_certificate_serves_new_connections_and_old_ones_go_on() {
    let mut door = Door::open(&Authority::make());
    let file = door.dir.path().join("tls.crt");
    let first = der(&file);
    let mut old = Connection::open(&door);
    assert_eq!(old.shown(), first);

    door.servers.sign("two").write(door.dir.path(), "tls");
    let second = der(&file);
    assert_ne!(first, second);
    assert_eq!(Connection::open(&door).shown(), first, "before anybody looked");
    door.look();
    assert_eq!(Connection::open(&door).shown(), second);
    old.ask();

    // A certificate without its key, then rubbish: what was there stays.
    let third = door.servers.sign("three");
    std::fs::write(&file, &third.pem).unwrap();
    door.look();
    assert_eq!(Connection::open(&door).shown(), second);
    std::fs::write(&file, "rubbish").unwrap();
    door.look();
    assert_eq!(Connection::open(&door).shown(), second);
    third.write(door.dir.path(), "tls");
    door.look();
    assert_eq!(Connection::open(&door).shown(), der(&file));
    old.ask();
}

#[test]
fn authorities_and_tokens_change_without_a_restart() {
    let (before, after) = (Authority::make(), Authority::make());
    let mut door = Door::open(&before);
    let check = |door: &Door, expect: [Option<u16>; 3]| {
        let token = Some("the-next-token-0123456789");
        let got = [
            door.asked(Some(&before.sign("jaeger")), None),
            door.asked(Some(&after.sign("jaeger")), None),
            door.asked(None, token),
        ];
        assert_eq!(got, expect);
    };
    check(&door, [Some(200), None, Some(401)]);
    std::fs::write(door.dir.path().join("ca"), after.pem()).unwrap();
    std::fs::write(door.dir.path().join("token"), "the-next-token-0123456789").unwrap();
    door.look();
    check(&door, [None, Some(200), Some(200)]);
    assert_eq!(door.asked(None, Some(TOKEN)), Some(401));
}
