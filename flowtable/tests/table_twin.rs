//! The table against a map: random flows, clocks and floods.
//!
//! The twin knows every flow ever made and when it was last seen; the table may forget, but only
//! what the rules of its sets allow.
#![allow(clippy::unwrap_used, reason = "the lint knows test functions, not their helpers")]

use std::collections::HashMap;

use flowtable::{
    Direction, FlowHash, FlowTable, Segment, Slot, TableCounts, TableOptions, Timeouts, Timestamp,
    WAYS,
};
use proptest::prelude::*;
use wire::{SeqNumber, TcpFlags};

const SECOND: u64 = 1_000_000_000;
const TIMEOUTS: Timeouts =
    Timeouts { established_s: 600, half_open_s: 40, closed_s: 20, yield_s: 100 };
/// An age counts in steps of two seconds.
const COARSE_S: u64 = 2;

fn table(flows: usize) -> FlowTable {
    FlowTable::new(&TableOptions { flows, hosts: 16, seed: 7, timeouts: TIMEOUTS })
}

/// Flow `id` in set `id % sets`, with marks that often collide within a set.
fn hash_of(id: u64, sets: u64) -> FlowHash {
    let mark = (id / sets) % 5;
    FlowHash((mark << 48) | ((id + 1) << 20) | (id % sets))
}

fn segment(flags: u16, time: u64) -> Segment {
    Segment {
        flags: TcpFlags(flags),
        time: Timestamp(time),
        seq: SeqNumber(100),
        ack: SeqNumber(200),
        ..Segment::blank()
    }
}

const FIN: u16 = 1;
const SYN: u16 = 2;
const RST: u16 = 4;
const ACK: u16 = 16;

#[derive(Clone, Copy, Debug)]
enum Step {
    /// A segment of a flow, in either direction.
    Segment {
        id: u64,
        from_low: bool,
        flags: u16,
    },
    /// Time passes, or runs back a little.
    Pass {
        ns: i64,
    },
    Sweep,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let flags = prop_oneof![
        3 => Just(SYN), 2 => Just(SYN | ACK), 6 => Just(ACK), 1 => Just(FIN | ACK), 1 => Just(RST)
    ];
    let step = prop_oneof![
        12 => (0..90u64, any::<bool>(), flags)
            .prop_map(|(id, from_low, flags)| Step::Segment { id, from_low, flags }),
        2 => (0..30 * SECOND as i64).prop_map(|ns| Step::Pass { ns }),
        1 => (-3 * SECOND as i64..0).prop_map(|ns| Step::Pass { ns }),
        1 => (0..2_000 * SECOND as i64).prop_map(|ns| Step::Pass { ns }),
        3 => Just(Step::Sweep),
    ];
    prop::collection::vec(step, 1..400)
}

/// What the twin knows of one flow.
#[derive(Clone, Copy, Debug)]
struct Known {
    last: u64,
    established: bool,
    over: bool,
}

impl Known {
    const fn is_worth_keeping(self) -> bool {
        self.established && !self.over
    }

    const fn silent_s(self, now: u64) -> u64 {
        now.saturating_sub(self.last) / SECOND
    }

    const fn limit_s(self) -> u64 {
        if self.over {
            TIMEOUTS.closed_s as u64
        } else if self.established {
            TIMEOUTS.established_s as u64
        } else {
            TIMEOUTS.half_open_s as u64
        }
    }
}

struct Twins {
    table: FlowTable,
    sets: u64,
    known: HashMap<u64, Known>,
    /// Where each flow was last: hints that are often stale.
    hints: HashMap<u64, Slot>,
    now: u64,
}

impl Twins {
    fn new(flows: usize, now: u64) -> Self {
        let table = table(flows);
        let sets = (table.capacity() / WAYS) as u64;
        Self { table, sets, known: HashMap::new(), hints: HashMap::new(), now }
    }

    fn slot(&self, id: u64) -> Option<Slot> {
        self.table.find(hash_of(id, self.sets))
    }

