//! What the kernel says of a network interface.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::ethtool::{self, Offloads, Ring, Spreading};
use crate::holder::Holder;
use crate::netlink::{self, Link};

/// A network interface as it was when asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Interface {
    name: String,
    driver: String,
    receive_queues: u32,
    /// The driver told of them.
    has_channels: bool,
    link: Link,
}

impl Interface {
    /// Asks the kernel. Fails with [`Error::NoInterface`] where there is none of that name.
    pub fn query(name: &str) -> Result<Self, Error> {
        let link = netlink::link(name).map_err(|source| match source.raw_os_error() {
            Some(libc::ENODEV | libc::ERANGE | libc::EINVAL) => {
                Error::NoInterface { name: name.to_owned() }
            }
            _ => Error::Query { name: name.to_owned(), source },
        })?;
        // Both are courtesies of the driver: some have no channels to tell of.
        let driver = ethtool::driver(name).unwrap_or_else(|_| "unknown".to_owned());
        let told = ethtool::receive_queues(name).ok().filter(|&queues| queues > 0);
        let (receive_queues, has_channels) =
            (told.unwrap_or_else(|| link.receive_queues.max(1)), told.is_some());
        Ok(Self { name: name.to_owned(), driver, receive_queues, has_channels, link })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its number in this network namespace.
    #[must_use]
    pub fn index(&self) -> u32 {
        self.link.index
    }

    /// Its driver, or `unknown`.
    #[must_use]
    pub fn driver(&self) -> &str {
        &self.driver
    }

    /// How many receive queues are in use.
    #[must_use]
    pub fn receive_queues(&self) -> u32 {
        self.receive_queues
    }

    /// Whether the driver told of [`Interface::receive_queues`]; else they are those that were made, used
    /// or not.
    #[must_use]
    pub fn has_channels(&self) -> bool {
        self.has_channels
    }

    /// How many transmit queues are in use.
    #[must_use]
    pub fn transmit_queues(&self) -> u32 {
        match ethtool::transmit_queues(&self.name) {
            Ok(queues) if queues > 0 => queues,
            _ => self.link.transmit_queues.max(1),
        }
    }

    /// The other end of a veth pair, where it is in this network namespace.
    #[must_use]
    pub fn peer(&self) -> Option<Self> {
        let link = netlink::link_by_index(self.link.peer?).ok()?;
        // Other kinds of interfaces name what they lie on.
        let is_mutual = link.peer == Some(self.link.index);
        if is_mutual { Self::query(&link.name).ok() } else { None }
    }

    /// Bytes of the largest packet without its Ethernet header.
    #[must_use]
    pub fn mtu(&self) -> u32 {
        self.link.mtu
    }

    /// Whether it was set up.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.link.flags & libc::IFF_UP as u32 != 0
    }

    /// Whether there is a link partner.
    #[must_use]
    pub fn has_carrier(&self) -> bool {
        self.link.carrier
    }

    /// Whether it receives packets addressed to others, whoever wanted that.
    #[must_use]
    pub fn is_promiscuous(&self) -> bool {
        // Not IFF_PROMISC: that is only set where an administrator did it.
        self.link.promiscuity > 0
    }

    /// The number of the XDP program on it.
    #[must_use]
    pub fn program_id(&self) -> Option<u32> {
        self.link.program.map(|(id, _)| id)
    }

    /// The number of the XDP program and how it is attached.
    pub(crate) fn program(&self) -> Option<(u32, &'static str)> {
        self.link.program
    }

    /// Whether the host itself has an address (or a route) on it, link-local IPv6 aside.
    #[must_use]
    pub fn has_address(&self) -> bool {
        // Of the thread, not of the process: threads may be in different network namespaces.
        let read = |table| fs::read_to_string(format!("/proc/thread-self/net/{table}"));
        is_routed(&read("route").unwrap_or_default(), &self.name)
            || is_addressed(&read("if_inet6").unwrap_or_default(), &self.name)
    }

    /// What is done to packets before we see them.
    #[must_use]
    pub fn offloads(&self) -> Offloads {
        ethtool::offloads(&self.name)
    }

    /// What the card can be told about the spreading of packets over its queues.
    #[must_use]
    pub fn spreading(&self) -> Spreading {
        ethtool::spreading(&self.name)
    }

    /// The receive ring of each queue; nothing where the driver does not tell.
    #[must_use]
    pub fn ring(&self) -> Option<Ring> {
        ethtool::ring(&self.name)
    }

    /// The number of the card's own clock (`/dev/ptpN`), where it has one.
    #[must_use]
    pub fn hardware_clock(&self) -> Option<u32> {
        ethtool::hardware_clock(&self.name)
    }

    /// Whether packets that this host sends over the interface have no checksum yet.
    #[must_use]
    pub fn leaves_checksums(&self) -> bool {
        ethtool::leaves_checksums(&self.name)
    }

    /// Whose XDP program is on it.
    #[must_use]
    pub fn holder(&self) -> Option<Holder> {
        Holder::of(&self.name)
    }

