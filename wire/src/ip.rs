//! IPv4 and IPv6 headers (RFC 791, RFC 8200): facts, and the bounds of what they carry.

use crate::field::{be16, be16_at, bound, skip, take};
use crate::packet::{Address, Ip};
use crate::{Skip, extension};

/// IP protocol numbers that are followed (IANA "Protocol Numbers").
pub(crate) const TCP: u8 = 6;
/// IPv4 in IP.
pub(crate) const IPV4: u8 = 4;
/// UDP.
pub(crate) const UDP: u8 = 17;
/// IPv6 in IP.
pub(crate) const IPV6: u8 = 41;
/// GRE.
pub(crate) const GRE: u8 = 47;
/// Encapsulating Security Payload.
pub(crate) const ESP: u8 = 50;
/// Authentication Header.
pub(crate) const AUTHENTICATION: u8 = 51;
/// L2TPv3 over IP.
pub(crate) const L2TP: u8 = 115;

/// What an IP packet carries.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Datagram<'b> {
    /// The header's facts.
    pub(crate) ip: Ip,
    /// Protocol of what follows, extension headers passed.
    pub(crate) protocol: u8,
    /// What follows, as far as it was captured and belongs to the packet.
    pub(crate) bytes: &'b [u8],
    /// Bytes of it on the wire, by the IP length.
    pub(crate) len: u32,
    /// False if the length field was 0, as segmentation offload leaves it in packets above
    /// 65535 bytes and in captures taken before the card filled it in: `len` is then the frame's.
    pub(crate) is_len_known: bool,
}

/// Reads an IP header of either version, and all extension headers.
///
/// # Errors
/// [`Skip`] if what it carries could not be located.
#[inline]
pub(crate) fn read(bytes: &[u8]) -> Result<Datagram<'_>, Skip> {
    match bytes.first().ok_or(Skip::Truncated)? >> 4 {
        4 => read_v4(bytes),
        6 => read_v6(bytes),
        _ => Err(Skip::NotIp),
    }
}

/// The facts of an IPv4 header.
#[inline]
pub(crate) fn v4_facts(header: &[u8; 20]) -> Ip {
    let [_, traffic_class, _, _, id_0, id_1, flags, _, hop_limit, _, _, _, addresses @ ..] = header;
    let [s0, s1, s2, s3, d0, d1, d2, d3] = *addresses;
    Ip {
        source: Address::v4([s0, s1, s2, s3]),
        destination: Address::v4([d0, d1, d2, d3]),
        is_v6: false,
        hop_limit: *hop_limit,
        traffic_class: *traffic_class,
        identification: be16(*id_0, *id_1),
        flow_label: 0,
        dont_fragment: flags & 0x40 != 0,
        more_fragments: flags & 0x20 != 0,
    }
}

/// The facts of an IPv6 header.
#[inline]
pub(crate) fn v6_facts(header: &[u8; 40]) -> Ip {
    let [v0, v1, v2, v3, _, _, _, hop_limit, addresses @ ..] = header;
    let (source, destination) = addresses.split_at(16);
    Ip {
        source: Address(*source.first_chunk().expect("32 bytes are two addresses")),
        destination: Address(*destination.first_chunk().expect("32 bytes are two addresses")),
        is_v6: true,
        hop_limit: *hop_limit,
        traffic_class: (v0 << 4) | (v1 >> 4),
        identification: 0,
        flow_label: u32::from_be_bytes([0, v1 & 0x0f, *v2, *v3]),
        dont_fragment: false,
        more_fragments: false,
    }
}

/// Whether an IPv4 header is whole and its own checksum fits: proof enough, where nothing else
/// says so, that it is one.
pub(crate) fn is_v4_checksum_right(bytes: &[u8]) -> bool {
    let header_len = bytes.first().map_or(0, |first| usize::from(first & 0x0f) * 4);
    header_len >= 20
        && bytes.get(..header_len).is_some_and(|header| crate::checksum::folded(header) == 0xffff)
}

