//! Stands between the API server and the audit webhook, counts what passes, and can lose an answer.
//!
//! Promise: a request is passed on as it came and answered as it was answered; when the webhook
//! cannot be reached, the connection is closed, as the webhook itself would do when killed.
//! Never here: keeping a request for later. Sending again is the API server's part.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;

use crate::certificate::{Certificate, TlsStream};
use crate::client::Client;

/// How long to wait for a batch whose answer can be lost.
const BATCH_LIMIT: Duration = Duration::from_mins(1);

/// A running relay.
pub struct Relay {
    address: SocketAddr,
    shared: Arc<Shared>,
    lost: Receiver<LostAnswer>,
}

struct Shared {
    upstream: SocketAddr,
    certificate: Certificate,
    deliveries: Mutex<BTreeMap<String, Deliveries>>,
    lose_next: AtomicBool,
    closed: AtomicBool,
    lost: SyncSender<LostAnswer>,
}

/// How often an event was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deliveries {
    /// Sent by the API server.
    pub sent: usize,
    /// Of these, answered with 200 by the webhook.
    pub taken: usize,
}

/// A batch the webhook took and whose answer the API server has not got. Dropping this closes the
/// connection it waits at.
pub struct LostAnswer {
    /// The events of the batch.
    pub audit_ids: Vec<String>,
    _connection: TlsStream,
}

struct Request {
    path: String,
    authorization: String,
    body: String,
}

impl Relay {
    /// Listens at a free port for what is meant for `upstream`. Both ends speak TLS and show this
    /// certificate.
    ///
    /// # Panics
    /// If there is no free port.
    pub fn start(upstream: SocketAddr, certificate: &Certificate) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("its address");
        let (sender, lost) = sync_channel(1);
        let shared = Arc::new(Shared {
            upstream,
            certificate: certificate.clone(),
            deliveries: Mutex::default(),
            lose_next: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            lost: sender,
        });
        let of_listener = Arc::clone(&shared);
        std::thread::spawn(move || of_listener.listen(&listener));
        Self { address, shared, lost }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Every event seen so far, by audit id and stage.
    pub fn deliveries(&self) -> BTreeMap<String, Deliveries> {
        self.shared.deliveries.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until the webhook has taken a batch, and keeps the answer from the API server.
    ///
    /// # Panics
    /// If no batch comes.
    pub fn lose_next_answer(&self) -> LostAnswer {
        self.shared.lose_next.store(true, Ordering::SeqCst);
        self.lost.recv_timeout(BATCH_LIMIT).expect("a batch comes")
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::SeqCst);
        // Wakes the listener, which then sees that it is over.
        drop(TcpStream::connect(self.address));
    }
}

impl Shared {
    fn listen(self: &Arc<Self>, listener: &TcpListener) {
        for connection in listener.incoming() {
            if self.closed.load(Ordering::SeqCst) {
                return;
            }
            let Ok(connection) = connection else { continue };
            let shared = Arc::clone(self);
            std::thread::spawn(move || shared.serve(connection));
        }
    }

    /// One connection, until either side ends it.
    fn serve(&self, connection: TcpStream) -> Option<()> {
        let upstream = Client::https(self.upstream, self.certificate.pem.as_bytes())?;
        let mut stream = BufReader::new(self.certificate.accept(connection)?);
        loop {
            let request = read_request(&mut stream)?;
            let audit_ids = audit_ids(&request.body);
            self.count(&audit_ids, |deliveries| deliveries.sent += 1);
            let token = request.authorization.trim_start_matches("Bearer ");
            let sender = upstream.with_token(token);
            let answer = sender.try_post_text(&request.path, &request.body)?;
            if answer.status == 200 {
                self.count(&audit_ids, |deliveries| deliveries.taken += 1);
                if self.lose_next.swap(false, Ordering::SeqCst) {
                    let lost = LostAnswer { audit_ids, _connection: stream.into_inner() };
                    drop(self.lost.send(lost));
                    return None;
                }
            }
            let (status, text) = (answer.status, answer.text);
            let head =
                format!("HTTP/1.1 {status} Relayed\r\nContent-Length: {}\r\n\r\n", text.len());
            let answered = stream.get_mut();
            answered.write_all(&[head.as_bytes(), text.as_bytes()].concat()).ok()?;
            answered.flush().ok()?;
        }
    }

