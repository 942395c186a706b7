//! What is wrong with a tap is found in the packets it shows, and nothing is found where all is well.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::sync::atomic::AtomicBool;

use events::{Report, TapFaultKind};
use flowtable::{TapPort, Timestamp};
use pipeline::{Frame, Receipt, Received, Sharding, Source, SourceError};
use wire::LinkType;

use support::{CLIENT, Conversation, Kept, MS, SERVER, START_NS, Timed, read_frames};

/// A new conversation every 100 ms, each with data both ways for a while; every fourth is reset.
fn conversations() -> Vec<Timed> {
    let talk = |number: u32| {
        let talk = Conversation::new(number, START_NS + u64::from(number) * 100 * MS, MS);
        let talk = (0..4).fold(talk.handshake(), |talk, _| talk.data(CLIENT, 90).data(SERVER, 700));
        match number % 4 {
            0 => talk.abort(SERVER),
            _ => talk.fin(CLIENT).fin(SERVER),
        }
    };
    support::merged((0..150).map(talk))
}

fn is_from_server((_, bytes): &Timed) -> bool {
    bytes[34..36] == 443_u16.to_be_bytes()
}

fn kinds(report: &Report) -> Vec<TapFaultKind> {
    report.tap.faults.iter().map(|fault| fault.kind).collect()
}

fn text(report: &Report) -> &str {
    &report.tap.faults[0].text
}

#[test]
fn a_tap_that_shows_everything_once_has_no_fault() {
    let (kept, report) = read_frames(&conversations());
    assert_eq!(kinds(&report), []);
    let tap = &report.tap;
    // Not every one of the 150 finds a place in the sample.
    assert!(tap.one_sided.part == 0 && tap.one_sided.whole > 90, "{tap:?}");
    assert_eq!((tap.duplicated.part, tap.split.part), (0, 0), "{tap:?}");
    assert!(tap.duplicated.whole > 1_000, "{tap:?}");
    assert!(kept.finals().all(|event| !event.capture.one_sided_tap));
}

#[test]
fn half_of_a_conversation_is_found_and_said_in_every_event_from_then_on() {
    for hidden in [true, false] {
        let frames: Vec<Timed> = conversations()
            .into_iter()
            .filter(|frame| is_from_server(frame) != hidden)
            .chain(resets_of_both())
            .collect();
        let (kept, report) = read_frames(&frames);
        assert_eq!(kinds(&report), [TapFaultKind::OneSided]);
        assert!(report.tap.one_sided.value() > 0.9, "{:?}", report.tap);
        assert!(text(&report).contains("only one direction"), "{}", text(&report));
        let last = kept.finals().last().unwrap();
        assert!(last.capture.one_sided_tap, "{last:?}");
    }
}

/// A connection with both directions after all others.
fn resets_of_both() -> Vec<Timed> {
    let talk = Conversation::new(900, START_NS + 20_000 * MS, MS).handshake();
    talk.data(CLIENT, 10).abort(SERVER).frames
}

#[test]
fn scans_and_answers_to_nobody_are_not_one_sided() {
    let spaced = |number: u32| START_NS + u64::from(number) * 20 * MS;
    let lonely = |number: u32| {
        let talk = Conversation::new(number, spaced(number), MS);
        match number % 3 {
            // A SYN that nobody answers, sent again.
            0 => {
                let mut again = talk.syn();
                let (time, bytes) = again.frames[0].clone();
                again.frames.extend((1..4).map(|n| (time + n * 1_000 * MS, renumbered(&bytes, n))));
                again
            }
            // Half a handshake that ends with a reset of the scanner's own.
            1 => talk.syn().abort(CLIENT),
            // Backscatter: an answer to a SYN of somebody else in our name, again and again.
            _ => {
                let mut answer = talk.handshake();
                let (time, bytes) = answer.frames.remove(1);
                answer.frames =
                    (0..4).map(|n| (time + n * 1_000 * MS, renumbered(&bytes, n))).collect();
                answer
            }
        }
    };
    let (_, report) = read_frames(&support::merged((0..600).map(lonely)));
    assert_eq!(kinds(&report), []);
    assert_eq!(report.tap.one_sided.part, 0, "{:?}", report.tap);
}

/// The same segment in another packet.
fn renumbered(frame: &[u8], by: u64) -> Vec<u8> {
    let mut frame = frame.to_vec();
    let id = u16::from_be_bytes([frame[18], frame[19]]) + by as u16;
    frame[18..20].copy_from_slice(&id.to_be_bytes());
    frame
}

