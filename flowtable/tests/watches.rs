//! The pool of watches against a list: every watch is finished once, in time, and misses nothing.
#![allow(clippy::unwrap_used, reason = "the lint knows test functions, not their helpers")]

use std::collections::BTreeMap;

use flowtable::{
    Direction, Endpoint, FlowHash, FlowKey, FlowTable, Segment, Slot, TableOptions, Timeouts,
    Timestamp, WATCHES_PER_FLOW, Watch, WatchPool,
};
use proptest::prelude::*;
use wire::{SeqNumber, TcpFlags};

const SECOND: u64 = 1_000_000_000;
/// One slot of the wheel.
const SLOT_NS: u64 = 1 << 27;

#[derive(Clone, Copy, Debug)]
enum Step {
    /// A reset of a flow.
    Reset { flow: u64 },
    /// Any other segment of a flow.
    Segment { flow: u64, from_low: bool },
    /// The flow's record is given to another, which fills its set.
    Evict,
    /// The clock moves on, and what is due is told.
    Pass { ns: u64 },
    /// The clock is set back.
    SetBack { ns: u64 },
}

fn steps(backwards: bool) -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0..6u64).prop_map(|flow| Step::Reset { flow }),
        6 => (0..6u64, any::<bool>()).prop_map(|(flow, from_low)| Step::Segment { flow, from_low }),
        1 => Just(Step::Evict),
        5 => (0..SECOND).prop_map(|ns| Step::Pass { ns }),
        1 => (0..40 * SECOND).prop_map(|ns| Step::Pass { ns }),
        1 => (0..20 * SECOND).prop_map(move |ns| {
            if backwards { Step::SetBack { ns } } else { Step::Pass { ns } }
        }),
    ];
    prop::collection::vec(step, 1..300)
}

/// A watch the pool has taken.
#[derive(Clone, Copy, Debug)]
struct Started {
    flow: u64,
    deadline: Timestamp,
    /// Segments of the flow since, while its record lived.
    seen: u16,
    is_chained: bool,
}

struct Twins {
    table: FlowTable,
    pool: WatchPool,
    capacity: usize,
    started: BTreeMap<u64, Started>,
    /// Which incarnation of a flow's record is in the table.
    evictions: u64,
    names: u64,
    refused: u64,
    now: Timestamp,
}

impl Twins {
    fn new(capacity: usize, now: u64) -> Self {
        let timeouts =
            Timeouts { established_s: 7_500, half_open_s: 7_000, closed_s: 7_000, yield_s: 6_000 };
        Self {
            // One set: sixteen flows and no more.
            table: FlowTable::new(&TableOptions { flows: 16, hosts: 16, seed: 1, timeouts }),
            pool: WatchPool::new(capacity),
            capacity,
            started: BTreeMap::new(),
            evictions: 0,
            names: 0,
            refused: 0,
            now: Timestamp(now),
        }
    }

    fn hash(flow: u64) -> FlowHash {
        FlowHash((flow + 1) << 40)
    }

    fn segment(&self, flags: u16) -> Segment {
        Segment {
            time: self.now,
            flags: TcpFlags(flags),
            seq: SeqNumber(1),
            ack: SeqNumber(1),
            ..Segment::blank()
        }
    }

    fn place(&mut self, flow: u64) -> Slot {
        let slot = self.table.place(Self::hash(flow), None, self.now).unwrap();
        self.forget_evicted();
        slot
    }

    fn reset(&mut self, flow: u64) {
        let slot = self.place(flow);
        let before = *self.table.record(slot);
        let key = FlowKey { low: Endpoint::default(), high: Endpoint::default(), scope: 0 };
        let mut watch = Watch::new(key, Direction::FromLow, self.segment(4), before);
        self.names += 1;
        watch.receipt = [self.names, flow];
        watch.ordinal = self.pool.latest(&before).map_or(0, |earlier| earlier.ordinal + 1);
        let chained = self.chained(flow);
        match self.pool.start(&watch, Some((slot, &mut self.table))) {
            Some(()) => {
                let deadline = watch.deadline;
                assert!(deadline >= self.now.plus_ns(SECOND), "watched for a second at least");
                let started = Started { flow, deadline, seen: 0, is_chained: true };
                self.started.insert(self.names, started);
                assert!(chained < usize::from(WATCHES_PER_FLOW));
            }
            None => {
                self.refused += 1;
                let full = self.started.len() == self.capacity;
                assert!(full || watch.ordinal >= WATCHES_PER_FLOW, "refused for no reason");
            }
        }
        self.table.refresh(slot, self.now);
    }

    fn chained(&self, flow: u64) -> usize {
        self.started.values().filter(|watch| watch.flow == flow && watch.is_chained).count()
    }

    fn pass_segment(&mut self, flow: u64, direction: Direction) {
        let slot = self.place(flow);
        let (record, segment) = (*self.table.record(slot), self.segment(16));
        assert_eq!(record.is_watched(), self.chained(flow) > 0);
        self.pool.observe(&record, direction, &segment);
        self.table.record_mut(slot).observe(direction, &segment, [1, 2]);
        self.table.refresh(slot, self.now);
        for watch in self.started.values_mut().filter(|watch| watch.flow == flow) {
            watch.seen += u16::from(watch.is_chained);
        }
    }

