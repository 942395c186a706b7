//! Defences against floods of SYNs, and what floods leave behind.

use std::net::SocketAddr;
use std::time::Duration;

use crate::endpoint;
use crate::frame::{ACK, SYN};
use crate::hand::{Draft, Hand, MSS_ONLY, Stack};
use crate::lab::Place;
use crate::scenario::probe::syn;
use crate::scenario::stage::{self, Hook, Stage};
use crate::{Error, Truth};

/// Longest pause between two clients of [`syn_auth_reset`], in milliseconds.
const ARRIVAL_MS_MAX: u64 = 400;

/// The firewall answers the first SYN of an unknown client with an acknowledgment of nothing. Who resets that is
/// real, and its next SYN passes.
pub(super) fn syn_auth_reset(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let mut random = stage.random();
    let clients = u16::try_from(7 + random.below(5)).expect("a few clients");
    let (family, to) = (stage.nft_family(), stage.server_address(0));
    let kind = if stage.is_v6() { "ipv6_addr" } else { "ipv4_addr" };
    stage.firewall_add(&format!("set inet lab {{run}} {{ type {kind}; }}"))?;
    let known = stage.chain("own");
    let rule = format!(
        "{family} daddr {} tcp dport {} tcp flags & (syn | ack) == syn {family} saddr != @{known} drop",
        to.ip(),
        to.port()
    );
    stage.firewall_rule(&rule)?;
    let listener = stage.listen(0)?;
    let mut guard = Hand::of_firewall(stage.topology(), Stack::SCANNER)?;
    let mut addresses = std::thread::scope(|scope| {
        let guard = scope.spawn(|| question(stage, &mut guard, to, usize::from(clients)));
        let mut callers = Vec::new();
        for index in 0..clients {
            let from = SocketAddr::new(stage.client_at(index), 0);
            callers.push(scope.spawn(move || stage.call(from, to)));
            std::thread::sleep(Duration::from_millis(random.below(ARRIVAL_MS_MAX)));
        }
        let mut addresses = Vec::new();
        for caller in callers {
            let mut client = caller.join().expect("a caller does not panic")?;
            client.outcome.map_err(|source| Error::socket("be let in", source))?;
            // Connections are accepted in the order of their handshakes, which need not be that of the calls.
            let server = endpoint::accept(&listener)?;
            endpoint::say(&mut client.stream, b"hello\n")?;
            addresses.push((client, server));
        }
        guard.join().expect("the guard does not panic")?;
        Ok::<_, Error>(addresses)
    })?;
    let done = "an anti-flood responder on the firewall answered the first SYN of a new client with a wrong \
                acknowledgment; the client's kernel reset that, was let in, and its repeated SYN succeeded";
    let rule = format!("responder: SYN/ACK with a wrong acknowledgment; {rule}");
    for (_, server) in &mut addresses {
        endpoint::hear(server, 6)?;
    }
    stage.pause(2);
    let mut truths = Vec::new();
    for (client, server) in addresses {
        let flow = (client.address, to);
        endpoint::vanish(client.stream);
        endpoint::vanish(server);
        truths.push(stage.truth(flow, "client", "syn_auth_reset", done).by_rule(rule.clone()));
    }
    Ok(truths)
}

/// Asks `clients` of them, and lets in who answers with a reset.
fn question(
    stage: &Stage<'_>,
    guard: &mut Hand,
    to: SocketAddr,
    clients: usize,
) -> Result<(), Error> {
    let mut random = stage.random();
    let mut asked: Vec<(SocketAddr, u32)> = Vec::new();
    let mut let_in = 0;
    while let_in < clients {
        let Some(heard) = guard.await_segment(to, |heard| heard.is_syn() || heard.is_reset())?
        else {
            return Err(stage.broken(to, to, format!("{let_in} of {clients} clients were let in")));
        };
        let question = asked.iter().find(|(client, _)| *client == heard.source).copied();
        if heard.is_reset() && question.is_some_and(|(_, ack)| ack == heard.seq) {
            let client = heard.source.ip();
            stage.firewall_add(&format!("element inet lab {{run}} {{ {client} }}"))?;
            let_in += 1;
        } else if heard.is_syn() && question.is_none() {
            let ack = random.next() as u32;
            asked.push((heard.source, ack));
            let (flags, seq) = (SYN | ACK, random.next() as u32);
            let draft = Draft { flags, seq, ack, options: &MSS_ONLY, ..Draft::default() };
            guard.send(to, heard.source, draft)?;
        }
    }
    Ok(())
}

