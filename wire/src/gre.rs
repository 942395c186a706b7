//! GRE (RFC 2784, RFC 2890), its PPTP dialect (RFC 2637), and ERSPAN over it.

use crate::field::{be16, bound, skip, take};
use crate::packet::{Path, TunnelKind};
use crate::tunnel::Opened;
use crate::walk::Layer;
use crate::{Skip, ethernet};

const HAS_CHECKSUM: u16 = 0x8000;
const HAS_ROUTING: u16 = 0x4000;
const HAS_KEY: u16 = 0x2000;
const HAS_SEQUENCE: u16 = 0x1000;
/// Version 1 only: an acknowledgment number follows.
const HAS_ACKNOWLEDGMENT: u16 = 0x0080;
const VERSION: u16 = 0x0007;

/// PPP, in version 1.
const PPP: u16 = 0x880b;
/// Web Cache Communication Protocol: IP, in version 2 behind four bytes.
const WCCP: u16 = 0x883e;
/// ERSPAN types I and II.
const ERSPAN: u16 = 0x88be;
/// ERSPAN type III.
const ERSPAN_3: u16 = 0x22eb;

/// Opens a GRE header.
///
/// # Errors
/// [`Skip::NotTcp`] for versions and payloads that are not followed.
pub(crate) fn open<'b>(bytes: &'b [u8], path: &mut Path) -> Result<Opened<'b>, Skip> {
    let (header, rest) = take::<4>(bytes)?;
    let flags = be16(header[0], header[1]);
    let protocol = be16(header[2], header[3]);
    match flags & VERSION {
        // Source routes of RFC 1701 went out of use with RFC 2784.
        0 if flags & HAS_ROUTING == 0 => open_version_0(flags, protocol, rest, path),
        1 if protocol == PPP && flags & HAS_KEY != 0 => open_version_1(flags, rest),
        _ => Err(Skip::NotTcp),
    }
}

fn open_version_0<'b>(
    flags: u16,
    protocol: u16,
    bytes: &'b [u8],
    path: &mut Path,
) -> Result<Opened<'b>, Skip> {
    let mut rest = bytes;
    let mut key = 0;
    if flags & HAS_CHECKSUM != 0 {
        rest = skip(rest, 4)?;
    }
    if flags & HAS_KEY != 0 {
        let (bytes, after) = take::<4>(rest)?;
        key = u32::from_be_bytes(*bytes);
        rest = after;
    }
    if flags & HAS_SEQUENCE != 0 {
        rest = skip(rest, 4)?;
    }
    match protocol {
        ERSPAN if flags & HAS_SEQUENCE == 0 => Ok((TunnelKind::Erspan, key, Layer::Ethernet(rest))),
        ERSPAN => open_erspan_2(rest, path),
        ERSPAN_3 => open_erspan_3(rest, path),
        WCCP if rest.first().is_some_and(|first| first >> 4 != 4) => {
            Ok((TunnelKind::Gre, key, Layer::Ip(skip(rest, 4)?)))
        }
        WCCP => Ok((TunnelKind::Gre, key, Layer::Ip(rest))),
        PPP => Ok((TunnelKind::Gre, key, Layer::Ppp(rest))),
        // Anything else is an ether type (RFC 2784, section 2.4); Ethernet, MPLS and VLANs too.
        _ => Ok((TunnelKind::Gre, key, Layer::EtherType(protocol, rest))),
    }
}

/// The key is payload length and call; the call is the tunnel's identifier.
fn open_version_1(flags: u16, bytes: &[u8]) -> Result<Opened<'_>, Skip> {
    let (key, mut rest) = take::<4>(bytes)?;
    let payload_len = usize::from(be16(key[0], key[1]));
    let call = u32::from(be16(key[2], key[3]));
    if flags & HAS_SEQUENCE == 0 {
        // A bare acknowledgment.
        return Err(Skip::NotTcp);
    }
    rest = skip(rest, 4)?;
    if flags & HAS_ACKNOWLEDGMENT != 0 {
        rest = skip(rest, 4)?;
    }
    Ok((TunnelKind::Gre, call, Layer::Ppp(bound(rest, payload_len))))
}

/// Type II: version and VLAN, priority and session, port index (draft-foschiano-erspan-03,
/// section 4.2).
fn open_erspan_2<'b>(bytes: &'b [u8], path: &mut Path) -> Result<Opened<'b>, Skip> {
    let (header, rest) = take::<8>(bytes)?;
    if header[0] >> 4 != 1 {
        return Err(Skip::NotTcp);
    }
    // Encapsulation 2: the frame's 802.1Q tag was taken off and is kept only here.
    if (header[2] >> 3) & 3 == 2 {
        ethernet::push_vlan(path, be16(header[0], header[1]) & 0x0fff);
    }
    Ok((TunnelKind::Erspan, session(header[2], header[3]), Layer::Ethernet(rest)))
}

