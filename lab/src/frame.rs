//! Just enough of Ethernet, IP and TCP to find resets in a capture and to make raw segments.
//!
//! The sensor has its own parser; this one is separate on purpose, so that a mistake in one shows in the other.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// FIN bit of the TCP flags (RFC 9293, section 3.1).
pub(crate) const FIN: u8 = 0x01;
/// SYN bit.
pub(crate) const SYN: u8 = 0x02;
/// RST bit.
pub(crate) const RST: u8 = 0x04;
/// ACK bit.
pub(crate) const ACK: u8 = 0x10;

const ETHERNET_LEN: usize = 14;
const IPV4_LEN: usize = 20;
const IPV6_LEN: usize = 40;
const TCP_LEN: usize = 20;
const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_IPV6: u16 = 0x86dd;
const PROTOCOL_TCP: u8 = 6;

/// A TCP segment in a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen<'frame> {
    /// MAC address of the sender on this link.
    pub source_mac: [u8; 6],
    /// MAC address of the receiver on this link.
    pub destination_mac: [u8; 6],
    /// Sender of the segment.
    pub source: SocketAddr,
    /// Receiver of the segment.
    pub destination: SocketAddr,
    /// IPv4 TTL or IPv6 hop limit.
    pub hop_limit: u8,
    /// IPv4 identification, 0 in IPv6.
    pub identification: u16,
    /// The eight TCP flags.
    pub flags: u8,
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgment field, whatever the ACK bit says.
    pub ack: u32,
    /// Window field, not scaled.
    pub window: u16,
    /// Bytes after the TCP header.
    pub payload: &'frame [u8],
}

impl<'frame> Seen<'frame> {
    /// Reads a frame; `None` if it holds no whole TCP header directly over IPv4 or IPv6.
    pub fn parse(frame: &'frame [u8]) -> Option<Self> {
        let packet = frame.get(ETHERNET_LEN..)?;
        let (source, destination, hop_limit, identification, segment) = match word(frame, 12)? {
            ETHERTYPE_IPV4 => {
                let header_len = usize::from(packet.first()? & 0x0f) * 4;
                let total_len = usize::from(word(packet, 2)?);
                let whole = word(packet, 6)? & 0x1fff == 0 && packet.get(9)? == &PROTOCOL_TCP;
                let segment = whole.then(|| packet.get(header_len..total_len)).flatten()?;
                let source: [u8; 4] = packet.get(12..16)?.try_into().ok()?;
                let destination: [u8; 4] = packet.get(16..20)?.try_into().ok()?;
                let addresses = (Ipv4Addr::from(source), Ipv4Addr::from(destination));
                let identification = word(packet, 4)?;
                (addresses.0.into(), addresses.1.into(), packet[8], identification, segment)
            }
            ETHERTYPE_IPV6 => {
                let payload_len = usize::from(word(packet, 4)?);
                let segment = packet.get(IPV6_LEN..IPV6_LEN + payload_len)?;
                let segment = (packet.get(6)? == &PROTOCOL_TCP).then_some(segment)?;
                let source: [u8; 16] = packet.get(8..24)?.try_into().ok()?;
                let destination: [u8; 16] = packet.get(24..40)?.try_into().ok()?;
                let addresses = (Ipv6Addr::from(source), Ipv6Addr::from(destination));
                (addresses.0.into(), addresses.1.into(), packet[7], 0, segment)
            }
            _ => return None,
        };
        let source: IpAddr = source;
        let header_len = usize::from(segment.get(12)? >> 4) * 4;
        Some(Self {
            source_mac: frame.get(6..12)?.try_into().ok()?,
            destination_mac: frame.get(..6)?.try_into().ok()?,
            source: SocketAddr::new(source, word(segment, 0)?),
            destination: SocketAddr::new(destination, word(segment, 2)?),
            hop_limit,
            identification,
            flags: *segment.get(13)?,
            seq: double_word(segment, 4)?,
            ack: double_word(segment, 8)?,
            window: word(segment, 14)?,
            payload: segment.get(header_len.max(TCP_LEN)..)?,
        })
    }

    /// The segment is a reset.
    pub fn is_reset(&self) -> bool {
        self.flags & RST != 0
    }

    /// The sequence number after this segment (SYN and FIN count, RFC 9293, section 3.4).
    pub(crate) fn seq_end(&self) -> u32 {
        let len = u32::try_from(self.payload.len()).expect("a frame is shorter than 4 GiB");
        let phantom = u32::from(self.flags & SYN != 0) + u32::from(self.flags & FIN != 0);
        self.seq.wrapping_add(len).wrapping_add(phantom)
    }

    /// The segment belongs to the connection between these two, in either direction.
    pub fn is_between(&self, one: SocketAddr, other: SocketAddr) -> bool {
        (self.source, self.destination) == (one, other)
            || (self.source, self.destination) == (other, one)
    }
}

/// A segment to be made by hand.
#[derive(Clone, Debug)]
pub(crate) struct Forged<'payload> {
    pub(crate) source_mac: [u8; 6],
    pub(crate) destination_mac: [u8; 6],
    pub(crate) source: SocketAddr,
    pub(crate) destination: SocketAddr,
    pub(crate) hop_limit: u8,
    /// IPv4 type of service or IPv6 traffic class.
    pub(crate) traffic_class: u8,
    pub(crate) identification: u16,
    pub(crate) dont_fragment: bool,
    pub(crate) flags: u8,
    pub(crate) seq: u32,
    pub(crate) ack: u32,
    pub(crate) window: u16,
    /// Options, a multiple of four bytes.
    pub(crate) options: &'payload [u8],
    pub(crate) payload: &'payload [u8],
}

