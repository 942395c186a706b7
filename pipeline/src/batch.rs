//! What is left of a batch of frames between reading their headers and finding their flows.

use flowtable::{Direction, Ends, FlowHash, FlowTable, KeyScope, Plain, Slot, Timestamp};
use wire::{CommonV4, CommonV6, LinkType};

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
    /// Of the first frame, and the latest.
    pub(crate) first: Timestamp,
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

    #[inline(always)]
    pub(crate) fn push_short(&mut self, short: Short) {
        if let Some(place) = self.shorts.get_mut(self.len) {
            *place = short;
            self.len += 1;
        }
    }

    /// A place to stage a segment in; [`Batch::push_whole`] keeps it.
    pub(crate) fn next_whole(&mut self) -> Option<&mut Staged> {
        self.wholes.get_mut(self.wholes_len)
    }

    pub(crate) fn push_whole(&mut self) {
        let staged = &self.wholes[self.wholes_len];
        let whole = Some(self.wholes_len as u8);
        self.wholes_len += 1;
        self.push_short(Short { hash: staged.hash, whole, ..Short::BLANK });
    }

    /// Finds the flows of all segments. Every line that is needed is under way before the first
    /// is used.
    #[inline(always)]
    pub(crate) fn look_up(&mut self, table: &FlowTable) {
        let shorts = &mut self.shorts[..self.len];
        let sets = shorts.iter().fold(0, |sum, short| sum ^ table.touch_set(short.hash));
        let records = shorts.iter_mut().fold(0, |sum, short| {
            short.slot = table.find(short.hash);
            sum ^ short.slot.map_or(0, |slot| table.touch_record(slot))
        });
        std::hint::black_box(sets ^ records);
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

    /// The facts of frame `index`, if it holds a plain segment in a common shape.
    #[inline(always)]
    pub(crate) fn of(
        frame: &Frame<'_>,
        index: usize,
        scope: KeyScope,
        table: &FlowTable,
    ) -> Option<Self> {
        // The second port of a tap is a fact that only whole segments carry.
        if frame.link != Some(LinkType::Ethernet) || frame.port.0 != 0 {
            return None;
        }
        let (plain, hash, direction) = if let Some(common) = CommonV4::find(frame.bytes) {
            let (ends, direction) = Ends::of_v4(&common, scope);
            (Plain::of_v4(&common)?, table.hash(&ends), direction)
        } else {
            let common = CommonV6::find(frame.bytes)?;
            let (ends, direction) = Ends::of_v6(&common, scope)?;
            (Plain::of_v6(&common)?, table.hash(&ends), direction)
        };
        let index = index as u8;
        Some(Self { hash, time: frame.time, slot: None, plain, direction, index, whole: None })
    }
}

impl Seen {
    const NOTHING: Self = Self { bytes: 0, first: Timestamp(u64::MAX), last: Timestamp(0) };

    #[inline(always)]
    pub(crate) fn frame(&mut self, len: usize, time: Timestamp) {
        self.bytes += len as u64;
        if self.first.0 == u64::MAX {
            self.first = time;
        }
        self.last = self.last.max(time);
    }
}
