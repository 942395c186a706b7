//! What a kept packet tells, and where its headers end.

use wire::{Landmark, LinkType, Packet, landmarks, parse};

/// The first bytes of a frame up to the end of its TCP header and `payload_max` bytes of payload, from
/// an Ethernet header on.
///
/// Of links that are not Ethernet the innermost IP packet is kept, behind an Ethernet header that holds
/// no addresses. A frame whose TCP header was cut off is kept as it is: there is no payload in it.
/// `None` if no TCP segment was ever in it. With it comes the length of the frame on the wire, of which
/// `captured_len` bytes were received; by the IP length, if that says more.
#[must_use]
pub fn ethernet_headers(
    link: LinkType,
    frame: &[u8],
    captured_len: u32,
    payload_max: usize,
) -> Option<(Vec<u8>, u32)> {
    let (mut ip, mut end) = (None, None);
    let result = landmarks(link, frame, |what, at| match what {
        Landmark::Ip => ip = Some(at),
        Landmark::Payload => end = Some(at),
        Landmark::Ethernet | Landmark::Tcp => {}
    });
    let payload_len = match (result, end) {
        (Ok(packet), Some(_)) => packet.payload_len,
        (Err(wire::Skip::Truncated), _) => 0,
        _ => return None,
    };
    let len = captured_len.max(end.map_or(0, |end| payload_len.saturating_add(end as u32)));
    let end = end.map_or(frame.len(), |end| end.saturating_add(payload_max).min(frame.len()));
    if link == LinkType::Ethernet {
        return frame.get(..end).map(|kept| (kept.to_vec(), len));
    }
    let packet = frame.get(ip?..end)?;
    let len = len.saturating_sub(ip? as u32).saturating_add(14);
    let ether_type: [u8; 2] = if packet.first()? >> 4 == 6 { [0x86, 0xdd] } else { [0x08, 0x00] };
    Some(([&[0; 12][..], &ether_type, packet].concat(), len))
}

/// The headers of a kept packet; `None` if its TCP header was not kept.
pub(super) fn headers(bytes: &[u8]) -> Option<Packet<'_>> {
    parse(LinkType::Ethernet, bytes).ok()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A frame of the ladder's tests: Ethernet, IPv4, TCP without options.
    pub(in crate::evidence) fn frame(
        from_client: bool,
        flags: u8,
        [seq, ack]: [u32; 2],
        ttl: u8,
        payload: usize,
    ) -> Vec<u8> {
        let (client, server) = ([10, 1, 2, 3], [192, 168, 0, 9]);
        let (source, destination) = if from_client { (client, server) } else { (server, client) };
        let ports: [u16; 2] = if from_client { [40000, 443] } else { [443, 40000] };
        let total = (40 + payload) as u16;
        let mut bytes = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0];
        bytes.extend(total.to_be_bytes());
        bytes.extend([0x12, 0x34, 0x40, 0, ttl, 6, 0, 0]);
        bytes.extend(source);
        bytes.extend(destination);
        bytes.extend(ports[0].to_be_bytes());
        bytes.extend(ports[1].to_be_bytes());
        bytes.extend(seq.to_be_bytes());
        bytes.extend(ack.to_be_bytes());
        bytes.extend([0x50, flags, 0xfa, 0xf0, 0, 0, 0, 0]);
        bytes.resize(bytes.len() + payload, b'x');
        bytes
    }

    #[test]
    fn payload_is_cut_and_headers_stay() {
        let whole = frame(true, 0x18, [1, 2], 64, 100);
        let kept = ethernet_headers(LinkType::Ethernet, &whole, 154, 0).unwrap();
        assert_eq!(kept, (whole[..54].to_vec(), 154));
        let (kept, len) = ethernet_headers(LinkType::Ethernet, &whole[..80], 80, 7).unwrap();
        assert_eq!((kept.len(), len), (61, 154), "the wire had more than the capture");
        assert_eq!(headers(&kept).unwrap().payload_len, 100, "the length is the wire's");
    }

    #[test]
    fn a_bare_ip_packet_gets_an_ethernet_header() {
        let whole = frame(true, 0x18, [1, 2], 64, 100);
        let (kept, len) = ethernet_headers(LinkType::RawIp, &whole[14..], 140, 0).unwrap();
        assert_eq!((kept.len(), &kept[12..], len), (54, &whole[12..54], 154));
    }

    #[test]
    fn a_cut_frame_stays_and_what_is_no_segment_goes() {
        let whole = frame(true, 0x18, [1, 2], 64, 100);
        let (kept, len) = ethernet_headers(LinkType::Ethernet, &whole[..40], 154, 0).unwrap();
        assert_eq!((kept, len), (whole[..40].to_vec(), 154));
        let mut arp = whole;
        arp[13] = 6;
        assert_eq!(ethernet_headers(LinkType::Ethernet, &arp, 154, 0), None);
    }
}