impl Forged<'_> {
    /// The Ethernet frame, with right lengths and checksums. Both addresses must be of one family.
    pub(crate) fn frame(&self) -> Vec<u8> {
        let segment = self.segment();
        let mut frame = Vec::with_capacity(ETHERNET_LEN + IPV6_LEN + segment.len());
        frame.extend(self.destination_mac);
        frame.extend(self.source_mac);
        match (self.source.ip(), self.destination.ip()) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                frame.extend(ETHERTYPE_IPV4.to_be_bytes());
                frame.extend(self.ipv4_header(source, destination, segment.len()));
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                frame.extend(ETHERTYPE_IPV6.to_be_bytes());
                // Version 6, traffic class, flow label 0 (RFC 8200, section 3).
                frame.extend([0x60 | self.traffic_class >> 4, self.traffic_class << 4, 0, 0]);
                frame.extend(len_word(segment.len()));
                frame.extend([PROTOCOL_TCP, self.hop_limit]);
                frame.extend(source.octets());
                frame.extend(destination.octets());
            }
            _ => unreachable!("a segment has two addresses of one family"),
        }
        frame.extend(segment);
        frame
    }

    fn segment(&self) -> Vec<u8> {
        let header_len = TCP_LEN + self.options.len();
        assert!(
            self.options.len().is_multiple_of(4) && header_len <= 60,
            "TCP options fill whole words"
        );
        let len = header_len + self.payload.len();
        let mut segment = Vec::with_capacity(len);
        segment.extend(self.source.port().to_be_bytes());
        segment.extend(self.destination.port().to_be_bytes());
        segment.extend(self.seq.to_be_bytes());
        segment.extend(self.ack.to_be_bytes());
        segment.push(u8::try_from(header_len / 4).expect("at most 15 words") << 4);
        segment.push(self.flags);
        segment.extend(self.window.to_be_bytes());
        segment.extend([0; 4]);
        segment.extend(self.options);
        segment.extend(self.payload);
        let mut pseudo_header = Vec::with_capacity(IPV6_LEN);
        for address in [self.source.ip(), self.destination.ip()] {
            match address {
                IpAddr::V4(address) => pseudo_header.extend(address.octets()),
                IpAddr::V6(address) => pseudo_header.extend(address.octets()),
            }
        }
        pseudo_header.extend([0, PROTOCOL_TCP]);
        pseudo_header.extend(len_word(len));
        let checksum = checksum(&[&pseudo_header, &segment]);
        segment[16..18].copy_from_slice(&checksum.to_be_bytes());
        segment
    }

    fn ipv4_header(&self, source: Ipv4Addr, destination: Ipv4Addr, len: usize) -> [u8; IPV4_LEN] {
        let mut header = [0; IPV4_LEN];
        header[0] = 0x45;
        header[1] = self.traffic_class;
        header[2..4].copy_from_slice(&len_word(IPV4_LEN + len));
        header[4..6].copy_from_slice(&self.identification.to_be_bytes());
        header[6] = if self.dont_fragment { 0x40 } else { 0 };
        header[8] = self.hop_limit;
        header[9] = PROTOCOL_TCP;
        header[12..16].copy_from_slice(&source.octets());
        header[16..20].copy_from_slice(&destination.octets());
        let checksum = checksum(&[&header]);
        header[10..12].copy_from_slice(&checksum.to_be_bytes());
        header
    }
}

fn len_word(len: usize) -> [u8; 2] {
    u16::try_from(len).expect("a packet is shorter than 64 KiB").to_be_bytes()
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn double_word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// The Internet checksum (RFC 1071) of parts; all but the last have an even length.
pub(crate) fn checksum(parts: &[&[u8]]) -> u16 {
    let sum: u64 = parts
        .iter()
        .flat_map(|part| part.chunks(2))
        .map(|pair| u64::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)])))
        .sum();
    let mut folded = sum;
    while folded > 0xffff {
        folded = (folded & 0xffff) + (folded >> 16);
    }
    !u16::try_from(folded).expect("the sum is folded to 16 bits")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forged(source: &str, destination: &str) -> Forged<'static> {
        Forged {
            source_mac: [2, 0, 0, 0, 0, 1],
            destination_mac: [2, 0, 0, 0, 0, 2],
            source: source.parse().unwrap(),
            destination: destination.parse().unwrap(),
            hop_limit: 61,
            traffic_class: 0x10,
            identification: 7,
            dont_fragment: true,
            flags: RST | ACK,
            seq: 1000,
            ack: 2000,
            window: 512,
            options: &[2, 4, 5, 180],
            payload: b"why",
        }
    }

    #[test]
    fn what_is_forged_is_read_back_in_both_families() {
        for (source, destination) in
            [("192.0.2.1:80", "192.0.2.2:4000"), ("[2001:db8::1]:80", "[2001:db8::2]:4000")]
        {
            let wanted = forged(source, destination);
            let frame = wanted.frame();
            let seen = Seen::parse(&frame).unwrap();
            assert_eq!((seen.source, seen.destination), (wanted.source, wanted.destination));
            assert_eq!((seen.seq, seen.ack, seen.window, seen.hop_limit), (1000, 2000, 512, 61));
            assert!(seen.is_reset() && seen.payload == b"why");
            assert!(seen.is_between(wanted.destination, wanted.source));
        }
    }

    #[test]
    fn a_right_checksum_sums_to_zero() {
        let frame = forged("192.0.2.1:80", "192.0.2.2:4000").frame();
        assert_eq!(checksum(&[&frame[14..34]]), 0);
    }

    #[test]
    fn a_frame_cut_anywhere_is_never_read_past_its_end() {
        let frame = forged("[2001:db8::1]:80", "[2001:db8::2]:4000").frame();
        assert!((0..frame.len()).all(|len| Seen::parse(&frame[..len]).is_none()));
    }
}
