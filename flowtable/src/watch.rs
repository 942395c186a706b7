//! What is remembered of a reset: the state before it, and a few seconds of what came after.
//!
//! A pool of fixed size. Watches of one flow form a chain from [`FlowRecord::watch`]; watches due
//! at about the same time form a chain from one slot of a wheel. Links are indices + 1, 0 ends.

use wire::SeqNumber;

use crate::aftermath::Aftermath;
use crate::hosts::HostBaseline;
use crate::key::{Direction, Endpoint, FlowKey};
use crate::record::{FlowRecord, Sight};
use crate::segment::Segment;
use crate::table::{FlowTable, Slot};
use crate::time::{Ticks, Timestamp};

/// One reset with its flow as it was before, and what followed; 576 bytes.
#[derive(Clone, Copy, Debug)]
pub struct Watch {
    /// The flow.
    pub key: FlowKey,
    /// The direction of the reset: from whom it claims to be.
    pub direction: Direction,
    /// The reset.
    pub reset: Segment,
    /// Its payload.
    pub note: ResetNote,
    /// The flow before it.
    pub before: FlowRecord,
    /// What the server's other connections look like.
    pub host: Option<HostBaseline>,
    /// Second in which the same port of the server last accepted a connection.
    pub accepted_s: Option<u32>,
    /// The reset of this flow before this one, if it is still watched.
    pub earlier: Option<EarlierReset>,
    /// How many resets of the flow came before, saturating.
    pub ordinal: u8,
    /// What followed.
    pub aftermath: Aftermath,
    /// How much of the connection `before` can know.
    pub sight: Sight,
    /// The clock that stamped the packets has steps no longer than this.
    pub clock_step: Ticks,
    /// When the verdict becomes final.
    pub deadline: Timestamp,
    /// The caller's note of where the packet was received; carried, never read.
    pub receipt: [u64; 2],
    /// The caller's note of what was kept of its packets; carried, never read. 0 for nothing.
    pub trail: u32,
    slot: Option<Slot>,
    next_of_flow: u32,
    next_due: u32,
}

/// Payload of a reset (RFC 1122, section 4.2.2.12), cut to 64 bytes.
#[derive(Clone, Copy, Debug)]
pub struct ResetNote {
    bytes: [u8; Self::MAX],
    len: u8,
}

impl ResetNote {
    /// Most bytes kept.
    pub const MAX: usize = 64;
    /// A reset without payload.
    pub const EMPTY: Self = Self { bytes: [0; Self::MAX], len: 0 };

    /// The first bytes of `payload`.
    #[must_use]
    pub fn of(payload: &[u8]) -> Self {
        let len = payload.len().min(Self::MAX);
        let mut bytes = [0; Self::MAX];
        bytes[..len].copy_from_slice(&payload[..len]);
        Self { bytes, len: len as u8 }
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

/// The reset before this one in the same flow.
#[derive(Clone, Copy, Debug)]
pub struct EarlierReset {
    /// Its direction.
    pub direction: Direction,
    /// Its header.
    pub reset: Segment,
    /// Highest sequence number of it and of the resets of its direction before it.
    pub highest: SeqNumber,
    /// Segments of the other side between the two, seen at the sensor.
    pub answered_between: u16,
    /// Whether its sender was seen alive between the two, or its receiver went on.
    pub had_no_effect: bool,
}

/// The pool of watches and its wheel of deadlines.
#[derive(Debug)]
pub struct WatchPool {
    watches: Box<[Watch]>,
    free: Vec<u32>,
    wheel: Box<[u32]>,
    turned: u64,
    refused: u64,
}

impl WatchPool {
    /// A pool for `capacity` resets at a time, at least one.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        let capacity = capacity.max(1);
        Self {
            watches: vec![Watch::unused(); capacity].into_boxed_slice(),
            free: (1..=capacity as u32).rev().collect(),
            wheel: vec![0; WHEEL_SLOTS].into_boxed_slice(),
            turned: 0,
            refused: 0,
        }
    }

    /// Bytes held.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        size_of_val(&*self.watches) + self.free.capacity() * 4 + size_of_val(&*self.wheel)
    }

    /// Resets that could not be watched because the pool or their flow's share was used up.
    #[must_use]
    pub const fn refused(&self) -> u64 {
        self.refused
    }

    /// Resets watched now.
    #[must_use]
    pub fn in_use(&self) -> usize {
        self.watches.len() - self.free.len()
    }

