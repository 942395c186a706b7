//! Hand-made frames for tests: each function wraps a payload in one header.
#![allow(dead_code, reason = "each test binary uses some of these")]

/// Destination and source address.
pub(crate) const MACS: [u8; 12] = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];

/// An Ethernet II frame.
pub(crate) fn ethernet(ether_type: u16, payload: &[u8]) -> Vec<u8> {
    [&MACS[..], &ether_type.to_be_bytes(), payload].concat()
}

/// An IPv4 packet from 192.0.2.1 to 192.0.2.2, header checksum right.
pub(crate) fn ipv4(protocol: u8, payload: &[u8]) -> Vec<u8> {
    ipv4_with(protocol, 0x4000, &[], payload)
}

/// An IPv4 packet with flags, fragment offset and options (a multiple of four bytes).
pub(crate) fn ipv4_with(protocol: u8, fragment: u16, options: &[u8], payload: &[u8]) -> Vec<u8> {
    let header_len = 20 + options.len();
    let total = ((header_len + payload.len()) as u16).to_be_bytes();
    let fragment = fragment.to_be_bytes();
    let mut header = vec![0x40 | (header_len / 4) as u8, 0xb8, total[0], total[1], 0x12, 0x34];
    header.extend([fragment[0], fragment[1], 57, protocol, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2]);
    header.extend(options);
    let sum = !folded(&header);
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    [&header[..], payload].concat()
}

/// An IPv6 packet from 2001:db8::1 to 2001:db8::2, flow label 0xabcde.
pub(crate) fn ipv6(next: u8, payload: &[u8]) -> Vec<u8> {
    let len = (payload.len() as u16).to_be_bytes();
    let mut header = vec![0x6b, 0x8a, 0xbc, 0xde, len[0], len[1], next, 57];
    for last in [1, 2] {
        header.extend([0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]);
    }
    [&header[..], payload].concat()
}

/// A TCP reset with ACK from port 80 to 12345; options a multiple of four bytes; checksum 0.
pub(crate) fn tcp(options: &[u8], payload: &[u8]) -> Vec<u8> {
    let offset = ((20 + options.len()) / 4) as u8;
    let header = [0, 80, 0x30, 0x39, 0, 0, 0, 1, 0, 0, 0, 2, offset << 4, 0x14, 2, 0, 0, 0, 0, 3];
    [&header[..], options, payload].concat()
}

/// A UDP datagram without checksum.
pub(crate) fn udp(source_port: u16, destination_port: u16, payload: &[u8]) -> Vec<u8> {
    let len = (8 + payload.len()) as u16;
    let header = [source_port, destination_port, len, 0].map(u16::to_be_bytes).concat();
    [&header[..], payload].concat()
}

/// The one's complement sum of an even number of bytes (RFC 1071).
pub(crate) fn folded(bytes: &[u8]) -> u16 {
    let mut sum: u32 = 0;
    for pair in bytes.chunks(2) {
        let low = pair.get(1).copied().unwrap_or(0);
        sum += u32::from(u16::from_be_bytes([pair[0], low]));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}
