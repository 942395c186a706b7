//! What is left of a batch of frames between reading their headers and finding their flows.

use flowtable::{
    Direction, Ends, FlowHash, FlowRecord, FlowTable, KeyScope, Plain, Slot, Timestamp,
};
use wire::{CommonV4, CommonV6, LinkType};
use xdp::prefetch;

use crate::shard::Staged;
use crate::source::{BATCH_MAX, Frame};
use crate::trail::Head;

/// The segments of one turn, in the order they came. Fixed in size, written in place.
pub(crate) struct Batch {
    /// One a segment; those of segments that are staged as a whole hold no more than their hash.
    pub(crate) shorts: Box<[Short; BATCH_MAX]>,
    len: usize,
    /// A segment is 250 bytes, and copies of it showed.
    pub(crate) wholes: Box<[Staged]>,
    wholes_len: usize,
    /// Segments on their way to another place of the batch.
    pub(crate) moving: Box<[Short; BATCH_MAX]>,
    /// First bytes of segments that other workers have received, as many as [`Batch::wholes`]; none if no
    /// packets are kept.
    pub(crate) heads: Box<[Head]>,
    /// For a plain segment that has to be read as a whole after all.
    pub(crate) spare: Box<Staged>,
}

/// A plain segment on its way to its shard; 64 bytes.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
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

const _: () = assert!(size_of::<Short>() == 64 && BATCH_MAX <= 256);

/// What the frames of a batch add up to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub(crate) bytes: u64,
    /// The latest time.
    pub(crate) latest: Timestamp,
    /// The input of the first, and all bits in which that of any other differs.
    pub(crate) input: u16,
    other_inputs: u16,
}

impl Batch {
    pub(crate) fn new(keeps_packets: bool) -> Self {
        Self {
            shorts: Box::new([Short::BLANK; BATCH_MAX]),
            len: 0,
            wholes: vec![Staged::blank(); BATCH_MAX].into_boxed_slice(),
            wholes_len: 0,
            heads: vec![Head::EMPTY; if keeps_packets { BATCH_MAX } else { 0 }].into_boxed_slice(),
            moving: Box::new([Short::BLANK; BATCH_MAX]),
            spare: Box::new(Staged::blank()),
        }
    }

    pub(crate) const fn clear(&mut self) {
        (self.len, self.wholes_len) = (0, 0);
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
        is_wanted: impl FnOnce(&Plain, FlowHash) -> bool,
    ) -> bool {
        let Some(short) = self.shorts.get_mut(self.len) else { return false };
        if frame.link != Some(LinkType::Ethernet) {
            return false;
        }
        let is_plain = match CommonV4::find_untagged(frame.bytes) {
            Some(common) => short.fill_v4(&common, scope, table),
            None => short.fill_rarer(frame.bytes, scope, table),
        };
        if !is_plain || !is_wanted(&short.plain, short.hash) {
            return false;
        }
        short.plain.set_port(frame.port);
        (short.time, short.index, short.whole) = (frame.time, index as u8, None);
        prefetch(table.set(short.hash));
        self.len += 1;
        true
    }

    /// Segments staged.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// A place to stage a segment in; [`Batch::push_whole`] keeps it.
    pub(crate) fn next_whole(&mut self) -> Option<&mut Staged> {
        self.wholes.get_mut(self.wholes_len)
    }

    /// The same for a segment that another worker has received, and a place for its bytes.
    pub(crate) fn next_received(&mut self) -> Option<(&mut Staged, Option<&mut Head>)> {
        let head = self.heads.get_mut(self.wholes_len);
        self.wholes.get_mut(self.wholes_len).map(|place| (place, head))
    }

    /// `index` is that of its frame, if it has one in the batch.
    pub(crate) fn push_whole(&mut self, index: usize, table: &FlowTable) {
        let staged = &mut self.wholes[self.wholes_len];
        if staged.segment.flags.syn() && staged.segment.flags.ack() {
            staged.server_hashes = table.host_hashes(staged.key.sender(staged.direction));
            staged.server_hashes.iter().for_each(|&hash| prefetch(table.hosts().set(hash)));
        }
        if let Some(place) = self.shorts.get_mut(self.len) {
            prefetch(table.set(staged.hash));
            (place.hash, place.index) = (staged.hash, index as u8);
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
            if let Some(record) =
                short.slot.map(|slot| table.record(slot)).or_else(|| table.room(short.hash))
            {
                prefetch(record);
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

    /// Lets its flow take it in, if that is all that a record has to do about it.
    #[inline(always)]
    pub(crate) fn is_taken_by(&self, record: &mut FlowRecord) -> bool {
        let is_taken = record.takes_plain(self.direction, &self.plain);
        if is_taken {
            record.observe_plain(self.direction, &self.plain, self.time.tick());
        }
        is_taken
    }

    #[inline(always)]
    fn fill_v4(&mut self, common: &CommonV4<'_>, scope: KeyScope, table: &FlowTable) -> bool {
        if !common.is_plain() {
            return false;
        }
        let (ends, direction) = Ends::of_v4(common, scope);
        self.hash = table.hash(&ends);
        self.direction = direction;
        self.plain = Plain::of_v4(common);
        true
    }

    /// With a tag, or IPv6; apart, so that the commonest shape does not pay for its registers.
    #[inline(never)]
    fn fill_rarer(&mut self, frame: &[u8], scope: KeyScope, table: &FlowTable) -> bool {
        if let Some(common) = CommonV4::find(frame) {
            return self.fill_v4(&common, scope, table);
        }
        let Some(common) = CommonV6::find(frame).filter(CommonV6::is_plain) else { return false };
        let Some((ends, direction)) = Ends::of_v6(&common, scope) else { return false };
        self.hash = table.hash(&ends);
        self.direction = direction;
        self.plain = Plain::of_v6(&common);
        true
    }
}

impl Seen {
    pub(crate) const fn from_input(input: u16) -> Self {
        Self { bytes: 0, latest: Timestamp(0), input, other_inputs: 0 }
    }

    #[inline(always)]
    pub(crate) fn frame(&mut self, frame: &Frame<'_>) {
        self.bytes += frame.bytes.len() as u64;
        self.latest = self.latest.max(frame.time);
        self.other_inputs |= frame.receipt.input ^ self.input;
    }

    /// Whether they came from several inputs.
    pub(crate) const fn is_mixed(&self) -> bool {
        self.other_inputs != 0
    }
}
