//! Tunnels over UDP. A port proves nothing, so each is taken for one only if its fixed bits,
//! lengths and inner version fit; anything else is ordinary UDP, and so [`Skip::NotTcp`].

use crate::field::{be16, bound, take};
use crate::packet::TunnelKind;
use crate::tunnel::Opened;
use crate::walk::Layer;
use crate::{Skip, ethernet, ip, l2tp};

/// VXLAN, and what Linux used before the number was given out.
const VXLAN: [u16; 2] = [4789, 8472];
const GENEVE: u16 = 6081;
const GTP_U: u16 = 2152;
const L2TP: u16 = 1701;
const TEREDO: u16 = 3544;
/// Extension headers of a GTP-U packet; a handful are defined.
const GTP_EXTENSIONS_MAX: usize = 8;

/// Opens a UDP datagram.
///
/// # Errors
/// [`Skip::NotTcp`] if it is no tunnel.
pub(crate) fn open(bytes: &[u8]) -> Result<Opened<'_>, Skip> {
    let (header, rest) = take::<8>(bytes)?;
    let source = be16(header[0], header[1]);
    let destination = be16(header[2], header[3]);
    let wire_len = match usize::from(be16(header[4], header[5])) {
        // Left to segmentation offload, or a jumbogram (RFC 2675, section 4).
        0 => rest.len(),
        len => len.checked_sub(8).ok_or(Skip::BadLength)?,
    };
    let payload = bound(rest, wire_len);
    let opened = match destination {
        _ if VXLAN.contains(&destination) => open_vxlan(payload),
        GENEVE => open_geneve(payload, wire_len),
        GTP_U => open_gtp(payload, wire_len),
        _ if source == L2TP || destination == L2TP => l2tp::open_over_udp(payload, wire_len),
        _ if source == TEREDO || destination == TEREDO => open_teredo(payload, wire_len),
        _ => None,
    };
    opened.ok_or(Skip::NotTcp)
}

/// VXLAN (RFC 7348, section 5). Of the reserved bits only those of the group policy extension
/// (draft-smith-vxlan-group-policy) may be set.
fn open_vxlan(bytes: &[u8]) -> Option<Opened<'_>> {
    let (&[flags, policy, group_0, group_1, v0, v1, v2, reserved], inner) =
        bytes.split_first_chunk::<8>()?;
    let has_group = flags == 0x88;
    let is_group_clear = be16(group_0, group_1) == 0 && policy == 0;
    let is_vxlan =
        (flags == 0x08 && is_group_clear || has_group && policy & !0x48 == 0) && reserved == 0;
    is_vxlan.then_some(())?;
    let vni = u32::from_be_bytes([0, v0, v1, v2]);
    Some((TunnelKind::Vxlan, vni, Layer::Ethernet(inner)))
}

/// Geneve (RFC 8926, section 3.4).
fn open_geneve(bytes: &[u8], wire_len: usize) -> Option<Opened<'_>> {
    let (&[first, flags, type_0, type_1, v0, v1, v2, reserved], rest) =
        bytes.split_first_chunk::<8>()?;
    let options_len = usize::from(first & 0x3f) * 4;
    if first >> 6 != 0 || flags & 0x3f != 0 || reserved != 0 {
        return None;
    }
    let inner = rest.get(options_len..)?;
    let inner_len = wire_len.checked_sub(8 + options_len)?;
    let layer = match be16(type_0, type_1) {
        ethernet::BRIDGED => Layer::Ethernet(inner),
        ethernet::IPV4 | ethernet::IPV6 if ip::is_likely(inner, inner_len) => Layer::Ip(inner),
        _ => return None,
    };
    Some((TunnelKind::Geneve, u32::from_be_bytes([0, v0, v1, v2]), layer))
}

/// GTP-U (3GPP TS 29.281, section 5): version 1, protocol type GTP, message G-PDU.
fn open_gtp(bytes: &[u8], wire_len: usize) -> Option<Opened<'_>> {
    let (&[flags, message, len_0, len_1, t0, t1, t2, t3], mut rest) =
        bytes.split_first_chunk::<8>()?;
    if flags & 0xf8 != 0x30 || message != 255 {
        return None;
    }
    let len = usize::from(be16(len_0, len_1));
    if len + 8 > wire_len {
        return None;
    }
    rest = bound(rest, len);
    let mut passed = 0;
    if flags & 0x07 != 0 {
        let (&[_, _, _, next], after) = rest.split_first_chunk::<4>()?;
        rest = after;
        passed = 4;
        if flags & 0x04 != 0 {
            let size = gtp_extensions_len(next, rest)?;
            rest = rest.get(size..)?;
            passed += size;
        }
    }
    let inner_len = len.checked_sub(passed)?;
    let layer = if ip::is_likely(rest, inner_len) {
        Layer::Ip(rest)
    } else if ethernet::is_likely(rest) {
        // A PDU session of type Ethernet.
        Layer::Ethernet(rest)
    } else {
        return None;
    };
    Some((TunnelKind::GtpU, u32::from_be_bytes([t0, t1, t2, t3]), layer))
}

/// Bytes of the chain of extension headers: each counts itself in fours and ends with the type
/// of the next, 0 for none.
fn gtp_extensions_len(mut next: u8, bytes: &[u8]) -> Option<usize> {
    let mut size = 0;
    for _ in 0..GTP_EXTENSIONS_MAX {
        if next == 0 {
            return Some(size);
        }
        let len = usize::from(*bytes.get(size)?) * 4;
        size += len;
        // A length of 0 would stand still.
        next = *bytes.get(size.checked_sub(1).filter(|_| len > 0)?)?;
    }
    None
}