/// Type III: the same, then time stamp, security group, and what kind of frame follows (section
/// 4.3); a subheader of eight bytes if its last bit says so.
fn open_erspan_3<'b>(bytes: &'b [u8], path: &mut Path) -> Result<Opened<'b>, Skip> {
    let (header, mut rest) = take::<12>(bytes)?;
    if header[0] >> 4 != 2 {
        return Err(Skip::NotTcp);
    }
    if header[11] & 1 == 1 {
        rest = skip(rest, 8)?;
    }
    ethernet::push_vlan(path, be16(header[0], header[1]) & 0x0fff);
    let layer = match (header[10] >> 2) & 0x1f {
        0 => Layer::Ethernet(rest),
        2 => Layer::Ip(rest),
        _ => return Err(Skip::NotTcp),
    };
    Ok((TunnelKind::Erspan, session(header[2], header[3]), layer))
}

/// The session: ten bits.
fn session(high: u8, low: u8) -> u32 {
    u32::from(be16(high, low) & 0x03ff)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LinkType, Tunnel, frames, parse};

    fn inner() -> Vec<u8> {
        frames::ipv4(6, &frames::tcp(&[], b"x"))
    }

    fn tunnel_of(header: &[u8], inside: &[u8]) -> Result<(Tunnel, Vec<u8>), Skip> {
        let frame = frames::ipv4(47, &[header, inside].concat());
        let packet = parse(LinkType::RawIp, &frame)?;
        Ok((packet.path.tunnel.unwrap(), packet.payload.to_vec()))
    }

    #[test]
    fn checksum_key_and_sequence_are_passed_and_the_key_is_kept() {
        let cases: [(&[u8], u32); 4] = [
            (&[0, 0, 8, 0], 0),
            (&[0x20, 0, 8, 0, 1, 2, 3, 4], 0x0102_0304),
            (&[0xb0, 0, 8, 0, 9, 9, 0, 0, 0, 0, 0, 7, 0, 0, 0, 1], 7),
            (&[0x10, 0, 8, 0, 0, 0, 0, 1], 0),
        ];
        for (header, id) in cases {
            let expected = (Tunnel { kind: TunnelKind::Gre, id }, b"x".to_vec());
            assert_eq!(tunnel_of(header, &inner()).unwrap(), expected);
        }
    }

    #[test]
    fn ethernet_mpls_and_redirected_packets_travel_in_gre() {
        let bridged = frames::ethernet(0x0800, &inner());
        assert!(tunnel_of(&[0, 0, 0x65, 0x58], &bridged).is_ok());
        assert!(tunnel_of(&[0, 0, 0x88, 0x47, 0, 1, 1, 64], &inner()).is_ok());
        assert!(tunnel_of(&[0, 0, 0x88, 0x3e], &inner()).is_ok());
        assert!(tunnel_of(&[0, 0, 0x88, 0x3e, 0, 0, 0, 0], &inner()).is_ok());
        assert_eq!(tunnel_of(&[0x40, 0, 8, 0], &inner()).unwrap_err(), Skip::NotTcp);
        assert_eq!(tunnel_of(&[0, 2, 8, 0], &inner()).unwrap_err(), Skip::NotTcp);
    }

    #[test]
    fn pptp_gives_its_call() {
        let len = inner().len() as u8 + 4;
        let start = [0x30, 0x81, 0x88, 0x0b, 0, len, 0x12, 0x34];
        let header = [&start[..], &[0, 0, 0, 1, 0, 0, 0, 1, 0xff, 3, 0, 0x21]].concat();
        let (tunnel, payload) = tunnel_of(&header, &inner()).unwrap();
        assert_eq!(tunnel, Tunnel { kind: TunnelKind::Gre, id: 0x1234 });
        assert_eq!(payload, b"x");
        let bare = [0x20, 0x81, 0x88, 0x0b, 0, 0, 0, 1, 0, 0, 0, 1];
        assert_eq!(tunnel_of(&bare, &[]).unwrap_err(), Skip::NotTcp);
    }

    #[test]
    fn erspan_of_all_types_gives_its_session() {
        let mirrored = frames::ethernet(0x0800, &inner());
        let first = [0, 0, 0x88, 0xbe];
        let second = [0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 100, 0x12, 0x34, 0, 0, 0, 5];
        let mut third = vec![0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x20, 100, 2, 0x34, 0, 0, 0, 0];
        third.extend([0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
        for (header, id) in [(&first[..], 0), (&second, 0x234), (&third, 0x234)] {
            let (tunnel, payload) = tunnel_of(header, &mirrored).unwrap();
            assert_eq!(tunnel, Tunnel { kind: TunnelKind::Erspan, id });
            assert_eq!(payload, b"x");
        }
        let frame = frames::ipv4(47, &[&second[..], &mirrored].concat());
        assert_eq!(parse(LinkType::RawIp, &frame).unwrap().path.vlan, [100, 0]);
    }
}