    fn count(&self, audit_ids: &[String], change: impl Fn(&mut Deliveries)) {
        let mut all = self.deliveries.lock().unwrap_or_else(PoisonError::into_inner);
        for id in audit_ids {
            change(all.entry(id.clone()).or_default());
        }
    }
}

/// A request with a length, as the API server sends its batches.
fn read_request(reader: &mut impl BufRead) -> Option<Request> {
    let first = read_line(reader)?;
    let path = first.split(' ').nth(1)?.to_owned();
    let (mut length, mut authorization) = (0, String::new());
    loop {
        let line = read_line(reader)?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(": ")?;
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().ok()?,
            "authorization" => value.clone_into(&mut authorization),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request { path, authorization, body: String::from_utf8(body).ok()? })
}

fn read_line(reader: &mut impl BufRead) -> Option<String> {
    let mut line = String::new();
    let length = reader.read_line(&mut line).ok()?;
    (length > 0).then(|| line.trim_end().to_owned())
}

/// Audit id and stage of each event: the stages of one request are events of their own.
fn audit_ids(body: &str) -> Vec<String> {
    let list: Value = serde_json::from_str(body).unwrap_or_default();
    let items = list["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    items.iter().map(|item| text(&item["auditID"]) + " " + &text(&item["stage"])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers every request with 200 and what it got.
    fn echo(certificate: &Certificate) -> SocketAddr {
        let certificate = certificate.clone();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("an address");
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let mut stream = BufReader::new(certificate.accept(connection).expect("TLS"));
                while let Some(Request { path, authorization, body }) = read_request(&mut stream) {
                    let text = format!("{path} {authorization} {body}");
                    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", text.len());
                    stream.get_mut().write_all((head + &text).as_bytes()).expect("an answer");
                }
            }
        });
        address
    }

    const BATCH: &str = r#"{"items":[{"auditID":"a","stage":"ResponseComplete"}]}"#;
    const SENT: &str = "a ResponseComplete";

    fn client(relay: &Relay, certificate: &Certificate) -> Client {
        Client::https(relay.address(), certificate.pem.as_bytes()).expect("a certificate")
    }

    fn certificate() -> (tempfile::TempDir, Certificate) {
        let dir = tempfile::tempdir().expect("a folder");
        let certificate = Certificate::make(dir.path());
        (dir, certificate)
    }

    #[test]
    fn requests_pass_and_are_counted() {
        let (_dir, certificate) = certificate();
        let relay = Relay::start(echo(&certificate), &certificate);
        let client = client(&relay, &certificate).with_token("secret");
        let answer = client.try_post_text("/audit/x?timeout=30s", BATCH).expect("an answer");
        assert_eq!(answer.text, format!("/audit/x?timeout=30s Bearer secret {BATCH}"));
        assert_eq!(relay.deliveries()[SENT], Deliveries { sent: 1, taken: 1 });
    }

    #[test]
    fn an_answer_can_be_lost() {
        let (_dir, certificate) = certificate();
        let relay = Relay::start(echo(&certificate), &certificate);
        let client = client(&relay, &certificate);
        let sender = std::thread::spawn(move || client.try_post_text("/", BATCH));
        let lost = relay.lose_next_answer();
        assert_eq!(lost.audit_ids, [SENT]);
        drop(lost);
        assert!(sender.join().expect("no panic").is_none());
        assert_eq!(relay.deliveries()[SENT].taken, 1);
    }

    #[test]
    fn a_webhook_that_is_away_takes_nothing() {
        let (_dir, certificate) = certificate();
        let relay = Relay::start(crate::process::free_address(), &certificate);
        assert!(client(&relay, &certificate).try_post_text("/", BATCH).is_none());
        assert_eq!(relay.deliveries()[SENT], Deliveries { sent: 1, taken: 0 });
    }
}
