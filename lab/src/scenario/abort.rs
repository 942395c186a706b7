//! Applications that give up a live connection.

use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};

use nix::sys::socket::{setsockopt, sockopt};

use crate::endpoint;
use crate::scenario::Stage;
use crate::scenario::stage::Pair;
use crate::{Error, Truth};

/// Bytes of one piece of a transfer: three full segments.
const PIECE: [u8; 4200] = [b'.'; 4200];

/// Two transfers from the server; the client aborts the first, the server the second.
pub(super) fn linger_zero(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let listener = stage.listen(0)?;
    stage.serve_ordinary(&listener, 0, 2)?;
    let mut truths = Vec::new();
    for origin in ["client", "server"] {
        let mut pair = stage.connect(&listener, 0)?;
        stream_some(&mut pair)?;
        let flow = pair.flow();
        // The last piece is still on the wire when the application gives up.
        endpoint::say(&mut pair.server, &PIECE)?;
        let (aborting, mut other) = match origin {
            "client" => (pair.client, pair.server),
            _ => (pair.server, pair.client),
        };
        endpoint::abort(aborting)?;
        stage.expect_reset(&mut other, flow)?;
        let done = format!("the {origin} closed with SO_LINGER 0 in the middle of a transfer");
        truths.push(stage.truth(flow, origin, "app_abort", done));
    }
    Ok(truths)
}

/// A request, then pieces of an answer.
fn stream_some(pair: &mut Pair) -> Result<(), Error> {
    endpoint::exchange(&mut pair.client, &mut pair.server, b"GET /film\n", &PIECE)?;
    for _ in 0..3 {
        endpoint::say(&mut pair.server, &PIECE)?;
        endpoint::hear(&mut pair.client, PIECE.len())?;
    }
    Ok(())
}

/// The connection belongs to another process, which never reads, and which is killed.
pub(super) fn killed_with_unread_data(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let listener = stage.listen(0)?;
    stage.serve_ordinary(&listener, 0, 2)?;
    let mut pair = stage.connect(&listener, 0)?;
    endpoint::exchange(&mut pair.client, &mut pair.server, b"login\n", b"welcome\n")?;
    let flow = pair.flow();
    // The child takes the socket as its standard input; our own copy closes with the command.
    let owner = OwnedFd::from(pair.server);
    let missing = |source| Error::ToolMissing { program: "sleep", source };
    let mut process = Command::new("sleep")
        .arg("60")
        .stdin(Stdio::from(owner))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(missing)?;
    endpoint::say(&mut pair.client, b"an order that nobody will read\n")?;
    stage.pause(1);
    process.kill().map_err(missing)?;
    process.wait().map_err(missing)?;
    stage.expect_reset(&mut pair.client, flow)?;
    let done = "a separate process (sleep) owned the server's socket, had not read the client's last 31 bytes, \
                and was killed by SIGKILL";
    Ok(vec![stage.truth(flow, "server", "app_abort", done)])
}

/// Connections of the service in [`service_restart`].
const CONNECTIONS: usize = 24;

/// A service that dies with unread requests in all its connections, is missed, and comes back.
pub(super) fn service_restart(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let listener = stage.listen(0)?;
    stage.serve_ordinary(&listener, 0, 2)?;
    let mut pairs = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut pair = stage.connect(&listener, 0)?;
        endpoint::exchange(&mut pair.client, &mut pair.server, b"login\n", b"welcome\n")?;
        pairs.push(pair);
    }
    for pair in &mut pairs {
        endpoint::say(&mut pair.client, b"a request nobody will read\n")?;
    }
    for pair in &pairs {
        endpoint::await_data(&pair.server)?;
    }
    drop(listener);
    let (clients, servers): (Vec<_>, Vec<_>) =
        pairs.into_iter().map(|pair| ((pair.client, (pair.from, pair.to)), pair.server)).unzip();
    drop(servers);
    let done = "all sockets of a service were closed at once, each with unread data, as at the end of its process";
    let mut truths = Vec::new();
    for (mut client, flow) in clients {
        stage.expect_reset(&mut client, flow)?;
        truths.push(stage.truth(flow, "server", "service_restart", done));
    }
    for _ in 0..2 {
        // The kernel may choose the port of a connection that was reset with the service.
        let since = stage.now();
        let flow = (stage.attempt(0)?.address, stage.server_address(0));
        let done = "connect() while the service was down; the port had been open a moment ago";
        let truth = stage.truth(flow, "server", "service_unavailable", done);
        truths.push(truth.not_before(since));
    }
    let listener = stage.listen(0)?;
    stage.serve_ordinary(&listener, 0, 1)?;
    Ok(truths)
}

/// Hop limit of the server's sockets in [`server_hop_limit_set`]; the host itself keeps 64.
const SOCKET_HOP_LIMIT: u8 = 128;

/// Sockets with a hop limit of their own: an abort carries it, the reply to late data carries the host's.
pub(super) fn server_hop_limit_set(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let listener = stage.listen(0)?;
    // Sockets that are accepted inherit it, and so does the SYN/ACK.
    let limit = i32::from(SOCKET_HOP_LIMIT);
    if stage.is_v6() {
        setsockopt(&listener, sockopt::Ipv6Ttl, &limit)
    } else {
        setsockopt(&listener, sockopt::Ipv4Ttl, &limit)
    }
    .map_err(|source| Error::socket("set the hop limit of a socket", source))?;
    stage.serve_ordinary(&listener, 0, 1)?;

    let mut aborted = stage.connect(&listener, 0)?;
    stream_some(&mut aborted)?;
    let abort_flow = aborted.flow();
    endpoint::abort(aborted.server)?;
    stage.expect_reset(&mut aborted.client, abort_flow)?;

    let mut closed = stage.connect(&listener, 0)?;
    endpoint::exchange(&mut closed.client, &mut closed.server, b"begin\n", b"enough\n")?;
    let close_flow = closed.flow();
    drop(closed.server);
    stage.pause(1);
    endpoint::say(&mut closed.client, b"more\n")?;
    stage.pause(2);
    Ok(vec![
        stage.truth(
            abort_flow,
            "server",
            "app_abort",
            "SO_LINGER 0 on a socket with hop limit 128: the reset carries 128",
        ),
        stage.truth(
            close_flow,
            "server",
            "data_after_close",
            "late data to a closed socket that had hop limit 128: the reset carries the host's 64",
        ),
    ])
}
