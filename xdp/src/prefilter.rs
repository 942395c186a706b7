//! Control mode in user space: what the XDP program would have left out of a capture.
//!
//! The twin of `bpf/budget.h` and of what `bpf/rstscope.bpf.c` reads of a frame. With the same secret
//! and the same clock both decide alike, frame by frame; `prefilter/tests.rs` asks the kernel.

use crate::options::Ration;

/// The budgets of all connections, in buckets of eight; allocated once.
#[derive(Debug)]
pub struct Prefilter {
    buckets: Box<[[u64; WAYS]]>,
    seed: u64,
    first_packets: u32,
    left_out: u64,
}

impl Prefilter {
    /// Full budgets for everybody. `seed` is the secret of the hash.
    #[must_use]
    pub fn new(ration: &Ration, seed: u64) -> Self {
        Self {
            buckets: vec![[0; WAYS]; ration.buckets() as usize].into_boxed_slice(),
            seed,
            first_packets: u32::from(ration.first_packets),
            left_out: 0,
        }
    }

    /// Whether the program would hand this Ethernet frame, seen at `now_ns`, to the sensor or not care
    /// about it; false for TCP that is beyond its ration.
    pub fn takes(&mut self, frame: &[u8], now_ns: u64) -> bool {
        let is_taken = match segment_of(frame) {
            Some(segment) => self.ration(&segment, now_ns),
            None => true,
        };
        self.left_out += u64::from(!is_taken);
        is_taken
    }

    /// Frames that were left out so far.
    #[must_use]
    pub const fn left_out(&self) -> u64 {
        self.left_out
    }

    fn ration(&mut self, segment: &Segment<'_>, now_ns: u64) -> bool {
        let Segment { from, to, ports, flags } = *segment;
        let hash = self.hash(from, to, ports);
        if flags & (FIN | RST) != 0 {
            let back = self.hash(to, from, ports.rotate_left(16));
            for hash in [hash, back] {
                self.change(hash, now_ns, |budget| budget.open = OPEN_UNITS);
            }
            return true;
        }
        if flags & SYN != 0 {
            let full = self.first_packets;
            self.change(hash, now_ns, |budget| budget.left = full);
            return true;
        }
        flags & ACK == 0 || self.spend(hash, now_ns)
    }

    /// Changes the budget of a direction that is known.
    fn change(&mut self, hash: u64, now_ns: u64, change: impl FnOnce(&mut Budget)) {
        let full = self.first_packets;
        let bucket = self.bucket(hash);
        if let Some(place) = bucket.iter_mut().find(|word| **word as u32 == tag_of(hash)) {
            let mut budget = Budget::at(*place, now_ns, full);
            change(&mut budget);
            *place = budget.word();
        }
    }

    fn spend(&mut self, hash: u64, now_ns: u64) -> bool {
        let (full, tag) = (self.first_packets, tag_of(hash));
        let bucket = self.bucket(hash);
        let Some(place) = bucket.iter_mut().find(|word| **word as u32 == tag) else {
            let unit = unit_of(now_ns, tag);
            *give_way(bucket, unit) = Budget { tag, left: full - 1, open: 0, unit }.word();
            return true;
        };
        let mut budget = Budget::at(*place, now_ns, full);
        let is_taken = budget.open > 0 || budget.left > 0;
        if budget.open == 0 {
            budget.left = budget.left.saturating_sub(1);
        }
        *place = budget.word();
        is_taken
    }

    fn bucket(&mut self, hash: u64) -> &mut [u64; WAYS] {
        let mask = self.buckets.len() - 1;
        &mut self.buckets[hash as u32 as usize & mask]
    }

    fn hash(&self, from: &[u8], to: &[u8], ports: u32) -> u64 {
        let words = |bytes: &[u8]| -> [u32; 4] {
            std::array::from_fn(|index| u32_at(bytes, index * 4).unwrap_or(0))
        };
        let pairs = words(from).into_iter().zip(words(to)).take(from.len() / 4);
        let addresses = pairs.fold(self.seed, |hash, (from, to)| {
            mix(hash ^ (u64::from(from) << 32 | u64::from(to)))
        });
        mix(addresses ^ u64::from(ports))
    }
}

/// A word of a bucket, taken apart.
#[derive(Clone, Copy)]
struct Budget {
    tag: u32,
    left: u32,
    open: u32,
    unit: u32,
}

