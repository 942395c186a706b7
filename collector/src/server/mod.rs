//! HTTP for whoever asks, with a limit on everything: input is hostile.
//!
//! One thread, one runtime. A connection has a fixed time for each header and a fixed life; more connections
//! than allowed wait in the kernel's queue.
//!
//! | file | what |
//! |---|---|
//! | `access/` | who may ask, and for what: tokens, sessions, proxies, certificates, rates |
//! | `routes.rs` | what can be asked: the table of all addresses |
//! | `late.rs`, `live.rs` | answers of late, from memory; the same as they come |
//! | `past.rs` | answers of the past, from a store |
//! | `query.rs`, `ask.rs`, `range.rs` | filters, numbers, times and servers in the address |
//! | `shape.rs`, `openapi.rs` | the interface described for machines |
//! | `page.rs` | the page for people, made of `web/` |
//! | `refusal.rs` | errors as JSON |

mod access;
pub(crate) mod ask;
mod late;
mod live;
mod openapi;
mod page;
mod past;
pub(crate) mod query;
pub(crate) mod range;
mod refusal;
mod routes;
mod shape;
mod span;

use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use crate::accept;
use crate::error::Error;
use crate::history::LogList;
use crate::options::Options;
use crate::past::Past;
use crate::recent::Recent;
use crate::tls::ServerTls;
use access::{Access, Peer};
pub use access::{Proof, Role, SessionPage};
use live::Listeners;
pub use live::LiveStatus;
pub use openapi::document as openapi;
pub use range::read as read_server;
pub use span::{read_instant, read_span_s};

/// What is offered.
#[derive(Clone)]
pub struct Offer {
    /// What is known of late.
    pub recent: Arc<Recent>,
    /// The store of the past, if any.
    pub past: Option<Arc<dyn Past>>,
    /// Who writes logs to us, if anybody listens.
    pub logs: Option<LogRows>,
}

/// Tells of every source of logs; called in the API's thread, so it does not wait.
pub type LogRows = Arc<dyn Fn() -> LogList + Send + Sync>;

impl From<Arc<Recent>> for Offer {
    fn from(recent: Arc<Recent>) -> Self {
        Self { recent, past: None, logs: None }
    }
}

/// What all answers are made of.
#[derive(Clone)]
pub(crate) struct Known {
    offer: Offer,
    /// Turns at the store.
    places: Arc<Semaphore>,
    listeners: Listeners,
}

impl Known {
    fn of(offer: Offer) -> Self {
        Self {
            offer,
            places: Arc::new(Semaphore::new(past::PLACES)),
            listeners: Listeners::default(),
        }
    }
}

/// The API while it is offered; ends when dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Offers what is known on [`Options::address`]; the port is bound when this returns. `None` if the
/// options say "off".
///
/// # Errors
/// The address cannot be bound, is not loopback while there is no token, or the token cannot be read.
pub fn serve(options: &Options, offer: impl Into<Offer>) -> Result<Option<Server>, Error> {
    let Some(address) = options.address() else { return Ok(None) };
    let tls = ServerTls::new(&options.tls, &["http/1.1"])?;
    let access = Access::new(options, address, tls.as_ref())?;
    let bound = |source| Error::Bind { address, source };
    let listener = StdListener::bind(address).map_err(bound)?;
    listener.set_nonblocking(true).map_err(bound)?;
    let address = listener.local_addr().map_err(bound)?;
    let routes = routes::router(Known::of(offer.into()), access);
    let limits = Limits::of(options);
    let (stop, stopped) = oneshot::channel();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| Error::Thread { source })?;
    let work = move || runtime.block_on(run(listener, routes, tls, limits, stopped));
    let thread = std::thread::Builder::new()
        .name("api".to_owned())
        .spawn(work)
        .map_err(|source| Error::Thread { source })?;
    Ok(Some(Server { address, stop: Some(stop), thread: Some(thread) }))
}

impl Server {
    /// Where it listens.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // It may have ended by itself.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What one client may take.
#[derive(Clone, Copy, Debug)]
struct Limits {
    connections: usize,
    header: Duration,
    connection: Duration,
}

impl Limits {
    fn of(options: &Options) -> Self {
        Self {
            connections: options.connections.clamp(1, 4096),
            header: Duration::from_secs(options.header_timeout_s.max(1)),
            connection: Duration::from_secs(options.connection_s.max(1)),
        }
    }
}

/// Accepts until it is stopped.
async fn run(
    listener: StdListener,
    routes: Router,
    tls: Option<ServerTls>,
    limits: Limits,
    mut stopped: oneshot::Receiver<()>,
) {
    let listener = match TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!("the API cannot watch its socket: {error}; it is not offered");
            return;
        }
    };
    let places = Arc::new(Semaphore::new(limits.connections));
    loop {
        let (stream, address, place) = tokio::select! {
            biased;
            _ = &mut stopped => return,
            accepted = accept::with_place(&listener, &places) => accepted,
        };
        let routes = routes.clone();
        let tls = tls.as_ref().map(ServerTls::config);
        tokio::spawn(async move {
            let _ = stream.set_nodelay(true);
            match tls {
                None => {
                    talk(stream, Peer { address, has_certificate: false }, routes, limits).await
                }
                Some(config) => {
                    let greeting = TlsAcceptor::from(config).accept(stream);
                    if let Ok(Ok(stream)) = timeout(limits.header, greeting).await {
                        let has_certificate = stream.get_ref().1.peer_certificates().is_some();
                        talk(stream, Peer { address, has_certificate }, routes, limits).await;
                    }
                }
            }
            drop(place);
        });
    }
}

/// Answers one client until it or its time has gone.
async fn talk<S>(stream: S, peer: Peer, routes: Router, limits: Limits)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let routes = TowerToHyperService::new(routes);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        routes.call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header)
        .max_buf_size(HEADER_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    // Clients come and go, and what they do wrong is theirs to know.
    if timeout(limits.connection, connection.as_mut()).await.is_err() {
        connection.as_mut().graceful_shutdown();
        let _ = timeout(LAST_ANSWER, connection).await;
    }
}

/// Bytes of a request's header, and of what is buffered of a connection.
const HEADER_BYTES_MAX: usize = 16 << 10;
/// Fields of a request's header.
const HEADERS_MAX: usize = 64;
/// Time to take the last answer when the life of a connection is over.
const LAST_ANSWER: Duration = Duration::from_secs(5);