#[test]
fn packets_that_come_twice_are_found_with_their_delay() {
    let twice = conversations().into_iter().flat_map(|(time, bytes)| {
        let copy = (time + 50_000, bytes.clone());
        [(time, bytes), copy]
    });
    let mut twice: Vec<Timed> = twice.collect();
    twice.sort_by_key(|frame| frame.0);
    let (kept, report) = read_frames(&twice);
    assert_eq!(kinds(&report), [TapFaultKind::Duplicated]);
    let share = report.tap.duplicated.value();
    assert!((0.45..0.55).contains(&share), "{share}");
    assert!(text(&report).contains("up to 0.050 ms later"), "{}", text(&report));
    assert!(kept.finals().last().unwrap().capture.duplicating_tap);
}

#[test]
fn segments_that_were_sent_twice_are_not_copies() {
    let mut again: Vec<Timed> = conversations()
        .into_iter()
        .flat_map(|(time, bytes)| {
            let sent_again = (time + 30 * MS, renumbered(&bytes, 7));
            [(time, bytes), sent_again]
        })
        .collect();
    again.sort_by_key(|frame| frame.0);
    let (_, report) = read_frames(&again);
    assert_eq!(kinds(&report), []);
    assert_eq!(report.tap.duplicated.part, 0);
}

#[test]
fn frames_that_are_cut_short_are_found() {
    let cut = |(time, mut bytes): Timed| {
        bytes.truncate(50);
        (time, bytes)
    };
    let (_, report) = read_frames(&conversations().into_iter().map(cut).collect::<Vec<_>>());
    assert_eq!(kinds(&report), [TapFaultKind::Truncated]);
    assert!(text(&report).contains("snapshot length"), "{}", text(&report));
}

/// Frames of one queue, one a turn, each with its port.
struct Queue {
    frames: Vec<Timed>,
    queue: u16,
    lent: usize,
    port: fn(&Timed) -> u8,
    has_fibres: bool,
}

impl Source for Queue {
    fn receive(&mut self) -> Result<Received, SourceError> {
        self.lent += 1;
        let is_there = self.lent <= self.frames.len();
        Ok(if is_there { Received::Frames(1) } else { Received::End })
    }

    fn frame(&self, _: usize) -> Frame<'_> {
        let frame = &self.frames[self.lent - 1];
        Frame {
            bytes: &frame.1,
            time: Timestamp(frame.0),
            link: Some(LinkType::Ethernet),
            port: TapPort((self.port)(frame)),
            receipt: Receipt { input: 0, queue: self.queue, frame: self.lent as u64 },
        }
    }

    fn is_of_two_ports(&self) -> bool {
        self.has_fibres
    }
}

fn of_queues(queues: Vec<Queue>) -> Report {
    let (mut kept, stop) = (Kept::default(), AtomicBool::new(false));
    let (sharding, options) = (Sharding::ByQueue, support::options());
    pipeline::replay_queues(queues, "memory", sharding, &options, &stop, &mut kept).unwrap()
}

#[test]
fn directions_on_two_queues_that_share_nothing_are_split_not_one_sided() {
    let queue = |number: u16| Queue {
        frames: conversations()
            .into_iter()
            .filter(|frame| u16::from(is_from_server(frame)) == number)
            .collect(),
        queue: number,
        lent: 0,
        port: |_| 0,
        has_fibres: false,
    };
    let report = of_queues(vec![queue(0), queue(1)]);
    assert_eq!(kinds(&report), [TapFaultKind::SplitQueues]);
    assert!(text(&report).contains("symmetric"), "{}", text(&report));
    assert_eq!(report.tap.one_sided.part, 0, "{:?}", report.tap);
}

#[test]
fn ports_that_carry_both_directions_are_mixed_and_right_ones_are_not() {
    let of_port = |port: fn(&Timed) -> u8| {
        let frames = conversations();
        of_queues(vec![Queue { frames, queue: 0, lent: 0, port, has_fibres: true }])
    };
    assert_eq!(kinds(&of_port(|frame| u8::from(is_from_server(frame)))), []);
    // Each connection wholly on one of the ports: two links, not two fibres.
    let mixed = of_port(|frame| frame.1[37] & 1);
    assert_eq!(kinds(&mixed), [TapFaultKind::MixedFibres]);
    assert!(text(&mixed).contains("two links"), "{}", text(&mixed));
}