    fn segment(&mut self, id: u64, direction: Direction, flags: u16) {
        let (hash, now) = (hash_of(id, self.sets), Timestamp(self.now));
        let before = self.table.counts();
        if flags == ACK && self.takes_short_road(id, direction) {
            return;
        }
        let was_known = self.slot(id).is_some();
        let hint = self.hints.get(&id).copied();
        let Some(slot) = self.table.place(hash, hint, now) else {
            return self.check_refusal(id);
        };
        self.hints.insert(id, slot);
        let after = self.table.counts();
        if was_known && before == after {
            // What is over is forgotten without being counted again.
            let known = self.known[&id];
            let within = known.silent_s(self.now) <= known.limit_s() + COARSE_S;
            assert!(known.over || within, "it should have been forgotten");
        } else if was_known {
            let silent_s = self.known[&id].silent_s(self.now);
            assert!(silent_s + COARSE_S > self.known[&id].limit_s(), "forgotten before its time");
            assert_eq!(before.occupied, after.occupied, "forgotten and begun anew");
        } else {
            self.check_eviction(id, before, after);
        }
        let record = self.table.record_mut(slot);
        record.observe(direction, &segment(flags, self.now), [9, 80]);
        let known =
            Known { last: self.now, established: record.is_established(), over: record.is_over() };
        self.table.refresh(slot, now);
        self.known.insert(id, known);
        assert_eq!(self.slot(id), Some(slot), "a flow just refreshed is found where it was");
        assert!(self.table.likely(hash).is_some(), "one of its mark is there: itself");
    }

    /// Plain segments of established flows may be taken in without looking at the rest.
    fn takes_short_road(&mut self, id: u64, direction: Direction) -> bool {
        let (hash, now) = (hash_of(id, self.sets), Timestamp(self.now));
        let Some(slot) = self.hints.get(&id).copied() else { return false };
        let before = self.table.counts();
        let Some(record) = self.table.established(hash, slot, now) else {
            assert_eq!(self.table.counts(), before);
            return false;
        };
        record.observe(direction, &segment(ACK, self.now), [9, 80]);
        assert!(record.is_established() && !record.is_over());
        let known = self.known.get_mut(&id).unwrap();
        assert!(known.is_worth_keeping(), "{known:?}");
        assert!(known.silent_s(self.now) <= known.limit_s() + COARSE_S);
        known.last = self.now;
        assert_eq!(self.slot(id), Some(slot));
        true
    }

    /// A flow is refused only if sixteen established ones, none long silent, hold its set.
    fn check_refusal(&mut self, id: u64) {
        let mates: Vec<Known> = self
            .known
            .iter()
            .filter(|(mate, _)| *mate % self.sets == id % self.sets)
            .map(|(_, known)| *known)
            .collect();
        assert_eq!(mates.len(), WAYS);
        for mate in mates {
            let short = mate.silent_s(self.now) < u64::from(TIMEOUTS.yield_s) + COARSE_S;
            assert!(mate.is_worth_keeping() && short, "{mate:?} should have given way");
        }
    }

    /// What made way for a new flow was the least worth keeping of its set.
    fn check_eviction(&mut self, id: u64, before: TableCounts, after: TableCounts) {
        let gone: Vec<u64> =
            self.known.keys().copied().filter(|known| self.slot(*known).is_none()).collect();
        assert!(gone.len() <= 1, "one new flow takes one place");
        let half_open = after.evicted_half_open - before.evicted_half_open;
        let idle = after.evicted_idle - before.evicted_idle;
        assert_eq!(half_open + idle, gone.len() as u64);
        assert_eq!(after.occupied, before.occupied + 1 - gone.len() as u64);
        let Some(gone) = gone.first() else { return };
        let victim = self.known.remove(gone).unwrap();
        assert_eq!(gone % self.sets, id % self.sets);
        assert_eq!(victim.is_worth_keeping(), idle == 1);
        if victim.is_worth_keeping() {
            assert!(victim.silent_s(self.now) + COARSE_S >= u64::from(TIMEOUTS.yield_s));
            let mut mates =
                self.known.iter().filter(|(mate, _)| *mate % self.sets == id % self.sets);
            assert!(mates.all(|(_, mate)| mate.is_worth_keeping()), "a worthless one was kept");
        }
    }

    fn sweep(&mut self) {
        let before = self.table.counts();
        self.table.sweep(Timestamp(self.now));
        let after = self.table.counts();
        let gone: Vec<u64> =
            self.known.keys().copied().filter(|known| self.slot(*known).is_none()).collect();
        let (mut timed_out, mut unanswered) = (0, 0);
        for id in &gone {
            let known = self.known.remove(id).unwrap();
            assert!(known.silent_s(self.now) + COARSE_S > known.limit_s(), "{known:?} left early");
            timed_out += u64::from(known.is_worth_keeping());
            unanswered += u64::from(!known.established && !known.over);
        }
        assert_eq!(after.timed_out - before.timed_out, timed_out);
        assert_eq!(after.unanswered - before.unanswered, unanswered);
    }

