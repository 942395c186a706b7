//! Messages in streams: TCP and TLS.

use std::io::{self, ErrorKind};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::frames::Frames;
use super::network::Sender;
use super::places::{Place, Places};
use crate::accept;
use crate::network::Networks;
use crate::tls::ServerTls;

/// Listens until it is stopped. A place is taken only by who may send: strangers are turned away without one.
pub(super) async fn run(
    listener: TcpListener,
    allow: Networks,
    tls: Option<ServerTls>,
    sender: Sender,
    places: Arc<Places>,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        let next = async {
            let (stream, peer) = accept::connection(&listener).await;
            let peer = peer.ip().to_canonical();
            if !allow.is_empty() && !allow.hold(peer) {
                sender.losses.not_allowed.add(1);
                return None;
            }
            let place = places.take(peer).await;
            if place.is_none() {
                sender.losses.refused.add(1);
            }
            Some((stream, peer, place?))
        };
        let next = tokio::select! {
            biased;
            _ = stop.changed() => return,
            next = next => next,
        };
        let Some((stream, peer, place)) = next else { continue };
        let tls = tls.as_ref().map(|tls| TlsAcceptor::from(tls.config()));
        let talk = Talk { peer, sender: sender.clone(), places: Arc::clone(&places), place };
        tokio::spawn(talk.over(stream, tls, stop.clone()));
    }
}

/// One connection.
struct Talk {
    peer: IpAddr,
    sender: Sender,
    places: Arc<Places>,
    /// Given back with the connection.
    place: Place,
}

impl Talk {
    async fn over(self, stream: TcpStream, tls: Option<TlsAcceptor>, stop: watch::Receiver<bool>) {
        match tls {
            None => self.listen(stream, stop).await,
            Some(tls) => match timeout(HANDSHAKE, greet(stream, tls)).await {
                Ok(Ok(Some(stream))) => self.listen(stream, stop).await,
                Ok(Ok(None)) => {}
                Ok(Err(error)) => self.tls_failed(&error.to_string()),
                Err(_) => self.tls_failed(&format!("it took more than {HANDSHAKE:?}")),
            },
        }
    }

    fn tls_failed(&self, why: &str) {
        self.sender.losses.tls_failed.add(1);
        tracing::debug!("logs from {}: TLS: {why}", self.peer);
    }

    /// Reads a stream to its end; a full queue makes the sender wait.
    async fn listen(self, mut stream: impl AsyncRead + Unpin, mut stop: watch::Receiver<bool>) {
        let Self { peer, sender, places, place } = self;
        let peer = peer.to_string();
        let mut frames = Frames::default();
        let mut buffer = vec![0; READ];
        let (mut has_sent, mut has_spoken, mut heard) = (false, false, Instant::now());
        let mut queue = places.queue();
        loop {
            let patience = places.silence_max(has_spoken);
            let read = tokio::select! {
                biased;
                _ = stop.changed() => return,
                read = stream.read(&mut buffer) => Some(read),
                // Others began or ceased to wait: then silence is borne for another time.
                Ok(()) = queue.changed() => None,
                () = sleep_until(heard + patience) => None,
            };
            let mut lines = Vec::new();
            let is_over = match read {
                Some(Ok(len @ 1..)) => {
                    has_sent = true;
                    frames.push(&buffer[..len], |line| lines.push(sender.line(&peer, line)));
                    false
                }
                Some(Ok(_)) => true,
                Some(Err(error)) => {
                    // TLS that ends without its goodbye ends as TCP does; who only looks whether somebody listens
                    // may leave by a reset.
                    let is_broken = has_sent && error.kind() != ErrorKind::UnexpectedEof;
                    sender.losses.broken.add(u64::from(is_broken));
                    true
                }
                None => false,
            };
            sender.losses.too_long.add(std::mem::take(&mut frames.too_long));
            if !lines.is_empty() {
                (has_spoken, heard) = (true, Instant::now());
            }
            for line in lines {
                if sender.lines.send(line).await.is_err() {
                    return;
                }
            }
            if is_over {
                break;
            }
            // Pieces of a line that never ends are silence, too.
            if places.gives_way(has_spoken, heard.elapsed()) {
                sender.losses.silent.add(1);
                break;
            }
        }
        // A line without its end may lack half of a port: it is not read.
        sender.losses.cut.add(u64::from(frames.is_amid()));
        drop(place);
    }
}

/// TLS with whoever says something; nothing for those who only look whether somebody listens.
async fn greet(stream: TcpStream, tls: TlsAcceptor) -> io::Result<Option<TlsStream<TcpStream>>> {
    if !matches!(stream.peek(&mut [0]).await, Ok(1..)) {
        return Ok(None);
    }
    tls.accept(stream).await.map(Some)
}

const READ: usize = 16 * 1024;
const HANDSHAKE: Duration = Duration::from_secs(10);
