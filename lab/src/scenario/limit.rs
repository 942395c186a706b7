//! Devices that count: connections, bytes, sessions they know.

use std::net::SocketAddr;
use std::time::Duration;

use nix::errno::Errno;

use crate::endpoint::{self, Attempt};
use crate::lab::Place;
use crate::scenario::stage::{self, Hook, Pair, Stage};
use crate::{Error, Truth};

/// A client may have a few connections at a time; more are rejected, and after it closed some it may open others.
pub(super) fn connection_limit(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let mut random = stage.random();
    let limit = 3 + random.below(4);
    let (family, to) = (stage.nft_family(), stage.server_address(0));
    let rule = format!(
        "{family} saddr {} {family} daddr {} tcp dport {} ct state new ct count over {limit} reject with tcp reset",
        stage.client_ip(),
        to.ip(),
        to.port()
    );
    stage.firewall_rule(&rule)?;
    let listener = stage.listen(0)?;
    // Others come and go all the time.
    let other = SocketAddr::new(stage.client_at(1), 0);
    stage::finish(&mut stage.pair(&listener, other, to)?)?;
    let done =
        format!("the client had {limit} connections open, as many as the firewall allows it");
    let (mut open, mut truths) = (Vec::new(), Vec::new());
    for _ in 0..2 {
        while (open.len() as u64) < limit {
            let mut pair = stage.connect(&listener, 0)?;
            endpoint::exchange(&mut pair.client, &mut pair.server, b"hello\n", b"good day\n")?;
            open.push(pair);
        }
        for _ in 0..2 + random.below(3) {
            let Attempt { address, outcome, .. } = stage.attempt(0)?;
            if outcome != Err(Errno::ECONNREFUSED) {
                return Err(stage.broken(address, to, format!("the call ended with {outcome:?}")));
            }
            let truth =
                stage.truth((address, to), "middlebox_to_client", "connection_limit", &done);
            truths.push(truth.by_rule(rule.clone()));
        }
        stage::finish(&mut stage.pair(&listener, other, to)?)?;
        for mut pair in open.drain(..2) {
            stage::finish(&mut pair)?;
        }
        stage.pause(2);
    }
    for mut pair in open {
        stage::finish(&mut pair)?;
    }
    Ok(truths)
}

/// Servers a client of [`traffic_shaping`] talks to at the same time.
const PEERS: u16 = 6;
/// Bytes of one upload.
const PIECE: [u8; 1400] = [b'.'; 1400];

/// A client that uploads to many servers is cut off beyond a volume, or beyond a rate; others are left alone.
pub(super) fn traffic_shaping(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let mut random = stage.random();
    let (family, client) = (stage.nft_family(), stage.client_ip());
    let measure = if random.below(2) == 0 {
        format!("quota over {} kbytes", 60 + 10 * random.below(5))
    } else {
        format!("limit rate over {} kbytes/second burst 20 kbytes", 20 + 5 * random.below(4))
    };
    let rule =
        format!("{family} saddr {client} tcp flags & syn == 0 {measure} reject with tcp reset");
    stage.firewall_rule(&rule)?;
    let listeners = (0..PEERS)
        .map(|host| stage.listen_at(stage.server_at(host, 0)))
        .collect::<Result<Vec<_>, Error>>()?;
    let pair_of = |from, host: u16| {
        stage.pair(
            &listeners[usize::from(host)],
            SocketAddr::new(from, 0),
            stage.server_at(host, 0),
        )
    };
    let mut quiet = Vec::new();
    for host in 0..PEERS {
        quiet.push(pair_of(stage.client_at(1), host)?);
    }
    let mut open = (0..PEERS).map(|host| pair_of(client, host)).collect::<Result<Vec<_>, _>>()?;
    let done = format!("the client uploaded to {PEERS} servers at once and went beyond: {measure}");
    let mut truths = Vec::new();
    for _round in 0..60 {
        for _ in 0..open.len() {
            let mut pair = open.remove(0);
            // The reset of an earlier piece may be here.
            if endpoint::say(&mut pair.client, &PIECE).is_err() {
                truths.push(shaped(stage, pair, &rule, &done));
                continue;
            }
            open.push(pair);
        }
        std::thread::sleep(Duration::from_millis(15));
        if open.is_empty() {
            break;
        }
    }
    stage.pause(2);
    for mut pair in open {
        if endpoint::say(&mut pair.client, &PIECE).is_err() {
            truths.push(shaped(stage, pair, &rule, &done));
        } else {
            endpoint::vanish(pair.client);
            endpoint::vanish(pair.server);
        }
    }
    for mut pair in quiet {
        endpoint::exchange(&mut pair.client, &mut pair.server, b"a word\n", b"yes\n")?;
        stage::finish(&mut pair)?;
    }
    if truths.is_empty() {
        let to = stage.server_at(0, 0);
        return Err(stage.broken(SocketAddr::new(client, 0), to, "nothing was cut off"));
    }
    Ok(truths)
}

