//! What happens to all connections of a service at once: overload, stop, reboot, failover.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use crate::endpoint::{self, Attempt};
use crate::scenario::stage::{Pair, Stage};
use crate::{Error, Truth};

/// Connections of a service, from several clients, each in use.
fn live(stage: &Stage<'_>, listener: &TcpListener, count: u64) -> Result<Vec<Pair>, Error> {
    let to = stage.server_address(0);
    let pairs = (0..count)
        .map(|number| {
            let client = u16::try_from(number % 5).expect("five clients");
            let from = SocketAddr::new(stage.client_at(client), 0);
            let mut pair = stage.pair(listener, from, to)?;
            endpoint::exchange(&mut pair.client, &mut pair.server, b"login\n", b"welcome\n")?;
            Ok(pair)
        })
        .collect();
    // The last acknowledgments are under way.
    stage.pause(3);
    pairs
}

/// Calls while nobody listens.
fn refusals(stage: &Stage<'_>, count: u64) -> Result<Vec<Truth>, Error> {
    let to = stage.server_address(0);
    (0..count)
        .map(|_| {
            // The kernel may choose the port of a connection that was reset with the service.
            let since = stage.now();
            let flow = (stage.attempt(0)?.address, to);
            let done = "connect() while the service was down; the port had been open a moment ago";
            Ok(stage.truth(flow, "server", "service_unavailable", done).not_before(since))
        })
        .collect()
}

/// A service stops in an orderly way, but with its accept queue full of callers.
pub(super) fn stopped_with_queue(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let mut random = stage.random();
    let to = stage.server_address(0);
    let listener = endpoint::listen_on(stage.topology().server(), to, 64)?;
    stage.serve_ordinary(&listener, 0, 2)?;
    let waiting = (0..12 + random.below(12))
        .map(|number| {
            let client = u16::try_from(number % 5).expect("five clients");
            let mut attempt = stage.call(SocketAddr::new(stage.client_at(client), 0), to)?;
            endpoint::say(&mut attempt.stream, b"login\n")?;
            Ok(attempt)
        })
        .collect::<Result<Vec<_>, Error>>()?;
    stage.pause(2);
    drop(listener);
    let done =
        "the service closed its listening socket while connections waited in the accept queue";
    let mut truths = Vec::new();
    for Attempt { mut stream, address, .. } in waiting {
        stage.expect_reset(&mut stream, (address, to))?;
        truths.push(stage.truth((address, to), "server", "service_restart", done));
    }
    truths.extend(refusals(stage, 1 + random.below(4))?);
    let listener = stage.listen(0)?;
    stage.serve_ordinary(&listener, 0, 2)?;
    Ok(truths)
}

/// A worker is told to stop and aborts all its connections in the middle of their answers.
pub(super) fn aborted(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let mut random = stage.random();
    let listener = stage.listen(0)?;
    stage.serve_ordinary(&listener, 0, 2)?;
    let mut pairs = live(stage, &listener, 20 + random.below(20))?;
    drop(listener);
    for pair in &mut pairs {
        endpoint::say(&mut pair.server, &[b'.'; 700])?;
    }
    let mut clients = Vec::new();
    for pair in pairs {
        clients.push((pair.client, (pair.from, pair.to)));
        endpoint::abort(pair.server)?;
    }
    let done = "a service that was told to stop closed all its connections with SO_LINGER 0";
    let mut truths = Vec::new();
    for (mut client, flow) in clients {
        stage.expect_reset(&mut client, flow)?;
        truths.push(stage.truth(flow, "server", "service_restart", done));
    }
    truths.extend(refusals(stage, random.below(4))?);
    let listener = stage.listen(0)?;
    stage.serve_ordinary(&listener, 0, 2)?;
    Ok(truths)
}

/// The host forgets everything and is silent for a while; then every client's next packet is reset.
pub(super) fn host_reboot(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let mut random = stage.random();
    let listener = stage.listen(0)?;
    stage.serve_ordinary(&listener, 0, 2)?;
    let pairs = live(stage, &listener, 18 + random.below(14))?;
    drop(listener);
    let mut clients = Vec::new();
    for pair in pairs {
        endpoint::vanish(pair.server);
        clients.push((pair.client, (pair.from, pair.to)));
    }
    std::thread::sleep(Duration::from_millis(2500 + random.below(2500)));
    let done = "the server's kernel forgot all connections of the service without a word, as in a reboot, was silent \
                for some seconds, and reset the next packets of its old clients";
    let truths = speak_again(stage, clients, done)?;
    let listener = stage.listen(0)?;
    stage.serve_ordinary(&listener, 0, 2)?;
    Ok(truths)
}

