//! Segments that a kernel cannot accept, from peers whose TCP is our own.

use std::net::SocketAddr;

use crate::endpoint::{self, Attempt};
use crate::frame::{ACK, SYN};
use crate::hand::{Draft, Hand, Heard, MSS_ONLY, Stack};
use crate::scenario::Stage;
use crate::scenario::probe::syn;
use crate::{Error, Truth};

/// A server's SYN/ACK acknowledges more than the SYN.
pub(super) fn wrong_ack_in_syn_ack(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let mut random = stage.random();
    let ahead = 100 + random.next() as u32 % 100_000;
    let done = format!(
        "a server with a TCP of its own acknowledged {ahead} bytes too many in its SYN/ACK; the client's kernel reset \
         it, and the next SYN/ACK was right"
    );
    answered_wrongly(stage, |heard| (heard.seq_end.wrapping_add(ahead), Vec::new()), &done)
}

/// A server's SYN/ACK echoes a time stamp that the client never sent (RFC 7323, section 5).
pub(super) fn wrong_echo_in_syn_ack(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let mut random = stage.random();
    let (value, echo) = (random.next() as u32, random.next() as u32 | 1);
    let mut options = vec![1, 1, 8, 10];
    options.extend(value.to_be_bytes());
    options.extend(echo.to_be_bytes());
    let done = "a server with a TCP of its own echoed a time stamp in its SYN/ACK that the client had never sent; the \
                client's kernel reset it, and the next SYN/ACK was right";
    answered_wrongly(stage, |heard| (heard.seq_end, options.clone()), done)
}

/// Answers the first SYN with the acknowledgment and the options of `wrong`, the next one well.
fn answered_wrongly(
    stage: &Stage<'_>,
    wrong: impl Fn(&Heard) -> (u32, Vec<u8>),
    done: &str,
) -> Result<Vec<Truth>, Error> {
    let mut random = stage.random();
    let stack = Stack {
        hop_limit: 64,
        identification: random.word(),
        fixed_identification: false,
        window: 16_384,
    };
    let mut hand = Hand::of_server(stage.topology(), stack)?;
    let to = stage.ghost_server(0, 0);
    let isn = random.next() as u32;
    let call = std::thread::scope(|scope| {
        let caller = scope.spawn(|| stage.call(SocketAddr::new(stage.client_ip(), 0), to));
        let first = hand.await_segment(to, Heard::is_syn)?;
        let first = first.ok_or_else(|| stage.broken(to, to, "nobody called"))?;
        let (ack, more) = wrong(&first);
        let options = [&MSS_ONLY[..], &more].concat();
        let flags = SYN | ACK;
        let draft = Draft { flags, seq: isn, ack, options: &options, ..Draft::default() };
        hand.send(to, first.source, draft)?;
        hand.await_segment(to, Heard::is_reset)?
            .ok_or_else(|| stage.broken(first.source, to, "no reset for a wrong SYN/ACK"))?;
        let second = hand.await_segment(to, Heard::is_syn)?;
        let second = second.ok_or_else(|| stage.broken(first.source, to, "no second SYN"))?;
        let draft =
            Draft { flags, seq: isn, ack: second.seq_end, options: &MSS_ONLY, ..Draft::default() };
        hand.send(to, second.source, draft)?;
        caller.join().expect("a caller does not panic")
    })?;
    let Attempt { stream, address, outcome } = call;
    outcome.map_err(|source| Error::socket("connect in the end", source))?;
    stage.pause(1);
    endpoint::vanish(stream);
    Ok(vec![stage.truth((address, to), "client", "unacceptable_segment", done)])
}

/// A second SYN in the window of a handshake (RFC 9293, section 3.10.7.4; `tcp_check_req`).
pub(super) fn syn_in_handshake(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let listener = stage.listen(0)?;
    stage.serve_ordinary(&listener, 0, 1)?;
    let mut hand = Hand::of_client(stage.topology(), Stack::SCANNER)?;
    let mut random = stage.random();
    let own = SocketAddr::new(stage.ghost_client(0), 40_000 + random.word() % 20_000);
    let to = stage.server_address(0);
    let isn = random.next() as u32;
    hand.send(own, to, syn(isn))?;
    let answer = hand.await_segment(own, |heard| heard.flags == SYN | ACK)?;
    let answer = answer.ok_or_else(|| stage.broken(own, to, "no SYN/ACK for a raw SYN"))?;
    let ahead = 1 + random.next() as u32 % 400;
    let (seq, ack) = (isn.wrapping_add(ahead), answer.seq_end);
    hand.send(own, to, Draft { flags: SYN | ACK, seq, ack, ..Draft::default() })?;
    hand.await_segment(own, Heard::is_reset)?
        .ok_or_else(|| stage.broken(own, to, "no reset for a SYN in the window"))?;
    let done = "a second SYN, some bytes ahead, came in the middle of a handshake";
    Ok(vec![stage.truth((own, to), "server", "unacceptable_segment", done)])
}

/// SYN/ACKs out of the blue, from one host: to a listening port, and to some where nobody is. Whoever sends SYN/ACKs
/// plays the server, so the host that resets them is the client of the flow.
pub(super) fn stray_syn_ack(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let listener = stage.listen(0)?;
    stage.serve_ordinary(&listener, 0, 1)?;
    let mut hand = Hand::of_client(stage.topology(), Stack::SCANNER)?;
    let mut random = stage.random();
    let mut truths = Vec::new();
    let own = SocketAddr::new(stage.ghost_client(0), 80);
    for index in 0..3 + random.below(6) as u16 {
        let to = stage.server_address(index);
        let (seq, ack) = (random.next() as u32, random.next() as u32);
        let options = &MSS_ONLY;
        let draft = Draft { flags: SYN | ACK, seq, ack, options, ..Draft::default() };
        hand.send(own, to, draft)?;
        hand.await_segment(own, |heard| heard.source == to && heard.is_reset())?
            .ok_or_else(|| stage.broken(own, to, "no reset for a stray SYN/ACK"))?;
        let done = "one of some raw SYN/ACKs without a connection, to several ports of one host";
        // The same packet as a flooded host sends to whom a forged SYN named: a tap sees no difference.
        let cause = "stray_probe_response|syn_flood_backscatter";
        truths.push(stage.truth((to, own), "client", cause, done));
    }
    Ok(truths)
}
