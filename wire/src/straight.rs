//! The common shapes in one straight line: Ethernet, at most one VLAN tag, IPv4 without options or
//! fragments or IPv6 without extension headers, and all of a TCP header.
//!
//! Nothing is decided here that [`crate::walk`] would decide otherwise; whatever does not fit goes
//! there. That both agree is tested with random frames.

use crate::field::{be16, bound};
use crate::options::{self, End};
use crate::packet::{Ip, Packet, Path};
use crate::{ethernet, ip, tcp};

/// A frame of a common shape, measured but not yet read; `N` bytes of IP header. The two versions
/// are two types: one that held either cost 70 instructions a packet in copies of [`Ip`].
#[derive(Clone, Copy)]
pub(crate) struct Common<'b, const N: usize> {
    link: Link<'b>,
    ip: &'b [u8; N],
    tcp: &'b [u8; 20],
    options: &'b [u8],
    payload: &'b [u8],
    payload_len: u32,
    segment: &'b [u8],
}

/// What stands before IP.
#[derive(Clone, Copy)]
struct Link<'b> {
    source_mac: &'b [u8; 6],
    vlan: u16,
}

impl<'b> Common<'b, 20> {
    /// Measures an IPv4 frame; `None` if it is of another shape.
    #[inline(always)]
    pub(crate) fn find_v4(frame: &'b [u8]) -> Option<Self> {
        let (link, packet) = open_link(frame, ethernet::IPV4)?;
        let (ip, rest) = packet.split_first_chunk::<20>()?;
        let is_common = ip[0] == 0x45 && ip[9] == ip::TCP && be16(ip[6], ip[7]) & 0x3fff == 0;
        if !is_common {
            return None;
        }
        let len = usize::from(be16(ip[2], ip[3])).checked_sub(20)?;
        Self::measure(link, ip, len, rest)
    }

    /// Reads it.
    #[inline(always)]
    pub(crate) fn packet_v4(self) -> Packet<'b> {
        self.packet(ip::v4_facts)
    }
}

impl<'b> Common<'b, 40> {
    /// Measures an IPv6 frame; `None` if it is of another shape. A length of 0 leaves no room for
    /// a TCP header, so a jumbogram is.
    #[inline(always)]
    pub(crate) fn find_v6(frame: &'b [u8]) -> Option<Self> {
        let (link, packet) = open_link(frame, ethernet::IPV6)?;
        let (ip, rest) = packet.split_first_chunk::<40>()?;
        if ip[0] >> 4 != 6 || ip[6] != ip::TCP {
            return None;
        }
        Self::measure(link, ip, usize::from(be16(ip[4], ip[5])), rest)
    }

    /// Reads it.
    #[inline(always)]
    pub(crate) fn packet_v6(self) -> Packet<'b> {
        self.packet(ip::v6_facts)
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
    fn packet(self, facts: fn(&[u8; N]) -> Ip) -> Packet<'b> {
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
            let v4 = Common::find_v4(&frame).map(Common::packet_v4);
            let v6 = Common::find_v6(&frame).map(Common::packet_v6);
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
        let packet = Common::find_v4(&frame).unwrap().packet_v4();
        assert_eq!((packet.payload, packet.payload_len), (&b"abc"[..], 3));
        // A cut payload does not matter, a cut header does.
        assert_eq!(Common::find_v4(&frame[..66]).unwrap().packet_v4().payload_len, 3);
        assert!(Common::find_v4(&frame[..65]).is_none());
    }
}
