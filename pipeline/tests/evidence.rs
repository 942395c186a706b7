//! Kept packets against a naive twin that remembers every frame.
#![allow(clippy::unwrap_used, reason = "the lint knows test functions, not their helpers")]

mod support;

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;

use benches::{Mix, Traffic};
use events::{Evidence, EvidencePacket};
use flowtable::{Direction, FlowKey, KeyScope, TapPort, Timestamp};
use pipeline::{EvidenceOptions, Frame, Options, Receipt, Received, Source, SourceError};
use wire::LinkType;

use support::{CLIENT, Conversation, Kept, MS, SECOND, SERVER, START_NS, Timed};

/// Lends frames out of memory, as many at a time as a live queue does.
struct Memory<'f> {
    frames: &'f [Timed],
    lent: usize,
    batch: usize,
}

impl Source for Memory<'_> {
    fn receive(&mut self) -> Result<Received, SourceError> {
        self.lent += self.batch;
        self.batch = (self.frames.len() - self.lent).min(pipeline::BATCH_MAX);
        Ok(if self.batch == 0 { Received::End } else { Received::Frames(self.batch) })
    }

    fn frame(&self, index: usize) -> Frame<'_> {
        let (time, bytes) = &self.frames[self.lent + index];
        let frame = (self.lent + index) as u64 + 1;
        Frame {
            bytes,
            time: Timestamp(*time),
            link: Some(LinkType::Ethernet),
            port: TapPort(0),
            receipt: Receipt { frame, ..Receipt::default() },
        }
    }
}

fn read(frames: &[Timed], packets: usize, payload_bytes: usize) -> Kept {
    let evidence = EvidenceOptions { packets, payload_bytes };
    let options = Options { evidence, provisional: false, flows: 1 << 16, ..support::options() };
    let (mut kept, stop) = (Kept::default(), AtomicBool::new(false));
    let source = Memory { frames, lent: 0, batch: 0 };
    let names = ["memory".to_owned()];
    pipeline::replay(source, 0, &names, &options, &stop, &mut kept).unwrap();
    kept
}

/// Every frame of every connection, by its key.
struct Twin<'f> {
    frames: &'f [Timed],
    of_connection: HashMap<FlowKey, Vec<(usize, Direction)>>,
}

impl<'f> Twin<'f> {
    fn of(frames: &'f [Timed]) -> Self {
        let mut of_connection: HashMap<_, Vec<_>> = HashMap::new();
        for (index, (_, bytes)) in frames.iter().enumerate() {
            if let Some((key, direction)) = key(bytes) {
                of_connection.entry(key).or_default().push((index, direction));
            }
        }
        Self { frames, of_connection }
    }

    /// Checks that the packets are some of the reset's own connection, in their order, each as it was;
    /// gives the places of the reset and of the others among those of the connection.
    fn places(&self, evidence: &Evidence, reset_frame: u64) -> (usize, Vec<usize>) {
        let reset = reset_frame as usize - 1;
        let (key, _) = key(&self.frames[reset].1).unwrap();
        let own = &self.of_connection[&key];
        let mut next = 0;
        let mut place_of = |packet: &EvidencePacket| {
            let is_it = |&(index, _): &(usize, Direction)| {
                let (time, bytes) = &self.frames[index];
                *time == packet.ts.0
                    && bytes.starts_with(&packet.bytes)
                    && (!packet.is_judged || index == reset)
            };
            let place = next + own[next..].iter().position(is_it).expect("a packet of its own");
            next = place + 1;
            assert_eq!(packet.len as usize, self.frames[own[place].0].1.len());
            place
        };
        let places: Vec<usize> = evidence.packets.iter().map(&mut place_of).collect();
        let judged: Vec<usize> = evidence
            .packets
            .iter()
            .zip(&places)
            .filter(|(packet, _)| packet.is_judged)
            .map(|(_, &place)| place)
            .collect();
        assert_eq!(judged.len(), 1, "one reset is judged");
        (judged[0], places)
    }
}

fn key(bytes: &[u8]) -> Option<(FlowKey, Direction)> {
    let packet = wire::parse(LinkType::Ethernet, bytes).ok()?;
    Some(FlowKey::of(&packet, KeyScope::default()))
}

fn traffic(mix: Mix, flows: usize, resets_per_mille: u64, seed: u64, len: usize) -> Vec<Timed> {
    let options =
        benches::Options { mix, flows, resets_per_mille, seed, rate: 20_000, ..Default::default() };
    let mut traffic = Traffic::new(&options);
    let mut frame = Vec::new();
    let next = |_| (traffic.next_frame(&mut frame), frame.clone());
    (0..len).map(next).collect()
}

/// Checks all evidence, which stands right behind its event; gives how often packets were kept.
fn check(frames: &[Timed], kept: &Kept, is_long_enough: bool) -> usize {
    let twin = Twin::of(frames);
    for (told, evidence) in &kept.evidence {
        let event = &kept.events[told - 1];
        assert_eq!(evidence.event, event.id);
        let (reset, places) = twin.places(evidence, event.frame.unwrap());
        let before: Vec<usize> = places.iter().copied().take_while(|&it| it < reset).collect();
        assert!(before.len() <= 16 && places.len() <= 24);
        if is_long_enough {
            let last: Vec<usize> = (reset.saturating_sub(13)..reset).collect();
            assert!(before.ends_with(&last), "{before:?} of {reset}");
        }
    }
    kept.evidence.len()
}

