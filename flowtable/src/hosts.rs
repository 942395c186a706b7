//! What the answers of a server usually look like: a small table beside the flows.
//!
//! A reset that answers a SYN has no earlier packet of its sender to be compared with. Other
//! connections of the same server have: this table keeps hop distance and round trip of its
//! SYN/ACKs, by address and port, and by address alone. Four ways a set, 16 bytes an entry, the
//! least recently confirmed gives way.

use crate::segment::Segment;
use crate::stack::Stack;
use crate::time::{Ticks, Timestamp};

/// What is known of the SYN/ACKs of one server.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(C)]
pub struct HostBaseline {
    tag: u32,
    last_s: u32,
    round_trip: u16,
    /// Hop limit of the last SYN/ACK.
    pub hop_limit: u8,
    /// SYN/ACKs with this very hop limit in a row, saturating.
    pub agreeing: u8,
    /// SYN/ACKs seen, saturating.
    pub seen: u8,
    /// Whether its IPv6 segments carry a flow label.
    pub labels_flows: bool,
    stack: Stack,
    /// Handshakes that needed a second SYN or SYN/ACK, halved every [`STRAIN_HALVES_S`].
    strained: u8,
}

/// What the SYN/ACKs of a server look like, whoever the client is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Look {
    /// Hop limit as sent.
    pub hop_limit: u8,
    /// The stack that wrote them.
    pub stack: Stack,
}

const _: () = assert!(size_of::<HostBaseline>() == 16);

impl HostBaseline {
    /// Smallest round trip from the sensor to this server.
    #[must_use]
    pub fn round_trip(&self) -> Option<Ticks> {
        (self.round_trip != u16::MAX).then(|| Ticks(u32::from(self.round_trip)))
    }

    /// Whether its SYN/ACKs come from one distance.
    #[must_use]
    pub const fn is_stable(&self) -> bool {
        self.agreeing >= 2
    }

    /// What it says of another port of the same address, which another machine may serve
    /// (port forwarding, load balancers): how far away, as a hint, and nothing of the round trip.
    #[must_use]
    pub fn of_another_port(self) -> Self {
        Self { round_trip: u16::MAX, agreeing: self.agreeing.min(1), strained: 0, ..self }
    }

    /// How many handshakes of the last half minute or so needed a second SYN or SYN/ACK: what a
    /// host that cannot take more connections drops.
    #[must_use]
    pub const fn strained_handshakes(&self, now: Timestamp) -> u8 {
        let halvings = now.seconds().saturating_sub(self.last_s) / STRAIN_HALVES_S;
        if halvings < 8 { self.strained >> halvings } else { 0 }
    }

    /// Second of the last SYN/ACK.
    #[must_use]
    pub const fn last_accept_s(&self) -> u32 {
        self.last_s
    }
}

/// A bounded table of [`HostBaseline`]s, keyed by a 64-bit keyed hash.
#[derive(Debug)]
pub struct HostTable {
    entries: Box<[HostBaseline]>,
    mask: usize,
}

