//! L2TP: version 2 over UDP with PPP inside (RFC 2661), version 3 over UDP and IP (RFC 3931).

use crate::field::{be16, bound, take};
use crate::packet::TunnelKind;
use crate::tunnel::Opened;
use crate::walk::Layer;
use crate::{Skip, ethernet, ip};

const IS_CONTROL: u16 = 0x8000;
const HAS_LENGTH: u16 = 0x4000;
const HAS_SEQUENCE: u16 = 0x0800;
const HAS_OFFSET: u16 = 0x0200;
/// Must be zero in data messages.
const RESERVED: u16 = 0x34f0;
const VERSION: u16 = 0x000f;
/// What may stand between session and frame in version 3: a cookie of 0, 4 or 8 bytes, then
/// perhaps a sublayer of 4. Both are agreed on the control connection, which we did not see.
const SESSION_TO_FRAME: [usize; 4] = [0, 4, 8, 12];

/// Opens a datagram of UDP port 1701; `None` for control messages and what is no L2TP.
pub(crate) fn open_over_udp(bytes: &[u8], wire_len: usize) -> Option<Opened<'_>> {
    let (&[flags_0, flags_1], rest) = bytes.split_first_chunk::<2>()?;
    let flags = be16(flags_0, flags_1);
    match flags & VERSION {
        2 if flags & (IS_CONTROL | RESERVED) == 0 => open_version_2(flags, rest, wire_len - 2),
        3 if flags == 3 => open_version_3(rest.get(2..)?, wire_len.checked_sub(4)?),
        _ => None,
    }
}

/// Opens a packet of IP protocol 115.
///
/// # Errors
/// [`Skip::NotTcp`] for control messages (session 0) and frames that could not be recognised.
pub(crate) fn open_over_ip(bytes: &[u8], wire_len: usize) -> Result<Opened<'_>, Skip> {
    take::<4>(bytes)?;
    open_version_3(bytes, wire_len).ok_or(Skip::NotTcp)
}

/// The rest of a version 2 data header, then PPP. Sessions count from one in each tunnel, so the
/// identifier is tunnel and session together.
fn open_version_2(flags: u16, bytes: &[u8], wire_len: usize) -> Option<Opened<'_>> {
    let mut rest = bytes;
    if flags & HAS_LENGTH != 0 {
        let (&[len_0, len_1], after) = rest.split_first_chunk::<2>()?;
        // Counted from the flags on; what follows is padding.
        let len = usize::from(be16(len_0, len_1));
        if len < 8 || len > wire_len + 2 {
            return None;
        }
        rest = bound(after, len - 4);
    }
    let (ids, after) = rest.split_first_chunk::<4>()?;
    rest = after;
    if flags & HAS_SEQUENCE != 0 {
        rest = rest.get(4..)?;
    }
    if flags & HAS_OFFSET != 0 {
        let (&[size_0, size_1], after) = rest.split_first_chunk::<2>()?;
        rest = after.get(usize::from(be16(size_0, size_1))..)?;
    }
    let id = u32::from_be_bytes(*ids);
    // Session 0 is the control connection's.
    (id & 0xffff != 0).then_some((TunnelKind::L2tp, id, Layer::Ppp(rest)))
}

/// A version 3 data message from its session on. The frame is found by its looks: Ethernet by
/// ether type and version, PPP by its address and control, IP by its header checksum or length.
fn open_version_3(bytes: &[u8], wire_len: usize) -> Option<Opened<'_>> {
    let (session, rest) = bytes.split_first_chunk::<4>()?;
    let session = u32::from_be_bytes(*session);
    if session == 0 {
        return None;
    }
    let frames = || SESSION_TO_FRAME.iter().filter_map(|size| rest.get(*size..));
    let len_of = |frame: &[u8]| wire_len.saturating_sub(bytes.len() - frame.len());
    let ethernet = frames().find(|frame| ethernet::is_likely(frame)).map(Layer::Ethernet);
    let ppp = || {
        let is_ppp = |frame: &&[u8]| matches!(frame, [0xff, 3, 0, 0x21 | 0x57, ..]);
        frames().find(is_ppp).map(Layer::Ppp)
    };
    let packet = || {
        let is_v4 = |frame: &[u8]| ip::is_v4_checksum_right(frame) && frame[0] >> 4 == 4;
        let is_v6 = |frame: &[u8]| {
            frame.first().is_some_and(|first| first >> 4 == 6)
                && ip::is_likely(frame, usize::MAX)
                && ip::is_likely(frame, len_of(frame))
        };
        frames().find(|frame| is_v4(frame) || is_v6(frame)).map(Layer::Ip)
    };
    let layer = ethernet.or_else(ppp).or_else(packet)?;
    Some((TunnelKind::L2tp, session, layer))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LinkType, Tunnel, frames, parse};

    fn inner() -> Vec<u8> {
        frames::ipv4(6, &frames::tcp(&[], b"x"))
    }

    fn tunnel_of(packet: &[u8]) -> Result<Tunnel, Skip> {
        let packet = parse(LinkType::RawIp, packet)?;
        assert_eq!(packet.payload, b"x");
        Ok(packet.path.tunnel.unwrap())
    }

    #[test]
    fn version_2_is_opened_with_every_field_present_or_absent() {
        let ppp = [&[0xff, 3, 0, 0x21][..], &inner()].concat();
        let full_len = ppp.len() as u8 + 18;
        let bare = vec![0, 2, 0, 5, 0, 9];
        let full = [0x4a, 2, 0, full_len, 0, 5, 0, 9, 0, 1, 0, 2, 0, 4, 0xee, 0xee, 0xee, 0xee];
        for header in [bare, full.to_vec()] {
            let datagram = frames::udp(1701, 40000, &[&header[..], &ppp].concat());
            let tunnel = tunnel_of(&frames::ipv4(17, &datagram)).unwrap();
            assert_eq!(tunnel, Tunnel { kind: TunnelKind::L2tp, id: 0x0005_0009 });
        }
        let control = [0xc8, 2, 0, 12, 0, 5, 0, 0, 0, 0, 0, 0];
        let frame = frames::ipv4(17, &frames::udp(1701, 1701, &control));
        assert_eq!(tunnel_of(&frame), Err(Skip::NotTcp));
    }

    #[test]
    fn version_3_is_opened_whatever_its_cookie() {
        let ppp = [&[0xff, 3, 0, 0x21][..], &inner()].concat();
        let inside = [frames::ethernet(0x0800, &inner()), inner(), ppp];
        for (frame, cookie_len) in inside.iter().zip([0, 4, 8, 12].repeat(3)) {
            let session = [0, 0, 1, 2];
            let data = [&session[..], &vec![0xee; cookie_len], frame].concat();
            let expected = Ok(Tunnel { kind: TunnelKind::L2tp, id: 0x102 });
            assert_eq!(tunnel_of(&frames::ipv4(115, &data)), expected);
            let over_udp = frames::udp(1701, 1701, &[&[0, 3, 0, 0][..], &data].concat());
            assert_eq!(tunnel_of(&frames::ipv4(17, &over_udp)), expected);
        }
        assert_eq!(tunnel_of(&frames::ipv4(115, &[0; 40])), Err(Skip::NotTcp));
    }
}
