//! Where the headers of a frame begin, for whoever cuts it or writes other addresses into it.

use crate::walk::{self, Layer};
use crate::{LinkType, Packet, Skip, tcp};

/// A header whose place is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Landmark {
    /// Destination and source MAC address, six bytes each.
    Ethernet,
    /// An IP header, version by its first nibble.
    Ip,
    /// The TCP header.
    Tcp,
    /// The first byte behind the TCP header; it may lie beyond what was captured.
    Payload,
}

/// Walks `frame` as [`crate::parse`] does, and calls `found` with each header and its offset, from
/// the outside in.
///
/// # Errors
/// [`Skip`] names why no TCP header could be located; what was found before it has been told.
pub fn landmarks(
    link: LinkType,
    frame: &[u8],
    mut found: impl FnMut(Landmark, usize),
) -> Result<Packet<'_>, Skip> {
    let packet = walk::walk_by(link, frame, |layer| match layer {
        Layer::Ethernet(bytes) => found(Landmark::Ethernet, offset(frame, bytes)),
        Layer::Ip(bytes) => found(Landmark::Ip, offset(frame, bytes)),
        _ => {}
    })?;
    let start = offset(frame, packet.segment);
    found(Landmark::Tcp, start);
    if let Some(header) = packet.segment.first_chunk::<20>() {
        found(Landmark::Payload, start + tcp::header_len(header));
    }
    Ok(packet)
}

/// How far into `frame` its part `part` begins. No more than a difference of two addresses: a slice
/// from elsewhere gives a number that no caller can use, the end of the frame.
fn offset(frame: &[u8], part: &[u8]) -> usize {
    (part.as_ptr() as usize).wrapping_sub(frame.as_ptr() as usize).min(frame.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frames;

    #[test]
    fn every_header_of_a_tunnel_is_told_from_the_outside_in() {
        let inner = frames::ipv6(6, &frames::tcp(&[1, 1, 1, 1], b"payload"));
        let frame = frames::ethernet(0x0800, &frames::ipv4(41, &inner));
        let mut told = Vec::new();
        landmarks(LinkType::Ethernet, &frame, |what, at| told.push((what, at))).unwrap();
        let expected = [
            (Landmark::Ethernet, 0),
            (Landmark::Ip, 14),
            (Landmark::Ip, 34),
            (Landmark::Tcp, 74),
            (Landmark::Payload, 98),
        ];
        assert_eq!(told, expected);
        assert_eq!(&frame[98..], b"payload");
    }

    #[test]
    fn what_comes_before_the_cut_is_told() {
        let frame = frames::ethernet(0x0800, &frames::ipv4(6, &frames::tcp(&[], b"x")));
        let mut told = Vec::new();
        let result = landmarks(LinkType::Ethernet, &frame[..40], |what, _| told.push(what));
        assert_eq!(
            (result.unwrap_err(), told),
            (Skip::Truncated, vec![Landmark::Ethernet, Landmark::Ip])
        );
    }
}
