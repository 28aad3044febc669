//! Serves a router on a listener: HTTP/1 and HTTP/2, TLS or not, with limits, until cancelled.
//!
//! Promise: every request carries the [`Peer`] of its connection as an extension.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::tls::{ClientCertificate, ServerTls};

/// Connections one listener holds at a time; the next wait in the kernel's queue.
const CONNECTIONS_MAX: usize = 1_024;
/// A client that has not finished its TLS handshake by then is let go.
const HANDSHAKE_SECONDS_MAX: Duration = Duration::from_secs(10);
/// A client that has not sent its request's head by then is let go.
const HEADER_SECONDS_MAX: Duration = Duration::from_secs(30);
/// Requests under way get this long to finish once the process has been told to leave.
const DRAIN_SECONDS_MAX: Duration = Duration::from_secs(20);

/// Who is at the other end, as far as the connection itself shows it.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Where it connects from; a proxy in between shows its own.
    pub address: SocketAddr,
    /// The certificate it has shown, verified.
    pub certificate: Option<ClientCertificate>,
}

/// Why an address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}; choose another address with {purpose}")]
pub struct BindError {
    /// What the listener is for, in the words of the configuration (`webhook.listen`).
    pub purpose: &'static str,
    /// The address.
    pub address: SocketAddr,
    /// What the system says.
    pub source: std::io::Error,
}

/// Binds an address; `purpose` names the setting in errors.
pub async fn bind(purpose: &'static str, address: SocketAddr) -> Result<TcpListener, BindError> {
    TcpListener::bind(address).await.map_err(|source| BindError { purpose, address, source })
}

/// Serves until `stop` is cancelled, then lets requests under way finish within a limit.
pub async fn serve(
    listener: TcpListener,
    tls: Option<ServerTls>,
    router: Router,
    stop: CancellationToken,
) {
    let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let graceful = GracefulShutdown::new();
    loop {
        let Ok(permit) = connections.clone().acquire_owned().await else { break };
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, address)) => {
                let peer = Peer { address, certificate: None };
                spawn(stream, peer, tls.clone(), router.clone(), &graceful, permit);
            }
            Err(error) => pause_after(&error).await,
        }
    }
    drop(listener);
    if timeout(DRAIN_SECONDS_MAX, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests were still under way when the time to finish them ran out");
    }
}

/// Out of file descriptors, or the client was gone already: neither ends the listener.
async fn pause_after(error: &std::io::Error) {
    tracing::warn!(%error, "a connection could not be accepted");
    tokio::time::sleep(Duration::from_millis(50)).await;
}

fn spawn(
    stream: TcpStream,
    peer: Peer,
    tls: Option<ServerTls>,
    router: Router,
    graceful: &GracefulShutdown,
    permit: OwnedSemaphorePermit,
) {
    let watcher = graceful.watcher();
    tokio::spawn(async move {
        let _permit = permit;
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "cannot set TCP_NODELAY");
        }
        let Some(tls) = tls else { return connection(stream, peer, router, watcher).await };
        match timeout(HANDSHAKE_SECONDS_MAX, tls.acceptor().accept(stream)).await {
            Ok(Ok(stream)) => {
                let certificate = certificate(&stream);
                connection(stream, Peer { certificate, ..peer }, router, watcher).await;
            }
            Ok(Err(error)) => tracing::debug!(%error, "a client failed its TLS handshake"),
            Err(_) => tracing::debug!("a client did not finish its TLS handshake in time"),
        }
    });
}

/// What the client has shown in its handshake, which verified it.
fn certificate(stream: &TlsStream<TcpStream>) -> Option<ClientCertificate> {
    let (_, connection) = stream.get_ref();
    connection.peer_certificates()?.first().map(ClientCertificate::of)
}

async fn connection<S>(stream: S, peer: Peer, router: Router, watcher: Watcher)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_SECONDS_MAX);
    builder.http2().timer(TokioTimer::new());
    let router = router.map_request(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer.clone());
        request
    });
    let service = TowerToHyperService::new(router);
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    if let Err(error) = watcher.watch(connection.into_owned()).await {
        tracing::debug!(error, "a connection ended with an error");
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn answers_until_it_is_cancelled() {
        let listener = bind("test", "127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let router = Router::new().route("/", get(|| async { "here" }));
        let server = tokio::spawn(serve(listener, None, router, stop.clone()));

        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert!(answer.ends_with("here"), "{answer}");

        stop.cancel();
        server.await.unwrap();
        assert!(TcpStream::connect(address).await.is_err());
    }

    #[tokio::test]
    async fn an_address_in_use_is_named_with_its_setting() {
        let taken = bind("test", "127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = taken.local_addr().unwrap();
        let error = bind("webhook.listen", address).await.unwrap_err().to_string();
        assert!(
            error.contains("webhook.listen") && error.contains(&address.to_string()),
            "{error}"
        );
    }
}
