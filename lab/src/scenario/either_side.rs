//! Resets known from one side, made by the other; and ways to abort that look alike on the wire.

use std::net::SocketAddr;
use std::time::Duration;

use crate::endpoint::{self, Attempt};
use crate::scenario::Stage;
use crate::{Error, Truth};

/// The client closes while the server goes on sending.
pub(super) fn data_after_client_closed(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let mut random = stage.random();
    let listener = stage.listen(0)?;
    stage.serve_ordinary(&listener, 0, 2)?;
    let mut pair = stage.connect(&listener, 0)?;
    let flow = pair.flow();
    for _ in 0..2 + random.below(4) {
        endpoint::exchange(&mut pair.client, &mut pair.server, b"next\n", &[b'.'; 2000])?;
    }
    drop(pair.client);
    stage.pause(1);
    for _ in 0..1 + random.below(3) {
        // The reset of the first piece may be here already.
        if endpoint::say(&mut pair.server, &[b'.'; 1200]).is_err() {
            break;
        }
    }
    stage.pause(2);
    let done = "the client closed (FIN) a round trip before the server sent its next data";
    Ok(vec![stage.truth(flow, "client", "data_after_close", done)])
}

/// Both sides close at once; the client's last data meets a closed server.
pub(super) fn close_race_at_server(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let mut random = stage.random();
    let listener = stage.listen(0)?;
    stage.serve_ordinary(&listener, 0, 2)?;
    let mut pair = stage.connect(&listener, 0)?;
    let flow = pair.flow();
    endpoint::exchange(&mut pair.client, &mut pair.server, b"begin\n", b"ready\n")?;
    drop(pair.server);
    std::thread::sleep(Duration::from_millis(random.below(15)));
    endpoint::say(&mut pair.client, b"one more thing\n")?;
    drop(pair.client);
    stage.pause(3);
    let done = "both sides closed at the same time; the client's last 15 bytes were under way and met a closed server";
    Ok(vec![stage.truth(flow, "server", "close_race", done)])
}

/// The server has sent its whole response, knows that it arrived, and closes with a reset.
pub(super) fn fast_close_by_server(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let mut random = stage.random();
    let listener = stage.listen(0)?;
    stage.serve_ordinary(&listener, 0, 2)?;
    let mut truths = Vec::new();
    for _ in 0..1 + random.below(3) {
        let mut pair = stage.connect(&listener, 0)?;
        let flow = pair.flow();
        let response = vec![b'.'; 100 + random.below(20_000) as usize];
        endpoint::exchange(&mut pair.client, &mut pair.server, b"GET /\n", &response)?;
        // A delayed acknowledgment leaves after 40 ms at the latest (TCP_DELACK_MIN).
        stage.pause(3);
        endpoint::abort(pair.server)?;
        stage.expect_reset(&mut pair.client, flow)?;
        let done = "the server knew its whole response acknowledged, then closed with SO_LINGER 0";
        truths.push(stage.truth(flow, "server", "fast_close", done));
    }
    Ok(truths)
}

/// The client's process ends with data it has not read.
pub(super) fn unread_at_client(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let mut random = stage.random();
    let listener = stage.listen(0)?;
    stage.serve_ordinary(&listener, 0, 2)?;
    let mut pair = stage.connect(&listener, 0)?;
    let flow = pair.flow();
    endpoint::exchange(&mut pair.client, &mut pair.server, b"GET /list\n", b"first\n")?;
    // One segment: another one that arrives between the end of the socket and its reset would draw the first reset
    // (NO_SOCKET).
    endpoint::say(&mut pair.server, &vec![b'.'; 1 + random.below(1400) as usize])?;
    endpoint::await_data(&pair.client)?;
    drop(pair.client);
    stage.expect_reset(&mut pair.server, flow)?;
    let done = "the client closed its socket with data in it that it had not read";
    Ok(vec![stage.truth(flow, "client", "app_abort", done)])
}

/// An operator destroys sockets from outside (`ss -K`).
pub(super) fn destroyed(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let listener = stage.listen(0)?;
    stage.serve_ordinary(&listener, 0, 2)?;
    let mut truths = Vec::new();
    for side in ["client", "server"] {
        let mut pair = stage.connect(&listener, 0)?;
        let flow = pair.flow();
        for _ in 0..2 {
            endpoint::exchange(&mut pair.client, &mut pair.server, b"go on\n", &[b'.'; 3000])?;
        }
        let topology = stage.topology();
        let (host, own, peer, mut other) = match side {
            "client" => (topology.client(), flow.0, flow.1, pair.server),
            _ => (topology.server(), flow.1, flow.0, pair.client),
        };
        host.tool("ss", &["-K", "-t", "src", &own.to_string(), "dst", &peer.to_string()], "")?;
        stage.expect_reset(&mut other, flow)?;
        let done = format!("an operator destroyed the {side}'s socket from outside (ss -K)");
        truths.push(stage.truth(flow, side, "app_abort", done));
    }
    Ok(truths)
}

/// Calls until the slower family loses at the right moment.
const CALLS_MAX: usize = 12;

/// A client calls the same server in both families at once and gives up the slower one (RFC 8305).
pub(super) fn happy_eyeballs(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let mut random = stage.random();
    let (first, second) = (stage.in_family(!stage.is_v6()), stage.in_family(stage.is_v6()));
    let listeners = [first.listen(0)?, second.listen(0)?];
    for (stage, listener) in [first, second].iter().zip(&listeners) {
        stage.serve_ordinary(listener, 0, 1)?;
    }
    for _ in 0..CALLS_MAX {
        let winner = first.start_connect(0)?;
        std::thread::sleep(Duration::from_millis(10 + random.below(15) + 5));
        let loser = second.start_connect(0)?;
        // The winner's handshake ends before the loser's does.
        endpoint::wait_until_connected(&winner.stream)?;
        let Attempt { stream, address, .. } = loser;
        drop(stream);
        let mut winner_server = endpoint::accept(&listeners[0])?;
        winner.stream.set_nonblocking(false).map_err(|source| Error::socket("use it", source))?;
        let mut client = winner.stream;
        endpoint::exchange(&mut client, &mut winner_server, b"GET /\n", b"a page\n")?;
        stage.pause(2);
        endpoint::vanish(client);
        endpoint::vanish(winner_server);
        // Whether the SYN/ACK came in time is asked of the server: asked of the client before it
        // closes, it may still come in between.
        if endpoint::has_called(&listeners[1])? {
            drop(endpoint::accept(&listeners[1])?);
            continue;
        }
        let done = "the client called in both families; the other one was faster, and this call was closed before its \
                    SYN/ACK came";
        let flow = (address, second.server_address(0));
        return Ok(vec![stage.truth(flow, "client", "connect_cancelled", done)]);
    }
    let client = SocketAddr::new(second.client_ip(), 0);
    Err(stage.broken(client, second.server_address(0), "both families were always as fast"))
}
