//! The network is what it claims to be: long legs, one copy of each packet, two tap points.

mod support;

use std::collections::HashSet;
use std::time::Duration;

use lab::{Delays, Family, Options, Scenario, Seen, TapPoint};
use support::{Played, build, play};

const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const SYN_ACK: u8 = 0x12;
const ACK: u8 = 0x10;

#[test]
fn both_legs_are_as_long_as_asked() {
    let delays =
        Delays { client_leg: Duration::from_millis(11), server_leg: Duration::from_millis(27) };
    let options = Options { delays, family: Family::V4, seed: 31, ..Options::default() };
    let Some(lab) = build(&options) else { return };
    let played = play(&lab, &[Scenario::Ordinary]);
    for row in &played.placed {
        let first = |flags: u8| {
            let fits = |seen: &Seen<'_>| {
                seen.flags == flags && seen.is_between(row.truth.client, row.truth.server)
            };
            let frame =
                played.frames.iter().find(|f| Seen::parse(&f.bytes).is_some_and(|s| fits(&s)));
            frame.expect("the handshake was recorded").time
        };
        let (syn, syn_ack, ack) = (first(SYN), first(SYN_ACK), first(ACK));
        // The wire waits by the clock: never less than asked, a little more on a busy machine.
        assert!(syn_ack - syn >= 2 * delays.server_leg, "server leg: {:?}", syn_ack - syn);
        assert!(ack - syn_ack >= 2 * delays.client_leg, "client leg: {:?}", ack - syn_ack);
    }
}

#[test]
fn each_packet_is_copied_once() {
    let options = Options { family: Family::V4, seed: 32, ..Options::default() };
    let Some(lab) = build(&options) else { return };
    let played = play(&lab, &[Scenario::Ordinary, Scenario::LingerZero, Scenario::DataAfterClose]);
    let mut numbered = 0;
    let mut met = HashSet::new();
    for frame in &played.frames {
        // A kernel numbers each packet of a connection, repeated ones too; replies without a socket have no number.
        if Seen::parse(&frame.bytes).is_some_and(|seen| seen.identification != 0) {
            numbered += 1;
            assert!(met.insert(&frame.bytes), "copied twice: {frame:?}");
        }
    }
    assert!(numbered > 50, "{numbered} packets with a number");
    no_byte_of_ordinary_connections_is_missing(&played);
}

/// Every flow without a reset shows each side's bytes from SYN to FIN without a gap.
fn no_byte_of_ordinary_connections_is_missing(played: &Played) {
    for row in played.placed.iter().filter(|row| row.truth.origin == "none") {
        for sender in [row.truth.client, row.truth.server] {
            let sent: Vec<Seen<'_>> = played
                .frames
                .iter()
                .filter_map(|frame| Seen::parse(&frame.bytes))
                .filter(|seen| seen.source == sender)
                .filter(|seen| seen.is_between(row.truth.client, row.truth.server))
                .collect();
            let mut next = sent[0].seq.wrapping_add(1);
            for seen in &sent[1..] {
                assert!(next.wrapping_sub(seen.seq) < 1 << 31, "a gap before {seen:?}");
                let phantom = u32::from(seen.flags & FIN);
                let end = seen.seq.wrapping_add(seen.payload.len() as u32 + phantom);
                next = if end.wrapping_sub(next) < 1 << 31 { end } else { next };
            }
        }
    }
}

#[test]
fn behind_the_firewall_its_own_resets_are_not_seen() {
    let options = Options {
        tap_point: TapPoint::ServerSide,
        family: Family::V6,
        seed: 33,
        routers_behind_firewall: 1,
        ..Options::default()
    };
    let Some(lab) = build(&options) else { return };
    let played = play(&lab, &[Scenario::FirewallRejectSyn, Scenario::Refused]);
    for row in &played.placed {
        let made_by_the_server = row.truth.origin == "server";
        assert_eq!(row.frame.is_some(), made_by_the_server, "{:?}", row.truth);
        if let Some(frame) = row.frame {
            let reset = Seen::parse(&played.frames[frame - 1].bytes).expect("a reset");
            assert_eq!(reset.hop_limit, 63, "one router lies between the server and this tap");
        }
    }
}

#[test]
fn nonsense_is_refused_with_the_option_named() {
    let error = lab::Lab::build(&Options { routers_behind_firewall: 9, ..Options::default() });
    assert!(error.unwrap_err().to_string().contains("routers_behind_firewall is 9"));
}
