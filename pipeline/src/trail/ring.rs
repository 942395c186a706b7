//! The first bytes of the latest packets of all connections, each linked to the one before it of its
//! own connection.
//!
//! ```text
//! newest[hash] -> head 901 -> head 877 -> head 40 (overwritten: 40 + len < 901): the chain ends
//! ```
//!
//! Connections share an entry of `newest` where their hashes collide; a chain then runs through both,
//! and whoever follows it passes over the other's by the whole hash.

use flowtable::{Direction, FlowHash, Timestamp};
use wire::LinkType;

/// The beginning of a packet; 160 bytes.
#[derive(Clone, Copy, Debug)]
#[repr(align(32))]
pub(crate) struct Head {
    pub(crate) time: Timestamp,
    hash: FlowHash,
    /// Place of the packet before it in its chain, counted from the start for ever.
    before: u32,
    /// Its place among all packets that were kept, wrapping.
    order: u32,
    /// Captured bytes of the frame.
    pub(crate) len: u32,
    kept: u8,
    pub(crate) direction: Direction,
    pub(crate) link: LinkType,
    bytes: [u8; HEAD_MAX],
}

const _: () = assert!(size_of::<Head>() == 160);

/// A packet that is to be kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kept<'b> {
    pub(crate) hash: FlowHash,
    pub(crate) time: Timestamp,
    pub(crate) direction: Direction,
    pub(crate) raw: Raw<'b>,
}

/// The frame of a segment, as far as it is at hand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Raw<'b> {
    pub(crate) link: LinkType,
    /// Captured bytes of the frame.
    pub(crate) len: u32,
    /// The first of them.
    pub(crate) bytes: &'b [u8],
}

impl Head {
    pub(crate) const EMPTY: Self = Self {
        time: Timestamp(0),
        hash: FlowHash(0),
        before: 0,
        order: 0,
        len: 0,
        kept: 0,
        direction: Direction::FromLow,
        link: LinkType::Ethernet,
        bytes: [0; HEAD_MAX],
    };

    /// What it was made of.
    pub(crate) fn raw(&self) -> Raw<'_> {
        Raw { link: self.link, len: self.len, bytes: self.bytes() }
    }

    /// Takes in a frame on its way to the worker that owns its connection.
    pub(crate) fn carry(&mut self, raw: Raw<'_>) {
        (self.link, self.len) = (raw.link, raw.len);
        self.kept = copy(&mut self.bytes, raw.bytes, HEAD_MAX);
    }

    /// The bytes that were kept.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.kept)]
    }

    /// Takes in a packet, but for its links.
    #[inline(always)]
    pub(super) fn fill(&mut self, packet: &Kept<'_>, order: u32, most: usize) {
        (self.time, self.hash, self.order) = (packet.time, packet.hash, order);
        (self.direction, self.link, self.len) = (packet.direction, packet.raw.link, packet.raw.len);
        self.kept = copy(&mut self.bytes, packet.raw.bytes, most);
    }

    pub(super) const fn order(&self) -> u32 {
        self.order
    }
}

/// Copies at most `most` bytes, in whole vectors where there are as many: a call of `memcpy` for
/// an unknown length costs as much as all else that is done for a packet here.
#[inline(always)]
fn copy(to: &mut [u8; HEAD_MAX], from: &[u8], most: usize) -> u8 {
    if most <= PLAIN_MAX
        && let Some(whole) = from.first_chunk::<PLAIN_MAX>()
    {
        let (to, _) = to.split_first_chunk_mut::<PLAIN_MAX>().expect("a head is longer");
        *to = *whole;
        return most as u8;
    }
    let len = from.len().min(most).min(HEAD_MAX);
    if let (32..=64, Some(first), Some(last)) =
        (len, from.first_chunk::<32>(), from[..len].last_chunk::<32>())
    {
        to[..32].copy_from_slice(first);
        to[len - 32..len].copy_from_slice(last);
    } else {
        to[..len].copy_from_slice(&from[..len]);
    }
    len as u8
}

/// Heads in the order they came, the oldest overwritten by the newest.
#[derive(Debug)]
pub(super) struct Ring {
    heads: Box<[Head]>,
    next: u32,
}

impl Ring {
    /// A ring of `len` heads, rounded up to a power of two.
    pub(super) fn new(len: usize) -> Self {
        let len = len.clamp(2, RING_MAX).next_power_of_two();
        Self { heads: on_huge_pages(Head::EMPTY, len), next: 0 }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        size_of_val(&*self.heads)
    }

