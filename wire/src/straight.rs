//! The common shapes in one straight line: Ethernet, at most one VLAN tag, IPv4 without options or
//! fragments or IPv6 without extension headers, and all of a TCP header.
//!
//! Nothing is decided here that [`crate::walk`] would decide otherwise; whatever does not fit goes
//! there. That both agree is tested with random frames.

use crate::field::{be16, bound};
use crate::options::{self, End};
use crate::packet::{Ip, Packet, Path};
use crate::{SeqNumber, ethernet, ip, tcp};

/// A frame of a common shape, measured but not yet read; `N` bytes of IP header: [`CommonV4`] or
/// [`CommonV6`]. The two versions are two types: one that held either cost 70 instructions a packet
/// in copies of [`Ip`].
///
/// Each method reads the bytes it is named after; whoever needs all of them takes the
/// [`Packet`].
#[derive(Clone, Copy, Debug)]
pub struct Common<'b, const N: usize> {
    link: Link<'b>,
    ip: &'b [u8; N],
    tcp: &'b [u8; 20],
    options: &'b [u8],
    payload: &'b [u8],
    payload_len: u32,
    segment: &'b [u8],
}

/// A common frame with IPv4.
pub type CommonV4<'b> = Common<'b, 20>;
/// A common frame with IPv6.
pub type CommonV6<'b> = Common<'b, 40>;

/// What stands before IP.
#[derive(Clone, Copy, Debug)]
struct Link<'b> {
    source_mac: &'b [u8; 6],
    vlan: u16,
}

impl<'b> Common<'b, 20> {
    /// Measures an IPv4 frame; `None` if it is of another shape.
    #[inline(always)]
    #[must_use]
    pub fn find(frame: &'b [u8]) -> Option<Self> {
        Self::find_untagged(frame).or_else(|| Self::find_any(frame))
    }

    /// Measures a frame without VLAN tag: every header stands at a known place, so that each rule is
    /// one comparison of a word. `None` if it is of another shape, of which
    /// [`CommonV4::find`] may know more.
    #[inline(always)]
    #[must_use]
    pub fn find_untagged(frame: &'b [u8]) -> Option<Self> {
        const TYPE_AND_VERSION: [u8; 4] = [0x08, 0x00, 0x45, 0];
        const FRAGMENT_AND_PROTOCOL: [u8; 4] = [0, 0, 0, ip::TCP];
        let head = frame.first_chunk::<54>()?;
        let word = |at: usize, mask: [u8; 4]| {
            let word = [head[at], head[at + 1], head[at + 2], head[at + 3]];
            u32::from_ne_bytes(word) & u32::from_ne_bytes(mask)
        };
        let is_usual = word(12, [0xff, 0xff, 0xff, 0]) == u32::from_ne_bytes(TYPE_AND_VERSION)
            && word(20, [0x3f, 0xff, 0, 0xff]) == u32::from_ne_bytes(FRAGMENT_AND_PROTOCOL);
        if !is_usual {
            return None;
        }
        let [_, _, _, _, _, _, source_mac @ .., _, _] = head.first_chunk::<14>()?;
        let (ip, rest) = frame.get(14..)?.split_first_chunk::<20>()?;
        let len = usize::from(be16(ip[2], ip[3])).checked_sub(20)?;
        Self::measure(Link { source_mac, vlan: 0 }, ip, len, rest)
    }

    #[inline(never)]
    fn find_any(frame: &'b [u8]) -> Option<Self> {
        let (link, packet) = open_link(frame, ethernet::IPV4)?;
        let (ip, rest) = packet.split_first_chunk::<20>()?;
        let is_common = ip[0] == 0x45 && ip[9] == ip::TCP && be16(ip[6], ip[7]) & 0x3fff == 0;
        if !is_common {
            return None;
        }
        let len = usize::from(be16(ip[2], ip[3])).checked_sub(20)?;
        Self::measure(link, ip, len, rest)
    }

    /// Reads all of it.
    #[inline(always)]
    #[must_use]
    pub fn packet(self) -> Packet<'b> {
        self.packet_with(ip::v4_facts)
    }

    /// Source and destination address.
    #[inline(always)]
    #[must_use]
    pub fn addresses(&self) -> [u32; 2] {
        let [.., a, b, c, d, e, f, g, h] = *self.ip;
        [u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h])]
    }

    /// TTL.
    #[inline(always)]
    #[must_use]
    pub fn hop_limit(&self) -> u8 {
        self.ip[8]
    }

    /// TOS byte.
    #[inline(always)]
    #[must_use]
    pub fn traffic_class(&self) -> u8 {
        self.ip[1]
    }

    /// Identification.
    #[inline(always)]
    #[must_use]
    pub fn identification(&self) -> u16 {
        be16(self.ip[4], self.ip[5])
    }

    /// Don't fragment.
    #[inline(always)]
    #[must_use]
    pub fn dont_fragment(&self) -> bool {
        self.ip[6] & 0x40 != 0
    }
}

