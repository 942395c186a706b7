//! More timers: of the server, of the client, of a device.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::sys::socket::{setsockopt, sockopt};

use crate::endpoint;
use crate::forgery::Style;
use crate::injector::{Injector, Targets};
use crate::lab::Place;
use crate::scenario::stage::{self, Hook, Stage};
use crate::{Error, Truth};

/// The server's keepalive probes pass the tap and get no answer: the client's router drops them.
pub(super) fn keepalive_by_server(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let mut random = stage.random();
    let listener = stage.listen(0)?;
    stage.serve_ordinary(&listener, 0, 2)?;
    let mut pair = stage.connect(&listener, 0)?;
    let flow = pair.flow();
    endpoint::exchange(&mut pair.client, &mut pair.server, b"subscribe\n", b"subscribed\n")?;
    let probes = 2 + random.below(4) as u32;
    keepalive(&pair.server, probes)?;
    stage.pause(1);
    let (family, to) = (stage.nft_family(), flow.1);
    let rule = format!("{family} saddr {} tcp sport {} drop", to.ip(), to.port());
    stage.rule(Place::ClientRouter, Hook::Forward, &rule)?;
    stage.expect_reset(&mut pair.server, flow)?;
    endpoint::vanish(pair.client);
    let done = format!(
        "the path was cut in front of the client; {probes} keepalive probes of the server stayed unanswered"
    );
    Ok(vec![stage.truth(flow, "server", "keepalive_timeout", done)])
}

fn keepalive(socket: &std::net::TcpStream, probes: u32) -> Result<(), Error> {
    let failed = |source| Error::socket("set keepalive", source);
    setsockopt(socket, sockopt::KeepAlive, &true).map_err(failed)?;
    setsockopt(socket, sockopt::TcpKeepIdle, &1).map_err(failed)?;
    setsockopt(socket, sockopt::TcpKeepInterval, &1).map_err(failed)?;
    setsockopt(socket, sockopt::TcpKeepCount, &probes).map_err(failed)
}

/// Keepalive with `TCP_USER_TIMEOUT`: the time decides, not the number of probes (net/ipv4/tcp_timer.c).
pub(super) fn user_timeout(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let mut random = stage.random();
    let client_probes = random.below(2) == 0;
    let listener = stage.listen(0)?;
    stage.serve_ordinary(&listener, 0, 2)?;
    let mut pair = stage.connect(&listener, 0)?;
    let flow = pair.flow();
    endpoint::exchange(&mut pair.client, &mut pair.server, b"subscribe\n", b"subscribed\n")?;
    let limit_ms = 1500 + 500 * random.below(5) as u32;
    let (prober, side, place) = if client_probes {
        (&pair.client, "client", Place::Firewall)
    } else {
        (&pair.server, "server", Place::ClientRouter)
    };
    keepalive(prober, 9)?;
    setsockopt(prober, sockopt::TcpUserTimeout, &limit_ms)
        .map_err(|source| Error::socket("set TCP_USER_TIMEOUT", source))?;
    stage.pause(1);
    let (family, to) = (stage.nft_family(), flow.1);
    let rule = if client_probes {
        format!("{family} daddr {} tcp dport {} drop", to.ip(), to.port())
    } else {
        format!("{family} saddr {} tcp sport {} drop", to.ip(), to.port())
    };
    stage.rule(place, Hook::Forward, &rule)?;
    let (mut prober, other) =
        if client_probes { (pair.client, pair.server) } else { (pair.server, pair.client) };
    stage.expect_reset(&mut prober, flow)?;
    endpoint::vanish(other);
    let done = format!(
        "the path was cut; the {side}'s keepalive probes stayed unanswered until TCP_USER_TIMEOUT ({limit_ms} ms)"
    );
    Ok(vec![stage.truth(flow, side, "keepalive_timeout", done)])
}

/// The client's kernel has forgotten the connection; the server speaks first.
pub(super) fn stale_at_client(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let mut random = stage.random();
    let listener = stage.listen(0)?;
    stage.serve_ordinary(&listener, 0, 2)?;
    let mut pair = stage.connect(&listener, 0)?;
    let flow = pair.flow();
    endpoint::exchange(&mut pair.client, &mut pair.server, b"subscribe\n", b"subscribed\n")?;
    stage.pause(1);
    endpoint::vanish(pair.client);
    std::thread::sleep(Duration::from_millis(1000 + random.below(2500)));
    endpoint::say(&mut pair.server, b"news\n")?;
    stage.expect_reset(&mut pair.server, flow)?;
    let done = "the client's socket was removed silently, as when it sleeps or reboots; the server's next data met no \
                socket";
    Ok(vec![stage.truth(flow, "client", "stale_connection", done)])
}

