//! The last packets of connections, kept for the few that are reset.
//!
//! ```text
//! worker:    every packet -> ring;  a reset -> its chain copied beside the watch, and what follows
//! window:    with the finding, the packets
//! exporter:  headers cut out of them, held back with the finding -> Evidence, behind its event
//! ```
//!
//! | file | idea |
//! |---|---|
//! | `mod.rs` | a worker's [`Trail`]: two rings, and what was copied out of them for watches |
//! | `ring.rs` | packets in a ring, linked by connection |
//! | `held.rs` | what the exporter holds until the verdict is told, and the evidence made of it |
//!
//! There are two rings, so that a connection's beginning survives what comes after it: SYN, FIN, RST and
//! the first packets of each side are kept apart from all others, of which there are many more. A flood
//! of SYNs shortens what is remembered of beginnings, an elephant what is remembered of the rest.
//!
//! **Invariant:** nothing is allocated after the start; a reset costs at most two bounded walks.

mod held;
mod ring;

use flowtable::{FlowHash, Segment};

pub(crate) use held::HeldTrails;
pub(crate) use ring::{HEAD_MAX, Head, Kept, Raw};

use ring::{PLAIN_MAX, Ring, on_huge_pages};

/// What is kept of packets.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct EvidenceOptions {
    /// Latest packets that each worker remembers, of all connections; rounded up to a power of two.
    /// 0 keeps none.
    pub packets: usize,
    /// Bytes of payload that are told; a packet is kept up to 128 bytes in all.
    pub payload_bytes: usize,
}

impl EvidenceOptions {
    /// Remembers as many packets as fit some 32 MiB.
    #[must_use]
    pub const fn usual() -> Self {
        Self { packets: 1 << 17, payload_bytes: 0 }
    }
}

/// The packets that one worker remembers.
#[derive(Debug)]
pub(crate) struct Trail {
    /// By hash: where the chains of a connection begin, in `many` and in `few`.
    newest: Box<[[u32; 2]]>,
    /// Packets in the middle of connections.
    many: Ring,
    /// Beginnings and ends.
    few: Ring,
    order: u32,
    plain_max: usize,
    copies: Box<[Copy]>,
    free: Vec<u32>,
}

/// The packets of a reset that is watched: those before it, itself, and those that followed.
#[derive(Clone, Copy, Debug)]
struct Copy {
    heads: [Head; PACKETS_MAX],
    len: u8,
    /// Which of them is the reset.
    judged: u8,
}

/// The same on its way to the exporter: a part of the window's packets.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Packets {
    pub(crate) start: u32,
    pub(crate) len: u8,
    pub(crate) judged: u8,
}

impl Trail {
    /// What `options` ask for; `None` if nothing is to be kept.
    pub(crate) fn new(options: &EvidenceOptions) -> Option<Self> {
        if options.packets == 0 {
            return None;
        }
        let packets = options.packets.clamp(PACKETS_LEAST, 1 << 28).next_power_of_two();
        let copies = (packets / PACKETS_A_COPY).max(COPIES_LEAST);
        let copy = Copy { heads: [Head::EMPTY; PACKETS_MAX], len: 0, judged: 0 };
        Some(Self {
            newest: on_huge_pages([0; 2], packets * 2),
            many: Ring::new(packets),
            few: Ring::new(packets / 4),
            order: 0,
            plain_max: PLAIN_MAX.saturating_add(options.payload_bytes).min(HEAD_MAX),
            copies: on_huge_pages(copy, copies),
            free: (1..=copies as u32).rev().collect(),
        })
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        size_of_val(&*self.newest)
            + self.many.memory_bytes()
            + self.few.memory_bytes()
            + size_of_val(&*self.copies)
            + self.free.capacity() * 4
    }

    /// Remembers a packet in the middle of its connection.
    #[inline(always)]
    pub(crate) fn push_plain(&mut self, packet: &Kept<'_>) {
        let entry = packet.hash.0 as usize & (self.newest.len() - 1);
        self.order = self.order.wrapping_add(1);
        self.many.push(&mut self.newest[entry][0], packet, self.order, self.plain_max);
    }

