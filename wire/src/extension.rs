//! IPv6 extension headers (RFC 8200, section 4), and the Authentication Header of both versions.

use crate::Skip;
use crate::field::{be16, skip, take};
use crate::ip::{AUTHENTICATION, Datagram, later_fragment};
use crate::packet::Address;

/// Hop-by-hop options.
const HOP_BY_HOP: u8 = 0;
/// Routing.
const ROUTING: u8 = 43;
/// Fragment.
const FRAGMENT: u8 = 44;
/// Destination options.
const DESTINATION: u8 = 60;
/// Mobility (RFC 6275).
const MOBILITY: u8 = 135;
/// Host Identity Protocol (RFC 7401).
const HOST_IDENTITY: u8 = 139;
/// Shim6 (RFC 5533).
const SHIM: u8 = 140;

/// Extension headers a packet may have. Each kind should occur once, destination options twice
/// (RFC 8200, section 4.1).
const EXTENSIONS_MAX: usize = 10;

/// Passes all extension headers of an IPv6 packet.
///
/// # Errors
/// [`Skip`] if the upper-layer header could not be located.
pub(crate) fn pass_all(datagram: &mut Datagram<'_>) -> Result<(), Skip> {
    for _ in 0..EXTENSIONS_MAX {
        match datagram.protocol {
            HOP_BY_HOP | DESTINATION | MOBILITY | HOST_IDENTITY | SHIM => pass_one(datagram, 8)?,
            ROUTING => pass_routing(datagram)?,
            FRAGMENT => pass_fragment(datagram)?,
            AUTHENTICATION => pass_one(datagram, 4)?,
            _ => return Ok(()),
        }
    }
    Err(Skip::TooDeep)
}

/// Passes the Authentication Headers of an IPv4 packet (RFC 4302); one for each of nested
/// security associations.
///
/// # Errors
/// [`Skip`] if the header behind them could not be located.
pub(crate) fn pass_authentication(datagram: &mut Datagram<'_>) -> Result<(), Skip> {
    for _ in 0..EXTENSIONS_MAX {
        if datagram.protocol != AUTHENTICATION {
            return Ok(());
        }
        pass_one(datagram, 4)?;
    }
    Err(Skip::TooDeep)
}

/// The length of a jumbogram (RFC 2675, section 2): its option must stand first for alignment.
pub(crate) fn jumbo_len(protocol: u8, bytes: &[u8]) -> Option<u32> {
    match bytes {
        [_, _, 0xc2, 4, a, b, c, d, ..] if protocol == HOP_BY_HOP => {
            Some(u32::from_be_bytes([*a, *b, *c, *d])).filter(|len| *len > 0xffff)
        }
        _ => None,
    }
}

/// Passes a header whose second byte counts units of eight bytes beyond the first eight; those of
/// the Authentication Header are of four.
fn pass_one(datagram: &mut Datagram<'_>, unit: usize) -> Result<(), Skip> {
    let ([next, units], _) = take::<2>(datagram.bytes)?;
    let next = *next;
    let size = 8 + usize::from(*units) * unit;
    advance(datagram, size)?;
    datagram.protocol = next;
    Ok(())
}

/// Passes a routing header. The final destination is the last address of types 0 and 2 (RFC 5095,
/// RFC 6275) and the first of the segment list of type 4 (RFC 8754), and it is the one that the
/// TCP checksum covers (RFC 8200, section 8.1).
fn pass_routing(datagram: &mut Datagram<'_>) -> Result<(), Skip> {
    let header = datagram.bytes;
    pass_one(datagram, 8)?;
    let header = &header[..header.len() - datagram.bytes.len()];
    let last = match header {
        [_, _, _, 0, ..] => None,
        [_, _, 0 | 2, _, _, _, _, _, addresses @ ..] => addresses.last_chunk::<16>(),
        [_, _, 4, _, _, _, _, _, addresses @ ..] => addresses.first_chunk::<16>(),
        _ => None,
    };
    if let Some(last) = last {
        datagram.ip.destination = Address(*last);
    }
    Ok(())
}

