//! Resets after silence: timers that ran out and connections that were forgotten.

use std::time::Duration;

use nix::sys::socket::{setsockopt, sockopt};

use crate::endpoint;
use crate::scenario::Stage;
use crate::{Error, Truth};

/// Keepalive probes after one second of silence, one a second, three of them.
pub(super) fn keepalive_timeout(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let listener = stage.listen(0)?;
    stage.serve_ordinary(&listener, 0, 2)?;
    let mut pair = stage.connect(&listener, 0)?;
    let flow = pair.flow();
    endpoint::exchange(&mut pair.client, &mut pair.server, b"subscribe\n", b"subscribed\n")?;
    let failed = |source| Error::socket("set keepalive", source);
    setsockopt(&pair.client, sockopt::KeepAlive, &true).map_err(failed)?;
    setsockopt(&pair.client, sockopt::TcpKeepIdle, &1).map_err(failed)?;
    setsockopt(&pair.client, sockopt::TcpKeepInterval, &1).map_err(failed)?;
    setsockopt(&pair.client, sockopt::TcpKeepCount, &3).map_err(failed)?;
    // Behind the tap nothing of the client passes any more, not even its reset in the end.
    stage.pause(1);
    stage.firewall_rule(&format!("tcp dport {} drop", flow.1.port()))?;
    stage.expect_reset(&mut pair.client, flow)?;
    endpoint::vanish(pair.server);
    let done = "the path was cut behind the tap; the client's three keepalive probes stayed unanswered and its \
                kernel gave up";
    Ok(vec![stage.truth(flow, "client", "keepalive_timeout", done)])
}

/// How long the sender of [`retransmission_timeout`] tries.
const USER_TIMEOUT: Duration = Duration::from_millis(2500);

/// Linux gives up data without a reset; the peer's next packet, later, draws one.
pub(super) fn retransmission_timeout(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let listener = stage.listen(0)?;
    stage.serve_ordinary(&listener, 0, 2)?;
    let mut pair = stage.connect(&listener, 0)?;
    let flow = pair.flow();
    endpoint::exchange(&mut pair.client, &mut pair.server, b"begin\n", b"ready\n")?;
    let limit_ms = u32::try_from(USER_TIMEOUT.as_millis()).expect("a few seconds");
    setsockopt(&pair.client, sockopt::TcpUserTimeout, &limit_ms)
        .map_err(|source| Error::socket("set TCP_USER_TIMEOUT", source))?;
    stage.pause(1);
    stage.firewall_rule(&format!("tcp dport {} drop", flow.1.port()))?;
    endpoint::say(&mut pair.client, b"lost on the way\n")?;
    stage.expect_reset(&mut pair.client, flow)?;
    stage.lift_rules()?;
    endpoint::say(&mut pair.server, b"news\n")?;
    stage.expect_reset(&mut pair.server, flow)?;
    let done = "the client's data was lost behind the tap until TCP_USER_TIMEOUT (2.5 s) removed its socket without a \
                reset; the server's next data then met no socket";
    Ok(vec![stage.truth(flow, "client", "retransmission_timeout", done)])
}

/// Silence before the client of [`stale_connection`] speaks again.
const STALE_PAUSE: Duration = Duration::from_secs(2);

/// The server's kernel forgets the connection as a reboot would.
pub(super) fn stale_connection(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let listener = stage.listen(0)?;
    stage.serve_ordinary(&listener, 0, 2)?;
    let mut pair = stage.connect(&listener, 0)?;
    let flow = pair.flow();
    endpoint::exchange(&mut pair.client, &mut pair.server, b"begin\n", b"ready\n")?;
    stage.pause(1);
    endpoint::vanish(pair.server);
    drop(listener);
    std::thread::sleep(STALE_PAUSE);
    endpoint::say(&mut pair.client, b"where were we?\n")?;
    stage.expect_reset(&mut pair.client, flow)?;
    let done = "the server's socket was removed silently (TCP_REPAIR, close) and its service stopped, as by a reboot; \
                the client's data two seconds later met no socket";
    Ok(vec![stage.truth(flow, "server", "stale_connection", done)])
}

/// The server's own limit for idle connections in [`idle_timeout_endpoint`].
const SERVER_IDLE: Duration = Duration::from_secs(6);

/// An application with an idle timer, like nginx with `reset_timedout_connection`.
pub(super) fn idle_timeout_endpoint(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let listener = stage.listen(0)?;
    stage.serve_ordinary(&listener, 0, 2)?;
    let mut pair = stage.connect(&listener, 0)?;
    let flow = pair.flow();
    endpoint::exchange(&mut pair.client, &mut pair.server, b"GET /\n", b"a page\n")?;
    std::thread::sleep(SERVER_IDLE);
    endpoint::abort(pair.server)?;
    stage.expect_reset(&mut pair.client, flow)?;
    let done =
        "nothing was said for six seconds, then the server's application closed with SO_LINGER 0";
    Ok(vec![stage.truth(flow, "server", "idle_timeout_endpoint", done)])
}
