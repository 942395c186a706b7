//! A client comes back with the ports of a connection that the server still remembers.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use crate::endpoint;
use crate::frame::{ACK, FIN, RST};
use crate::hand::{Draft, Hand, Stack, Talk};
use crate::scenario::probe::syn;
use crate::scenario::stage::{self, Pair, Stage};
use crate::{Error, Truth};

/// The client lost its connection (a crash), the server did not, and the next one has the same port.
pub(super) fn half_open(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let done = "the client lost an established connection silently and called again from the same port; the server's \
                kernel answered the SYN with an ACK of the old connection, which the client's kernel reset; the \
                repeated SYN succeeded";
    come_back(stage, false, done)
}

/// The same with a connection that the server has closed and the client has not.
pub(super) fn fin_wait2(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let done = "the server had closed a connection (FIN-WAIT-2) when the client lost it silently and called again from \
                the same port; the old connection's ACK drew the reset, the repeated SYN succeeded";
    come_back(stage, true, done)
}

fn come_back(stage: &Stage<'_>, server_closes: bool, done: &str) -> Result<Vec<Truth>, Error> {
    let listener = stage.listen(0)?;
    stage.serve_ordinary(&listener, 0, 2)?;
    let mut random = stage.random();
    let to = stage.server_address(0);
    let mut truths = Vec::new();
    for _ in 0..=random.below(2) {
        let from = SocketAddr::new(stage.client_ip(), 20_000 + random.word() % 10_000);
        let mut old = stage.pair(&listener, from, to)?;
        endpoint::exchange(&mut old.client, &mut old.server, b"begin\n", b"ready\n")?;
        stage.pause(1);
        let old_server = if server_closes {
            drop(old.server);
            stage.pause(2);
            None
        } else {
            Some(old.server)
        };
        endpoint::vanish(old.client);
        let mut new = pair_again(stage, &listener, from, to)?;
        endpoint::exchange(&mut new.client, &mut new.server, b"again\n", b"ready\n")?;
        truths.push(stage.truth((from, to), "client", "timewait_collision", done));
        if random.below(2) == 0 {
            stage::finish(&mut new)?;
        } else {
            // The new connection has a reset of its own, between the same addresses and ports.
            let since = stage.now();
            endpoint::abort(new.server)?;
            stage.expect_reset(&mut new.client, (from, to))?;
            let done = "SO_LINGER 0 before the answer was acknowledged, on a connection whose ports had been used before";
            let truth = stage.truth((from, to), "server", "app_abort", done);
            truths.push(truth.not_before(since));
        }
        old_server.into_iter().for_each(endpoint::vanish);
    }
    Ok(truths)
}

/// Connects as soon as the port is free: a child that another scenario is just starting holds the closed socket until
/// its own program runs.
fn pair_again(
    stage: &Stage<'_>,
    listener: &TcpListener,
    from: SocketAddr,
    to: SocketAddr,
) -> Result<Pair, Error> {
    let taken = |error: &Error| matches!(error, Error::Socket { source, .. } if source.kind() == ErrorKind::AddrNotAvailable);
    for _ in 0..40 {
        match stage.pair(listener, from, to) {
            Err(error) if taken(&error) => std::thread::sleep(Duration::from_millis(50)),
            outcome => return outcome,
        }
    }
    stage.pair(listener, from, to)
}

/// An old stack begins again with a lower number while the server is in TIME-WAIT.
pub(super) fn old_number(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let listener = stage.listen(0)?;
    stage.serve_ordinary(&listener, 0, 1)?;
    let mut random = stage.random();
    let stack = Stack {
        hop_limit: 128,
        identification: random.word(),
        fixed_identification: false,
        window: 8192,
    };
    let mut hand = Hand::of_client(stage.topology(), stack)?;
    let own = SocketAddr::new(stage.ghost_client(0), 1025 + random.word() % 3000);
    let to = stage.server_address(0);
    let broken = |what: &str| stage.broken(own, to, what);
    let isn = random.next() as u32;
    let mut talk = Talk::open(&mut hand, own, to, isn)?.ok_or_else(|| broken("no SYN/ACK"))?;
    let mut server = endpoint::accept(&listener)?;
    talk.send(ACK | 0x08, b"bye\n")?;
    endpoint::hear(&mut server, 4)?;
    drop(server);
    // The server's FIN, then ours: the server is in TIME-WAIT.
    if !talk.take()? {
        return Err(broken("no FIN"));
    }
    talk.send(ACK | FIN, &[])?;
    let (next, peer) = (talk.next, talk.peer);
    let is_ack = |flags, ack| flags == ACK && ack == next;
    // Taken in before the SYN, so that it does not pass for the answer to it.
    hand.await_segment(own, |heard| heard.source == peer && is_ack(heard.flags, heard.ack))?
        .ok_or_else(|| broken("no ACK of the FIN"))?;
    stage.pause(2);
    let again = isn.wrapping_sub(100_000 + random.next() as u32 % 100_000);
    hand.send(own, to, syn(again))?;
    let old = hand.await_segment(own, |heard| heard.source == peer && heard.flags == ACK)?;
    let old = old.filter(|old| old.ack == next).ok_or_else(|| broken("no ACK of the past"))?;
    hand.send(own, to, Draft { flags: RST, seq: old.ack, window: Some(0), ..Draft::default() })?;
    stage.pause(2);
    let mut talk = Talk::open(&mut hand, own, to, again)?.ok_or_else(|| broken("no SYN/ACK"))?;
    let mut server = endpoint::accept(&listener)?;
    talk.send(ACK | 0x08, b"new\n")?;
    endpoint::hear(&mut server, 4)?;
    endpoint::vanish(server);
    let done = "the server was in TIME-WAIT when the same address and port called again with a lower number and no time \
                stamps; its kernel answered with an ACK of the past, the client reset that and succeeded with its next SYN";
    let truth = stage.truth((own, to), "client", "timewait_collision", done);
    Ok(vec![truth.by_hand("TCP by hand: initial hop limit 128, no time stamps")])
}