    /// What the driver counted.
    #[must_use]
    pub fn statistics(&self) -> InterfaceStatistics {
        let word = |index: usize| self.link.statistics.get(index).copied().unwrap_or(0);
        InterfaceStatistics {
            packets: word(0),
            bytes: word(2),
            errors: word(4),
            dropped: word(6),
            fifo_errors: word(14),
            missed: word(15),
        }
    }

    /// Whether the driver in zero copy uses of a frame only whole KiB beside the headroom: of 2048
    /// bytes half.
    ///
    /// igb cuts longer packets in two and does not say so: the second half passes for a packet of its
    /// own, whatever its sender wrote there (seen on Linux 6.18 and 7.3). igc and ixgbe set their cards
    /// the same way (igc_configure_rx_ring, ixgbe_configure_srrctl); ixgbe drops such packets.
    pub(crate) fn uses_whole_kib(&self) -> bool {
        matches!(self.driver.as_str(), "igb" | "igc" | "ixgbe")
    }

    /// Bytes of a frame, and whether packets may need several.
    #[must_use]
    pub fn frame_plan(&self, wanted: Option<u32>) -> (u32, bool) {
        let longest = self.link.mtu + LINK_HEADER_LEN_MAX;
        let large = self.uses_whole_kib() || longest > 2048 - HEADROOM;
        let frame_size = wanted.unwrap_or(if large { 4096 } else { 2048 });
        (frame_size, longest > frame_size - HEADROOM)
    }
}

/// Whether `/proc/net/route` has an IPv4 route over the interface: its first column.
fn is_routed(routes: &str, name: &str) -> bool {
    routes.lines().any(|line| line.split_ascii_whitespace().next() == Some(name))
}

/// Whether `/proc/net/if_inet6` has an address on the interface of wider scope than the link:
/// address, index, prefix length, scope, flags, name.
fn is_addressed(addresses: &str, name: &str) -> bool {
    const SCOPE_LINK: &str = "20";
    addresses.lines().any(|line| {
        let mut columns = line.split_ascii_whitespace().skip(3);
        columns.next().is_some_and(|scope| scope != SCOPE_LINK) && columns.nth(1) == Some(name)
    })
}

/// Waits until the interface has a carrier again, but not once `stop` is set.
pub(crate) fn wait_for_carrier(
    name: &str,
    patience: Duration,
    stop: &AtomicBool,
) -> Result<(), Error> {
    let start = Instant::now();
    while !Interface::query(name)?.has_carrier() {
        let waited = start.elapsed();
        if waited >= patience || stop.load(Ordering::Relaxed) {
            return Err(Error::NoCarrier { name: name.to_owned(), waited_s: waited.as_secs() });
        }
        sleep(CARRIER_RETRY);
    }
    Ok(())
}

/// Counts of a whole interface since it was made (`struct rtnl_link_stats64`): what was lost before
/// any program or socket could see it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct InterfaceStatistics {
    /// Packets received.
    pub packets: u64,
    /// Bytes received.
    pub bytes: u64,
    /// Bad packets.
    pub errors: u64,
    /// Dropped by driver or kernel for want of room. Some drivers (veth) count packets here that
    /// were redirected to a socket and lost there.
    pub dropped: u64,
    /// Lost in the card's buffer.
    pub fifo_errors: u64,
    /// Missed because the host gave the card no room in time.
    pub missed: u64,
}

/// Ethernet, two VLAN tags.
const LINK_HEADER_LEN_MAX: u32 = 14 + 2 * 4;
/// `XDP_PACKET_HEADROOM`: unused bytes at the start of each frame.
const HEADROOM: u32 = 256;
const CARRIER_RETRY: Duration = Duration::from_millis(20);

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An interface that nobody has.
    pub(crate) fn interface(driver: &str, mtu: u32) -> Interface {
        let link = Link { mtu, ..Link::default() };
        let (name, driver) = ("test".to_owned(), driver.to_owned());
        Interface { name, driver, receive_queues: 1, has_channels: true, link }
    }

    #[test]
    fn routes_and_wide_addresses_are_the_hosts_and_link_local_ones_are_not() {
        let routes = "Iface\tDestination\neth0\t00000000\t010011AC\n";
        assert!(is_routed(routes, "eth0") && !is_routed(routes, "eth1"));
        let addresses = "fe80000000000000000000fffe000001 02 40 20 80     eth1\n\
                         20010db8000000000000000000000001 03 40 00 80     eth2\n";
        assert!(!is_addressed(addresses, "eth1") && is_addressed(addresses, "eth2"));
    }

    #[test]
    fn ordinary_packets_fit_a_small_frame() {
        assert_eq!(interface("ice", 1500).frame_plan(None), (2048, false));
    }

    #[test]
    fn cards_that_count_in_kib_need_large_frames() {
        for driver in ["igb", "igc", "ixgbe"] {
            assert_eq!(interface(driver, 1500).frame_plan(None), (4096, false));
        }
    }

    #[test]
    fn long_packets_need_large_frames_and_jumbo_packets_several() {
        assert_eq!(interface("ice", 3000).frame_plan(None), (4096, false));
        assert_eq!(interface("ice", 9000).frame_plan(None), (4096, true));
        assert_eq!(interface("ice", 9000).frame_plan(Some(2048)), (2048, true));
    }
}