    /// Remembers any packet; `is_early` says whether its side had sent but a few.
    #[inline(never)]
    pub(crate) fn push(&mut self, packet: &Kept<'_>, segment: &Segment, is_early: bool) {
        let flags = segment.flags;
        let entry = packet.hash.0 as usize & (self.newest.len() - 1);
        let [many, few] = &mut self.newest[entry];
        self.order = self.order.wrapping_add(1);
        if flags.syn() || flags.fin() || flags.rst() || is_early {
            self.few.push(few, packet, self.order, HEAD_MAX);
        } else {
            self.many.push(many, packet, self.order, HEAD_MAX);
        }
    }

    /// Copies what is remembered of a connection whose reset was pushed last; 0 if there is no room.
    pub(crate) fn keep(&mut self, hash: FlowHash) -> u32 {
        let Some(link) = self.free.pop() else { return 0 };
        let [many, few] = self.newest[hash.0 as usize & (self.newest.len() - 1)];
        let copy = &mut self.copies[link as usize - 1];
        // The latest of both chains, newest first, behind the room for the first packets.
        let (mut many, mut few) =
            (self.many.chain(many, hash).peekable(), self.few.chain(few, hash).peekable());
        let age = |head: &Head| self.order.wrapping_sub(head.order());
        let mut last = 0;
        while last <= LAST {
            let next = match (many.peek(), few.peek()) {
                (Some(one), Some(other)) if age(one) < age(other) => many.next(),
                (_, Some(_)) => few.next(),
                (_, None) => many.next(),
            };
            let Some(head) = next else { break };
            copy.heads[FIRST + LAST - last] = *head;
            last += 1;
        }
        // Of those before them the oldest that are still known.
        let mut first = [&Head::EMPTY; FIRST];
        let mut firsts = 0;
        for head in few {
            first.rotate_right(1);
            first[0] = head;
            firsts = (firsts + 1).min(FIRST);
        }
        for (place, head) in copy.heads.iter_mut().zip(&first[..firsts]) {
            *place = **head;
        }
        copy.heads.copy_within(FIRST + 1 + LAST - last..=FIRST + LAST, firsts);
        copy.len = (firsts + last) as u8;
        copy.judged = copy.len.saturating_sub(1);
        link
    }

    /// Adds a packet that followed.
    pub(crate) fn follow(&mut self, link: u32, packet: &Kept<'_>) {
        let Some(copy) = link.checked_sub(1).and_then(|i| self.copies.get_mut(i as usize)) else {
            return;
        };
        if let Some(place) = copy.heads.get_mut(usize::from(copy.len)) {
            place.fill(packet, 0, HEAD_MAX);
            copy.len += 1;
        }
    }

    /// What was copied, and which of it is the reset; its room is free from then on. Empty if nothing was.
    pub(crate) fn take(&mut self, link: u32) -> (&[Head], u8) {
        let Some(copy) = link.checked_sub(1).and_then(|index| self.copies.get(index as usize))
        else {
            return (&[], 0);
        };
        self.free.push(link);
        (&copy.heads[..usize::from(copy.len)], copy.judged)
    }
}

/// Packets of a connection's beginning that are told.
const FIRST: usize = 3;
/// Packets before the reset that are told besides.
const LAST: usize = 13;
/// With the reset and what follows it.
pub(crate) const PACKETS_MAX: usize = FIRST + LAST + 1 + 7;
/// Packets of a side that count as its connection's beginning.
pub(crate) const EARLY_MAX: u8 = 2;
/// Fewer would be overwritten within a batch.
const PACKETS_LEAST: usize = 1 << 10;
/// Resets that are watched with their packets: one for so many packets remembered.
const PACKETS_A_COPY: usize = 128;
const COPIES_LEAST: usize = 64;
