//! What is told when only control packets are looked at: what needs no more is told as ever, and what
//! is not known is said to be.
#![allow(clippy::unwrap_used, reason = "the lint knows test functions, not their helpers")]

mod support;

use events::{Event, Report};
use pipeline::{Capture, Options, Ration};
use support::{
    CLIENT, Conversation, Kept, MS, SECOND, SERVER, START_NS, Timed, capture, merged, options,
    read_files, verdict, verdict_with_evidence,
};

const FIRST_PACKETS: u8 = 6;

fn control() -> Options {
    let ration = Ration { first_packets: FIRST_PACKETS, connections: 1 << 10 };
    Options { capture: Capture::Control(ration), ..options() }
}

/// The final events and the report, with all packets and with control packets only.
fn both(frames: &[Timed]) -> [(Kept, Report); 2] {
    [options(), control()].map(|options| read_files(&[capture(frames)], &options))
}

fn only(kept: &Kept) -> &Event {
    let events: Vec<&Event> = kept.finals().collect();
    assert_eq!(events.len(), 1, "{events:?}");
    events[0]
}

/// A connection with a transfer of `segments` segments of the server, each acknowledged.
fn transfer(number: u32, segments: usize) -> Conversation {
    let talk = Conversation::new(number, START_NS, 5 * MS).handshake().data(CLIENT, 100);
    (0..segments).fold(talk, |talk, _| talk.data(SERVER, 1_400).data(CLIENT, 0))
}

#[test]
fn a_short_connection_is_judged_as_ever() {
    let talks = (0..40).map(|number| {
        let talk = Conversation::new(number, START_NS + u64::from(number) * 37 * MS, 10 * MS);
        let open = |talk: Conversation| talk.handshake().data(CLIENT, 100);
        match number % 4 {
            0 => talk.syn().abort(SERVER),
            1 => open(talk).abort(CLIENT),
            2 => open(talk).forged(SERVER, 0).pause(50 * MS).data(SERVER, 500),
            _ => open(talk).pause(70 * SECOND).data(CLIENT, 10).answer(SERVER),
        }
    });
    let [(all, _), (control, report)] = both(&merged(talks));
    let told = |kept: &Kept| kept.finals().map(verdict_with_evidence).collect::<Vec<_>>();
    assert!(told(&all) == told(&control), "{:#?}", [told(&all), told(&control)]);
    assert!(control.finals().all(|event| !event.capture.control_only));
    assert_eq!(report.control.unwrap().left_out, 0);
}

#[test]
fn a_reset_after_a_long_transfer_is_told_with_what_is_not_known() {
    let talk = transfer(1, 150).abort(SERVER);
    let sent = talk.frames.len() as u64;
    let [(all, whole), (control, report)] = both(&talk.frames);
    let (all, event) = (only(&all), only(&control));
    assert_eq!(verdict(event).split(": ").next(), verdict(all).split(": ").next());
    assert_eq!(event.verdict.origin, all.verdict.origin);
    assert!(all.verdict.bytes_unacked.client.is_some() && !all.capture.control_only);
    assert!(
        event.verdict.bytes_unacked.client.is_none()
            && event.verdict.bytes_unacked.server.is_none()
    );
    assert!(event.capture.control_only && !event.capture.gap_seen);
    assert!(event.verdict.cause_confidence <= 0.7);
    let left_out = report.control.unwrap();
    assert_eq!(left_out.first_packets, FIRST_PACKETS);
    assert_eq!(left_out.left_out + report.packets, sent);
    assert!(report.packets < sent / 10, "{} of {sent}", report.packets);
    assert!(report.losses.is_empty() && whole.control.is_none());
}

#[test]
fn numbers_and_counters_that_run_on_unseen_accuse_nobody() {
    for (number, segments) in (20..200).step_by(7).enumerate() {
        let talk = transfer(number as u32, segments);
        for (ends, origin) in [(CLIENT, "Client"), (SERVER, "Server")] {
            let [(_, _), (control, _)] = both(&talk.clone().abort(ends).frames);
            let event = only(&control);
            assert_eq!(format!("{:?}", event.verdict.origin), origin, "{segments} segments");
        }
    }
}

#[test]
fn all_that_follows_a_reset_is_seen() {
    let talk = transfer(1, 150).forged(SERVER, 0);
    let before = talk.frames.len() as u64;
    let talk = (0..300).fold(talk, |talk, _| talk.data(SERVER, 1_400).data(CLIENT, 0));
    let after = talk.frames.len() as u64 - before;
    let [(_, _), (control, report)] = both(&talk.frames);
    assert!(report.packets > after, "{} of {after}", report.packets);
    let told = &only(&control).verdict;
    let says = |word: &str| told.evidence.iter().any(|item| item.says.contains(word));
    assert!(says("goes on"), "{:?}", told.evidence);
}

#[test]
fn a_late_copy_of_what_was_left_out_is_no_sign_of_life() {
    let talk = transfer(1, 150).answer(SERVER);
    let reset_ns = talk.frames.last().unwrap().0;
    let copies: Vec<Timed> = talk.frames[talk.frames.len() - 12..talk.frames.len() - 1]
        .iter()
        .enumerate()
        .map(|(index, (_, bytes))| (reset_ns + (60 + index as u64) * MS, bytes.clone()))
        .collect();
    let [(_, _), (control, _)] = both(&[talk.frames, copies].concat());
    let told = &only(&control).verdict;
    assert!(told.evidence.iter().all(|item| !item.says.contains("goes on")), "{:?}", told.evidence);
}

#[test]
fn the_ends_of_closed_connections_are_seen_whole() {
    let talk = transfer(1, 150).fin(SERVER).data(CLIENT, 0).data(CLIENT, 10).answer(SERVER);
    let [(all, _), (control, _)] = both(&talk.frames);
    let event = only(&control);
    assert!(!event.capture.control_only);
    assert_eq!(verdict(event), verdict(only(&all)));
}
