//! HAProxy's ways to say no: a dead backend, rejections, silence, and its health checks.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::endpoint;
use crate::scenario::Stage;
use crate::software::caller::{Caller, Seems};
use crate::software::haproxy::{Haproxy, backend_address};
use crate::{Error, Truth};

/// Calls of each kind.
const CALLS: usize = 4;

/// A front end in TCP mode whose backend refuses; `option nolinger` ends its clients with a reset.
pub(crate) fn dead_backend(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let (address, backend) = (stage.server_address(0), backend_address(stage, 8));
    let sections = format!(
        "listen dead\n bind {address}\n option nolinger\n retries 2\n server only {backend}\n"
    );
    let _haproxy = Haproxy::start(stage, &sections, 1)?;
    let mut truths = Vec::new();
    for _ in 0..CALLS {
        let mut caller = Caller::call(stage, 0)?;
        caller.say(b"hello\n")?;
        caller.wait_for_end();
        stage.pause(1);
        let done = "HAProxy in TCP mode accepted, was refused by its backend three times in two seconds, and closed \
                    with FIN and reset (option nolinger)";
        truths.push(stage.truth(caller.flow, "server", "proxied_backend_refused", done));
    }
    Ok(truths)
}

/// `tcp-request connection reject`: accepted by the kernel, reset by the proxy before a byte is read.
pub(crate) fn rejected(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let address = stage.server_address(0);
    let sections = format!(
        "listen rejecting\n bind {address}\n tcp-request connection reject\n server only {}\n",
        backend_address(stage, 8)
    );
    let _haproxy = Haproxy::start(stage, &sections, 1)?;
    let mut truths = Vec::new();
    for number in 0..CALLS {
        let mut caller = Caller::call(stage, 0)?;
        if number % 2 == 0 {
            // Too late for the proxy, which has not waited for it; the reset may already be here.
            let _ = caller.say(b"hello\n");
        }
        caller.wait_for_end();
        let done =
            "HAProxy's tcp-request connection reject closed an accepted connection with a reset";
        truths.push(stage.truth(caller.flow, "server", "app_abort", done));
        stage.pause(1);
    }
    Ok(truths)
}

/// `http-request silent-drop`: the proxy forgets the connection (`TCP_REPAIR`); the client's next words meet nothing.
pub(crate) fn silent_drop(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let address = stage.server_address(0);
    let sections =
        format!("frontend dropping\n mode http\n bind {address}\n http-request silent-drop\n");
    let _haproxy = Haproxy::start(stage, &sections, 1)?;
    let mut truths = Vec::new();
    for _ in 0..CALLS {
        let mut caller = Caller::call(stage, 0)?;
        caller.say(b"GET / HTTP/1.1\r\nHost: lab.example\r\n\r\n")?;
        std::thread::sleep(Duration::from_secs(1));
        if caller.seems()? != Seems::Open {
            return Err(stage.broken(caller.flow.0, caller.flow.1, "the drop was not silent"));
        }
        caller.say(b"GET / HTTP/1.1\r\nHost: lab.example\r\n\r\n")?;
        stage.expect_reset(&mut caller.stream, caller.flow)?;
        let done = "HAProxy's http-request silent-drop removed the socket without a word; the client's next request a \
                    second later met none";
        truths.push(stage.truth(caller.flow, "server", "stale_connection", done));
    }
    Ok(truths)
}

/// Time between two checks of [`health_check`], and how many there are at least.
const CHECK_INTERVAL: Duration = Duration::from_millis(500);
const CHECKS: usize = 14;
/// Longest time for that many, on a busy machine.
const CHECKS_TIME_MAX: Duration = Duration::from_secs(16);

/// HAProxy on the client's side checks a TCP backend across the network: connect, then away with a reset.
pub(crate) fn health_check(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let server = stage.server_address(0);
    let listener = endpoint::listen_on(stage.topology().server(), server, 64)?;
    let sections = format!(
        "listen checked\n bind 127.0.0.1:{}\n option tcp-check\n source {}\n server only {server} check inter {}ms\n",
        server.port(),
        stage.client_ip(),
        CHECK_INTERVAL.as_millis()
    );
    let haproxy = Haproxy::start_on(stage.topology().client(), stage, &sections, 0)?;
    // Nobody reads what a check has to say; the connections are taken and closed.
    // A check may be over before the handshake is: then only the kernel that sent its reset has seen it.
    let failed = |source| Error::socket("take what a check opened", source);
    listener.set_nonblocking(true).map_err(failed)?;
    let mut met = Vec::new();
    let until = Instant::now() + CHECKS_TIME_MAX;
    while met.len() < CHECKS && Instant::now() < until {
        std::thread::sleep(CHECK_INTERVAL / 2);
        met.extend(listener.accept().map(|(_, from)| from));
        meet_checks(stage, server, &mut met);
    }
    drop(haproxy);
    // One more may have begun meanwhile.
    stage.pause(3);
    meet_checks(stage, server, &mut met);
    let done = "a health check of HAProxy (option tcp-check, every 500 ms): connected and closed with a reset";
    Ok(met
        .into_iter()
        .map(|from| stage.truth((from, server), "client", "health_check", done))
        .collect())
}

/// Adds the checks whose reset a kernel has reported, each once.
fn meet_checks(stage: &Stage<'_>, server: SocketAddr, met: &mut Vec<SocketAddr>) {
    let resets = stage.kernel_resets_at(server).into_iter();
    met.extend(resets.filter(|reset| reset.destination == server).map(|reset| reset.source));
    met.sort_unstable();
    met.dedup();
}
