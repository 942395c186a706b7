//! Who has which address. All are from the ranges for documentation (RFC 5737, RFC 3849) and for benchmarks
//! (RFC 2544).
//!
//! The scenarios of the demo share one server and have one client each. All others have a block of addresses of
//! their own on both sides, so that the bursts and scans of one are no context for another.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Addresses the client's kernel owns, one for each run of a scenario, in turn.
pub(crate) const CLIENTS: u8 = 60;

/// Addresses each run has for itself on each side, and as many that no kernel owns.
pub(crate) const ADDRESSES_PER_RUN: u16 = 32;

/// Runs after which blocks of addresses are used again.
const BLOCKS: u64 = 1024;

const _: () = assert!(BLOCKS * ADDRESSES_PER_RUN as u64 == 1 << 15, "a block half fills a /16");

const FIRST_CLIENT: u8 = 10;
const SERVER: u8 = 20;
const _: () = assert!(FIRST_CLIENT < 255 - CLIENTS);

/// The networks of both families on one segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Network {
    /// The client's network: 192.0.2.0/24 and 2001:db8:c::/64.
    Clients,
    /// The server's network: 198.51.100.0/24 and 2001:db8:5::/64.
    Servers,
    /// A link between routers: 203.0.113.0/29 and following, 2001:db8:f:<n>::/64.
    Transit(u8),
}

impl Network {
    /// Address of host number `host` in IPv4.
    pub(crate) fn v4(self, host: u8) -> Ipv4Addr {
        match self {
            Self::Clients => Ipv4Addr::new(192, 0, 2, host),
            Self::Servers => Ipv4Addr::new(198, 51, 100, host),
            Self::Transit(number) => Ipv4Addr::new(203, 0, 113, 8 * number + host),
        }
    }

    /// Address of host number `host` in IPv6. The number is written as the same digits as in IPv4.
    pub(crate) fn v6(self, host: u8) -> Ipv6Addr {
        let digits =
            u16::from(host / 100) << 8 | u16::from(host / 10 % 10) << 4 | u16::from(host % 10);
        match self {
            Self::Clients => Ipv6Addr::new(0x2001, 0xdb8, 0xc, 0, 0, 0, 0, digits),
            Self::Servers => Ipv6Addr::new(0x2001, 0xdb8, 5, 0, 0, 0, 0, digits),
            Self::Transit(number) => {
                Ipv6Addr::new(0x2001, 0xdb8, 0xf, number.into(), 0, 0, 0, digits)
            }
        }
    }

    /// Prefix length in IPv4; it is 64 in IPv6.
    pub(crate) fn v4_prefix_len(self) -> u8 {
        match self {
            Self::Clients | Self::Servers => 24,
            Self::Transit(_) => 29,
        }
    }
}

/// The blocks of all runs on one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pool {
    /// 198.18.0.0/16 and 2001:db8:18::/112; the lower half belongs to the client's kernel.
    Clients,
    /// 198.19.0.0/16 and 2001:db8:19::/112; the lower half belongs to the kernel of the server.
    Servers,
}

impl Pool {
    /// All addresses of the pool in one family, as a prefix for routes.
    pub(crate) fn prefix(self, v6: bool) -> String {
        format!("{}/{}", self.at(0, v6), if v6 { 112 } else { 16 })
    }

    /// The addresses the kernel owns, as a prefix.
    pub(crate) fn owned_prefix(self, v6: bool) -> String {
        format!("{}/{}", self.at(0, v6), if v6 { 113 } else { 17 })
    }

    /// Address `index` of a run that the kernel of this side owns.
    pub(crate) fn owned(self, run: u64, index: u16, v6: bool) -> IpAddr {
        self.at(Self::offset(run, index), v6)
    }

    /// Address `index` of a run that no kernel owns: packets to it reach the wire of this side and are dropped by
    /// the host there. Raw sockets speak from it without being disturbed by a kernel's own resets.
    pub(crate) fn ghost(self, run: u64, index: u16, v6: bool) -> IpAddr {
        self.at(1 << 15 | Self::offset(run, index), v6)
    }

    /// The last address the kernel owns; no run has it before all blocks are used.
    pub(crate) fn last_owned(self, v6: bool) -> IpAddr {
        self.owned(BLOCKS - 1, ADDRESSES_PER_RUN - 3, v6)
    }

    /// Neither the first nor the last address of a block is used: 0 and 255 look like networks.
    fn offset(run: u64, index: u16) -> u16 {
        assert!(index + 2 < ADDRESSES_PER_RUN, "a run has {ADDRESSES_PER_RUN} addresses a side");
        let block = u16::try_from(run % BLOCKS).expect("there are few blocks");
        block * ADDRESSES_PER_RUN + 1 + index
    }

    fn at(self, offset: u16, v6: bool) -> IpAddr {
        let [high, low] = offset.to_be_bytes();
        match (self, v6) {
            (Self::Clients, false) => Ipv4Addr::new(198, 18, high, low).into(),
            (Self::Servers, false) => Ipv4Addr::new(198, 19, high, low).into(),
            (Self::Clients, true) => Ipv6Addr::new(0x2001, 0xdb8, 0x18, 0, 0, 0, 0, offset).into(),
            (Self::Servers, true) => Ipv6Addr::new(0x2001, 0xdb8, 0x19, 0, 0, 0, 0, offset).into(),
        }
    }
}

/// Address of client number `number`, counted from 0 and taken in turn.
pub(crate) fn client(number: u64, v6: bool) -> IpAddr {
    one_of(Network::Clients, client_host(number % u64::from(CLIENTS)), v6)
}

/// Address of the server.
pub(crate) fn server(v6: bool) -> IpAddr {
    one_of(Network::Servers, SERVER, v6)
}

/// Host numbers on the client's side of its network that the client's kernel owns.
pub(crate) fn client_hosts() -> impl Iterator<Item = u8> {
    (0..u64::from(CLIENTS)).map(client_host)
}

/// Host number of the server in its network.
pub(crate) fn server_host() -> u8 {
    SERVER
}

fn client_host(number: u64) -> u8 {
    FIRST_CLIENT + u8::try_from(number).expect("there are fewer than 256 clients")
}

fn one_of(network: Network, host: u8, v6: bool) -> IpAddr {
    if v6 { network.v6(host).into() } else { network.v4(host).into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_families_show_the_same_digits() {
        assert_eq!(client(2, false).to_string(), "192.0.2.12");
        assert_eq!(client(2, true).to_string(), "2001:db8:c::12");
        assert_eq!(server(false).to_string(), "198.51.100.20");
        assert_eq!(client(u64::from(CLIENTS), false), client(0, false));
    }

    #[test]
    fn the_blocks_of_two_runs_do_not_meet() {
        assert_eq!(Pool::Clients.owned(0, 0, false).to_string(), "198.18.0.1");
        assert_eq!(Pool::Clients.owned(1, 0, false).to_string(), "198.18.0.33");
        assert_eq!(Pool::Servers.ghost(8, 2, true).to_string(), "2001:db8:19::8103");
        assert_eq!(Pool::Servers.owned_prefix(false), "198.19.0.0/17");
        assert_eq!(Pool::Servers.prefix(true), "2001:db8:19::/112");
    }
}