/// Passes the fragment header of a first fragment. An atomic fragment (RFC 6946) is whole.
fn pass_fragment(datagram: &mut Datagram<'_>) -> Result<(), Skip> {
    let (header, _) = take::<8>(datagram.bytes)?;
    let next = header[0];
    let offset_and_more = be16(header[2], header[3]);
    if offset_and_more & 0xfff8 != 0 {
        return Err(match next {
            HOP_BY_HOP | ROUTING | DESTINATION => Skip::LaterFragment,
            _ => later_fragment(next),
        });
    }
    datagram.ip.identification = be16(header[6], header[7]);
    datagram.ip.more_fragments = offset_and_more & 1 != 0;
    advance(datagram, 8)?;
    datagram.protocol = next;
    Ok(())
}

/// Moves on by `size` bytes, which must be part of the packet and must have been captured.
fn advance(datagram: &mut Datagram<'_>, size: usize) -> Result<(), Skip> {
    datagram.len = datagram.len.checked_sub(size as u32).ok_or(Skip::BadLength)?;
    datagram.bytes = skip(datagram.bytes, size)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LinkType, frames, parse};

    const HOME: [u8; 16] = [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9];

    fn packet_with(first: u8, extensions: &[u8]) -> Vec<u8> {
        frames::ipv6(first, &[extensions, &frames::tcp(&[], b"x")].concat())
    }

    #[test]
    fn every_extension_header_is_passed() {
        let mut chain = vec![DESTINATION, 0, 1, 4, 0, 0, 0, 0];
        chain.extend([AUTHENTICATION, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        chain.extend([MOBILITY, 4, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2]);
        chain.extend([0; 12]);
        chain.extend([6, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(parse(LinkType::RawIp, &packet_with(0, &chain)).unwrap().payload, b"x");
    }

    #[test]
    fn a_first_fragment_is_read_and_a_later_one_is_named() {
        let of = |next, low| {
            let frame = packet_with(FRAGMENT, &[next, 0, 0, low, 0, 0, 0x12, 0x34]);
            parse(LinkType::RawIp, &frame).map(|packet| packet.ip)
        };
        let atomic = of(6, 0).unwrap();
        assert!(!atomic.more_fragments && atomic.identification == 0x1234);
        assert!(of(6, 1).unwrap().more_fragments);
        assert_eq!(of(6, 8).unwrap_err(), Skip::LaterFragment);
        assert_eq!(of(DESTINATION, 8).unwrap_err(), Skip::LaterFragment);
        assert_eq!(of(17, 8).unwrap_err(), Skip::NotTcp);
    }

    #[test]
    fn a_routing_header_names_the_final_destination() {
        for kind in [0, 2, 4] {
            let header = [&[6, 2, kind, 1, 0, 0, 0, 0][..], &HOME].concat();
            let frame = packet_with(ROUTING, &header);
            let packet = parse(LinkType::RawIp, &frame).unwrap();
            assert_eq!(packet.ip.destination, Address(HOME));
        }
        let arrived = [&[6, 2, 0, 0, 0, 0, 0, 0][..], &HOME].concat();
        let frame = packet_with(ROUTING, &arrived);
        assert_ne!(parse(LinkType::RawIp, &frame).unwrap().ip.destination, Address(HOME));
    }

    #[test]
    fn a_jumbogram_takes_its_length_from_the_option() {
        let mut frame = packet_with(HOP_BY_HOP, &[6, 0, 0xc2, 4, 0, 1, 0, 28]);
        frame[4..6].fill(0);
        let packet = parse(LinkType::RawIp, &frame).unwrap();
        assert_eq!((packet.payload, packet.payload_len), (&b"x"[..], 0x1_0000));
    }

    #[test]
    fn chains_without_end_and_beyond_the_packet_are_refused() {
        let endless = packet_with(DESTINATION, &[DESTINATION, 0, 1, 4, 0, 0, 0, 0].repeat(20));
        assert_eq!(parse(LinkType::RawIp, &endless).unwrap_err(), Skip::TooDeep);
        let beyond = packet_with(DESTINATION, &[6, 255, 1, 4, 0, 0, 0, 0]);
        assert_eq!(parse(LinkType::RawIp, &beyond).unwrap_err(), Skip::BadLength);
    }

    #[test]
    fn ipv4_may_be_authenticated_too() {
        let header = [6, 4, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let frame = frames::ipv4(51, &[&header[..], &frames::tcp(&[], b"x")].concat());
        assert_eq!(parse(LinkType::RawIp, &frame).unwrap().payload, b"x");
    }
}