/// One connection that was cut off.
fn shaped(stage: &Stage<'_>, pair: Pair, rule: &str, done: &str) -> Truth {
    let flow = pair.flow();
    endpoint::vanish(pair.client);
    endpoint::vanish(pair.server);
    stage.truth(flow, "middlebox_to_client", "traffic_shaping_reset", done).by_rule(rule)
}

/// Another firewall takes over and knows none of the sessions: from then on the tracker looks into an empty zone.
pub(super) fn session_lost(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let mut random = stage.random();
    let (family, to) = (stage.nft_family(), stage.server_address(0));
    let toward = format!("{family} daddr {} tcp dport {}", to.ip(), to.port());
    let back = format!("{family} saddr {} tcp sport {}", to.ip(), to.port());
    let rule = format!("{toward} ct state invalid reject with tcp reset");
    stage.firewall_rule(&rule)?;
    let listener = stage.listen(0)?;
    stage.serve_ordinary(&listener, 0, 2)?;
    let mut pairs = Vec::new();
    for _ in 0..2 + random.below(4) {
        let mut pair = stage.connect(&listener, 0)?;
        endpoint::exchange(&mut pair.client, &mut pair.server, b"begin\n", b"ready\n")?;
        pairs.push(pair);
    }
    stage.pause(1);
    for direction in [&toward, &back] {
        stage.rule(Place::Firewall, Hook::Early, &format!("{direction} ct zone set 7"))?;
    }
    let done = "the firewall lost its sessions (the tracker was moved to an empty zone, as after a failover) and rejected \
                the client's next data in the middle of a live connection";
    let mut truths = Vec::new();
    for mut pair in pairs {
        std::thread::sleep(Duration::from_millis(random.below(300)));
        let flow = pair.flow();
        endpoint::say(&mut pair.client, b"more\n")?;
        stage.expect_reset(&mut pair.client, flow)?;
        endpoint::vanish(pair.server);
        let truth = stage.truth(flow, "middlebox_to_client", "sessionless_reset", done);
        truths.push(truth.by_rule(rule.clone()));
    }
    Ok(truths)
}

/// The server's packets reach the client on another way: this firewall sees half of each handshake.
pub(super) fn asymmetric_path(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let mut random = stage.random();
    let (family, to) = (stage.nft_family(), stage.server_address(0));
    let early = format!("{family} saddr {} tcp sport {} notrack", to.ip(), to.port());
    stage.rule(Place::Firewall, Hook::Early, &early)?;
    let rule = format!(
        "{family} daddr {} tcp dport {} ct state invalid reject with tcp reset",
        to.ip(),
        to.port()
    );
    stage.firewall_rule(&rule)?;
    let listener = stage.listen(0)?;
    let done = "the firewall's tracker never saw the server's packets, as on an asymmetric path, and rejected the end of \
                the handshake";
    let mut truths = Vec::new();
    for _ in 0..1 + random.below(3) {
        let Attempt { mut stream, address, outcome } = stage.attempt(0)?;
        if outcome.is_ok() {
            stage.expect_reset(&mut stream, (address, to))?;
        }
        let truth = stage.truth((address, to), "middlebox_to_client", "sessionless_reset", done);
        truths.push(truth.by_rule(rule.clone()));
    }
    drop(listener);
    Ok(truths)
}
