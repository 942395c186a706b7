//! The TCP checksum (RFC 9293, section 3.1; RFC 8200, section 8.1; RFC 1071).

use crate::packet::{Address, Packet};
use crate::{ip, tcp};

/// Whether a segment's checksum could be checked, and how it came out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Checksum {
    /// Matches.
    Valid,
    /// Does not match.
    Invalid,
    /// The segment was cut or fragmented, or the field holds an offload's partial sum.
    Unknown,
}

impl Packet<'_> {
    /// Checks the TCP checksum against the pseudo header: reads the whole payload, so it is asked
    /// for resets and SYNs only.
    ///
    /// A sender whose card computes checksums leaves the sum of the pseudo header in the field
    /// (Linux' `CHECKSUM_PARTIAL`), some with length 0 for the card to segment: captures taken on
    /// that sender hold it, and it says nothing.
    #[must_use]
    pub fn checksum(&self) -> Checksum {
        let Some(header) = self.segment.first_chunk::<20>() else {
            return Checksum::Unknown;
        };
        let len = tcp::header_len(header) as u64 + u64::from(self.payload_len);
        if self.ip.more_fragments || self.segment.len() as u64 != len {
            return Checksum::Unknown;
        }
        let in_order = |number: u64| u64::from(fold(number).to_be());
        let addresses = self.addresses_sum();
        let pseudo = addresses + in_order(u64::from(ip::TCP) + len);
        if fold(pseudo + sum(self.segment)) == 0xffff {
            return Checksum::Valid;
        }
        let field = u16::from_ne_bytes([header[16], header[17]]);
        if field == fold(pseudo) || field == fold(addresses + in_order(ip::TCP.into())) {
            return Checksum::Unknown;
        }
        Checksum::Invalid
    }

    /// The sum of both addresses as they stand in the pseudo header.
    fn addresses_sum(&self) -> u64 {
        let of = |Address([high @ .., a, b, c, d]): Address| {
            let low = u64::from(u32::from_ne_bytes([a, b, c, d]));
            if self.ip.is_v6 { low + sum(&high) } else { low }
        };
        of(self.ip.source) + of(self.ip.destination)
    }
}

/// The one's complement sum of `bytes`, the last one padded with zero.
pub(crate) fn folded(bytes: &[u8]) -> u16 {
    u16::from_be(fold(sum(bytes)))
}

/// The sum of `bytes`, below 2^36, in the byte order of this machine: carries may be folded in at the end,
/// and a sum be turned round as well as its words (RFC 1071, section 2).
fn sum(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    // 128 bits wide, or the compiler makes vectors of it, which cost more than so short a sum.
    let mut sum: u128 = words.iter().map(|word| u128::from(u64::from_ne_bytes(*word))).sum();
    let (word, rest) = rest.split_first_chunk::<4>().unwrap_or((&[0; 4], rest));
    let last = match *rest {
        [] => 0,
        [a] => u32::from_ne_bytes([a, 0, 0, 0]),
        [a, b] => u32::from_ne_bytes([a, b, 0, 0]),
        [a, b, c, ..] => u32::from_ne_bytes([a, b, c, 0]),
    };
    sum += u128::from(u32::from_ne_bytes(*word)) + u128::from(last);
    // 2^32 and 2^64, like 2^16, leave 1 when they are divided by 2^16 - 1.
    let low = sum as u64;
    (low & 0xffff_ffff) + (low >> 32) + (sum >> 64) as u64
}

/// Folds the carries of a sum below 2^48 in until 16 bits are left.
const fn fold(sum: u64) -> u16 {
    let sum = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32);
    let sum = (sum & 0xffff) + (sum >> 16);
    ((sum & 0xffff) + (sum >> 16)) as u16
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LinkType, frames, parse};

    /// Writes the right checksum into the segment at `at`, over the pseudo header of `packet`.
    fn complete(packet: &mut [u8], at: usize) {
        let len = (packet.len() - at) as u16;
        let addresses = if at == 40 { 8..40 } else { 12..20 };
        let mut pseudo = packet[addresses].to_vec();
        pseudo.extend([0, 6]);
        pseudo.extend(len.to_be_bytes());
        pseudo.extend(&packet[at..]);
        let sum = !frames::folded(&pseudo);
        packet[at + 16..at + 18].copy_from_slice(&sum.to_be_bytes());
    }

    fn check(packet: &[u8]) -> Checksum {
        parse(LinkType::RawIp, packet).unwrap().checksum()
    }

    #[test]
    fn right_and_wrong_sums_are_told_apart_for_both_versions() {
        let segment = frames::tcp(&[1, 1, 1, 0], b"odd");
        for (mut packet, at) in [(frames::ipv4(6, &segment), 20), (frames::ipv6(6, &segment), 40)] {
            assert_eq!(check(&packet), Checksum::Invalid);
            complete(&mut packet, at);
            assert_eq!(check(&packet), Checksum::Valid);
            assert_eq!(check(&packet[..packet.len() - 1]), Checksum::Unknown);
            packet.extend([0xee; 4]);
            assert_eq!(check(&packet), Checksum::Valid);
            packet[at + 4] ^= 1;
            assert_eq!(check(&packet), Checksum::Invalid);
        }
    }

    #[test]
    fn a_partial_sum_and_a_fragment_say_nothing() {
        let mut packet = frames::ipv4(6, &frames::tcp(&[], b"abcd"));
        let addresses = frames::folded(&packet[12..20]);
        for len in [0, 24] {
            packet[36..38].copy_from_slice(
                &frames::folded(&[&addresses.to_be_bytes()[..], &[0, 6, 0, len]].concat())
                    .to_be_bytes(),
            );
            assert_eq!(check(&packet), Checksum::Unknown);
        }
        let fragment = frames::ipv4_with(6, 0x2000, &[], &frames::tcp(&[], b"abcd"));
        assert_eq!(check(&fragment), Checksum::Unknown);
        packet[2..4].fill(0);
        assert_eq!(check(&packet), Checksum::Unknown);
    }

    #[test]
    fn a_real_reset_is_valid() {
        // From RFC 1071's own example: the sum of these eight bytes is ddf2.
        assert_eq!(folded(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]), 0xddf2);
        assert_eq!(folded(&[0x00, 0x01, 0xf2]), 0xf201);
    }
}
