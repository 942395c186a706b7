//! Link layers that a capture made up: Linux cooked, BSD loopback, netfilter log; and FDDI.

use crate::field::{be16, bound, skip, take};
use crate::walk::Layer;
use crate::{Path, Skip};

/// ARPHRD_ETHER of Linux' `if_arp.h`: the sender's address is a MAC address.
const ARPHRD_ETHER: u16 = 1;
/// ARPHRD_NETLINK: the protocol is a netlink family, not an ether type.
const ARPHRD_NETLINK: u16 = 824;
/// Attributes of a netfilter log packet that are looked at; about fifteen kinds exist.
const ATTRIBUTES_MAX: usize = 32;
/// NFULA_HWADDR of Linux' `nfnetlink_log.h`: the sender's address.
const ATTRIBUTE_ADDRESS: u16 = 8;
/// NFULA_PAYLOAD: the packet itself.
const ATTRIBUTE_PAYLOAD: u16 = 9;

/// Opens DLT 113: packet type, ARPHRD, address length, address, protocol.
pub(crate) fn open_sll<'b>(bytes: &'b [u8], path: &mut Path) -> Result<Layer<'b>, Skip> {
    let (header, rest) = take::<16>(bytes)?;
    let hardware = be16(header[2], header[3]);
    if hardware == ARPHRD_ETHER
        && let [_, _, _, _, 0, 6, source @ .., _, _, _, _] = header
    {
        path.source_mac = Some(*source);
    }
    open_protocol(hardware, be16(header[14], header[15]), rest)
}

/// Opens DLT 276: protocol, interface, ARPHRD, packet type, address length, address.
pub(crate) fn open_sll2<'b>(bytes: &'b [u8], path: &mut Path) -> Result<Layer<'b>, Skip> {
    let (header, rest) = take::<20>(bytes)?;
    let hardware = be16(header[8], header[9]);
    if hardware == ARPHRD_ETHER
        && let [_, _, _, _, _, _, _, _, _, _, _, 6, source @ .., _, _] = header
    {
        path.source_mac = Some(*source);
    }
    open_protocol(hardware, be16(header[0], header[1]), rest)
}

/// The protocol of a cooked header: an ether type, or one of the small numbers of `if_ether.h`.
fn open_protocol(hardware: u16, protocol: u16, rest: &[u8]) -> Result<Layer<'_>, Skip> {
    match protocol {
        _ if hardware == ARPHRD_NETLINK => Err(Skip::NotIp),
        0x0004 => Ok(Layer::Llc(rest)),
        0x0007 => Ok(Layer::Ppp(rest)),
        _ => Ok(Layer::EtherType(protocol, rest)),
    }
}

/// Opens DLT 0: the address family in whatever byte order the capturing machine had.
pub(crate) fn open_null(bytes: &[u8]) -> Result<Layer<'_>, Skip> {
    match take::<4>(bytes)? {
        ([family, 0, 0, 0] | [0, 0, 0, family], rest) => open_family(*family, rest),
        // Drivers of dial-up lines put a PPP header here (libpcap's `DLT_NULL`).
        ([0xff, 0x03, ..], _) => Ok(Layer::Ppp(bytes)),
        _ => Err(Skip::NotIp),
    }
}

/// Opens DLT 108: the same in network byte order.
pub(crate) fn open_loop(bytes: &[u8]) -> Result<Layer<'_>, Skip> {
    match take::<4>(bytes)? {
        ([0, 0, 0, family], rest) => open_family(*family, rest),
        _ => Err(Skip::NotIp),
    }
}

/// AF_INET is 2 everywhere; AF_INET6 is 10 on Linux, 23 on Windows, 24, 28 and 30 on the BSDs.
fn open_family(family: u8, rest: &[u8]) -> Result<Layer<'_>, Skip> {
    match family {
        2 | 10 | 23 | 24 | 28 | 30 => Ok(Layer::Ip(rest)),
        _ => Err(Skip::NotIp),
    }
}