    /// Writes a packet into the next place; `newest` is where the chain of its connection begins.
    #[inline(always)]
    pub(super) fn push(
        &mut self,
        newest: &mut u32,
        packet: &Kept<'_>,
        order: u32,
        most: usize,
    ) -> &Head {
        let mask = self.heads.len() - 1;
        let head = &mut self.heads[self.next as usize & mask];
        head.before = std::mem::replace(newest, self.next);
        self.next = self.next.wrapping_add(1);
        head.fill(packet, order, most);
        head
    }

    /// The packets of a connection, the newest first; no more than [`STEPS_MAX`] heads are looked at.
    pub(super) fn chain(&self, newest: u32, hash: FlowHash) -> impl Iterator<Item = &Head> {
        let (mut place, mut age_before) = (newest, 0);
        let step = move || {
            let age = self.next.wrapping_sub(place);
            // Older than the ring is long, or not older than the one after it: overwritten since.
            if age as usize > self.heads.len() || age <= age_before {
                return None;
            }
            let head = &self.heads[place as usize & (self.heads.len() - 1)];
            (place, age_before) = (head.before, age);
            Some(head)
        };
        std::iter::from_fn(step).take(STEPS_MAX).filter(move |head| head.hash == hash)
    }
}

/// Memory that the kernel was asked to put on huge pages before it is first touched.
pub(super) fn on_huge_pages<T: Copy>(value: T, len: usize) -> Box<[T]> {
    let mut values = Vec::with_capacity(len);
    if let Err(error) = xdp::prefer_huge_pages(values.spare_capacity_mut()) {
        tracing::debug!("no huge pages under the kept packets: {error}");
    }
    values.resize(len, value);
    values.into_boxed_slice()
}

/// Bytes of a packet that are kept at most: Ethernet, IPv4, VXLAN or ERSPAN, Ethernet, IPv4 and a SYN's
/// TCP header of 40 bytes are 124.
pub(crate) const HEAD_MAX: usize = 128;
/// Of plain segments, if no payload is wanted: a tag, IPv6 and timestamps are 90.
pub(super) const PLAIN_MAX: usize = 96;
/// Heads of a chain that are looked at for one reset, those of other connections included.
const STEPS_MAX: usize = 64;
/// Half of what a counter of 32 bits can tell apart.
const RING_MAX: usize = 1 << 30;

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(hash: u64, bytes: &[u8]) -> Kept<'_> {
        let raw = Raw { link: LinkType::Ethernet, len: bytes.len() as u32, bytes };
        Kept { hash: FlowHash(hash), time: Timestamp(1), direction: Direction::FromLow, raw }
    }

    #[test]
    fn every_length_is_copied_as_it_is() {
        let frame: Vec<u8> = (0..200).map(|n| n as u8 + 1).collect();
        for most in [PLAIN_MAX, 100, HEAD_MAX, 500] {
            for len in 0..frame.len() {
                let mut head = Head::EMPTY;
                head.fill(&packet(1, &frame[..len]), 0, most);
                assert_eq!(head.bytes(), &frame[..len.min(most).min(HEAD_MAX)], "{len} {most}");
                assert_eq!(head.len as usize, len);
            }
        }
    }

    #[test]
    fn a_chain_ends_where_the_ring_was_overwritten() {
        let mut ring = Ring::new(8);
        let mut newest = 0;
        for n in 0..20_u8 {
            ring.push(&mut newest, &packet(u64::from(n % 2), &[n]), u32::from(n), HEAD_MAX);
        }
        let of =
            |hash| ring.chain(newest, FlowHash(hash)).map(|h| h.bytes()[0]).collect::<Vec<_>>();
        assert_eq!(of(0), [18, 16, 14, 12]);
        assert_eq!(of(1), [19, 17, 15, 13]);
        assert!(of(2).is_empty());
    }

    #[test]
    fn counters_may_wrap() {
        let mut ring = Ring::new(8);
        ring.next = u32::MAX - 3;
        let mut newest = 0;
        for n in 0..8_u8 {
            ring.push(&mut newest, &packet(7, &[n]), 0, HEAD_MAX);
        }
        let chain: Vec<u8> = ring.chain(newest, FlowHash(7)).map(|h| h.bytes()[0]).collect();
        assert_eq!(chain, [7, 6, 5, 4, 3, 2, 1, 0]);
    }
}