    fn check(&self) {
        let counts = self.table.counts();
        assert!(counts.occupied <= self.table.capacity() as u64);
        assert_eq!(counts.occupied, self.known.len() as u64, "the twins know as many");
        let mut slots: Vec<Slot> = self.known.keys().filter_map(|id| self.slot(*id)).collect();
        assert_eq!(slots.len(), self.known.len(), "every flow of the twin is found");
        slots.dedup();
        for (index, slot) in slots.iter().enumerate() {
            assert!(!slots[index + 1..].contains(slot), "two flows in one slot");
        }
    }
}

proptest! {
    #[test]
    fn the_table_forgets_only_what_it_may(steps in steps(), start in 0..u64::MAX / 4) {
        let mut twins = Twins::new(32, start.max(10 * SECOND));
        for step in steps {
            match step {
                Step::Segment { id, from_low, flags } => {
                    let direction = if from_low { Direction::FromLow } else { Direction::FromHigh };
                    twins.segment(id, direction, flags);
                }
                Step::Pass { ns } => twins.now = twins.now.saturating_add_signed(ns),
                Step::Sweep => twins.sweep(),
            }
            twins.check();
        }
    }

    /// Whatever the hour of the start and however long the pause: the sweep does not wait for a
    /// wrapping clock to come round.
    #[test]
    fn what_is_silent_is_forgotten_at_any_hour_and_after_any_pause(
        start in 0..u64::MAX / 4,
        pause_h in 0..100u64,
    ) {
        let mut twins = Twins::new(1 << 12, start);
        twins.sweep();
        // The whole pause without any call: a capture that stood still.
        twins.now += pause_h * 3600 * SECOND;
        for id in 0..500 {
            twins.segment(id, Direction::FromLow, SYN);
        }
        for _ in 0..TIMEOUTS.half_open_s + 15 {
            twins.now += SECOND;
            twins.sweep();
        }
        prop_assert_eq!(twins.table.counts().occupied, 0);
        prop_assert_eq!(twins.table.counts().unanswered, 500);
    }
}

/// An age wraps after 18.2 hours and a tick after 19.5; flows that talk on survive both.
#[test]
fn flows_that_talk_on_outlive_every_wrap() {
    let mut twins = Twins::new(256, 1_700_000_000 * SECOND);
    for _ in 0..48 * 60 / 4 {
        for id in 0..8 {
            for direction in [Direction::FromLow, Direction::FromHigh] {
                twins.segment(id, direction, ACK);
                twins.segment(id, direction, ACK);
            }
        }
        twins.now += 240 * SECOND;
        twins.sweep();
        twins.check();
        assert_eq!(twins.table.counts().occupied, 8);
    }
}

#[test]
fn a_syn_flood_evicts_only_its_like() {
    let mut table =
        FlowTable::new(&TableOptions { flows: 1 << 12, hosts: 16, seed: 99, timeouts: TIMEOUTS });
    let now = 1_700_000_000 * SECOND;
    let spread = |id: u64| FlowHash(id.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29));
    let mut established = Vec::new();
    for id in 1..1 << 11 {
        let Some(slot) = table.place(spread(id), None, Timestamp(now)) else { continue };
        for direction in [Direction::FromLow, Direction::FromHigh] {
            for _ in 0..2 {
                table.record_mut(slot).observe(direction, &segment(ACK, now), [9, 80]);
            }
        }
        table.refresh(slot, Timestamp(now));
        established.push(id);
    }
    for flood in 0..200_000u64 {
        let time = now + flood * 400_000;
        if let Some(slot) = table.place(spread(flood + (1 << 40)), None, Timestamp(time)) {
            table.record_mut(slot).observe(Direction::FromLow, &segment(SYN, time), [9, 80]);
            table.refresh(slot, Timestamp(time));
        }
        table.sweep(Timestamp(time));
    }
    assert!(established.iter().all(|id| table.find(spread(*id)).is_some()));
    assert!(table.counts().evicted_half_open > 0);
    assert_eq!(table.counts().evicted_idle, 0);
}

#[test]
fn a_clock_that_is_set_back_does_not_stop_the_sweep() {
    let mut twins = Twins::new(64, 1_700_000_000 * SECOND);
    twins.sweep();
    twins.now -= 400 * 24 * 3600 * SECOND;
    for id in 0..20 {
        twins.segment(id, Direction::FromLow, SYN);
    }
    for _ in 0..TIMEOUTS.half_open_s + 15 {
        twins.now += SECOND;
        twins.sweep();
    }
    assert_eq!(twins.table.counts().occupied, 0);
}