impl Budget {
    fn at(word: u64, now_ns: u64, full: u32) -> Self {
        let (tag, before) = (word as u32, (word >> 48) as u32);
        let unit = unit_of(now_ns, tag);
        let passed = unit.wrapping_sub(before) & 0xffff;
        Self {
            tag,
            left: ((word >> 32) as u32 & 0xff).saturating_add(passed).min(full),
            open: ((word >> 40) as u32 & 0xff).saturating_sub(passed),
            unit,
        }
    }

    fn word(self) -> u64 {
        let Self { tag, left, open, unit } = self;
        u64::from(unit) << 48 | u64::from(open) << 40 | u64::from(left) << 32 | u64::from(tag)
    }
}

/// A TCP segment as the program reads it, words in the order they lie in the packet.
struct Segment<'b> {
    from: &'b [u8],
    to: &'b [u8],
    ports: u32,
    flags: u8,
}

/// The segment in an Ethernet frame; `None` for all that control mode does not ration: what is no
/// TCP, lies in a tunnel, is a fragment, or ends before its flags.
fn segment_of(frame: &[u8]) -> Option<Segment<'_>> {
    let mut kind = be16(frame, 12)?;
    let mut at = 14;
    for _ in 0..VLAN_TAGS_MAX {
        if !matches!(kind, 0x8100 | 0x88a8 | 0x9100) {
            break;
        }
        kind = be16(frame, at + 2)?;
        at += 4;
    }
    let packet = frame.get(at..)?;
    match kind {
        0x0800 => v4(packet),
        0x86dd => v6(packet),
        _ => None,
    }
}

fn v4(packet: &[u8]) -> Option<Segment<'_>> {
    let header = packet.first_chunk::<20>()?;
    let is_fragment = be16(packet, 6)? & 0x3fff != 0;
    if header[9] != TCP || is_fragment {
        return None;
    }
    let header_len = usize::from(header[0] & 0x0f) * 4;
    tcp(&packet[12..16], &packet[16..20], packet.get(header_len..)?)
}

fn v6(packet: &[u8]) -> Option<Segment<'_>> {
    let header = packet.first_chunk::<40>()?;
    let (mut next, mut rest) = (header[6], &packet[40..]);
    for _ in 0..EXTENSION_HEADERS_MAX {
        match next {
            // Hop-by-hop, routing, destination, mobility.
            0 | 43 | 60 | 135 => {
                let [kind, len] = *rest.first_chunk::<8>()?.first_chunk::<2>()?;
                rest = rest.get((usize::from(len) + 1) * 8..)?;
                next = kind;
            }
            TCP => return tcp(&packet[8..24], &packet[24..40], rest),
            _ => return None,
        }
    }
    None
}

fn tcp<'b>(from: &'b [u8], to: &'b [u8], header: &[u8]) -> Option<Segment<'b>> {
    let flags = *header.get(13)?;
    Some(Segment { from, to, ports: u32_at(header, 0)?, flags })
}

fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// As a little-endian processor loads it: so does the program.
fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

const fn mix(word: u64) -> u64 {
    let word = (word ^ (word >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let word = (word ^ (word >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word ^ (word >> 32)
}

const fn tag_of(hash: u64) -> u32 {
    (hash >> 32) as u32 | 1
}

/// The unit of time of a connection, modulo 2^16.
const fn unit_of(now_ns: u64, tag: u32) -> u32 {
    let phase = ((tag >> 16) as u64) << (UNIT_SHIFT - 16);
    (now_ns.wrapping_add(phase) >> UNIT_SHIFT) as u32 & 0xffff
}

/// A free word, or the one that was changed longest ago.
fn give_way(bucket: &mut [u64; WAYS], unit: u32) -> &mut u64 {
    let age = |word: u64| match word {
        0 => 0x1_0000,
        _ => unit.wrapping_sub((word >> 48) as u32) & 0xffff,
    };
    let (mut oldest, mut age_max) = (0, 0);
    for (index, word) in bucket.iter().enumerate() {
        if age(*word) > age_max {
            (oldest, age_max) = (index, age(*word));
        }
    }
    &mut bucket[oldest]
}

const WAYS: usize = 8;
const UNIT_SHIFT: u32 = 30;
const OPEN_UNITS: u32 = 6;
const VLAN_TAGS_MAX: usize = 2;
const EXTENSION_HEADERS_MAX: usize = 5;
const TCP: u8 = 6;
const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;
const ACK: u8 = 16;

#[cfg(test)]
mod tests;