fn read_v4(bytes: &[u8]) -> Result<Datagram<'_>, Skip> {
    let (header, _) = take::<20>(bytes)?;
    let header_len = usize::from(header[0] & 0x0f) * 4;
    let total_field = usize::from(be16(header[2], header[3]));
    let is_len_known = total_field != 0;
    let total = if is_len_known { total_field } else { bytes.len() };
    if header_len < 20 || (is_len_known && total < header_len) {
        return Err(Skip::BadLength);
    }
    let protocol = header[9];
    if be16(header[6], header[7]) & 0x1fff != 0 {
        return Err(later_fragment(protocol));
    }
    let mut ip = v4_facts(header);
    let body = skip(bound(bytes, total), header_len)?;
    if let Some(last) = bytes.get(20..header_len).and_then(source_route_end) {
        ip.destination = last;
    }
    let len = (total - header_len) as u32;
    let mut datagram = Datagram { ip, protocol, bytes: body, len, is_len_known };
    if protocol == AUTHENTICATION {
        extension::pass_authentication(&mut datagram)?;
    }
    Ok(datagram)
}

fn read_v6(bytes: &[u8]) -> Result<Datagram<'_>, Skip> {
    let (header, rest) = take::<40>(bytes)?;
    let protocol = header[6];
    let mut len = u32::from(be16(header[4], header[5]));
    let mut is_len_known = len != 0;
    if !is_len_known {
        // Above 65535 bytes the length stands in an option (RFC 2675), or nowhere.
        let jumbo_len = extension::jumbo_len(protocol, rest);
        is_len_known = jumbo_len.is_some();
        len = jumbo_len.unwrap_or(u32::try_from(rest.len()).unwrap_or(u32::MAX));
    }
    let ip = v6_facts(header);
    let bytes = bound(rest, len as usize);
    let mut datagram = Datagram { ip, protocol, bytes, len, is_len_known };
    if protocol != TCP {
        extension::pass_all(&mut datagram)?;
    }
    Ok(datagram)
}

/// What a fragment other than the first is skipped as: only TCP and what may carry it is missed.
pub(crate) fn later_fragment(protocol: u8) -> Skip {
    match protocol {
        TCP | IPV4 | IPV6 | GRE | AUTHENTICATION | L2TP => Skip::LaterFragment,
        ESP => Skip::Encrypted,
        _ => Skip::NotTcp,
    }
}

/// The final destination of a source-routed packet (RFC 791, section 3.1, options 131 and 137),
/// if the route is not used up: the connection is with that host, and it is what the TCP checksum
/// covers (RFC 1122, section 4.2.3.8).
fn source_route_end(mut options: &[u8]) -> Option<Address> {
    loop {
        options = match options {
            [1, rest @ ..] => rest,
            [kind, len, ..] if *kind != 0 && *len >= 2 => {
                let (option, rest) = options.split_at_checked(usize::from(*len))?;
                if let [131 | 137, _, pointer, .., a, b, c, d] = option
                    && pointer < len
                {
                    return Some(Address::v4([*a, *b, *c, *d]));
                }
                rest
            }
            _ => return None,
        };
    }
}