#[test]
fn a_long_ring_has_the_last_packets_of_every_connection() {
    for (mix, seed) in [(Mix::Imix, 1), (Mix::Churn, 2), (Mix::Ipv6, 3), (Mix::Vlan, 4)] {
        let frames = traffic(mix, 500, 20, seed, 20_000);
        let kept = read(&frames, 1 << 16, 0);
        let primary = kept.finals().filter(|event| event.verdict.role.name() == "primary").count();
        let checked = check(&frames, &kept, true);
        assert!(checked > 100 && checked == primary, "{mix:?}: {checked} of {primary}");
    }
}

#[test]
fn a_short_ring_has_some_of_them_and_never_another_connections() {
    for (mix, seed) in [(Mix::Small, 5), (Mix::Churn, 6), (Mix::SynFlood, 7), (Mix::Vxlan, 8)] {
        // Twenty times round a ring of 1,024, whose entries five connections share.
        let frames = traffic(mix, 10_000, 30, seed, 20_000);
        let kept = read(&frames, 1, 0);
        let checked = check(&frames, &kept, false);
        assert!(checked > 0 || mix == Mix::SynFlood, "{mix:?}");
    }
}

#[test]
fn damaged_frames_do_no_harm() {
    let mut frames = traffic(Mix::Vxlan, 300, 50, 9, 20_000);
    let mut state = 1_u32;
    for (_, bytes) in &mut frames {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let len = bytes.len();
        match (state >> 8) % 8 {
            0 => bytes.truncate((state >> 16) as usize % len),
            1 => bytes[(state >> 16) as usize % len.min(120)] ^= (state >> 12) as u8,
            _ => {}
        }
    }
    let kept = read(&frames, 1 << 16, 0);
    for (told, evidence) in &kept.evidence {
        assert_eq!(evidence.event, kept.events[told - 1].id);
        let _ = evidence.ladder();
        let _ = evidence.to_pcapng(Some(&kept.events[told - 1]));
    }
    assert!(kept.evidence.len() > 50);
}

#[test]
fn an_elephant_keeps_its_beginning_and_says_what_is_missing() {
    let mut talk = Conversation::new(1, START_NS, MS).handshake();
    for _ in 0..60 {
        talk = talk.data(CLIENT, 100).data(SERVER, 900);
    }
    let frames = talk.abort(CLIENT).frames;
    let kept = read(&frames, 1 << 12, 0);
    let [(_, evidence)] = &kept.evidence[..] else { panic!("one reset") };
    let (reset, places) = Twin::of(&frames).places(evidence, 124);
    let expected: Vec<usize> = (0..3).chain(110..=123).collect();
    assert_eq!((reset, places, evidence.omitted), (123, expected, Some(107)));
    let ladder = evidence.ladder();
    assert_eq!(ladder[3].omitted_before, 107, "the gap is behind the handshake");
    assert!(evidence.packets.iter().all(|packet| packet.bytes.len() <= 74), "no payload");
}

#[test]
fn what_follows_is_added_and_payload_only_if_asked_for() {
    let talk = Conversation::new(1, START_NS, MS).handshake().data(CLIENT, 400);
    let talk = talk.forged(SERVER, 0).data(SERVER, 500).data(CLIENT, 10).pause(6 * SECOND);
    let frames = talk.fin(CLIENT).frames;
    let kept = read(&frames, 1 << 12, 20);
    let (_, evidence) = &kept.evidence[0];
    let (reset, places) = Twin::of(&frames).places(evidence, 5);
    assert_eq!((reset, places), (4, (0..7).collect()), "six seconds later nobody watches");
    assert_eq!(evidence.packets[3].bytes.len(), 54 + 20);
    assert_eq!(evidence.packets[3].len, 54 + 400);
}

#[test]
fn packets_of_an_earlier_connection_of_the_same_ports_are_not_told() {
    let talk = Conversation::new(1, START_NS, MS).handshake().data(CLIENT, 100).fin(CLIENT);
    let talk = talk.fin(SERVER).pause(30 * SECOND).handshake().data(CLIENT, 200);
    // The same, its second connection so long that its SYN is not kept.
    let long = (0..8).fold(talk.clone(), |talk, _| talk.data(SERVER, 900).data(CLIENT, 10));
    for (talk, packets, omitted) in [(talk, 5, 0), (long, 14, 7)] {
        let frames = talk.abort(CLIENT).frames;
        let kept = read(&frames, 1 << 12, 0);
        let [(_, evidence)] = &kept.evidence[..] else { panic!("one reset") };
        assert!(kept.events.last().unwrap().capture.reused_tuple);
        let (reset, places) = Twin::of(&frames).places(evidence, frames.len() as u64);
        let last: Vec<usize> = (reset + 1 - packets..=reset).collect();
        assert_eq!((places, evidence.omitted), (last, Some(omitted)));
    }
}

#[test]
fn that_nothing_is_missing_is_said_only_where_it_is_known() {
    let talk = Conversation::new(1, START_NS, MS).handshake().data(CLIENT, 100).data(SERVER, 900);
    let frames = talk.forged(SERVER, 3).pause(10 * MS).abort(CLIENT).frames;
    for (frames, omitted) in [(&frames[..], Some(0)), (&frames[3..], None), (&frames[6..], None)] {
        for (_, evidence) in read(frames, 1 << 12, 0).evidence {
            assert_eq!(evidence.omitted, omitted, "of {} frames", frames.len());
        }
    }
}

#[test]
fn nothing_is_told_unless_it_is_asked_for() {
    let frames = traffic(Mix::Imix, 300, 50, 9, 5_000);
    assert!(read(&frames, 0, 0).evidence.is_empty());
}