/// Opens DLT 239: four bytes, then attributes padded to four bytes each, lengths and types in the
/// byte order of the capturing machine. No type is above 255, so its zero byte tells the order.
pub(crate) fn open_nflog<'b>(bytes: &'b [u8], path: &mut Path) -> Result<Layer<'b>, Skip> {
    let (_, mut rest) = take::<4>(bytes)?;
    for _ in 0..ATTRIBUTES_MAX {
        let (&[a, b, c, d], body) = take::<4>(rest)?;
        let (len, kind) = if d == 0 { (be16(b, a), be16(d, c)) } else { (be16(a, b), be16(c, d)) };
        let Some(body_len) = usize::from(len).checked_sub(4) else {
            return Err(Skip::BadLength);
        };
        match kind {
            ATTRIBUTE_PAYLOAD => return Ok(Layer::Ip(bound(body, body_len))),
            ATTRIBUTE_ADDRESS => {
                if let [0, 6, _, _, address @ ..] = body {
                    path.source_mac = address.first_chunk().copied();
                }
            }
            _ => {}
        }
        rest = skip(body, body_len.next_multiple_of(4))?;
    }
    Err(Skip::TooDeep)
}

/// Opens DLT 10: frame control, two addresses, LLC. Only asynchronous LLC frames carry data.
pub(crate) fn open_fddi<'b>(bytes: &'b [u8], path: &mut Path) -> Result<Layer<'b>, Skip> {
    let ([control, _, _, _, _, _, _, source @ ..], rest) = take::<13>(bytes)?;
    path.source_mac = Some(*source);
    match control & 0xf0 {
        0x50 | 0xd0 => Ok(Layer::Llc(rest)),
        _ => Err(Skip::NotIp),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LinkType, frames, parse};

    fn with(prefix: &[u8]) -> Vec<u8> {
        [prefix, &frames::ipv4(6, &frames::tcp(&[], b"x"))].concat()
    }

    #[test]
    fn cooked_headers_give_address_and_packet() {
        let first = with(&[0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 8, 0]);
        let packet = parse(LinkType::LinuxSll, &first).unwrap();
        assert_eq!(packet.path.source_mac, Some([2, 0, 0, 0, 0, 1]));
        assert_eq!(packet.payload, b"x");
        let second = with(&[8, 0, 0, 0, 0, 0, 0, 2, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0]);
        let packet = parse(LinkType::LinuxSll2, &second).unwrap();
        assert_eq!(packet.path.source_mac, Some([2, 0, 0, 0, 0, 1]));
        assert_eq!(packet.payload, b"x");
    }

    #[test]
    fn loopback_families_are_read_in_either_order() {
        for family in [[2, 0, 0, 0], [0, 0, 0, 2]] {
            assert_eq!(parse(LinkType::Null, &with(&family)).unwrap().payload, b"x");
        }
        assert_eq!(parse(LinkType::Loop, &with(&[0, 0, 0, 2])).unwrap().payload, b"x");
        assert_eq!(parse(LinkType::Loop, &with(&[2, 0, 0, 0])).unwrap_err(), Skip::NotIp);
        assert_eq!(parse(LinkType::Null, &with(&[7, 0, 0, 0])).unwrap_err(), Skip::NotIp);
    }

    #[test]
    fn the_netfilter_log_is_read_in_either_order() {
        let packet = frames::ipv4(6, &frames::tcp(&[], b"x"));
        let len = packet.len() as u8 + 4;
        let little = [2, 0, 0, 5, 6, 0, 10, 0, b'a', 0, 0, 0, len, 0, 9, 0];
        let big = [2, 0, 0, 5, 0, 6, 0, 10, b'a', 0, 0, 0, 0, len, 0, 9];
        for header in [little, big] {
            let frame = [&header[..], &packet].concat();
            assert_eq!(parse(LinkType::Nflog, &frame).unwrap().payload, b"x");
        }
        assert_eq!(parse(LinkType::Nflog, &[2, 0, 0, 5, 3, 0, 9, 0]).unwrap_err(), Skip::BadLength);
    }

    #[test]
    fn the_netfilter_log_gives_the_senders_address() {
        let packet = frames::ipv4(6, &frames::tcp(&[], b"x"));
        let address = [16, 0, 8, 0, 0, 6, 0, 0, 2, 0, 0, 0, 0, 1, 0, 0];
        let payload = [packet.len() as u8 + 4, 0, 9, 0];
        let frame = [&[2, 0, 0, 5][..], &address, &payload, &packet].concat();
        let path = parse(LinkType::Nflog, &frame).unwrap().path;
        assert_eq!(path.source_mac, Some([2, 0, 0, 0, 0, 1]));
    }

    #[test]
    fn fddi_leads_to_llc() {
        let header = [&[0x50][..], &frames::MACS, &[0xaa, 0xaa, 3, 0, 0, 0, 8, 0]].concat();
        assert_eq!(parse(LinkType::Fddi, &with(&header)).unwrap().payload, b"x");
    }
}
