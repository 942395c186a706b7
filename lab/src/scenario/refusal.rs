//! Connections that never come to work: refused, given up, or turned away at the door.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use nix::errno::Errno;

use crate::endpoint::{self, Attempt, End};
use crate::scenario::Stage;
use crate::{Error, Truth};

/// A SYN to a closed port. Ordinary connections to an open port of the same server come first.
pub(super) fn refused(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let listener = stage.listen(0)?;
    stage.serve_ordinary(&listener, 0, 2)?;
    let to = stage.server_address(1);
    let Attempt { address, outcome, .. } = stage.attempt(1)?;
    if outcome != Err(Errno::ECONNREFUSED) {
        return Err(stage.broken(address, to, format!("the call ended with {outcome:?}")));
    }
    let done =
        "connect() to a port on which nothing has ever listened; other ports of the server work";
    Ok(vec![stage.truth((address, to), "server", "port_closed", done)])
}

/// Calls made by [`connect_cancelled`] until one is given up in time.
const CALLS_MAX: usize = 5;

/// The handshake is given up by close() while the SYN/ACK is under way.
pub(super) fn connect_cancelled(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let listener = stage.listen(0)?;
    stage.serve_ordinary(&listener, 0, 1)?;
    let to = stage.server_address(0);
    for _ in 0..CALLS_MAX {
        let Attempt { stream, address, .. } = stage.start_connect(0)?;
        let too_late = stream.peer_addr().is_ok();
        drop(stream);
        if too_late {
            // This thread was held up for a whole round trip. The connection ends with FINs.
            drop(endpoint::accept(&listener)?);
            continue;
        }
        stage.pause(3);
        let done =
            "non-blocking connect(), closed before the SYN/ACK arrived; the SYN/ACK met no socket";
        return Ok(vec![stage.truth((address, to), "client", "connect_cancelled", done)]);
    }
    let client = SocketAddr::new(stage.client_ip(), 0);
    Err(stage.broken(client, to, "the handshake was always faster than close()"))
}

/// More handshakes at once than the accept queue holds, on a server told to answer that with a reset.
pub(super) fn accept_queue_overflow(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let server = stage.topology().server();
    server.sysctl(&[("net/ipv4/tcp_abort_on_overflow", "1")])?;
    let to = stage.server_address(0);
    // A queue of `backlog` holds one more, and as many handshakes may be under way.
    let backlog = 4_usize;
    let listener = endpoint::listen_on(server, to, backlog as i32)?;
    stage.serve_ordinary(&listener, 0, 2)?;
    let waiting =
        (0..backlog - 1).map(|_| stage.attempt(0)).collect::<Result<Vec<Attempt>, Error>>()?;
    // Their SYNs all meet a queue with room; their last ACKs do not.
    let rush = stage.start_connects(0, backlog)?;
    stage.pause(3);
    let mut truths = Vec::new();
    for Attempt { mut stream, address, .. } in rush {
        let short = Some(Duration::from_millis(50));
        let failed = |source| Error::socket("set the time-outs of a connection", source);
        stream.set_nonblocking(false).map_err(failed)?;
        stream.set_read_timeout(short).map_err(failed)?;
        if endpoint::wait_for_end(&mut stream) == End::Failed {
            let done = format!(
                "handshake completed while listen({backlog}) held {} connections nobody accepted, \
                 tcp_abort_on_overflow=1",
                backlog + 1
            );
            truths.push(stage.truth((address, to), "server", "accept_queue_overflow", done));
        } else {
            endpoint::vanish(stream);
        }
    }
    waiting.into_iter().for_each(|attempt| endpoint::vanish(attempt.stream));
    // The connections still in the queue are forgotten as well, not reset by the end of the listener.
    listener.set_nonblocking(true).map_err(|source| Error::socket("empty a queue", source))?;
    while let Ok((stream, _)) = listener.accept() {
        endpoint::vanish(stream);
    }
    if truths.is_empty() {
        let client = SocketAddr::new(stage.client_ip(), 0);
        return Err(stage.broken(client, to, "every connection found room in the queue"));
    }
    Ok(truths)
}

/// Time a proxy tries to reach its backend before it gives up.
const BACKEND_PATIENCE: Duration = Duration::from_secs(1);

/// A proxy on the server accepts, is refused by its backend three times, and resets the client.
pub(super) fn proxied_backend_refused(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let listener = stage.listen(0)?;
    stage.serve_ordinary(&listener, 0, 1)?;
    let mut pair = stage.connect(&listener, 0)?;
    let loopback = if stage.is_v6() { "::1" } else { "127.0.0.1" };
    let loopback: IpAddr = loopback.parse().expect("the address of the host itself is well formed");
    let backend = SocketAddr::new(loopback, stage.server_address(1).port());
    for _ in 0..3 {
        let from = SocketAddr::new(loopback, 0);
        let refused = endpoint::connect_from(stage.topology().server(), from, backend)?;
        if refused.outcome.is_ok() {
            return Err(stage.broken(refused.address, backend, "the backend accepted"));
        }
        std::thread::sleep(BACKEND_PATIENCE / 3);
    }
    endpoint::abort(pair.server)?;
    stage.expect_reset(&mut pair.client, (pair.from, pair.to))?;
    let done = "a proxy completed the handshake, was refused by its backend three times in one second, \
                and closed the client's connection with SO_LINGER 0";
    Ok(vec![stage.truth((pair.from, pair.to), "server", "proxied_backend_refused", done)])
}