impl HostTable {
    /// A table for `capacity` entries, rounded up to a power of two.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        let sets = (capacity / WAYS).next_power_of_two().max(1);
        let empty = HostBaseline { round_trip: u16::MAX, ..HostBaseline::default() };
        Self { entries: vec![empty; sets * WAYS].into_boxed_slice(), mask: sets - 1 }
    }

    /// Bytes held.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        size_of_val(&*self.entries)
    }

    /// What is known under `hash`.
    #[must_use]
    pub fn find(&self, hash: u64) -> Option<&HostBaseline> {
        let tag = tag_of(hash);
        self.set(hash).iter().find(|entry| entry.tag == tag)
    }

    /// Takes in a SYN/ACK: its hop limit, and its round trip if that was unambiguous. Gives the look
    /// of the SYN/ACK before if this one looks different.
    pub fn confirm(&mut self, hash: u64, segment: &Segment, span: Option<Ticks>) -> Option<Look> {
        let (hop_limit, now) = (segment.hop_limit, segment.time);
        let stack = Stack::of(segment);
        let tag = tag_of(hash);
        let set = self.set_mut(hash);
        let place = match set.iter().position(|entry| entry.tag == tag) {
            Some(place) => place,
            None => {
                let oldest = (0..WAYS).min_by_key(|&way| set[way].last_s).unwrap_or(0);
                set[oldest] = HostBaseline { tag, round_trip: u16::MAX, ..Default::default() };
                oldest
            }
        };
        let entry = &mut set[place];
        let before = Look { hop_limit: entry.hop_limit, stack: entry.stack };
        // A client that offers few options is answered with few: that is no other stack.
        let stack = if is_family(stack) { stack } else { before.stack };
        let is_other_stack = stack != before.stack && is_family(before.stack);
        let is_other = entry.seen > 0 && (hop_limit != before.hop_limit || is_other_stack);
        entry.strained = entry.strained_handshakes(now);
        entry.stack = stack;
        entry.agreeing =
            if entry.hop_limit == hop_limit { entry.agreeing.saturating_add(1) } else { 1 };
        entry.hop_limit = hop_limit;
        entry.seen = entry.seen.saturating_add(1);
        entry.last_s = now.seconds();
        entry.labels_flows = segment.flow_label != 0;
        if let Some(span) = span {
            entry.round_trip = entry.round_trip.min(span.0.min(ROUND_TRIP_MAX) as u16);
        }
        is_other.then_some(before)
    }

    /// Counts a handshake that needed a second SYN or SYN/ACK; after [`HostTable::confirm`].
    pub fn strain(&mut self, hash: u64) {
        let tag = tag_of(hash);
        if let Some(entry) = self.set_mut(hash).iter_mut().find(|entry| entry.tag == tag) {
            entry.strained = entry.strained.saturating_add(1);
        }
    }

    /// The entries that a look-up reads, for whoever loads them ahead of time.
    #[must_use]
    pub fn set(&self, hash: u64) -> &[HostBaseline] {
        let start = (hash as usize & self.mask) * WAYS;
        &self.entries[start..start + WAYS]
    }

    fn set_mut(&mut self, hash: u64) -> &mut [HostBaseline] {
        let start = (hash as usize & self.mask) * WAYS;
        &mut self.entries[start..start + WAYS]
    }
}

/// Never 0, which marks a free entry.
const fn tag_of(hash: u64) -> u32 {
    (hash >> 32) as u32 | 1
}

const fn is_family(stack: Stack) -> bool {
    !matches!(stack, Stack::Unknown | Stack::Bare)
}

const WAYS: usize = 4;
/// Longer round trips are kept as this: the next value says that there is none.
const ROUND_TRIP_MAX: u32 = u16::MAX as u32 - 1;
/// Seconds after which a strained handshake counts half.
const STRAIN_HALVES_S: u32 = 16;

#[cfg(test)]
mod tests {
    use super::{HostTable, Segment, Ticks};
    use crate::time::Timestamp;

    fn syn_ack(ns: u64) -> Segment {
        Segment { hop_limit: 57, time: Timestamp(ns), ..Segment::blank() }
    }

    #[test]
    fn the_smallest_round_trip_and_the_agreeing_hop_limits_are_kept() {
        let mut table = HostTable::new(64);
        let segment = syn_ack(5_000_000_000);
        table.confirm(7 << 40, &segment, Some(Ticks(900)));
        table.confirm(7 << 40, &segment, Some(Ticks(700)));
        table.confirm(7 << 40, &segment, None);
        let known = table.find(7 << 40).expect("confirmed above");
        assert_eq!(known.round_trip(), Some(Ticks(700)));
        assert!(known.is_stable());
        assert_eq!(known.last_accept_s(), 5);
    }

    #[test]
    fn another_look_is_told_once_and_strain_wears_off() {
        let mut table = HostTable::new(64);
        let hash = 7 << 40;
        assert_eq!(table.confirm(hash, &syn_ack(0), None), None);
        let moved = Segment { hop_limit: 61, ..syn_ack(1_000_000_000) };
        assert_eq!(table.confirm(hash, &moved, None).map(|look| look.hop_limit), Some(57));
        assert_eq!(table.confirm(hash, &moved, None), None);
        for _ in 0..4 {
            table.strain(hash);
        }
        let known = table.find(hash).expect("confirmed above");
        assert_eq!(known.strained_handshakes(Timestamp(2_000_000_000)), 4);
        assert_eq!(known.strained_handshakes(Timestamp(20_000_000_000)), 2);
        assert_eq!(known.strained_handshakes(Timestamp(u64::MAX)), 0);
    }

    #[test]
    fn a_flood_of_servers_does_not_grow_the_table() {
        let mut table = HostTable::new(64);
        let before = table.memory_bytes();
        for server in 0..100_000u64 {
            let hash = server.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            table.confirm(hash, &syn_ack(server), None);
        }
        assert_eq!(table.memory_bytes(), before);
    }
}
