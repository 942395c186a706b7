//! The flows of one shard: sixteen-way sets, fixed in size for ever.
//!
//! ```text
//! hash (64 bit, keyed)           bits 48-63: mark   16-47: tag, in the record   from 0: set index
//! set (64 bytes, a cache line)   16 x u16 mark   16 x u16 age
//! record (128 bytes)             at index set * 16 + way
//! ```
//!
//! A look-up reads one line of marks and the records whose mark matches, nearly always one. Nothing
//! is ever moved, so the work per packet is bounded by sixteen ways.

use std::hash::{Hash, Hasher};
use std::mem::MaybeUninit;

use foldhash::SharedSeed;
use foldhash::fast::FoldHasher;

use crate::hosts::HostTable;
use crate::key::Endpoint;
use crate::record::FlowRecord;
use crate::set::{Idle, Set};
use crate::time::Timestamp;

/// How large a shard is and how long it remembers.
#[derive(Clone, Copy, Debug)]
pub struct TableOptions {
    /// Flows; rounded up to a power of two, at least 16.
    pub flows: usize,
    /// Entries of the table of servers.
    pub hosts: usize,
    /// Secret of the hash: whoever knows it can choose who is evicted.
    pub seed: u64,
    /// Timeouts.
    pub timeouts: Timeouts,
}

/// How long a silent flow is remembered, in seconds.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// Established: longer than the two hours of a default TCP keepalive (RFC 9293, 3.8.4).
    pub established_s: u32,
    /// Half-open: longer than a SYN is retried.
    pub half_open_s: u32,
    /// After FINs or a reset, for stragglers.
    pub closed_s: u32,
    /// An established flow silent for so long may give way to a new one when its set is full.
    pub yield_s: u32,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { established_s: 7_500, half_open_s: 130, closed_s: 130, yield_s: 300 }
    }
}

/// Place of a record; valid until the next [`FlowTable::place`] or [`FlowTable::sweep`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Slot(pub(crate) u32);

/// A key's hash.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FlowHash(pub u64);

/// What became of flows, by name; totals since the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TableCounts {
    /// Records in use.
    pub occupied: u64,
    /// Expired while established, without FIN or reset.
    pub timed_out: u64,
    /// Expired half-open.
    pub unanswered: u64,
    /// Half-open or closed flows that gave way before their time.
    pub evicted_half_open: u64,
    /// Established flows, long silent, that gave way.
    pub evicted_idle: u64,
    /// Segments whose flow found no place, because its set was full of busier ones.
    pub not_remembered: u64,
}

/// Pages under the large parts of a table: the crate that may ask the kernel is not known here.
pub trait Pages {
    /// Prepares memory that nobody has written to yet.
    fn prepare<T>(&mut self, memory: &mut [MaybeUninit<T>]);
}

/// Pages as they come.
struct AnyPages;

impl Pages for AnyPages {
    fn prepare<T>(&mut self, _: &mut [MaybeUninit<T>]) {}
}

/// The flows of one shard.
pub struct FlowTable {
    sets: Box<[Set]>,
    records: Box<[FlowRecord]>,
    hosts: HostTable,
    seed: u64,
    /// All multipliers are secret: with a public one, an address could be chosen that cancels the rest.
    secrets: SharedSeed,
    timeouts: Timeouts,
    /// No flow that was seen so recently has expired.
    young: Idle,
    swept: Swept,
    counts: TableCounts,
}

impl std::fmt::Debug for FlowTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FlowTable").field("counts", &self.counts).finish_non_exhaustive()
    }
}

/// How far the sweep has come.
#[derive(Debug, Default)]
struct Swept {
    next: usize,
    last: Timestamp,
}

impl FlowTable {
    /// Allocates and touches everything the shard will ever use.
    #[must_use]
    pub fn new(options: &TableOptions) -> Self {
        Self::on_pages(options, &mut AnyPages)
    }