/// Teredo (RFC 4380, section 5.1.1): authentication and origin may stand before the packet.
fn open_teredo(bytes: &[u8], wire_len: usize) -> Option<Opened<'_>> {
    let mut rest = bytes;
    if let [0, 1, client_len, value_len, ..] = rest {
        rest = rest.get(4 + usize::from(*client_len) + usize::from(*value_len) + 9..)?;
    }
    if let [0, 0, ..] = rest {
        rest = rest.get(8..)?;
    }
    let inner_len = wire_len.checked_sub(bytes.len() - rest.len())?;
    let is_v6 = rest.first()? >> 4 == 6;
    (is_v6 && rest.len() >= 40 && ip::is_likely(rest, inner_len)).then_some((
        TunnelKind::Teredo,
        0,
        Layer::Ip(rest),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LinkType, Tunnel, frames, parse};

    fn inner() -> Vec<u8> {
        frames::ipv4(6, &frames::tcp(&[], b"x"))
    }

    fn tunnel_of(port: u16, header: &[u8], inside: &[u8]) -> Result<Tunnel, Skip> {
        let datagram = frames::udp(40000, port, &[header, inside].concat());
        let frame = frames::ethernet(0x0800, &frames::ipv4(17, &datagram));
        let packet = parse(LinkType::Ethernet, &frame)?;
        assert_eq!(packet.payload, b"x");
        Ok(packet.path.tunnel.unwrap())
    }

    #[test]
    fn vxlan_gives_its_network_and_must_keep_its_bits_clear() {
        let inside = frames::ethernet(0x0800, &inner());
        let expected = Ok(Tunnel { kind: TunnelKind::Vxlan, id: 0x01_0203 });
        assert_eq!(tunnel_of(4789, &[8, 0, 0, 0, 1, 2, 3, 0], &inside), expected);
        assert_eq!(tunnel_of(8472, &[0x88, 8, 0, 9, 1, 2, 3, 0], &inside), expected);
        for bad in [[0, 0, 0, 0, 1, 2, 3, 0], [8, 0, 0, 1, 1, 2, 3, 0], [8, 0, 0, 0, 1, 2, 3, 1]] {
            assert_eq!(tunnel_of(4789, &bad, &inside), Err(Skip::NotTcp));
        }
        assert_eq!(tunnel_of(4790, &[8, 0, 0, 0, 1, 2, 3, 0], &inside), Err(Skip::NotTcp));
    }

    #[test]
    fn geneve_gives_its_network_and_passes_its_options() {
        let inside = frames::ethernet(0x0800, &inner());
        let expected = Ok(Tunnel { kind: TunnelKind::Geneve, id: 7 });
        assert_eq!(tunnel_of(6081, &[0, 0, 0x65, 0x58, 0, 0, 7, 0], &inside), expected);
        let with_option = [2, 0x40, 0x08, 0, 0, 0, 7, 0, 1, 2, 3, 1, 0, 0, 0, 0];
        assert_eq!(tunnel_of(6081, &with_option, &inner()), expected);
        let other_version = [0x40, 0, 0x65, 0x58, 0, 0, 7, 0];
        assert_eq!(tunnel_of(6081, &other_version, &inside), Err(Skip::NotTcp));
    }

    #[test]
    fn gtp_gives_its_endpoint_and_passes_its_extensions() {
        let len = inner().len() as u8;
        let expected = Ok(Tunnel { kind: TunnelKind::GtpU, id: 9 });
        assert_eq!(tunnel_of(2152, &[0x30, 255, 0, len, 0, 0, 0, 9], &inner()), expected);
        let session = [0x34, 255, 0, len + 8, 0, 0, 0, 9, 0, 0, 0, 0x85, 1, 0x10, 1, 0];
        assert_eq!(tunnel_of(2152, &session, &inner()), expected);
        let echo = [0x32, 1, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(tunnel_of(2152, &echo, &[]), Err(Skip::NotTcp));
        let endless = [0x34, 255, 0, len + 8, 0, 0, 0, 9, 0, 0, 0, 0x85, 0, 0x10, 1, 0];
        assert_eq!(tunnel_of(2152, &endless, &inner()), Err(Skip::NotTcp));
    }

    #[test]
    fn teredo_is_opened_with_all_its_headers() {
        let inside = frames::ipv6(6, &frames::tcp(&[], b"x"));
        let authentication = [0, 1, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0];
        let origin = [0, 0, 1, 2, 3, 4, 5, 6];
        let both = [&authentication[..], &origin].concat();
        for header in [&[][..], &authentication, &origin, &both] {
            let expected = Ok(Tunnel { kind: TunnelKind::Teredo, id: 0 });
            assert_eq!(tunnel_of(3544, header, &inside), expected);
        }
        assert_eq!(tunnel_of(3544, &[], &inner()), Err(Skip::NotTcp));
    }

    #[test]
    fn ordinary_datagrams_on_tunnel_ports_are_not_tcp() {
        for port in [4789, 8472, 6081, 2152, 1701, 3544] {
            for text in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0; 64], &[0xff; 64], &[]] {
                let frame = frames::ipv4(17, &frames::udp(port, port, text));
                assert_eq!(parse(LinkType::RawIp, &frame).unwrap_err(), Skip::NotTcp, "{port}");
            }
        }
    }
}
