//! MPLS label stacks (RFC 3032) and the pseudowires under them (RFC 4448).

use crate::field::take;
use crate::walk::Layer;
use crate::{Skip, ethernet, ip};

/// Labels a stack may have; segment routing uses about a dozen.
const LABELS_MAX: usize = 16;

/// Opens a label stack. What follows the bottom label is known only to the routers that agreed
/// on it, so the first nibble tells, as in every router that balances load (RFC 4928).
pub(crate) fn open(bytes: &[u8]) -> Result<Layer<'_>, Skip> {
    let mut rest = bytes;
    for _ in 0..LABELS_MAX {
        let (label, after) = take::<4>(rest)?;
        rest = after;
        if label[2] & 1 == 1 {
            return open_bottom(rest);
        }
    }
    Err(Skip::TooDeep)
}

/// Tells IP from a pseudowire. Addresses that begin with 4 or 6 made many a router take Ethernet
/// for IP; here a right header checksum speaks for IPv4, and an ether type with the matching IP
/// version behind it speaks for Ethernet, with a control word (nibble 0) or without.
fn open_bottom(bytes: &[u8]) -> Result<Layer<'_>, Skip> {
    let nibble = bytes.first().ok_or(Skip::Truncated)? >> 4;
    if nibble == 4 && ip::is_v4_checksum_right(bytes) {
        return Ok(Layer::Ip(bytes));
    }
    let behind_control_word = bytes.get(4..).unwrap_or_default();
    if nibble == 0 && ethernet::is_likely(behind_control_word) {
        return Ok(Layer::Ethernet(behind_control_word));
    }
    if ethernet::is_likely(bytes) {
        return Ok(Layer::Ethernet(bytes));
    }
    match nibble {
        4 | 6 => Ok(Layer::Ip(bytes)),
        _ => Err(Skip::NotIp),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LinkType, frames, parse};

    const STACK: [u8; 8] = [0, 1, 0x00, 64, 0, 2, 0x01, 64];

    fn payload_of(inside: &[u8]) -> Result<Vec<u8>, Skip> {
        let frame = frames::ethernet(0x8847, &[&STACK[..], inside].concat());
        parse(LinkType::Ethernet, &frame).map(|packet| packet.payload.to_vec())
    }

    #[test]
    fn ip_of_either_version_follows_the_bottom_label() {
        let segment = frames::tcp(&[], b"x");
        assert_eq!(payload_of(&frames::ipv4(6, &segment)).unwrap(), b"x");
        assert_eq!(payload_of(&frames::ipv6(6, &segment)).unwrap(), b"x");
    }

    #[test]
    fn a_pseudowire_is_opened_with_and_without_control_word() {
        let inner = frames::ethernet(0x0800, &frames::ipv4(6, &frames::tcp(&[], b"x")));
        assert_eq!(payload_of(&inner).unwrap(), b"x");
        assert_eq!(payload_of(&[&[0, 0, 0, 0][..], &inner].concat()).unwrap(), b"x");
        let mut like_ip = inner;
        like_ip[0] = 0x45;
        assert_eq!(payload_of(&like_ip).unwrap(), b"x");
        like_ip[0] = 0x60;
        assert_eq!(payload_of(&like_ip).unwrap(), b"x");
    }

    #[test]
    fn an_associated_channel_is_not_ip() {
        assert_eq!(payload_of(&[0x10, 0, 0, 0x21, 0x45, 0, 0]), Err(Skip::NotIp));
    }

    #[test]
    fn a_stack_without_bottom_is_too_deep() {
        assert_eq!(open(&[0; 256]), Err(Skip::TooDeep));
        assert_eq!(open(&[0; 9]), Err(Skip::Truncated));
    }
}
