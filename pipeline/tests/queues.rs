//! Several workers fed from memory find what one finds.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use flowtable::{TapPort, Timestamp};
use pipeline::{Frame, Receipt, Received, Sharding, Source, SourceError};
use wire::LinkType;

use support::{CLIENT, Conversation, Kept, MS, SERVER, START_NS, Timed};

/// One queue of several, which lend a frame at a time in the order of all: what was handed over
/// before a frame is taken before it.
struct InStep {
    frames: Arc<Vec<Timed>>,
    /// Which of the frames are this queue's.
    own: Vec<usize>,
    lent: usize,
    /// How many of all frames have been lent and taken back.
    done: Arc<AtomicUsize>,
    is_lending: bool,
    has_paused: bool,
}

impl Source for InStep {
    fn receive(&mut self) -> Result<Received, SourceError> {
        if std::mem::take(&mut self.is_lending) {
            self.lent += 1;
            self.done.fetch_add(1, Ordering::Release);
        }
        let done = self.done.load(Ordering::Acquire);
        if done == self.frames.len() {
            return Ok(Received::End);
        }
        let is_due = self.own.get(self.lent) == Some(&done);
        if is_due && std::mem::take(&mut self.has_paused) {
            self.is_lending = true;
            return Ok(Received::Frames(1));
        }
        self.has_paused = is_due;
        std::thread::yield_now();
        Ok(Received::Idle)
    }

    fn frame(&self, _: usize) -> Frame<'_> {
        let (time, bytes) = &self.frames[self.own[self.lent]];
        Frame {
            bytes,
            time: Timestamp(*time),
            link: Some(LinkType::Ethernet),
            port: TapPort(0),
            receipt: Receipt::default(),
        }
    }
}

/// Each direction on a queue of its own, by who has the port 443.
fn by_direction(frames: &Arc<Vec<Timed>>) -> Vec<InStep> {
    let done = Arc::new(AtomicUsize::new(0));
    let queue = |from_server: bool| InStep {
        frames: Arc::clone(frames),
        own: (0..frames.len())
            .filter(|&index| (frames[index].1[34..36] == 443_u16.to_be_bytes()) == from_server)
            .collect(),
        lent: 0,
        done: Arc::clone(&done),
        is_lending: false,
        has_paused: false,
    };
    vec![queue(false), queue(true)]
}

/// No refusals: what a server's packets look like is learned shard by shard, and a refusal has
/// nothing else to be compared with.
fn conversations() -> Vec<Timed> {
    let talk = |number: u32| {
        let talk = Conversation::new(number, START_NS + u64::from(number) * 10 * MS, MS);
        match number % 3 {
            0 => talk.handshake().data(CLIENT, 70).forged(SERVER, 5_000),
            1 => talk.handshake().data(CLIENT, 100).data(SERVER, 900).abort(CLIENT),
            _ => talk.handshake().data(CLIENT, 50).fin(SERVER).data(CLIENT, 10).answer(SERVER),
        }
    };
    support::merged((0..60).map(talk))
}

#[test]
fn two_workers_with_rings_tell_what_one_worker_tells() {
    let frames = Arc::new(conversations());
    let (one, alone) = support::read_frames(&frames);
    let (mut two, stop) = (Kept::default(), AtomicBool::new(false));
    let report = pipeline::replay_queues(
        by_direction(&frames),
        "memory",
        Sharding::ByHash,
        &support::options(),
        &stop,
        &mut two,
    )
    .unwrap();
    assert_eq!(report.packets, alone.packets);
    assert_eq!(report.connections, alone.connections);
    assert_eq!(report.losses, alone.losses);
    assert_eq!(report.resets, alone.resets);
    let sorted = |kept: &Kept| {
        let mut verdicts: Vec<String> = kept.finals().map(support::verdict).collect();
        verdicts.sort();
        verdicts
    };
    assert_eq!(sorted(&two), sorted(&one));
}

#[test]
fn the_owner_of_a_connection_keeps_the_packets_that_another_worker_received() {
    let frames = Arc::new(conversations());
    let evidence = pipeline::EvidenceOptions { packets: 1 << 12, payload_bytes: 0 };
    let options = pipeline::Options { evidence, ..support::options() };
    let (alone, _) = support::read_files(&[support::capture(&frames)], &options);
    let (mut two, stop) = (Kept::default(), AtomicBool::new(false));
    let queues = by_direction(&frames);
    pipeline::replay_queues(queues, "memory", Sharding::ByHash, &options, &stop, &mut two).unwrap();
    let packets = |kept: &Kept| {
        let mut all: Vec<_> =
            kept.evidence.iter().map(|(_, it)| (it.ts, it.packets.clone(), it.omitted)).collect();
        all.sort_by_key(|(ts, ..)| *ts);
        all
    };
    assert!(alone.evidence.len() >= 60, "{}", alone.evidence.len());
    assert_eq!(packets(&two), packets(&alone));
}

#[test]
fn without_queues_there_is_nothing_to_run() {
    let (mut sink, stop) = (Kept::default(), AtomicBool::new(false));
    let none: Vec<InStep> = Vec::new();
    let sharding = Sharding::ByQueue;
    let outcome =
        pipeline::replay_queues(none, "memory", sharding, &support::options(), &stop, &mut sink);
    assert!(matches!(outcome, Err(pipeline::Error::NoInput)));
}