/// A client with an idle limit of its own, as in a pool of connections.
pub(super) fn idle_timeout_of_client(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let mut random = stage.random();
    let listener = stage.listen(0)?;
    stage.serve_ordinary(&listener, 0, 2)?;
    let idle_s = 6 + random.below(4);
    let mut pairs = Vec::new();
    for _ in 0..3 {
        let mut pair = stage.connect(&listener, 0)?;
        endpoint::exchange(&mut pair.client, &mut pair.server, b"GET /\n", b"a page\n")?;
        pairs.push((pair, Instant::now() + Duration::from_secs(idle_s)));
        std::thread::sleep(Duration::from_millis(100 + random.below(400)));
    }
    let mut truths = Vec::new();
    for (mut pair, due) in pairs {
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let flow = pair.flow();
        endpoint::abort(pair.client)?;
        stage.expect_reset(&mut pair.server, flow)?;
        let done =
            format!("the client's pool closed a connection idle for {idle_s} s with SO_LINGER 0");
        truths.push(stage.truth(flow, "client", "idle_timeout_endpoint", done));
    }
    Ok(truths)
}

/// Connections the device of [`idle_timeout_device`] lets go; as many others speak in time.
const SILENT: u16 = 6;

/// A device in the path resets both ends of what was silent for too long.
pub(super) fn idle_timeout_device(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let mut random = stage.random();
    let listener = stage.listen(0)?;
    stage.serve_ordinary(&listener, 0, 2)?;
    let to = stage.server_address(0);
    let clients: Vec<_> = (0..SILENT).map(|index| stage.client_at(index)).collect();
    let idle = Duration::from_millis(5000 + 1000 * random.below(4));
    let targets = [Targets::Both, Targets::Both, Targets::Client][random.below(3) as usize];
    let style = if random.below(2) == 0 { Style::Gateway } else { Style::LowDelay };
    let device = Injector::open(stage.topology())?;
    let stop = AtomicBool::new(false);
    let mut own = random.clone();
    let (reset, flows) = std::thread::scope(|scope| {
        let watch = scope
            .spawn(|| device.reset_idle(&clients, &[to], idle, (style, targets), &mut own, &stop));
        let flows = idle_and_busy(stage, &listener, &clients, idle);
        stop.store(true, Ordering::Relaxed);
        Ok::<_, Error>((watch.join().expect("the device does not panic")?, flows?))
    })?;
    let done = format!(
        "a device in front of the firewall reset a connection that had been silent for {idle:?}, in the name of the other side"
    );
    let mut truths = Vec::new();
    for flow in flows {
        if !reset.contains(&flow.0) {
            return Err(stage.broken(flow.0, flow.1, "the device let a silent connection live"));
        }
        let truth = stage.truth(flow, targets.origin(), "idle_timeout_middlebox", &done);
        truths.push(truth.by_rule(format!("idle timer {idle:?}: {}", style.describe())));
    }
    Ok(truths)
}

/// Opens connections that stay silent, and others that speak before the timer is over. Returns the silent ones.
fn idle_and_busy(
    stage: &Stage<'_>,
    listener: &std::net::TcpListener,
    clients: &[std::net::IpAddr],
    idle: Duration,
) -> Result<Vec<(SocketAddr, SocketAddr)>, Error> {
    let mut random = stage.random();
    let (mut silent, mut busy) = (Vec::new(), Vec::new());
    for &client in clients {
        for pairs in [&mut silent, &mut busy] {
            let mut pair =
                stage.pair(listener, SocketAddr::new(client, 0), stage.server_address(0))?;
            endpoint::exchange(&mut pair.client, &mut pair.server, b"begin\n", b"ready\n")?;
            pairs.push(pair);
        }
        std::thread::sleep(Duration::from_millis(random.below(200)));
    }
    std::thread::sleep(idle.mul_f64(0.6));
    for pair in &mut busy {
        endpoint::exchange(&mut pair.client, &mut pair.server, b"still\n", b"here\n")?;
    }
    std::thread::sleep(idle.mul_f64(0.5));
    for mut pair in busy {
        stage::finish(&mut pair)?;
    }
    stage.pause(2);
    let flows = silent.iter().map(|pair| (pair.from, pair.to)).collect();
    for pair in silent {
        endpoint::vanish(pair.client);
        endpoint::vanish(pair.server);
    }
    Ok(flows)
}