/// Whether `bytes` begin like an IP packet of at most `wire_len` bytes; for encapsulations that
/// do not name what they carry.
pub(crate) fn is_likely(bytes: &[u8], wire_len: usize) -> bool {
    let Some(first) = bytes.first() else { return false };
    match first >> 4 {
        4 => {
            let header_len = usize::from(first & 0x0f) * 4;
            let total = be16_at(bytes, 2).map_or(0, usize::from);
            header_len >= 20 && total >= header_len && total <= wire_len
        }
        6 => be16_at(bytes, 4).is_some_and(|len| usize::from(len) + 40 <= wire_len),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LinkType, frames, parse};

    #[test]
    fn padding_is_not_payload() {
        let mut frame = frames::ethernet(0x0800, &frames::ipv4(6, &frames::tcp(&[], b"x")));
        frame.extend([0xee; 5]);
        let packet = parse(LinkType::Ethernet, &frame).unwrap();
        assert_eq!((packet.payload, packet.payload_len), (&b"x"[..], 1));
    }

    #[test]
    fn header_facts_are_read_from_both_versions() {
        let v4 = frames::ipv4_with(6, 0x6000, &[1, 1, 1, 0], &frames::tcp(&[], b"x"));
        let ip = parse(LinkType::RawIp, &v4).unwrap().ip;
        assert_eq!(ip.source, Address::v4([192, 0, 2, 1]));
        assert_eq!(ip.destination, Address::v4([192, 0, 2, 2]));
        assert_eq!((ip.hop_limit, ip.traffic_class, ip.identification), (57, 0xb8, 0x1234));
        assert!(ip.dont_fragment && ip.more_fragments && !ip.is_v6);
        let v6 = frames::ipv6(6, &frames::tcp(&[], b"x"));
        let packet = parse(LinkType::RawIp, &v6).unwrap();
        let ip = packet.ip;
        assert_eq!((ip.hop_limit, ip.traffic_class, ip.flow_label), (57, 0xb8, 0xabcde));
        assert_eq!(format!("{:?} {:?}", ip.source, ip.destination), "2001:db8::1 2001:db8::2");
        assert_eq!((packet.payload, packet.payload_len, ip.is_v6), (&b"x"[..], 1, true));
    }

    #[test]
    fn a_total_length_of_zero_means_the_frame() {
        let mut packet = frames::ipv4(6, &frames::tcp(&[], b"xyz"));
        packet[2..4].fill(0);
        assert_eq!(parse(LinkType::RawIp, &packet).unwrap().payload, b"xyz");
        let mut packet = frames::ipv6(6, &frames::tcp(&[], b"xyz"));
        packet[4..6].fill(0);
        assert_eq!(parse(LinkType::RawIp, &packet).unwrap().payload_len, 3);
    }

    #[test]
    fn lengths_that_contradict_themselves_are_named() {
        let good = frames::ipv4(6, &frames::tcp(&[], b""));
        let skip_of = |at: usize, value: u8| {
            let mut packet = good.clone();
            packet[at] = value;
            parse(LinkType::RawIp, &packet).unwrap_err()
        };
        assert_eq!(skip_of(0, 0x44), Skip::BadLength);
        assert_eq!(skip_of(3, 19), Skip::BadLength);
        assert_eq!(skip_of(3, 39), Skip::BadLength);
        assert_eq!(skip_of(0, 0x75), Skip::NotIp);
        assert_eq!(skip_of(9, 1), Skip::NotTcp);
        assert_eq!(skip_of(9, 50), Skip::Encrypted);
        assert_eq!(skip_of(7, 1), Skip::LaterFragment);
        assert_eq!(parse(LinkType::RawIp, &good[..19]).unwrap_err(), Skip::Truncated);
    }

    #[test]
    fn a_later_fragment_of_udp_is_not_tcp() {
        let packet = frames::ipv4_with(17, 0x0010, &[], &[0; 64]);
        assert_eq!(parse(LinkType::RawIp, &packet).unwrap_err(), Skip::NotTcp);
    }

    #[test]
    fn a_source_route_names_the_final_destination() {
        let used = |pointer| [1, 131, 11, pointer, 10, 0, 0, 1, 10, 0, 0, 9];
        let of = |pointer| {
            let packet = frames::ipv4_with(6, 0, &used(pointer), &frames::tcp(&[], b""));
            parse(LinkType::RawIp, &packet).unwrap().ip.destination
        };
        assert_eq!(of(4), Address::v4([10, 0, 0, 9]));
        assert_eq!(of(12), Address::v4([192, 0, 2, 2]));
    }

    #[test]
    fn likeness_takes_lengths_into_account() {
        let packet = frames::ipv4(6, &frames::tcp(&[], b""));
        assert!(is_likely(&packet, 40) && !is_likely(&packet, 39));
        assert!(is_v4_checksum_right(&packet) && !is_v4_checksum_right(&packet[..19]));
        assert!(is_likely(&frames::ipv6(6, b"abc"), 43));
    }
}