    /// Sixteen newer flows take every place of the set.
    fn evict(&mut self) {
        for _ in 0..16 {
            self.evictions += 1;
            let hash = FlowHash((1 << 30 | self.evictions) << 20);
            // Older than all: it gives way to whoever comes back.
            self.table.place(hash, None, self.now);
        }
        self.forget_evicted();
    }

    fn forget_evicted(&mut self) {
        for watch in self.started.values_mut() {
            watch.is_chained &= self.table.find(Self::hash(watch.flow)).is_some();
        }
    }

    fn expire(&mut self) {
        let (started, now) = (&mut self.started, self.now);
        self.pool.expire(now, &mut self.table, |watch| {
            let known = started.remove(&watch.receipt[0]).expect("finished once");
            assert_eq!(known.flow, watch.receipt[1]);
            assert_eq!(watch.deadline, known.deadline);
            let seen = watch.aftermath.sender_packets + watch.aftermath.receiver_packets;
            assert_eq!(seen, known.seen, "a watch sees all that follows");
        });
    }

    fn check(&self) {
        assert_eq!(self.pool.in_use(), self.started.len());
        assert_eq!(self.pool.refused(), self.refused);
    }
}

fn play(twins: &mut Twins, step: Step) {
    match step {
        Step::Reset { flow } => twins.reset(flow),
        Step::Segment { flow, from_low: true } => twins.pass_segment(flow, Direction::FromLow),
        Step::Segment { flow, .. } => twins.pass_segment(flow, Direction::FromHigh),
        Step::Evict => twins.evict(),
        Step::Pass { ns } => {
            twins.now = twins.now.plus_ns(ns);
            let due: Vec<u64> = names(twins, |watch, now| watch.deadline.0 + SLOT_NS <= now);
            let early: Vec<u64> = names(twins, |watch, now| watch.deadline.0 > now);
            twins.expire();
            assert!(due.iter().all(|name| !twins.started.contains_key(name)), "late");
            assert!(early.iter().all(|name| twins.started.contains_key(name)), "early");
        }
        Step::SetBack { ns } => {
            twins.now = Timestamp(twins.now.0.saturating_sub(ns));
            twins.expire();
        }
    }
    twins.check();
}

fn names(twins: &Twins, which: impl Fn(&Started, u64) -> bool) -> Vec<u64> {
    let chosen = twins.started.iter().filter(|(_, watch)| which(watch, twins.now.0));
    chosen.map(|(name, _)| *name).collect()
}

fn finish(mut twins: Twins) {
    let mut left = twins.started.clone();
    twins.pool.expire_all(&mut twins.table, |watch| {
        left.remove(&watch.receipt[0]).expect("finished once");
    });
    assert!(left.is_empty() && twins.pool.in_use() == 0, "never finished: {left:?}");
}

proptest! {
    /// While time moves, each watch ends once: not before its deadline, not a slot after it, and
    /// so within five seconds of its reset; a jump of the clock changes nothing of that.
    #[test]
    fn every_watch_is_finished_once_and_in_time(
        steps in steps(false),
        capacity in prop_oneof![Just(3usize), Just(64)],
        start in 0..u64::MAX / 2,
    ) {
        let mut twins = Twins::new(capacity, start.max(100 * SECOND));
        for step in steps {
            play(&mut twins, step);
        }
        finish(twins);
    }

    /// A clock that runs back may end watches early, never twice and never not at all.
    #[test]
    fn a_clock_set_back_loses_no_watch(steps in steps(true), start in 0..u64::MAX / 2) {
        let mut twins = Twins::new(64, start.max(10_000 * SECOND));
        for step in steps {
            match step {
                Step::Pass { ns } => {
                    twins.now = twins.now.plus_ns(ns);
                    twins.expire();
                    twins.check();
                }
                step => play(&mut twins, step),
            }
        }
        finish(twins);
    }
}

#[test]
fn the_longest_watch_is_over_within_five_seconds() {
    let mut twins = Twins::new(8, 1_700_000_000 * SECOND);
    let slot = twins.place(1);
    for (direction, wait) in [(Direction::FromLow, 0), (Direction::FromHigh, 30 * SECOND)] {
        twins.now = twins.now.plus_ns(wait);
        let flags = if direction == Direction::FromLow { 2 } else { 18 };
        let segment = Segment { ack: SeqNumber(2), ..twins.segment(flags) };
        twins.table.record_mut(slot).observe(direction, &segment, [1, 2]);
    }
    assert!(twins.table.record(slot).round_trip(Direction::FromHigh).is_some());
    twins.reset(1);
    let reset = twins.now;
    while !twins.started.is_empty() {
        twins.now = twins.now.plus_ns(SLOT_NS / 8);
        twins.expire();
    }
    assert!(twins.now.since_ns(reset) <= 5 * SECOND, "{} ns", twins.now.since_ns(reset));
    assert!(twins.now.since_ns(reset) > 4 * SECOND, "a long round trip is waited for");
}