impl<'b> Common<'b, 40> {
    /// Measures an IPv6 frame; `None` if it is of another shape. A length of 0 leaves no room for
    /// a TCP header, so a jumbogram is.
    #[inline(always)]
    pub fn find(frame: &'b [u8]) -> Option<Self> {
        let (link, packet) = open_link(frame, ethernet::IPV6)?;
        let (ip, rest) = packet.split_first_chunk::<40>()?;
        if ip[0] >> 4 != 6 || ip[6] != ip::TCP {
            return None;
        }
        Self::measure(link, ip, usize::from(be16(ip[4], ip[5])), rest)
    }

    /// Reads all of it.
    #[inline(always)]
    #[must_use]
    pub fn packet(self) -> Packet<'b> {
        self.packet_with(ip::v6_facts)
    }

    /// Source and destination address.
    #[inline(always)]
    #[must_use]
    pub fn addresses(&self) -> [u128; 2] {
        let [_, _, _, _, _, _, _, _, both @ ..] = *self.ip;
        let (source, destination) = both.split_at(16);
        [source, destination]
            .map(|bytes| u128::from_be_bytes(bytes.try_into().expect("32 bytes are two addresses")))
    }

    /// Hop limit.
    #[inline(always)]
    #[must_use]
    pub fn hop_limit(&self) -> u8 {
        self.ip[7]
    }

    /// Traffic class.
    #[inline(always)]
    #[must_use]
    pub fn traffic_class(&self) -> u8 {
        (self.ip[0] << 4) | (self.ip[1] >> 4)
    }

    /// The low 16 bits of the flow label.
    #[inline(always)]
    #[must_use]
    pub fn flow_label_low(&self) -> u16 {
        be16(self.ip[2], self.ip[3])
    }
}

impl<'b, const N: usize> Common<'b, N> {
    /// Measures the segment of `len` bytes that `rest` begins with.
    #[inline(always)]
    fn measure(link: Link<'b>, ip: &'b [u8; N], len: usize, rest: &'b [u8]) -> Option<Self> {
        let segment = bound(rest, len);
        let tcp = segment.first_chunk::<20>()?;
        let header_len = tcp::header_len(tcp);
        let options = segment.get(20..header_len)?;
        let payload = segment.get(header_len..)?;
        // The whole header was captured within the length, so the length covers it.
        let payload_len = (len - header_len) as u32;
        Some(Self { link, ip, tcp, options, payload, payload_len, segment })
    }

