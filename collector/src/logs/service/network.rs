//! Sockets: a message a datagram, or many in a stream.

use std::net::{SocketAddr, TcpListener as StdListener, UdpSocket as StdUdp};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::Line;
use super::allow::Allow;
use super::error::LogError;
use super::frames::Frames;
use crate::logs::options::{LogListen, Transport, zone_or_utc};
use crate::logs::read::Zone;
use crate::tls::ServerTls;

/// A bound socket and what is to be known of those who send to it.
pub(super) struct Port {
    socket: Socket,
    pub(super) address: SocketAddr,
    allow: Allow,
    zone: Zone,
    tls: Option<ServerTls>,
    via: &'static str,
}

enum Socket {
    Udp(StdUdp),
    Stream(StdListener),
}

/// What is lost on the way in.
#[derive(Debug, Default)]
pub(super) struct Losses {
    /// Of senders that may not.
    pub(super) not_allowed: AtomicU64,
    /// Datagrams that came faster than they are read.
    pub(super) overrun: AtomicU64,
    /// Messages beyond the limit of length.
    pub(super) too_long: AtomicU64,
}

impl Port {
    /// Binds.
    pub(super) fn bind(options: &LogListen) -> Result<Self, LogError> {
        let via = options.transport.name();
        let address = options.address;
        let failed = |source| LogError::Bind { transport: via, address, source };
        let tls = match options.transport {
            Transport::Tls => {
                let tls = ServerTls::new(&options.tls, &[])
                    .map_err(|source| LogError::Tls { address, source })?;
                Some(tls.ok_or(LogError::NoCertificate { address })?)
            }
            Transport::Udp | Transport::Tcp => None,
        };
        let (socket, address) = if options.transport == Transport::Udp {
            let socket = StdUdp::bind(address).map_err(failed)?;
            socket.set_nonblocking(true).map_err(failed)?;
            let address = socket.local_addr().map_err(failed)?;
            (Socket::Udp(socket), address)
        } else {
            let listener = StdListener::bind(address).map_err(failed)?;
            listener.set_nonblocking(true).map_err(failed)?;
            let address = listener.local_addr().map_err(failed)?;
            (Socket::Stream(listener), address)
        };
        let allow = Allow::new(&options.allow)?;
        Ok(Self { socket, address, allow, zone: zone_or_utc(options.timezone.as_ref()), tls, via })
    }

    /// Takes messages until it is stopped.
    pub(super) async fn run(
        self,
        lines: mpsc::Sender<Line>,
        losses: Arc<Losses>,
        places: Arc<Semaphore>,
        stop: watch::Receiver<bool>,
    ) {
        let sender = Sender { lines, losses, via: self.via, zone: self.zone };
        let done = match self.socket {
            Socket::Udp(socket) => match UdpSocket::from_std(socket) {
                Ok(socket) => datagrams(socket, &self.allow, &sender, stop).await,
                Err(error) => Err(error),
            },
            Socket::Stream(listener) => match TcpListener::from_std(listener) {
                Ok(listener) => streams(listener, self.allow, self.tls, sender, places, stop).await,
                Err(error) => Err(error),
            },
        };
        if let Err(error) = done {
            tracing::error!("logs on {} {} are not taken: {error}", self.via, self.address);
        }
    }
}

/// Where lines go, with what is known of them.
#[derive(Clone)]
struct Sender {
    lines: mpsc::Sender<Line>,
    losses: Arc<Losses>,
    via: &'static str,
    zone: Zone,
}

impl Sender {
    fn line(&self, peer: &str, bytes: &[u8]) -> Line {
        Line { peer: peer.to_owned(), via: self.via, zone: self.zone, bytes: bytes.to_vec() }
    }
}

