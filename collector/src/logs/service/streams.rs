//! Messages in streams: TCP and TLS.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsAcceptor;

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
        let peer = self.peer;
        match tls {
            None => self.listen(stream, stop).await,
            Some(tls) => match timeout(HANDSHAKE, tls.accept(stream)).await {
                Ok(Ok(stream)) => self.listen(stream, stop).await,
                Ok(Err(error)) => tracing::debug!("logs from {peer}: TLS: {error}"),
                Err(_) => tracing::debug!("logs from {peer}: TLS took more than {HANDSHAKE:?}"),
            },
        }
    }

    /// Reads a stream to its end; a full queue makes the sender wait.
    async fn listen(self, mut stream: impl AsyncRead + Unpin, mut stop: watch::Receiver<bool>) {
        let Self { peer, sender, places, place } = self;
        let peer = peer.to_string();
        let mut frames = Frames::default();
        let mut buffer = vec![0; READ];
        let (mut has_spoken, mut heard) = (false, Instant::now());
        loop {
            let read = tokio::select! {
                biased;
                _ = stop.changed() => return,
                read = timeout(places.first_line, stream.read(&mut buffer)) => read,
            };
            let mut lines = Vec::new();
            let is_over = match read {
                Ok(Ok(len @ 1..)) => {
                    frames.push(&buffer[..len], |line| lines.push(sender.line(&peer, line)));
                    false
                }
                Ok(_) => {
                    frames.finish(|line| lines.push(sender.line(&peer, line)));
                    true
                }
                Err(_) => false,
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
            if places.is_over(has_spoken, heard.elapsed()) {
                sender.losses.silent.add(1);
                break;
            }
        }
        drop(place);
    }
}

const READ: usize = 16 * 1024;
const HANDSHAKE: Duration = Duration::from_secs(10);