    #[inline(always)]
    fn packet_with(self, facts: fn(&[u8; N]) -> Ip) -> Packet<'b> {
        let options = options::read(self.options, End::Header);
        let source_mac = Some(*self.link.source_mac);
        Packet {
            path: Path { source_mac, vlan: [self.link.vlan, 0], tunnel: None },
            ip: facts(self.ip),
            tcp: tcp::facts(self.tcp, options),
            payload: self.payload,
            payload_len: self.payload_len,
            segment: self.segment,
        }
    }

    /// Source address of the frame.
    #[inline(always)]
    #[must_use]
    pub fn source_mac(&self) -> [u8; 6] {
        *self.link.source_mac
    }

    /// VLAN identifier, 0 without a tag.
    #[inline(always)]
    #[must_use]
    pub fn vlan(&self) -> u16 {
        self.link.vlan
    }

    /// Source and destination port.
    #[inline(always)]
    #[must_use]
    pub fn ports(&self) -> [u16; 2] {
        [be16(self.tcp[0], self.tcp[1]), be16(self.tcp[2], self.tcp[3])]
    }

    /// Sequence number.
    #[inline(always)]
    #[must_use]
    pub fn seq(&self) -> SeqNumber {
        let [_, _, _, _, a, b, c, d, ..] = *self.tcp;
        SeqNumber(u32::from_be_bytes([a, b, c, d]))
    }

    /// Acknowledgment field, whether or not ACK is set.
    #[inline(always)]
    #[must_use]
    pub fn ack(&self) -> SeqNumber {
        let [_, _, _, _, _, _, _, _, a, b, c, d, ..] = *self.tcp;
        SeqNumber(u32::from_be_bytes([a, b, c, d]))
    }

    /// Window, unscaled.
    #[inline(always)]
    #[must_use]
    pub fn window(&self) -> u16 {
        be16(self.tcp[14], self.tcp[15])
    }

    /// Whether the segment only carries data or acknowledges: of SYN, FIN, RST and ACK it has ACK
    /// alone, and no options, or those that nearly every segment of a connection with timestamps
    /// bears (NOP, NOP, timestamps).
    #[inline(always)]
    #[must_use]
    pub fn is_plain(&self) -> bool {
        const CONTROLS: u8 = 0x17;
        const ACK: u8 = 0x10;
        self.tcp[13] & CONTROLS == ACK && options::are_usual(self.options)
    }

    /// TSval of a plain segment; 0 without timestamps.
    #[inline(always)]
    #[must_use]
    pub fn plain_timestamp(&self) -> u32 {
        self.options.get(4..8).map_or(0, options::be32)
    }

    /// Whether a plain segment has timestamps.
    #[inline(always)]
    #[must_use]
    pub fn has_options(&self) -> bool {
        !self.options.is_empty()
    }

    /// Captured payload.
    #[inline(always)]
    #[must_use]
    pub fn payload(&self) -> &'b [u8] {
        self.payload
    }

    /// Payload bytes on the wire.
    #[inline(always)]
    #[must_use]
    pub fn payload_len(&self) -> u32 {
        self.payload_len
    }
}

/// Ethernet and at most one tag, if `expected` is behind them.
#[inline(always)]
fn open_link(frame: &[u8], expected: u16) -> Option<(Link<'_>, &[u8])> {
    let (header, mut packet) = frame.split_first_chunk::<14>()?;
    let [_, _, _, _, _, _, source_mac @ .., type_0, type_1] = header;
    let mut ether_type = be16(*type_0, *type_1);
    let mut vlan = 0;
    if ether_type == ethernet::VLAN {
        let (&[id_0, id_1, type_0, type_1], rest) = packet.split_first_chunk::<4>()?;
        vlan = be16(id_0, id_1) & 0x0fff;
        ether_type = be16(type_0, type_1);
        packet = rest;
    }
    (ether_type == expected).then_some((Link { source_mac, vlan }, packet))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LinkType, frames, walk};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_straight_line_and_the_walk_agree(
            has_tag: bool,
            is_v6: bool,
            options in prop_oneof![
                Just(vec![]),
                Just(vec![1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8]),
                proptest::collection::vec(any::<[u8; 4]>(), 0..10).prop_map(|words| words.concat()),
            ],
            payload in proptest::collection::vec(any::<u8>(), 0..20),
            padding in proptest::collection::vec(any::<u8>(), 0..6),
            cut in 0..200usize,
            change in any::<Option<(usize, u8)>>(),
        ) {
            let segment = frames::tcp(&options, &payload);
            let mut frame = if is_v6 {
                frames::ethernet(0x86dd, &frames::ipv6(6, &segment))
            } else {
                frames::ethernet(0x0800, &frames::ipv4(6, &segment))
            };
            if has_tag {
                frame.splice(12..12, [0x81, 0, 0, 7]);
            }
            frame.extend(padding);
            frame.truncate(cut.max(54));
            if let Some((at, value)) = change {
                let at = at % frame.len().min(80);
                frame[at] = value;
            }
            let v4 = CommonV4::find(&frame).map(CommonV4::packet);
            let v6 = CommonV6::find(&frame).map(CommonV6::packet);
            if let Some(packet) = v4.or(v6) {
                let expected = walk::walk(LinkType::Ethernet, &frame).unwrap();
                prop_assert_eq!(format!("{packet:?}"), format!("{expected:?}"));
            }
        }
    }

    #[test]
    fn the_common_shape_takes_the_straight_line() {
        let options = [1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8];
        let frame = frames::ethernet(0x0800, &frames::ipv4(6, &frames::tcp(&options, b"abc")));
        let packet = CommonV4::find(&frame).unwrap().packet();
        assert_eq!((packet.payload, packet.payload_len), (&b"abc"[..], 3));
        // A cut payload does not matter, a cut header does.
        assert_eq!(CommonV4::find(&frame[..66]).unwrap().packet().payload_len, 3);
        assert!(CommonV4::find(&frame[..65]).is_none());
    }
}
