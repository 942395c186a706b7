//! Datagrams that the kernel dropped before anybody read them.
//!
//! `SO_RXQ_OVFL` tells of them only beside the next datagram, so the last loss of a burst would stay unknown; the
//! last column of `/proc/net/udp` and `udp6` is the same counter of the socket (kernel: `udp4_format_sock`,
//! `sk_drops`) and is there at any time.

use std::fs::File;
use std::net::UdpSocket;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;

/// The counter of one socket.
#[derive(Debug)]
pub(super) struct Drops {
    /// By which the kernel's list knows the socket; nothing if that cannot be told.
    inode: Option<u64>,
    list: &'static str,
    /// What it counted when it was last asked; begins anew after 2^32.
    last: u32,
}

impl Drops {
    /// Of a socket that was just bound.
    pub(super) fn of(socket: &UdpSocket) -> Self {
        let is_ipv6 = socket.local_addr().is_ok_and(|address| address.is_ipv6());
        let list = if is_ipv6 { "/proc/thread-self/net/udp6" } else { "/proc/thread-self/net/udp" };
        let inode = socket
            .try_clone()
            .and_then(|twin| File::from(OwnedFd::from(twin)).metadata())
            .map(|file| file.ino());
        Self { inode: inode.ok(), list, last: 0 }
    }

    /// How many it dropped since the last question; nothing if the kernel does not tell.
    pub(super) fn more(&mut self) -> Option<u64> {
        let list = std::fs::read_to_string(self.list).ok()?;
        let now = dropped(&list, self.inode?)?;
        let more = now.wrapping_sub(self.last);
        self.last = now;
        Some(u64::from(more))
    }
}

/// What a list tells of the socket with this inode.
fn dropped(list: &str, inode: u64) -> Option<u32> {
    let inode = inode.to_string();
    list.lines().skip(1).find_map(|line| {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let is_it = words.get(INODE) == Some(&inode.as_str());
        words.get(DROPS).filter(|_| is_it)?.parse().ok()
    })
}

/// Columns: `sl local remote st queues tr:when retransmits uid timeout inode ref pointer drops`.
const INODE: usize = 9;
const DROPS: usize = 12;

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::{Drops, dropped};

    const LIST: &str = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n\
        \x20 462: 0100007F:0202 00000000:0000 07 00000000:00000000 00:00000000 00000000   102        0 14105 2 000000004ae65c7a 17\n\
        \x20 502: 00000000:1F90 00000000:0000 07 00000000:00034E00 00:00000000 00000000     0        0 1410 2 0000000000000000 4294967295\n";

    #[test]
    fn a_socket_is_found_by_its_inode() {
        assert_eq!(dropped(LIST, 14105), Some(17));
        assert_eq!(dropped(LIST, 1410), Some(u32::MAX));
        for (list, inode) in [(LIST, 141), (LIST, 17), ("", 1), ("x\n1 2 3\n", 3)] {
            assert_eq!(dropped(list, inode), None, "{inode}");
        }
    }

    #[test]
    fn a_counter_that_begins_anew_goes_on() {
        let mut drops = Drops { inode: Some(1), list: "", last: u32::MAX - 1 };
        assert_eq!(drops.more(), None, "there is no list");
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(socket) = UdpSocket::bind(address) else { continue };
            drops = Drops { last: u32::MAX - 1, ..Drops::of(&socket) };
            assert_eq!(drops.more(), Some(2), "{address}");
            assert_eq!(drops.more(), Some(0), "{address}");
        }
    }
}
