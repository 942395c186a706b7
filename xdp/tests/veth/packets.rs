//! Packets to send, byte by byte, and a raw socket for what an AF_XDP sender cannot send.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

pub(crate) const FIN: u8 = 0x01;
pub(crate) const SYN: u8 = 0x02;
pub(crate) const RST: u8 = 0x04;
pub(crate) const ACK: u8 = 0x10;

/// Ethernet addresses: from and to two locally administered ones; the second is nobody's.
const ETHERNET: [u8; 12] = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];

/// A frame of one ether type.
pub(crate) fn ethernet(kind: u16, payload: &[u8]) -> Vec<u8> {
    [&ETHERNET, &kind.to_be_bytes()[..], payload].concat()
}

/// A payload behind one VLAN tag, whose own ether type is `kind`.
pub(crate) fn tagged(vlan: u16, kind: u16, payload: &[u8]) -> Vec<u8> {
    [&vlan.to_be_bytes(), &kind.to_be_bytes()[..], payload].concat()
}

/// An IPv4 packet; `fragment` is the word of flags and offset.
pub(crate) fn ipv4(protocol: u8, fragment: u16, payload: &[u8]) -> Vec<u8> {
    let mut header =
        vec![0x45, 0, 0, 0, 0, 1, 0, 0, 64, protocol, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2];
    header[2..4].copy_from_slice(&((20 + payload.len()) as u16).to_be_bytes());
    header[6..8].copy_from_slice(&fragment.to_be_bytes());
    [header, payload.to_vec()].concat()
}

/// An IPv6 packet whose first header after its own is `next`.
pub(crate) fn ipv6(next: u8, payload: &[u8]) -> Vec<u8> {
    let len = (payload.len() as u16).to_be_bytes();
    let mut header = vec![0x60, 0, 0, 0, len[0], len[1], next, 64];
    header.extend_from_slice(&[0x20; 16]);
    header.extend_from_slice(&[0x21; 16]);
    [header, payload.to_vec()].concat()
}

/// A TCP segment; the payload tells packets apart.
pub(crate) fn tcp(flags: u8, payload: &[u8]) -> Vec<u8> {
    let header = [0x30, 0x39, 0, 80, 0, 0, 0, 1, 0, 0, 0, 2, 0x50, flags, 0xff, 0xff, 0, 0, 0, 0];
    [&header[..], payload].concat()
}

/// A UDP datagram to `port`.
pub(crate) fn udp(port: u16, payload: &[u8]) -> Vec<u8> {
    let len = ((8 + payload.len()) as u16).to_be_bytes();
    [&[0xc0, 0], &port.to_be_bytes()[..], &len, &[0, 0], payload].concat()
}

/// TCP in IPv4 in Ethernet, numbered.
pub(crate) fn segment(number: u32) -> Vec<u8> {
    ethernet(0x0800, &ipv4(6, 0, &tcp(ACK, &number.to_be_bytes())))
}

/// A raw socket on one interface (packet(7)).
pub(crate) struct Raw(OwnedFd);

impl Raw {
    pub(crate) fn open(interface: &str) -> Self {
        let protocol = (libc::ETH_P_ALL as u16).to_be();
        let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
        // SAFETY: takes and returns integers only.
        let fd = unsafe { libc::socket(libc::AF_PACKET, kind, i32::from(protocol)) };
        assert!(fd >= 0, "{}", io::Error::last_os_error());
        // SAFETY: just opened, nobody else knows it.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        let address = libc::sockaddr_ll {
            sll_family: libc::AF_PACKET as u16,
            sll_protocol: protocol,
            sll_ifindex: xdp::Interface::query(interface).unwrap().index() as i32,
            sll_hatype: 0,
            sll_pkttype: 0,
            sll_halen: 0,
            sll_addr: [0; 8],
        };
        let pointer = (&raw const address).cast();
        let len = size_of::<libc::sockaddr_ll>() as u32;
        // SAFETY: `pointer` is readable for `len` bytes.
        let result = unsafe { libc::bind(fd.as_raw_fd(), pointer, len) };
        assert_eq!(result, 0, "{}", io::Error::last_os_error());
        Self(fd)
    }

    pub(crate) fn send(&self, frame: &[u8]) {
        let pointer = frame.as_ptr().cast();
        // SAFETY: `pointer` is readable for the length of the frame.
        let sent = unsafe { libc::send(self.0.as_raw_fd(), pointer, frame.len(), 0) };
        assert_eq!(sent, frame.len() as isize, "{}", io::Error::last_os_error());
    }

    /// The next frame seen on the interface; waits for it.
    pub(crate) fn receive(&self) -> Vec<u8> {
        let mut buffer = vec![0_u8; 65536];
        let pointer = buffer.as_mut_ptr().cast();
        // SAFETY: `pointer` is writable for the length of the buffer.
        let len = unsafe { libc::recv(self.0.as_raw_fd(), pointer, buffer.len(), 0) };
        assert!(len >= 0, "{}", io::Error::last_os_error());
        buffer.truncate(len as usize);
        buffer
    }
}