    /// Lets every watch of a flow see a segment (resets included), before the record takes it in.
    pub fn observe(&mut self, record: &FlowRecord, direction: Direction, segment: &Segment) {
        let mut link = record.watch;
        for _ in 0..WATCHES_PER_FLOW {
            let Some(watch) = self.at(link) else { return };
            let Watch { before, reset, aftermath, direction: sender, .. } = watch;
            aftermath.observe(before, reset, *sender, direction, segment);
            link = watch.next_of_flow;
        }
    }

    /// What the caller noted of the packets of each watched reset of a flow, the latest first.
    pub fn trails(&self, record: &FlowRecord) -> impl Iterator<Item = u32> {
        let mut link = record.watch;
        let step = move || {
            let watch = self.watches.get(link.checked_sub(1)? as usize)?;
            link = watch.next_of_flow;
            Some(watch.trail)
        };
        std::iter::from_fn(step).take(usize::from(WATCHES_PER_FLOW)).filter(|&trail| trail != 0)
    }

    /// The latest watched reset of a flow, as context for the next one.
    #[must_use]
    pub fn latest(&self, record: &FlowRecord) -> Option<&Watch> {
        let index = record.watch.checked_sub(1)?;
        self.watches.get(index as usize)
    }

    /// Starts to watch a reset; `None` if there is no room, and then the verdict is final at once.
    ///
    /// `slot` is where the flow's record lives, which the new watch is chained to.
    pub fn start(&mut self, watch: &Watch, slot: Option<(Slot, &mut FlowTable)>) -> Option<()> {
        if watch.ordinal >= WATCHES_PER_FLOW || self.free.is_empty() {
            self.refused += 1;
            return None;
        }
        let link = self.free.pop()?;
        // A deadline that has passed (the clock was behind) is due at the next turn.
        let due = &mut self.wheel[wheel_slot(turn_of(watch.deadline).max(self.turned))];
        let place = &mut self.watches[link as usize - 1];
        *place = *watch;
        (place.slot, place.next_of_flow, place.next_due) = (None, 0, *due);
        *due = link;
        if let Some((slot, table)) = slot {
            let record = table.record_mut(slot);
            (place.slot, place.next_of_flow) = (Some(slot), record.watch);
            place.before.tag = record.tag;
            record.watch = link;
        }
        Some(())
    }

    /// Takes out every watch due by `now` and hands it to `finish`.
    ///
    /// At most [`WHEEL_SLOTS`] slots are looked at, however far the clock jumped; a watch whose
    /// deadline lies ahead stays. If the clock is set back by more than a round of the wheel,
    /// everything is due: no deadline means anything any more.
    ///
    /// Asked for every packet, and nearly always in vain.
    #[inline(always)]
    pub fn expire(&mut self, now: Timestamp, table: &mut FlowTable, finish: impl FnMut(&Watch)) {
        if turn_of(now) != self.turned {
            self.turn(turn_of(now), table, finish);
        }
    }

    #[inline(never)]
    fn turn(&mut self, until: u64, table: &mut FlowTable, mut finish: impl FnMut(&Watch)) {
        if until + WHEEL_SLOTS as u64 <= self.turned {
            self.expire_all(table, &mut finish);
            self.turned = until;
        }
        if until <= self.turned {
            return;
        }
        let from = self.turned.max(until.saturating_sub(WHEEL_SLOTS as u64));
        self.turned = until;
        for turn in from..until {
            self.empty_slot(wheel_slot(turn), until, table, &mut finish);
        }
    }

    /// Takes out every watch, due or not: the end of a capture.
    pub fn expire_all(&mut self, table: &mut FlowTable, mut finish: impl FnMut(&Watch)) {
        // In the order of their deadlines.
        for turn in 0..WHEEL_SLOTS as u64 {
            self.empty_slot(wheel_slot(self.turned + turn), u64::MAX, table, &mut finish);
        }
    }

    /// Takes out the watches of a slot that are due before the turn `until`.
    fn empty_slot(
        &mut self,
        place: usize,
        until: u64,
        table: &mut FlowTable,
        finish: &mut impl FnMut(&Watch),
    ) {
        let mut link = std::mem::take(&mut self.wheel[place]);
        while let Some(index) = link.checked_sub(1) {
            let watch = &mut self.watches[index as usize];
            let next = watch.next_due;
            if turn_of(watch.deadline) < until {
                self.unchain(link, index as usize, table);
                finish(&self.watches[index as usize]);
                self.free.push(link);
            } else {
                watch.next_due = self.wheel[place];
                self.wheel[place] = link;
            }
            link = next;
        }
    }

