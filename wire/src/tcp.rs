//! The TCP header (RFC 9293, section 3.1).

use crate::field::be16;
use crate::ip::Datagram;
use crate::packet::{Packet, Path, Tcp, TcpFlags, TcpOptions};
use crate::{SeqNumber, Skip, options};

/// Reads the segment that a datagram carries.
///
/// The fixed twenty bytes are enough; many captures are cut right behind them. Options are read as
/// far as they were captured. A header that is said to be longer than the IP packet is read to
/// the packet's end and marked malformed: where it lies is known, its payload is none.
///
/// # Errors
/// [`Skip::Truncated`] if the capture or a first fragment ends inside the fixed header,
/// [`Skip::BadLength`] if the IP packet is too short for one or its offset points into it.
pub(crate) fn read<'b>(path: Path, datagram: &Datagram<'b>) -> Result<Packet<'b>, Skip> {
    let bytes = datagram.bytes;
    let is_first_of_several = datagram.ip.more_fragments;
    if datagram.len < 20 && !is_first_of_several {
        return Err(Skip::BadLength);
    }
    let header = bytes.first_chunk::<20>().ok_or(Skip::Truncated)?;
    let header_len = header_len(header);
    if header_len < 20 {
        return Err(Skip::BadLength);
    }
    let is_overlong =
        header_len as u32 > datagram.len && !is_first_of_several && datagram.is_len_known;
    let end = if is_overlong || header_len <= bytes.len() {
        options::End::Header
    } else {
        options::End::Capture
    };
    let option_bytes = bytes.get(20..header_len).unwrap_or(bytes.get(20..).unwrap_or_default());
    let mut options = options::read(option_bytes, end);
    options.malformed |= is_overlong;
    Ok(Packet {
        path,
        ip: datagram.ip,
        tcp: facts(header, options),
        payload: bytes.get(header_len..).unwrap_or_default(),
        payload_len: datagram.len.saturating_sub(header_len as u32),
        // Without a length there is no pseudo header to check against.
        segment: if datagram.is_len_known { bytes } else { &[] },
    })
}

/// Header length in bytes, as the data offset says: 0 to 60.
#[inline]
pub(crate) const fn header_len(header: &[u8; 20]) -> usize {
    (header[12] >> 4) as usize * 4
}

/// The facts of the fixed header, beside what was read of the options.
#[inline]
pub(crate) fn facts(header: &[u8; 20], options: TcpOptions) -> Tcp {
    let h = header;
    Tcp {
        source_port: be16(h[0], h[1]),
        destination_port: be16(h[2], h[3]),
        seq: SeqNumber(u32::from_be_bytes([h[4], h[5], h[6], h[7]])),
        ack: SeqNumber(u32::from_be_bytes([h[8], h[9], h[10], h[11]])),
        flags: TcpFlags(be16(h[12], h[13]) & 0x01ff),
        window: be16(h[14], h[15]),
        urgent: be16(h[18], h[19]),
        options,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LinkType, frames, parse};

    #[test]
    fn every_field_is_read() {
        let frame = frames::ipv4(6, &frames::tcp(&[], b"xy"));
        let packet = parse(LinkType::RawIp, &frame).unwrap();
        let tcp = packet.tcp;
        assert_eq!((tcp.source_port, tcp.destination_port), (80, 12345));
        assert_eq!((tcp.seq, tcp.ack), (SeqNumber(1), SeqNumber(2)));
        assert_eq!((tcp.flags, tcp.window, tcp.urgent), (TcpFlags(0x14), 512, 3));
        assert_eq!((packet.payload, packet.payload_len), (&b"xy"[..], 2));
        let mut accurate_ecn = frame;
        accurate_ecn[32] |= 1;
        let flags = parse(LinkType::RawIp, &accurate_ecn).unwrap().tcp.flags;
        assert!(flags.contains(TcpFlags::AE) && format!("{flags:?}") == "RAN");
    }

    #[test]
    fn a_capture_may_end_behind_the_fixed_header() {
        let options = [2, 4, 5, 0xb4, 1, 1, 4, 2];
        let whole = frames::ipv4(6, &frames::tcp(&options, b"payload"));
        for captured in 40..whole.len() {
            let packet = parse(LinkType::RawIp, &whole[..captured]).unwrap();
            assert_eq!(packet.payload_len, 7);
            assert_eq!(packet.payload.len(), captured.saturating_sub(48));
            assert_eq!(packet.tcp.options.mss.is_some(), captured >= 44);
            assert!(!packet.tcp.options.malformed);
        }
        assert_eq!(parse(LinkType::RawIp, &whole[..39]).unwrap_err(), Skip::Truncated);
    }

    #[test]
    fn a_header_longer_than_its_packet_is_malformed() {
        let mut frame = frames::ipv4(6, &frames::tcp(&[2, 4, 5, 0xb4], b""));
        frame[32] = 0xf0;
        frame.extend([3, 3, 7, 0].repeat(20));
        let packet = parse(LinkType::RawIp, &frame).unwrap();
        assert!(packet.tcp.options.malformed && packet.tcp.options.window_scale.is_none());
        assert_eq!(packet.tcp.options.mss, Some(1460));
        assert_eq!((packet.payload.len(), packet.payload_len), (0, 0));
    }

    #[test]
    fn an_offset_into_the_fixed_header_is_a_bad_length() {
        let mut frame = frames::ipv4(6, &frames::tcp(&[], b""));
        frame[32] = 0x40;
        assert_eq!(parse(LinkType::RawIp, &frame).unwrap_err(), Skip::BadLength);
    }

    #[test]
    fn a_tiny_first_fragment_is_truncated() {
        let frame = frames::ipv4_with(6, 0x2000, &[], &frames::tcp(&[], b"")[..16]);
        assert_eq!(parse(LinkType::RawIp, &frame).unwrap_err(), Skip::Truncated);
        let options_in_the_next = frames::tcp(&[8, 10, 0, 0, 0, 1, 0, 0, 0, 2, 1, 1], b"");
        let frame = frames::ipv4_with(6, 0x2000, &[], &options_in_the_next[..24]);
        let packet = parse(LinkType::RawIp, &frame).unwrap();
        assert!(!packet.tcp.options.malformed && packet.ip.more_fragments);
    }
}
