//! Connections as they come to a listening socket.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The next connection; what the kernel refuses to give is waited out.
pub(crate) async fn connection(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            // Out of descriptors, most likely: some will be given back.
            Err(_) => tokio::time::sleep(ACCEPT_AGAIN).await,
        }
    }
}

/// The next connection for which there is a place, which is given back with the permit; others wait in the
/// kernel's queue.
pub(crate) async fn with_place(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
    let place = Arc::clone(places).acquire_owned().await.expect("nobody closes the places");
    let (stream, peer) = connection(listener).await;
    (stream, peer, place)
}

/// Pause after the kernel refused to give a connection.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);
