//! A tap of two ports: each direction of a link on a fibre and a queue of its own, emptied in one
//! turn, so that the order between the directions is lost.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::sync::atomic::AtomicBool;

use classifiers::Clue;
use events::Event;
use flowtable::{TapPort, Timestamp};
use pipeline::{Frame, Receipt, Received, Sharding, Source, SourceError};
use wire::LinkType;

use support::{CLIENT, Conversation, Kept, MS, SERVER, START_NS, Timed};

/// Frames of some turns. As live, all of a turn bear the time at which it was taken.
struct Turns {
    /// Each frame with its port; those of a turn side by side.
    turns: Vec<Vec<(TapPort, Timed)>>,
    lent: Option<usize>,
    is_of_two_ports: bool,
}

impl Source for Turns {
    fn receive(&mut self) -> Result<Received, SourceError> {
        let next = self.lent.map_or(0, |lent| lent + 1);
        self.lent = Some(next);
        Ok(self.turns.get(next).map_or(Received::End, |turn| Received::Frames(turn.len())))
    }

    fn frame(&self, index: usize) -> Frame<'_> {
        let turn = &self.turns[self.lent.unwrap()];
        let (port, (_, bytes)) = &turn[index];
        let time = turn.iter().map(|(_, (time, _))| *time).max().unwrap();
        let (time, link) = (Timestamp(time), Some(LinkType::Ethernet));
        let receipt = Receipt { input: 0, queue: 0, frame: index as u64 };
        Frame { bytes, time, link, port: *port, receipt }
    }

    fn is_of_two_ports(&self) -> bool {
        self.is_of_two_ports
    }
}

/// Judges frames in turns of so many; `ports` of two sends each frame to the port of its turn's list.
fn judged(frames: &[Timed], turn: usize, port_of: Option<&dyn Fn(&Timed) -> u8>) -> Kept {
    let port = |frame: &Timed| TapPort(port_of.map_or(0, |port_of| port_of(frame)));
    let turns = frames.chunks(turn).map(|turn| {
        let mut turn: Vec<_> = turn.iter().map(|frame| (port(frame), frame.clone())).collect();
        // One queue after the other, each in its own order.
        turn.sort_by_key(|(port, _)| port.0);
        turn
    });
    let (turns, is_of_two_ports) = (turns.collect(), port_of.is_some());
    let source = Turns { turns, lent: None, is_of_two_ports };
    let (mut kept, stop) = (Kept::default(), AtomicBool::new(false));
    let (sharding, options) = (Sharding::ByQueue, support::options());
    pipeline::replay_queues(vec![source], "memory", sharding, &options, &stop, &mut kept).unwrap();
    kept
}

fn is_from_server((_, bytes): &Timed) -> bool {
    bytes[34..36] == 443_u16.to_be_bytes()
}

/// Of all kinds, side by side, so that a turn holds parts of many.
fn conversations() -> Vec<Timed> {
    let talk = |number: u32| {
        let talk = Conversation::new(number, START_NS + u64::from(number) * MS / 3, MS);
        match number % 5 {
            0 => talk.handshake().data(CLIENT, 70).forged(SERVER, 5_000),
            1 => talk.handshake().data(CLIENT, 100).data(SERVER, 900).abort(CLIENT),
            2 => talk.handshake().data(CLIENT, 50).fin(SERVER).data(CLIENT, 10).answer(SERVER),
            3 => talk.syn().abort(SERVER),
            _ => talk.handshake().data(CLIENT, 9).data(SERVER, 9).fin(CLIENT).fin(SERVER),
        }
    };
    support::merged((0..100).map(talk))
}

fn verdicts(kept: &Kept) -> Vec<String> {
    let mut verdicts: Vec<String> = kept.finals().map(support::verdict_with_evidence).collect();
    verdicts.sort();
    verdicts
}

#[test]
fn two_ports_tell_what_one_port_tells_however_a_turn_mixes_them() {
    let frames = conversations();
    for turn in [1, 2, 7, 32, 64] {
        let one = judged(&frames, turn, None);
        for client_port in [0, 1] {
            let port_of = |frame: &Timed| u8::from(is_from_server(frame)) ^ client_port;
            let two = judged(&frames, turn, Some(&port_of));
            assert_eq!(verdicts(&two), verdicts(&one), "turns of {turn}, clients on {client_port}");
        }
    }
}

fn has_port_clue(event: &Event) -> bool {
    event.verdict.evidence.iter().any(|item| item.clue == Clue::Port)
}

/// A talk whose reset says to be the server's.
fn reset_talk() -> Vec<Timed> {
    let talk = Conversation::new(1, START_NS, MS).handshake().data(CLIENT, 70).data(SERVER, 90);
    talk.data(SERVER, 90).data(CLIENT, 10).data(SERVER, 90).abort(SERVER).frames
}

#[test]
fn a_reset_on_the_other_fibre_was_not_sent_by_its_sender() {
    let frames = reset_talk();
    let is_reset = |(_, bytes): &Timed| bytes[47] & 4 != 0;
    let wrong = |frame: &Timed| u8::from(is_from_server(frame)) ^ u8::from(is_reset(frame));
    let right = |frame: &Timed| u8::from(is_from_server(frame));
    let [wrong, right] = [judged(&frames, 1, Some(&wrong)), judged(&frames, 1, Some(&right))];
    let (wrong, right) = (wrong.finals().next().unwrap(), right.finals().next().unwrap());
    assert!(has_port_clue(wrong), "{wrong:?}");
    let origin = format!("{:?}", wrong.verdict.origin);
    // Header by header as the server's own: only the fibre speaks against it.
    assert_eq!(origin, "Unknown");
    assert!(!has_port_clue(right), "{right:?}");
    assert_eq!(format!("{:?}", right.verdict.origin), "Server");
}

#[test]
fn a_direction_that_came_in_on_both_fibres_before_accuses_nobody() {
    let frames = reset_talk();
    let last = frames.len() - 1;
    // The second segment of the server took the other fibre, as the reset does: a swapped patch, or
    // links that share their load.
    let strays = [4, last];
    let stray = |frame: &Timed| strays.iter().any(|&at| frames[at] == *frame);
    let port_of = |frame: &Timed| u8::from(is_from_server(frame) && !stray(frame));
    let kept = judged(&frames, 1, Some(&port_of));
    let event = kept.finals().next().unwrap();
    assert!(!has_port_clue(event), "{event:?}");
    assert_eq!(format!("{:?}", event.verdict.origin), "Server");
}