/// The service's address moves to another machine, nearer by a hop, which knows none of the connections.
pub(super) fn failover(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let mut random = stage.random();
    let listener = stage.listen(0)?;
    stage.serve_ordinary(&listener, 0, 2)?;
    let pairs = live(stage, &listener, 18 + random.below(14))?;
    let to = stage.server_address(0);
    let topology = stage.topology();
    let standby = endpoint::listen_on(topology.standby(), to, 16)?;
    topology.fail_over(to.ip())?;
    let (clients, servers): (Vec<_>, Vec<_>) =
        pairs.into_iter().map(|pair| ((pair.client, (pair.from, pair.to)), pair.server)).unzip();
    let done = "the service's address moved to another machine (one hop nearer), which reset the next packets of \
                connections it had never had";
    let truths = speak_again(stage, clients, done)?;
    stage.serve_ordinary(&standby, 0, 3)?;
    servers.into_iter().for_each(endpoint::vanish);
    Ok(truths)
}

/// Every client speaks within about a second.
fn speak_again(
    stage: &Stage<'_>,
    clients: Vec<(std::net::TcpStream, (SocketAddr, SocketAddr))>,
    done: &str,
) -> Result<Vec<Truth>, Error> {
    let mut random = stage.random();
    let mut waiting = Vec::new();
    for (mut client, flow) in clients {
        endpoint::say(&mut client, b"are you there?\n")?;
        std::thread::sleep(Duration::from_millis(random.below(60)));
        waiting.push((client, flow));
    }
    let mut truths = Vec::new();
    for (mut client, flow) in waiting {
        stage.expect_reset(&mut client, flow)?;
        truths.push(stage.truth(flow, "server", "service_restart", done));
    }
    Ok(truths)
}

/// Waves of clients of several addresses meet a service that accepts too slowly.
pub(super) fn accept_queue_pressure(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let mut random = stage.random();
    let server = stage.topology().server();
    server.sysctl(&[("net/ipv4/tcp_abort_on_overflow", "1")])?;
    let to = stage.server_address(0);
    let backlog = 4 + random.below(5) as usize;
    let listener = endpoint::listen_on(server, to, backlog as i32)?;
    stage.serve_ordinary(&listener, 0, 3)?;
    let mut truths = Vec::new();
    for _wave in 0..3 + random.below(2) {
        // Fill the queue but for one place, then let as many handshakes begin as the queue holds.
        let mut waiting = Vec::new();
        for client in 0..backlog {
            let client = u16::try_from(1 + client % 6).expect("six clients");
            waiting.push(stage.call(SocketAddr::new(stage.client_at(client), 0), to)?);
        }
        let mut rush = Vec::new();
        for client in 1..=6_u16.min(backlog as u16) {
            let from = SocketAddr::new(stage.client_at(client), 0);
            rush.extend(endpoint::start_connects(stage.topology().client(), from, to, 1)?);
        }
        stage.pause(6);
        for attempt in rush {
            let flow = (attempt.address, to);
            if endpoint::was_reset(&attempt.stream)? {
                let done = format!(
                    "handshake completed while listen({backlog}) was full in a wave of clients, tcp_abort_on_overflow=1"
                );
                let truth = stage.truth(flow, "server", "accept_queue_overflow", done);
                truths.push(truth.by_rule("tcp_abort_on_overflow=1"));
            } else {
                waiting.push(attempt);
            }
        }
        waiting.into_iter().for_each(|attempt| endpoint::vanish(attempt.stream));
        listener.set_nonblocking(true).map_err(|source| Error::socket("empty a queue", source))?;
        while let Ok((stream, _)) = listener.accept() {
            endpoint::vanish(stream);
        }
        listener.set_nonblocking(false).map_err(|source| Error::socket("empty a queue", source))?;
        // The service recovers for a moment.
        stage.serve_ordinary(&listener, 0, 1)?;
    }
    if truths.is_empty() {
        let client = SocketAddr::new(stage.client_at(1), 0);
        return Err(stage.broken(client, to, "every connection found room in the queue"));
    }
    Ok(truths)
}