    /// The same, on memory that the caller has prepared before it is first touched.
    #[must_use]
    pub fn on_pages(options: &TableOptions, pages: &mut impl Pages) -> Self {
        let sets = (options.flows / WAYS).next_power_of_two().max(1);
        let timeouts = options.timeouts;
        let shortest_s = timeouts.established_s.min(timeouts.closed_s).min(timeouts.half_open_s);
        Self {
            sets: filled(Set::EMPTY, sets, pages),
            records: filled(FlowRecord::empty(), sets * WAYS, pages),
            hosts: HostTable::new(options.hosts),
            seed: options.seed,
            secrets: SharedSeed::from_u64(options.seed),
            timeouts,
            young: Idle::within_s(shortest_s),
            swept: Swept::default(),
            counts: TableCounts::default(),
        }
    }

    /// Flows it holds at most.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.records.len()
    }

    /// Bytes held, servers included.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        size_of_val(&*self.sets) + size_of_val(&*self.records) + self.hosts.memory_bytes()
    }

    /// The largest part of its memory, for whoever asks what pages it came to lie on.
    #[must_use]
    pub fn records(&self) -> &[FlowRecord] {
        &self.records
    }

    /// What became of flows.
    #[must_use]
    pub const fn counts(&self) -> TableCounts {
        self.counts
    }

    /// The keyed hash of a flow, by its [`crate::FlowKey`] or [`crate::Ends`].
    #[inline]
    #[must_use]
    pub fn hash(&self, key: &impl Hash) -> FlowHash {
        let mut hasher = self.hasher();
        key.hash(&mut hasher);
        FlowHash(hasher.finish())
    }

    #[inline]
    fn hasher(&self) -> FoldHasher<'_> {
        FoldHasher::with_seed(self.seed, &self.secrets)
    }

    /// The keyed hashes of a server: with its port, and without.
    #[must_use]
    pub fn host_hashes(&self, server: Endpoint) -> [u64; 2] {
        let mut hasher = self.hasher();
        server.address.hash(&mut hasher);
        let address = hasher.finish();
        server.port.hash(&mut hasher);
        [hasher.finish(), address]
    }

    /// The servers of this shard.
    #[must_use]
    pub const fn hosts(&self) -> &HostTable {
        &self.hosts
    }

    /// The servers of this shard, to add to.
    pub const fn hosts_mut(&mut self) -> &mut HostTable {
        &mut self.hosts
    }

    /// The line of marks and ages that a look-up reads, for whoever loads it ahead of time.
    #[inline]
    #[must_use]
    pub fn set(&self, hash: FlowHash) -> &Set {
        &self.sets[self.set_of(hash)]
    }

    /// Where a flow is in all likelihood: the first way that bears its mark. No record is read, so that it
    /// can be loaded ahead of time; [`FlowTable::established`] and [`FlowTable::place`] look at the tag.
    #[must_use]
    #[inline]
    pub fn likely(&self, hash: FlowHash) -> Option<Slot> {
        let set = self.set_of(hash);
        let ways = self.sets[set].ways_with(mark_of(hash));
        let index = set * WAYS + ways.trailing_zeros() as usize;
        (ways != 0).then_some(Slot(index as u32))
    }

    /// The record that a flow would get if it is new and its set has room, for whoever loads it
    /// ahead of time.
    #[must_use]
    pub fn room(&self, hash: FlowHash) -> Option<&FlowRecord> {
        let set = self.set_of(hash);
        self.sets[set].free_way().map(|way| &self.records[set * WAYS + way])
    }

    /// The record of a flow, if it is remembered.
    #[must_use]
    #[inline]
    pub fn find(&self, hash: FlowHash) -> Option<Slot> {
        let set = self.set_of(hash);
        let tag = tag_of(hash);
        let mut ways = self.sets[set].ways_with(mark_of(hash));
        while ways != 0 {
            let index = set * WAYS + ways.trailing_zeros() as usize;
            if self.records[index].tag == tag {
                return Some(Slot(index as u32));
            }
            ways &= ways - 1;
        }
        None
    }

    /// The record of a flow, made if need be; `None` if its set is full of busier flows.
    ///
    /// `hint` is where [`FlowTable::find`] found it a moment ago; the tag tells whether it still is.
    #[inline]
    pub fn place(&mut self, hash: FlowHash, hint: Option<Slot>, now: Timestamp) -> Option<Slot> {
        let found = hint.filter(|&slot| self.holds(slot, hash)).or_else(|| self.find(hash));
        if let Some(slot) = found {
            let (set, way) = (slot.0 as usize / WAYS, slot.0 as usize % WAYS);
            if self.sets[set].is_fresh(way, self.young, now) {
                return Some(slot);
            }
        }
        self.renew(hash, found, now)
    }

    /// [`FlowTable::place`] for a flow that is not remembered, or was found but may have expired.
    ///
    /// Not inlined: with it, the short road of every other segment would save seven registers.
    #[inline(never)]
    fn renew(&mut self, hash: FlowHash, found: Option<Slot>, now: Timestamp) -> Option<Slot> {
        if let Some(slot) = found {
            let (set, way) = (slot.0 as usize / WAYS, slot.0 as usize % WAYS);
            if !self.is_expired(set, way, now) {
                return Some(slot);
            }
            self.expire(set, way);
        }
        let set = self.set_of(hash);
        let Some(way) = self.way_for_new(set, now) else {
            self.counts.not_remembered += 1;
            return None;
        };
        self.sets[set].occupy(way, mark_of(hash), now);
        let slot = set * WAYS + way;
        self.records[slot] = FlowRecord::empty();
        self.records[slot].tag = tag_of(hash);
        self.counts.occupied += 1;
        Some(Slot(slot as u32))
    }

    /// Whether a slot found a moment ago is that flow's, and the flow was seen lately.
    #[must_use]
    pub fn is_still(&self, slot: Slot, hash: FlowHash, now: Timestamp) -> bool {
        let (set, way) = (slot.0 as usize / WAYS, slot.0 as usize % WAYS);
        self.holds(slot, hash) && self.sets[set].is_fresh(way, self.young, now)
    }

    #[inline]
    fn holds(&self, slot: Slot, hash: FlowHash) -> bool {
        self.records.get(slot.0 as usize).is_some_and(|record| record.tag == tag_of(hash))
    }

    /// A record.
    #[inline]
    #[must_use]
    pub fn record(&self, slot: Slot) -> &FlowRecord {
        &self.records[slot.0 as usize]
    }

    /// A record, to change.
    #[inline]
    pub fn record_mut(&mut self, slot: Slot) -> &mut FlowRecord {
        &mut self.records[slot.0 as usize]
    }

    /// Notes that a flow was seen, and what it is worth.
    #[inline]
    pub fn refresh(&mut self, slot: Slot, now: Timestamp) {
        let record = &self.records[slot.0 as usize];
        let is_worth_keeping = record.is_established() && !record.is_over();
        let (set, way) = (slot.0 as usize / WAYS, slot.0 as usize % WAYS);
        self.sets[set].refresh(way, now, is_worth_keeping);
    }

    /// The record of an established flow where [`FlowTable::find`] found it a moment ago, for a segment that
    /// leaves it established; notes that it was seen. `None` for all others, and nothing has changed: then
    /// [`FlowTable::place`] and [`FlowTable::refresh`] tell more.
    #[inline]
    pub fn established(
        &mut self,
        hash: FlowHash,
        slot: Slot,
        now: Timestamp,
    ) -> Option<&mut FlowRecord> {
        let record = self.records.get_mut(slot.0 as usize)?;
        if record.tag != tag_of(hash) {
            return None;
        }
        let set = self.sets.get_mut(slot.0 as usize / WAYS)?;
        let is_young = set.refresh_established(slot.0 as usize % WAYS, self.young, now);
        is_young.then_some(record)
    }

    /// Forgets what has been silent too long: the whole table in nine seconds of packet
    /// time if calls are frequent; at most [`SWEEP_SETS_MAX`] sets a call, so that none is a pause.
    pub fn sweep(&mut self, now: Timestamp) {
        // In nanoseconds: ticks wrap, and a sweep that waits for them to come round waits for hours.
        // Beyond a whole round more time makes no difference.
        let elapsed_ns = now.since_ns(self.swept.last).min(1 << SWEEP_SHIFT);
        let due = (elapsed_ns * self.sets.len() as u64) >> SWEEP_SHIFT;
        // A clock that was set back goes on from there.
        if due == 0 && now >= self.swept.last {
            return;
        }
        self.swept.last = now;
        for _ in 0..due.min(SWEEP_SETS_MAX) {
            self.expire_set(self.swept.next, now);
            self.swept.next = (self.swept.next + 1) & (self.sets.len() - 1);
        }
    }

    fn expire_set(&mut self, set: usize, now: Timestamp) {
        let mut ways = self.sets[set].ways_idle_beyond(self.young, now);
        while ways != 0 {
            let way = ways.trailing_zeros() as usize;
            if self.is_expired(set, way, now) {
                self.expire(set, way);
            }
            ways &= ways - 1;
        }
    }

    /// Whether a flow has been silent for longer than its state allows.
    fn is_expired(&self, set: usize, way: usize, now: Timestamp) -> bool {
        let limit_s = self.limit_s(&self.records[set * WAYS + way]);
        self.sets[set].idle(way, now) > Idle::within_s(limit_s)
    }

    fn expire(&mut self, set: usize, way: usize) {
        let record = &self.records[set * WAYS + way];
        match (record.is_over(), record.is_established()) {
            (true, _) => {}
            (false, true) => self.counts.timed_out += 1,
            (false, false) => self.counts.unanswered += 1,
        }
        self.free(set, way);
    }

    fn limit_s(&self, record: &FlowRecord) -> u32 {
        if record.is_over() {
            self.timeouts.closed_s
        } else if record.is_established() {
            self.timeouts.established_s
        } else {
            self.timeouts.half_open_s
        }
    }

    fn free(&mut self, set: usize, way: usize) {
        self.sets[set].free(way);
        self.records[set * WAYS + way].tag = 0;
        self.counts.occupied -= 1;
    }

    /// A free way; else the longest silent of the worthless; else the longest silent established
    /// one, if it has been silent long. A flood of half-open flows can evict nothing but its like.
    fn way_for_new(&mut self, set: usize, now: Timestamp) -> Option<usize> {
        if let Some(free) = self.sets[set].free_way() {
            return Some(free);
        }
        let least = self.sets[set].least_worth(now);
        if !least.is_established {
            self.counts.evicted_half_open += 1;
        } else if least.idle.seconds() >= self.timeouts.yield_s {
            self.counts.evicted_idle += 1;
        } else {
            return None;
        }
        self.free(set, least.way);
        Some(least.way)
    }

    fn set_of(&self, hash: FlowHash) -> usize {
        hash.0 as usize & (self.sets.len() - 1)
    }
}

fn filled<T: Clone>(value: T, len: usize, pages: &mut impl Pages) -> Box<[T]> {
    let mut values = Vec::with_capacity(len);
    pages.prepare(values.spare_capacity_mut());
    values.resize(len, value);
    values.into_boxed_slice()
}

/// Bits 48 to 63, never 0, which marks a free way. The set index uses the lowest bits.
const fn mark_of(hash: FlowHash) -> u16 {
    let mark = (hash.0 >> 48) as u16;
    if mark == 0 { 1 } else { mark }
}

/// Bits 16 to 47, never 0, which marks a free record. With the mark and the index of the set, that
/// is nearly all of the hash.
const fn tag_of(hash: FlowHash) -> u32 {
    (hash.0 >> 16) as u32 | 1
}

/// Ways of a set.
pub const WAYS: usize = 16;
/// A sweep comes round in 2^33 ns: 8.6 s.
const SWEEP_SHIFT: u32 = 33;
/// Sets looked at in one call: 64 lines of marks, and the records of those that look old.
const SWEEP_SETS_MAX: u64 = 64;
