//! PPP in all its wrappings: plain, HDLC-like, over Ethernet; and Cisco's HDLC.

use crate::field::{be16, bound, take};
use crate::walk::Layer;
use crate::{Path, Skip, Tunnel, TunnelKind};

/// Opens a PPP frame (RFC 1661): address and control may be left out, and the protocol may be
/// one byte, which is then odd.
pub(crate) fn open(bytes: &[u8]) -> Result<Layer<'_>, Skip> {
    let bytes = match bytes {
        [0xff, 0x03, rest @ ..] => rest,
        _ => bytes,
    };
    let (protocol, rest) = match bytes {
        [odd, rest @ ..] if odd & 1 == 1 => (u16::from(*odd), rest),
        [high, low, rest @ ..] => (be16(*high, *low), rest),
        _ => return Err(Skip::Truncated),
    };
    match protocol {
        0x0021 | 0x0057 => Ok(Layer::Ip(rest)),
        0x0281 | 0x0283 => Ok(Layer::Mpls(rest)),
        // Encryption of a link, single or within a bundle (RFC 1968).
        0x0053 | 0x0055 => Err(Skip::Encrypted),
        _ => Err(Skip::NotIp),
    }
}

/// Opens DLT 50: PPP in HDLC-like framing, or what Cisco sends on the same line.
pub(crate) fn open_hdlc(bytes: &[u8]) -> Result<Layer<'_>, Skip> {
    match bytes.first() {
        Some(0x0f | 0x8f) => open_cisco_hdlc(bytes),
        Some(_) => Ok(Layer::Ppp(bytes)),
        None => Err(Skip::Truncated),
    }
}

/// Opens Cisco HDLC: address, control, ether type.
pub(crate) fn open_cisco_hdlc(bytes: &[u8]) -> Result<Layer<'_>, Skip> {
    let (header, rest) = take::<4>(bytes)?;
    Ok(Layer::EtherType(be16(header[2], header[3]), rest))
}

/// Opens a PPPoE session packet (RFC 2516, section 4). A length that runs past the frame is a
/// cut capture; what is there is read.
pub(crate) fn open_pppoe<'b>(bytes: &'b [u8], path: &mut Path) -> Result<Layer<'b>, Skip> {
    let (header, rest) = take::<6>(bytes)?;
    if header[0] != 0x11 || header[1] != 0 {
        return Err(Skip::NotIp);
    }
    let session = be16(header[2], header[3]);
    path.tunnel = Some(Tunnel { kind: TunnelKind::Pppoe, id: u32::from(session) });
    Ok(Layer::Ppp(bound(rest, usize::from(be16(header[4], header[5])))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LinkType, frames, parse};

    fn with(prefix: &[u8]) -> Vec<u8> {
        [prefix, &frames::ipv4(6, &frames::tcp(&[], b"x"))].concat()
    }

    #[test]
    fn address_control_and_protocol_may_be_compressed() {
        for prefix in [&[0xff, 3, 0, 0x21][..], &[0xff, 3, 0x21], &[0, 0x21], &[0x21]] {
            let frame = with(prefix);
            assert_eq!(parse(LinkType::Ppp, &frame).unwrap().payload, b"x", "{prefix:x?}");
            assert_eq!(parse(LinkType::PppHdlc, &frame).unwrap().payload, b"x");
        }
    }

    #[test]
    fn cisco_hdlc_is_read_under_both_of_its_numbers() {
        let frame = with(&[0x0f, 0, 8, 0]);
        assert_eq!(parse(LinkType::CiscoHdlc, &frame).unwrap().payload, b"x");
        assert_eq!(parse(LinkType::PppHdlc, &frame).unwrap().payload, b"x");
    }

    #[test]
    fn a_pppoe_session_gives_its_number() {
        let inside = with(&[0, 0x21]);
        let header = [0x11, 0, 0x12, 0x34, 0, inside.len() as u8];
        let frame = frames::ethernet(0x8864, &[&header[..], &inside].concat());
        let packet = parse(LinkType::Ethernet, &frame).unwrap();
        assert_eq!(packet.path.tunnel, Some(Tunnel { kind: TunnelKind::Pppoe, id: 0x1234 }));
        assert_eq!(packet.payload, b"x");
    }

    #[test]
    fn link_control_is_not_ip_and_encryption_is_named() {
        assert_eq!(open(&[0xff, 3, 0xc0, 0x21, 1]), Err(Skip::NotIp));
        assert_eq!(open(&[0x53, 1]), Err(Skip::Encrypted));
        assert_eq!(open(&[0xff, 3]), Err(Skip::Truncated));
    }
}
