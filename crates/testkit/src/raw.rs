//! HTTP as bytes, for requests that no client library would send: cut, mislabelled, too large.
//!
//! Promise: a server that answers before it has read everything is heard.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use crate::client::Answer;

/// A server that says nothing for so long hangs.
const SILENCE_MAX: Duration = Duration::from_mins(1);

/// A request of HTTP/1.1.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    method: &'a str,
    path: &'a str,
    headers: Vec<(&'a str, String)>,
    body: &'a [u8],
    announced: usize,
}

impl<'a> Request<'a> {
    /// A request without a body.
    pub fn new(method: &'a str, path: &'a str) -> Self {
        Self { method, path, headers: Vec::new(), body: &[], announced: 0 }
    }

    /// POST of a body.
    pub fn post(path: &'a str, body: &'a [u8]) -> Self {
        Self { body, announced: body.len(), ..Self::new("POST", path) }
    }

    /// With this header too.
    #[must_use]
    pub fn header(mut self, name: &'a str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Says that more bytes follow than do; the connection ends where the body does.
    #[must_use]
    pub fn announcing(mut self, bytes: usize) -> Self {
        self.announced = bytes;
        self
    }

    /// Sends it; `None` if the connection ended without an answer.
    ///
    /// # Panics
    /// If nobody listens at `address`, or what comes back is not HTTP.
    pub fn send(&self, address: SocketAddr) -> Option<Answer> {
        let connection = TcpStream::connect(address).expect("somebody listens");
        connection.set_read_timeout(Some(SILENCE_MAX)).expect("a timeout can be set");
        // Written beside: a server may answer, and close, before it has taken everything.
        let answer = std::thread::scope(|scope| {
            scope.spawn(|| self.write(&connection));
            let mut answer = Vec::new();
            // An end by reset may follow a whole answer.
            drop((&connection).read_to_end(&mut answer));
            drop(connection.shutdown(Shutdown::Both));
            answer
        });
        (!answer.is_empty()).then(|| read(&String::from_utf8_lossy(&answer)))
    }

    fn write(&self, mut connection: &TcpStream) {
        let Self { method, path, body, announced, .. } = self;
        let length = announced.to_string();
        let own = [("Host", "x"), ("Connection", "close"), ("Content-Length", &length)];
        let given = self.headers.iter().map(|(name, value)| (*name, value.as_str()));
        let head: String = std::iter::once(format!("{method} {path} HTTP/1.1\r\n"))
            .chain(own.into_iter().chain(given).map(|(name, value)| format!("{name}: {value}\r\n")))
            .collect();
        let whole = connection
            .write_all(head.as_bytes())
            .and_then(|()| connection.write_all(b"\r\n"))
            .and_then(|()| connection.write_all(body));
        if whole.is_ok() && *announced > body.len() {
            drop(connection.shutdown(Shutdown::Write));
        }
    }
}

fn read(text: &str) -> Answer {
    let (head, body) = text.split_once("\r\n\r\n").expect("an HTTP answer has a head");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Answer { status: status.expect("a status"), audit_id: None, text: body.to_owned() }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use super::*;

    /// Answers one request without reading it all.
    fn curt(answer: &'static str) -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("an address");
        std::thread::spawn(move || {
            let (mut connection, _) = listener.accept().expect("a connection");
            connection.read_exact(&mut [0; 16]).expect("a beginning");
            connection.write_all(answer.as_bytes()).expect("written");
        });
        address
    }

    #[test]
    fn an_early_answer_is_heard() {
        let server = curt("HTTP/1.1 413 Too Large\r\nx: y\r\n\r\ntoo large\n");
        let body = vec![b'x'; 16 << 20];
        let answer = Request::post("/a", &body).send(server).expect("an answer");
        assert_eq!((answer.status, answer.text.as_str()), (413, "too large\n"));
    }

    #[test]
    fn silence_is_no_answer() {
        let server = curt("");
        assert!(Request::post("/a", b"abc").announcing(10).send(server).is_none());
    }
}
