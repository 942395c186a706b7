//! Changes of single frames that keep them valid: hop limit, MAC addresses, two segments made one.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::SocketAddr;

use crate::frame::{Seen, checksum};

const ETHERNET_LEN: usize = 14;
const VLAN_LEN: usize = 4;
const ETHERTYPE_VLAN: [u8; 2] = [0x81, 0x00];

/// Where the IP header begins and whether it is IPv4; `None` for anything but Ethernet with IP.
fn ip_header(bytes: &[u8]) -> Option<(usize, bool)> {
    let tagged = bytes.get(12..14)? == ETHERTYPE_VLAN;
    let start = ETHERNET_LEN + if tagged { VLAN_LEN } else { 0 };
    match bytes.get(start)? >> 4 {
        4 if bytes.len() >= start + 20 => Some((start, true)),
        6 if bytes.len() >= start + 40 => Some((start, false)),
        _ => None,
    }
}

/// Lowers the hop limit by `hops`, as that many more routers would, and keeps the header's checksum right.
pub(super) fn lower_hop_limit(bytes: &mut [u8], hops: u8) {
    let Some((start, v4)) = ip_header(bytes) else { return };
    let at = start + if v4 { 8 } else { 7 };
    bytes[at] = bytes[at].saturating_sub(hops).max(1);
    if v4 {
        seal_ipv4_header(bytes, start);
    }
}

/// Computes the checksum of the IPv4 header at `start` anew.
fn seal_ipv4_header(bytes: &mut [u8], start: usize) {
    let len = usize::from(bytes[start] & 0x0f) * 4;
    let Some(header) = bytes.get_mut(start..start + len).filter(|header| header.len() >= 20) else {
        return;
    };
    header[10..12].fill(0);
    let sum = checksum(&[header]);
    header[10..12].copy_from_slice(&sum.to_be_bytes());
}

/// Gives both MAC addresses another vendor, as on the other side of a router.
pub(super) fn change_link(bytes: &mut [u8]) {
    if bytes.len() >= ETHERNET_LEN {
        bytes[0] ^= 0x40;
        bytes[6] ^= 0x40;
    }
}

/// A number that all packets from one host to another share.
pub(super) fn direction_number(bytes: &[u8], seed: u64) -> u64 {
    let mut hasher = DefaultHasher::new();
    seed.hash(&mut hasher);
    if let Some(seen) = Seen::parse(bytes) {
        (seen.source.ip(), seen.destination.ip()).hash(&mut hasher);
    }
    hasher.finish()
}

/// A number that all packets of one flow share.
pub(super) fn flow_number(flow: (SocketAddr, SocketAddr), seed: u64) -> u64 {
    let mut hasher = DefaultHasher::new();
    (seed, flow).hash(&mut hasher);
    hasher.finish()
}

/// Longest packet that receive offload builds.
const MERGED_LEN_MAX: usize = 60_000;

/// Appends the payload of `next` to `frame` as receive offload (GRO) does; false if the two do not belong together.
pub(super) fn merge(frame: &mut Vec<u8>, next: &[u8]) -> bool {
    const PUSH: u8 = 0x08;
    const ACK: u8 = 0x10;
    let (Some(one), Some(other)) = (Seen::parse(frame), Seen::parse(next)) else { return false };
    let fits = (one.source, one.destination) == (other.source, other.destination)
        && one.flags == ACK
        && other.flags & !PUSH == ACK
        && one.seq_end() == other.seq
        && one.ack == other.ack
        && one.hop_limit == other.hop_limit
        && !one.payload.is_empty()
        && !other.payload.is_empty()
        && frame.len() + other.payload.len() < MERGED_LEN_MAX;
    let Some((start, v4)) = ip_header(frame).filter(|_| fits) else { return false };
    let tcp = start + ip_header_len(frame, start, v4);
    // Without the padding of short frames: it would end up in the middle of the data.
    let end = tcp + usize::from(frame[tcp + 12] >> 4) * 4 + one.payload.len();
    frame.truncate(end);
    frame.extend_from_slice(other.payload);
    frame[tcp + 13] |= other.flags;
    seal(frame, start, v4);
    true
}

fn ip_header_len(frame: &[u8], start: usize, v4: bool) -> usize {
    if v4 { usize::from(frame[start] & 0x0f) * 4 } else { 40 }
}

/// Makes lengths and checksums of a TCP segment right.
fn seal(frame: &mut [u8], start: usize, v4: bool) {
    let tcp = start + ip_header_len(frame, start, v4);
    let segment_len = frame.len() - tcp;
    let ip_len = u16::try_from(if v4 { frame.len() - start } else { segment_len })
        .expect("a packet is shorter than 64 KiB");
    let len_at = start + if v4 { 2 } else { 4 };
    frame[len_at..len_at + 2].copy_from_slice(&ip_len.to_be_bytes());
    if v4 {
        seal_ipv4_header(frame, start);
    }
    frame[tcp + 16..tcp + 18].fill(0);
    let addresses = if v4 { start + 12..start + 20 } else { start + 8..start + 40 };
    let length = u16::try_from(segment_len).expect("shorter than the packet").to_be_bytes();
    let sum = checksum(&[&frame[addresses], &[0, 6], &length, &frame[tcp..]]);
    frame[tcp + 16..tcp + 18].copy_from_slice(&sum.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Forged;

    fn segment(v6: bool, seq: u32, data: &[u8]) -> Vec<u8> {
        let ends = if v6 {
            ["[2001:db8::1]:40000", "[2001:db8::2]:80"]
        } else {
            ["192.0.2.1:40000", "192.0.2.2:80"]
        };
        let [source, destination] = ends.map(|end| end.parse().unwrap());
        Forged {
            source_mac: [2; 6],
            destination_mac: [4; 6],
            source,
            destination,
            hop_limit: 60,
            traffic_class: 0,
            identification: 1,
            dont_fragment: true,
            flags: 0x10,
            seq,
            ack: 77,
            window: 1,
            options: &[],
            payload: data,
        }
        .frame()
    }

    #[test]
    fn neighbours_become_one_segment_with_right_checksums() {
        for v6 in [false, true] {
            let mut frame = segment(v6, 100, b"abc");
            assert!(merge(&mut frame, &segment(v6, 103, b"defgh")));
            assert!(!merge(&mut frame, &segment(v6, 109, b"a gap")));
            let seen = Seen::parse(&frame).unwrap();
            assert_eq!((seen.seq, seen.payload), (100, b"abcdefgh".as_slice()));
            let (start, v4) = ip_header(&frame).unwrap();
            let tcp = start + ip_header_len(&frame, start, v4);
            let addresses = if v4 { start + 12..start + 20 } else { start + 8..start + 40 };
            let length = ((frame.len() - tcp) as u16).to_be_bytes();
            assert_eq!(checksum(&[&frame[addresses], &[0, 6], &length, &frame[tcp..]]), 0);
        }
    }
}
