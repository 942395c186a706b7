//! What is left of a batch of frames between reading their headers and finding their flows.

use flowtable::{Direction, Ends, FlowHash, FlowTable, KeyScope, Plain, Slot, Timestamp};
use wire::{CommonV4, CommonV6, LinkType};
use xdp::prefetch;

use crate::shard::Staged;
use crate::source::{BATCH_MAX, Frame};

/// The segments of one turn, in the order they came. Fixed in size, written in place.
pub(crate) struct Batch {
    /// One a segment; those of segments that are staged as a whole hold no more than their hash.
    pub(crate) shorts: Box<[Short; BATCH_MAX]>,
    pub(crate) len: usize,
    /// A segment is 250 bytes, and copies of it showed.
    pub(crate) wholes: Box<[Staged]>,
    wholes_len: usize,
    /// For a plain segment that has to be read as a whole after all.
    pub(crate) spare: Box<Staged>,
    pub(crate) seen: Seen,
}

/// A plain segment on its way to its shard; 64 bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Short {
    pub(crate) hash: FlowHash,
    pub(crate) time: Timestamp,
    /// Where the flow was found ahead of time.
    pub(crate) slot: Option<Slot>,
    pub(crate) plain: Plain,
    pub(crate) direction: Direction,
    /// Of the frame in its batch.
    pub(crate) index: u8,
    /// Where the whole of it is staged.
    pub(crate) whole: Option<u8>,
}

const _: () = assert!(size_of::<Short>() <= 64 && BATCH_MAX <= 256);

/// The sums of a batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub(crate) bytes: u64,
    /// Time of the first frame, the latest time, and the time of the last frame.
    pub(crate) first: Timestamp,
    pub(crate) latest: Timestamp,
    pub(crate) last: Timestamp,
}

impl Batch {
    pub(crate) fn new() -> Self {
        Self {
            shorts: Box::new([Short::BLANK; BATCH_MAX]),
            len: 0,
            wholes: vec![Staged::blank(); BATCH_MAX].into_boxed_slice(),
            wholes_len: 0,
            spare: Box::new(Staged::blank()),
            seen: Seen::NOTHING,
        }
    }

    pub(crate) const fn clear(&mut self) {
        (self.len, self.wholes_len, self.seen) = (0, 0, Seen::NOTHING);
    }

    /// Stages the facts of frame `index`, if it holds a plain segment in a common shape; whether it
    /// does, and `is_wanted` of it. The line its look-up needs is under way then.
    #[inline(always)]
    pub(crate) fn stage_plain(
        &mut self,
        frame: &Frame<'_>,
        index: usize,
        scope: KeyScope,
        table: &FlowTable,
        is_wanted: impl FnOnce(&Short) -> bool,
    ) -> bool {
        let Some(short) = self.shorts.get_mut(self.len) else { return false };
        let is_plain = short.fill(frame, scope, table) && is_wanted(short);
        short.index = index as u8;
        self.len += usize::from(is_plain);
        is_plain
    }

    /// A place to stage a segment in; [`Batch::push_whole`] keeps it.
    pub(crate) fn next_whole(&mut self) -> Option<&mut Staged> {
        self.wholes.get_mut(self.wholes_len)
    }

    pub(crate) fn push_whole(&mut self, table: &FlowTable) {
        let staged = &self.wholes[self.wholes_len];
        if let Some(place) = self.shorts.get_mut(self.len) {
            prefetch(table.set(staged.hash));
            place.hash = staged.hash;
            place.whole = Some(self.wholes_len as u8);
            self.wholes_len += 1;
            self.len += 1;
        }
    }

    /// Finds the flows of all segments, and loads their records ahead of time.
    #[inline(always)]
    pub(crate) fn look_up(&mut self, table: &FlowTable) {
        for short in &mut self.shorts[..self.len] {
            short.slot = table.likely(short.hash);
            if let Some(slot) = short.slot {
                prefetch(table.record(slot));
            }
        }
    }
}

impl Short {
    const BLANK: Self = Self {
        hash: FlowHash(0),
        time: Timestamp(0),
        slot: None,
        plain: Plain::BLANK,
        direction: Direction::FromLow,
        index: 0,
        whole: None,
    };

    /// Takes in the facts of a plain segment in a common shape; false if it is none.
    #[inline(always)]
    fn fill(&mut self, frame: &Frame<'_>, scope: KeyScope, table: &FlowTable) -> bool {
        // The second port of a tap is a fact that only whole segments carry.
        if frame.link != Some(LinkType::Ethernet) || frame.port.0 != 0 {
            return false;
        }
        let Some(common) = CommonV4::find(frame.bytes) else {
            return self.fill_v6(frame, scope, table);
        };
        let Some(plain) = Plain::of_v4(&common) else { return false };
        let (ends, direction) = Ends::of_v4(&common, scope);
        self.keep(plain, table.hash(&ends), direction, frame.time, table);
        true
    }

    #[inline(never)]
    fn fill_v6(&mut self, frame: &Frame<'_>, scope: KeyScope, table: &FlowTable) -> bool {
        let Some(common) = CommonV6::find(frame.bytes) else { return false };
        let (Some(plain), Some((ends, direction))) =
            (Plain::of_v6(&common), Ends::of_v6(&common, scope))
        else {
            return false;
        };
        self.keep(plain, table.hash(&ends), direction, frame.time, table);
        true
    }

    #[inline(always)]
    fn keep(
        &mut self,
        plain: Plain,
        hash: FlowHash,
        direction: Direction,
        time: Timestamp,
        table: &FlowTable,
    ) {
        prefetch(table.set(hash));
        self.hash = hash;
        self.plain = plain;
        (self.direction, self.time, self.whole) = (direction, time, None);
    }
}

impl Seen {
    const NOTHING: Self =
        Self { bytes: 0, first: Timestamp(u64::MAX), latest: Timestamp(0), last: Timestamp(0) };

    #[inline(always)]
    pub(crate) fn frame(&mut self, len: usize, time: Timestamp) {
        self.bytes += len as u64;
        if self.first.0 == u64::MAX {
            self.first = time;
        }
        self.latest = self.latest.max(time);
        self.last = time;
    }
}