    /// Takes a watch out of its flow's chain, unless the record has gone to another flow since.
    fn unchain(&mut self, link: u32, index: usize, table: &mut FlowTable) {
        let Watch { slot, next_of_flow, before, .. } = &self.watches[index];
        let (Some(slot), next_of_flow) = (*slot, *next_of_flow) else { return };
        let record = table.record_mut(slot);
        if record.tag != before.tag {
            return;
        }
        if record.watch == link {
            record.watch = next_of_flow;
            return;
        }
        let mut before = record.watch;
        for _ in 0..WATCHES_PER_FLOW {
            let Some(previous) = self.at(before) else { return };
            if previous.next_of_flow == link {
                previous.next_of_flow = next_of_flow;
                return;
            }
            before = previous.next_of_flow;
        }
    }

    fn at(&mut self, link: u32) -> Option<&mut Watch> {
        self.watches.get_mut(link.checked_sub(1)? as usize)
    }
}

impl Watch {
    /// When a pool takes it out, if time goes on evenly: at the end of its deadline's turn, and of
    /// several of one turn the youngest first.
    #[must_use]
    pub const fn taken_out(&self) -> Timestamp {
        Timestamp((turn_of(self.deadline) + 1) << WHEEL_SHIFT)
    }

    /// A watch as the caller fills it in; links are the pool's.
    #[must_use]
    pub fn new(key: FlowKey, direction: Direction, reset: Segment, before: FlowRecord) -> Self {
        Self {
            key,
            direction,
            reset,
            note: ResetNote::EMPTY,
            before,
            host: None,
            accepted_s: None,
            earlier: None,
            ordinal: 0,
            aftermath: Aftermath::default(),
            sight: Sight::Whole,
            clock_step: Ticks(0),
            deadline: reset.time.plus_ns(deadline_ns(&before)),
            receipt: [0; 2],
            trail: 0,
            slot: None,
            next_of_flow: 0,
            next_due: 0,
        }
    }

    /// Says that packets before the reset may have been left out: data of its sender prove it alive
    /// only when no late copy of theirs can be meant, so it is watched for longer.
    #[must_use]
    pub fn of_sight(mut self, sight: Sight) -> Self {
        self.sight = sight;
        if sight != Sight::Whole {
            self.aftermath.data_after_min = LATE_COPY_WITHIN;
            self.deadline = self.deadline.max(self.reset.time.plus_ns(RATIONED_WATCH_MIN_NS));
        }
        self
    }

    /// Who opened the connection, or is taken for that.
    #[must_use]
    pub const fn client(&self) -> Endpoint {
        self.key.sender(self.before.client())
    }

    /// Who was called.
    #[must_use]
    pub const fn server(&self) -> Endpoint {
        self.key.sender(self.before.client().opposite())
    }

    fn unused() -> Self {
        let end = Endpoint::default();
        let key = FlowKey { low: end, high: end, scope: 0 };
        Self::new(key, Direction::FromLow, Segment::blank(), FlowRecord::empty())
    }
}

/// min(5 s, max(1 s, 4 round trips)), classification.md section 5.0.
fn deadline_ns(before: &FlowRecord) -> u64 {
    let round_trip = |direction| before.round_trip(direction).map_or(0, |span| span.ns());
    let whole = round_trip(Direction::FromLow) + round_trip(Direction::FromHigh);
    (4 * whole).clamp(WATCH_MIN_NS, WATCH_MAX_NS)
}

/// The turn of the wheel after which `instant` has passed.
const fn turn_of(instant: Timestamp) -> u64 {
    instant.0 >> WHEEL_SHIFT
}

const fn wheel_slot(turn: u64) -> usize {
    turn as usize & (WHEEL_SLOTS - 1)
}

/// Resets of one flow that are watched at a time; more are counted only.
pub const WATCHES_PER_FLOW: u8 = 16;
const WATCH_MIN_NS: u64 = 1_000_000_000;
/// A sender that goes on does so for longer than copies take.
const RATIONED_WATCH_MIN_NS: u64 = 2_000_000_000;
/// No mirror shows a packet again after so long.
const LATE_COPY_WITHIN: Ticks = Ticks::from_ms(1_000);
/// With the wheel's 134 ms a verdict is final within 5 s.
const WATCH_MAX_NS: u64 = 4_800_000_000;
/// 2^27 ns: 134 ms a slot.
const WHEEL_SHIFT: u32 = 27;
/// 64 slots of 134 ms reach 8.6 s: beyond the longest watch.
const WHEEL_SLOTS: usize = 64;