async fn datagrams(
    socket: UdpSocket,
    allow: &Allow,
    sender: &Sender,
    mut stop: watch::Receiver<bool>,
) -> std::io::Result<()> {
    let mut buffer = vec![0; DATAGRAM_MAX];
    loop {
        let received = tokio::select! {
            biased;
            _ = stop.changed() => return Ok(()),
            received = socket.recv_from(&mut buffer) => received,
        };
        // An ICMP message about something we never sent is no reason to stop.
        let Ok((len, peer)) = received else { continue };
        let peer = peer.ip().to_canonical();
        if !allow.holds(peer) {
            sender.losses.not_allowed.fetch_add(1, Ordering::Relaxed);
            continue;
        }
        let peer = peer.to_string();
        let mut frames = Frames::default();
        let mut whole = Vec::new();
        frames.push(&buffer[..len], |line| whole.push(sender.line(&peer, line)));
        frames.finish(|line| whole.push(sender.line(&peer, line)));
        for line in whole {
            if sender.lines.try_send(line).is_err() {
                sender.losses.overrun.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

async fn streams(
    listener: TcpListener,
    allow: Allow,
    tls: Option<ServerTls>,
    sender: Sender,
    places: Arc<Semaphore>,
    mut stop: watch::Receiver<bool>,
) -> std::io::Result<()> {
    loop {
        let accepted = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (listener.accept().await, place)
        };
        let (accepted, place) = tokio::select! {
            biased;
            _ = stop.changed() => return Ok(()),
            accepted = accepted => accepted,
        };
        let (Ok((stream, peer)), Ok(place)) = (accepted, place) else {
            tokio::time::sleep(ACCEPT_AGAIN).await;
            continue;
        };
        let peer = peer.ip().to_canonical();
        if !allow.holds(peer) {
            sender.losses.not_allowed.fetch_add(1, Ordering::Relaxed);
            continue;
        }
        let tls = tls.as_ref().map(|tls| TlsAcceptor::from(tls.config()));
        let talk = talk(stream, tls, peer.to_string(), sender.clone(), place, stop.clone());
        tokio::spawn(talk);
    }
}

async fn talk(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    peer: String,
    sender: Sender,
    place: OwnedSemaphorePermit,
    stop: watch::Receiver<bool>,
) {
    match tls {
        None => listen_to(stream, &peer, &sender, stop).await,
        Some(tls) => match timeout(HANDSHAKE, tls.accept(stream)).await {
            Ok(Ok(stream)) => listen_to(stream, &peer, &sender, stop).await,
            Ok(Err(error)) => tracing::debug!("logs from {peer}: TLS: {error}"),
            Err(_) => tracing::debug!("logs from {peer}: TLS took more than {HANDSHAKE:?}"),
        },
    }
    drop(place);
}

/// Reads a stream to its end; a full queue makes the sender wait.
async fn listen_to(
    mut stream: impl AsyncRead + Unpin,
    peer: &str,
    sender: &Sender,
    mut stop: watch::Receiver<bool>,
) {
    let mut frames = Frames::default();
    let mut buffer = vec![0; READ];
    loop {
        let read = tokio::select! {
            biased;
            _ = stop.changed() => return,
            read = timeout(SILENCE_MAX, stream.read(&mut buffer)) => read,
        };
        let mut lines = Vec::new();
        let is_over = match read {
            Ok(Ok(len @ 1..)) => {
                frames.push(&buffer[..len], |line| lines.push(sender.line(peer, line)));
                false
            }
            _ => {
                frames.finish(|line| lines.push(sender.line(peer, line)));
                true
            }
        };
        let too_long = std::mem::take(&mut frames.too_long);
        sender.losses.too_long.fetch_add(too_long, Ordering::Relaxed);
        for line in lines {
            if sender.lines.send(line).await.is_err() {
                return;
            }
        }
        if is_over {
            return;
        }
    }
}

/// The largest UDP payload.
const DATAGRAM_MAX: usize = 65_536;
const READ: usize = 16 * 1024;

/// Out of descriptors, most likely: some will be given back.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Firewalls keep a connection open over a quiet night; longer ones are dead.
const SILENCE_MAX: Duration = Duration::from_secs(24 * 3600);
