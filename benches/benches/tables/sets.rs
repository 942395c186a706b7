//! The table of the sensor, and what any table costs at least.

use flowtable::{
    Direction, FlowHash, FlowRecord, FlowTable, Segment, TableOptions, Timeouts, Timestamp,
};
use wire::TcpFlags;

use crate::store::{Advice, ESTABLISHED_S, OTHERS_S, Seen, Store, YIELD_S};

/// Sixteen-way sets.
pub(crate) struct Sets(pub(crate) FlowTable);

impl Store for Sets {
    const NAME: &'static str = "sets of 16";

    fn new(flows: usize, pages: &mut Advice) -> Self {
        let timeouts = Timeouts {
            established_s: ESTABLISHED_S,
            half_open_s: OTHERS_S,
            closed_s: OTHERS_S,
            yield_s: YIELD_S,
        };
        let options = TableOptions { flows, hosts: 16, seed: 1, timeouts };
        Self(FlowTable::on_pages(&options, pages))
    }

    #[inline(never)]
    fn take(&mut self, hash: u64, now: Timestamp, seen: Seen) -> bool {
        let Some(slot) = self.0.place(FlowHash(hash), None, now) else { return false };
        bring_to(self.0.record_mut(slot), now, seen);
        self.0.refresh(slot, now);
        true
    }

    fn contains(&self, hash: u64) -> bool {
        self.0.find(FlowHash(hash)).is_some()
    }

    fn sweep(&mut self, now: Timestamp) {
        self.0.sweep(now);
    }

    fn memory_bytes(&self) -> usize {
        self.0.memory_bytes()
    }
}

/// As `sets of 16`, by the short road for established flows.
pub(crate) struct Short(Sets);

impl Store for Short {
    const NAME: &'static str = "sets, short road";

    fn new(flows: usize, pages: &mut Advice) -> Self {
        Self(Sets::new(flows, pages))
    }

    #[inline(never)]
    fn take(&mut self, hash: u64, now: Timestamp, seen: Seen) -> bool {
        let table = &mut self.0.0;
        if seen == Seen::Established
            && let Some(slot) = table.find(FlowHash(hash))
            && let Some(record) = table.established(FlowHash(hash), slot, now)
        {
            std::hint::black_box(record);
            return true;
        }
        self.0.take(hash, now, seen)
    }

    fn contains(&self, hash: u64) -> bool {
        self.0.contains(hash)
    }

    fn sweep(&mut self, now: Timestamp) {
        self.0.sweep(now);
    }

    fn memory_bytes(&self) -> usize {
        self.0.memory_bytes()
    }
}

/// No table at all: the records of the sensor, each where the hash says. What `sets of 16` costs
/// beyond it is the table.
pub(crate) struct Bare(Box<[FlowRecord]>);

impl Store for Bare {
    const NAME: &'static str = "bare records";

    fn new(flows: usize, pages: &mut Advice) -> Self {
        Self(pages.filled(FlowRecord::empty(), flows))
    }

    #[inline(never)]
    fn take(&mut self, hash: u64, now: Timestamp, seen: Seen) -> bool {
        let place = hash as usize & (self.0.len() - 1);
        let record = &mut self.0[place];
        if seen == Seen::HalfOpen {
            *record = FlowRecord::empty();
        }
        bring_to(record, now, seen);
        true
    }

    fn contains(&self, _: u64) -> bool {
        true
    }

    fn sweep(&mut self, _: Timestamp) {}

    fn memory_bytes(&self) -> usize {
        size_of_val(&*self.0)
    }
}

/// Nothing at all: what making the segments costs.
pub(crate) struct Nothing;

impl Store for Nothing {
    const NAME: &'static str = "nothing";

    fn new(_: usize, _: &mut Advice) -> Self {
        Self
    }

    #[inline(never)]
    fn take(&mut self, hash: u64, now: Timestamp, seen: Seen) -> bool {
        std::hint::black_box((hash, now, seen));
        true
    }

    fn contains(&self, _: u64) -> bool {
        true
    }

    fn sweep(&mut self, _: Timestamp) {}

    fn memory_bytes(&self) -> usize {
        0
    }
}

/// Makes our record know what others keep in a field.
fn bring_to(record: &mut FlowRecord, now: Timestamp, seen: Seen) {
    match seen {
        Seen::HalfOpen => {}
        Seen::Established if record.is_established() => {}
        Seen::Established => establish(record, now),
        Seen::Over => close(record, now),
    }
}

#[inline(never)]
fn establish(record: &mut FlowRecord, now: Timestamp) {
    let segment = Segment { flags: TcpFlags(16), time: now, ..Segment::blank() };
    for direction in [Direction::FromLow, Direction::FromHigh] {
        for _ in 0..2 {
            record.observe(direction, &segment, [9, 80]);
        }
    }
}

#[inline(never)]
fn close(record: &mut FlowRecord, now: Timestamp) {
    for direction in [Direction::FromLow, Direction::FromHigh] {
        let segment = Segment { flags: TcpFlags(17), time: now, ..Segment::blank() };
        record.observe(direction, &segment, [9, 80]);
    }
}