/// Spoofed clients: most of them call the open port, the others a closed one.
const SPOOFED: u16 = 28;

/// Somebody on the server's side floods it with SYNs in the name of hosts that never spoke.
pub(super) fn syn_flood_backscatter(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let open = stage.server_address(0);
    let closed = stage.server_address(1);
    let listener = endpoint::listen_on(stage.topology().server(), open, 64)?;
    let mut flooder = Hand::of_spoofer(stage.topology(), Stack::SCANNER)?;
    let mut random = stage.random();
    let mut truths = Vec::new();
    for index in 0..SPOOFED {
        let from = SocketAddr::new(stage.client_at(index), 32_768 + random.word() % 28_000);
        let (to, origin, done) = if random.below(3) > 0 {
            let done = "a spoofed SYN behind the firewall made the server send a SYN/ACK to a host that had \
                        never spoken; its kernel reset it";
            (open, "client", done)
        } else {
            let done = "a spoofed SYN behind the firewall made the server refuse a host that had never spoken";
            (closed, "server", done)
        };
        flooder.send(from, to, syn(random.next() as u32))?;
        std::thread::sleep(Duration::from_millis(2 + random.below(12)));
        truths.push(stage.truth((from, to), origin, "syn_flood_backscatter", done));
    }
    stage.pause(3);
    drop(listener);
    Ok(truths)
}

/// The firewall completes handshakes for the server (nftables `synproxy`) and then opens the connection to it.
///
/// Always in IPv4: `nft_synproxy_do_eval` of Linux 6.18 verifies every checksum as one of IPv4, so IPv6 is dropped.
pub(super) fn syn_proxy(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let stage = &stage.in_family(false);
    let (family, open, closed) =
        (stage.nft_family(), stage.server_address(0), stage.server_address(1));
    let ports =
        format!("{family} daddr {} tcp dport {{ {}, {} }}", open.ip(), open.port(), closed.port());
    let early = format!("{ports} tcp flags & (fin|syn|rst|ack) == syn notrack");
    stage.rule(Place::Firewall, Hook::Early, &early)?;
    let proxy = "synproxy mss 1460 wscale 7 timestamp sack-perm";
    let rule = format!("{ports} ct state invalid,untracked {proxy}");
    stage.rule(Place::Firewall, Hook::Forward, &rule)?;
    stage.rule(Place::Firewall, Hook::Forward, &format!("{ports} ct state invalid drop"))?;

    let listener = stage.listen(0)?;
    for _ in 0..2 {
        let mut pair = proxied_pair(stage, &listener)?;
        endpoint::exchange(&mut pair.client, &mut pair.server, b"hello\n", b"good day\n")?;
        stage::finish(&mut pair)?;
    }
    let mut refused = stage.attempt(1)?;
    if refused.outcome.is_err() {
        return Err(stage.broken(
            refused.address,
            closed,
            "the proxy did not complete a handshake",
        ));
    }
    stage.expect_reset(&mut refused.stream, (refused.address, closed))?;
    let done = "the firewall's SYN proxy completed the handshake, then the server refused: nothing listened there";
    let refusal = stage
        .truth((refused.address, closed), "server", "proxied_backend_refused", done)
        .by_rule(rule.clone());

    let mut pair = proxied_pair(stage, &listener)?;
    for _ in 0..3 {
        endpoint::exchange(&mut pair.client, &mut pair.server, b"go on\n", &[b'.'; 3000])?;
    }
    let flow = pair.flow();
    endpoint::abort(pair.server)?;
    stage.pause(2);
    // The proxy may have spoilt the reset: then the client still waits.
    endpoint::vanish(pair.client);
    let done =
        "behind a SYN proxy, the server closed with SO_LINGER 0 in the middle of a connection";
    Ok(vec![refusal, stage.truth(flow, "server", "app_abort", done).by_rule(rule)])
}

/// The handshake with the client is done before the server has heard of it.
fn proxied_pair(stage: &Stage<'_>, listener: &std::net::TcpListener) -> Result<stage::Pair, Error> {
    let pair = stage.connect(listener, 0)?;
    // Half a path more, until the client knows the server's window.
    stage.pause(1);
    Ok(pair)
}
