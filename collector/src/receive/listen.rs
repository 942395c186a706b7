//! Sockets of the OTLP receivers: accept, TLS, HTTP, with a limit on everything.

use std::net::{SocketAddr, TcpListener as StdListener};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::error::ReceiveError;
use crate::accept;
use crate::tls::ServerTls;

/// What is spoken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Protocol {
    /// OTLP/HTTP.
    Http1,
    /// OTLP/gRPC.
    Http2,
}

impl Protocol {
    /// Its name in ALPN.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Http1 => "http/1.1",
            Self::Http2 => "h2",
        }
    }
}

/// One listening socket and what answers on it.
pub(crate) struct Listening {
    pub(crate) listener: StdListener,
    pub(crate) protocol: Protocol,
    pub(crate) tls: Option<ServerTls>,
    pub(crate) routes: Router,
    pub(crate) connections: usize,
    pub(crate) timeout: Duration,
}

/// Binds; what comes meanwhile waits in the kernel.
pub(crate) fn bind(what: &'static str, address: SocketAddr) -> Result<StdListener, ReceiveError> {
    let failed = |source| ReceiveError::Bind { what, address, source };
    let listener = StdListener::bind(address).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    Ok(listener)
}

/// Accepts until it is stopped, then waits a little for what is under way.
pub(crate) async fn run(listening: Listening, mut stop: watch::Receiver<bool>) {
    let Listening { listener, protocol, tls, routes, connections, timeout: limit } = listening;
    let listener = match TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!("a receiver cannot watch its socket: {error}; it is not offered");
            return;
        }
    };
    let places = Arc::new(Semaphore::new(connections));
    loop {
        let (stream, _, place) = tokio::select! {
            biased;
            _ = stop.changed() => break,
            accepted = accept::with_place(&listener, &places) => accepted,
        };
        let talk = Talk { protocol, routes: routes.clone(), limit, stop: stop.clone(), place };
        let tls = tls.as_ref().map(|tls| TlsAcceptor::from(tls.config()));
        tokio::spawn(talk.over(stream, tls));
    }
    drop(listener);
    let all = u32::try_from(connections).unwrap_or(u32::MAX);
    let _ = timeout(LAST_ANSWERS, places.acquire_many(all)).await;
}

/// One connection.
struct Talk {
    protocol: Protocol,
    routes: Router,
    limit: Duration,
    stop: watch::Receiver<bool>,
    /// Given back with the connection.
    place: OwnedSemaphorePermit,
}

impl Talk {
    async fn over(self, stream: TcpStream, tls: Option<TlsAcceptor>) {
        let _ = stream.set_nodelay(true);
        match tls {
            None => self.speak(stream).await,
            Some(tls) => {
                if let Ok(Ok(stream)) = timeout(self.limit, tls.accept(stream)).await {
                    self.speak(stream).await;
                }
            }
        }
    }

    async fn speak<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(self, stream: S) {
        let Self { protocol, routes, limit, mut stop, place } = self;
        let service = TowerToHyperService::new(routes);
        // What senders do wrong is theirs to know.
        match protocol {
            Protocol::Http1 => {
                let connection = http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(limit.max(IDLE))
                    .max_buf_size(BUFFER_BYTES_MAX)
                    .max_headers(HEADERS_MAX)
                    .serve_connection(TokioIo::new(stream), service);
                until_stopped(connection, &mut stop, http1::Connection::graceful_shutdown).await;
            }
            Protocol::Http2 => {
                let connection = http2::Builder::new(TokioExecutor::new())
                    .timer(TokioTimer::new())
                    .max_concurrent_streams(STREAMS_MAX)
                    .max_header_list_size(HEADER_BYTES_MAX)
                    .initial_stream_window_size(WINDOW_BYTES)
                    .initial_connection_window_size(WINDOW_BYTES)
                    .keep_alive_interval(KEEP_ALIVE)
                    .keep_alive_timeout(limit)
                    .serve_connection(TokioIo::new(stream), service);
                until_stopped(connection, &mut stop, http2::Connection::graceful_shutdown).await;
            }
        }
        drop(place);
    }
}

/// Serves a connection to its end; when it is stopped, `shut_down` lets it finish what is under way.
async fn until_stopped<C: Future>(
    connection: C,
    stop: &mut watch::Receiver<bool>,
    shut_down: impl FnOnce(Pin<&mut C>),
) {
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => {}
        _ = stop.changed() => {
            shut_down(connection.as_mut());
            let _ = timeout(LAST_ANSWERS, connection).await;
        }
    }
}

/// Time for what is under way when the receiver ends.
const LAST_ANSWERS: Duration = Duration::from_secs(5);
/// How long a sender may keep a connection between two requests.
const IDLE: Duration = Duration::from_secs(60);
/// Bytes of a request's header, and of what is buffered of a connection.
const BUFFER_BYTES_MAX: usize = 64 << 10;
/// Fields of a request's header.
const HEADERS_MAX: usize = 64;
/// Requests on one connection of HTTP/2.
const STREAMS_MAX: u32 = 16;
const HEADER_BYTES_MAX: u32 = 16 << 10;
const WINDOW_BYTES: u32 = 1 << 20;
/// A sender that is gone is noticed.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
