//! Sockets, and messages in datagrams.

use std::net::{SocketAddr, TcpListener as StdListener, UdpSocket as StdUdp};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::{mpsc, watch};

use super::counts::Losses;
use super::drops::Drops;
use super::error::LogError;
use super::frames::Frames;
use super::places::Places;
use super::{Line, every, streams};
use crate::logs::options::{LogListen, Transport, zone_or_utc};
use crate::logs::read::Zone;
use crate::network::Networks;
use crate::tls::ServerTls;

/// A bound socket and what is to be known of those who send to it.
pub(super) struct Port {
    socket: Socket,
    pub(super) address: SocketAddr,
    /// Who may send; none means everybody.
    allow: Networks,
    zone: Zone,
    tls: Option<ServerTls>,
    via: &'static str,
}

enum Socket {
    Udp(StdUdp),
    Stream(StdListener),
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
        let allow = Networks::read(&options.allow).map_err(|text| LogError::Allow { text })?;
        Ok(Self { socket, address, allow, zone: zone_or_utc(options.timezone.as_ref()), tls, via })
    }

    /// Takes messages until it is stopped.
    pub(super) async fn run(
        self,
        lines: mpsc::Sender<Line>,
        losses: Arc<Losses>,
        places: Arc<Places>,
        stop: watch::Receiver<bool>,
    ) {
        let sender = Sender { lines, losses, via: self.via, zone: self.zone };
        let done = match self.socket {
            Socket::Udp(socket) => {
                let mut drops = Drops::of(&socket);
                match drops.more() {
                    Some(more) => sender.losses.in_kernel.add(more),
                    None => tracing::warn!(
                        "logs on udp {}: datagrams that the kernel drops are not counted: its list of sockets \
                         (/proc/net/udp) cannot be read",
                        self.address
                    ),
                }
                match UdpSocket::from_std(socket) {
                    Ok(socket) => {
                        datagrams(socket, drops, &self.allow, &sender, stop).await;
                        Ok(())
                    }
                    Err(error) => Err(error),
                }
            }
            Socket::Stream(listener) => match TcpListener::from_std(listener) {
                Ok(listener) => {
                    streams::run(listener, self.allow, self.tls, sender, places, stop).await;
                    Ok(())
                }
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
pub(super) struct Sender {
    pub(super) lines: mpsc::Sender<Line>,
    pub(super) losses: Arc<Losses>,
    via: &'static str,
    zone: Zone,
}

impl Sender {
    pub(super) fn line(&self, peer: &str, bytes: &[u8]) -> Line {
        Line { peer: peer.to_owned(), via: self.via, zone: self.zone, bytes: bytes.to_vec() }
    }
}

async fn datagrams(
    socket: UdpSocket,
    mut drops: Drops,
    allow: &Networks,
    sender: &Sender,
    mut stop: watch::Receiver<bool>,
) {
    let mut buffer = vec![0; DATAGRAM_MAX];
    let mut look = every(LOOK);
    loop {
        let received = tokio::select! {
            biased;
            _ = stop.changed() => return,
            // Before the datagrams: drops are told while they go on.
            _ = look.tick() => {
                sender.losses.in_kernel.add(drops.more().unwrap_or(0));
                continue;
            }
            received = socket.recv_from(&mut buffer) => received,
        };
        // An ICMP message about something we never sent is no reason to stop.
        let Ok((len, peer)) = received else { continue };
        let peer = peer.ip().to_canonical();
        if !allow.is_empty() && !allow.hold(peer) {
            sender.losses.not_allowed.add(1);
            continue;
        }
        let peer = peer.to_string();
        let mut frames = Frames::default();
        let mut whole = Vec::new();
        frames.push(&buffer[..len], |line| whole.push(sender.line(&peer, line)));
        frames.finish(|line| whole.push(sender.line(&peer, line)));
        sender.losses.too_long.add(frames.too_long);
        for line in whole {
            if sender.lines.try_send(line).is_err() {
                sender.losses.datagrams.add(1);
            }
        }
    }
}

/// How often the kernel is asked what it dropped.
const LOOK: Duration = Duration::from_secs(1);

/// The largest UDP payload.
const DATAGRAM_MAX: usize = 65_536;
