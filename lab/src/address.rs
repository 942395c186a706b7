//! Who has which address. All are from the ranges for documentation (RFC 5737, RFC 3849).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Addresses the client's kernel owns, one for each run of a scenario, in turn.
pub(crate) const CLIENTS: u8 = 60;

/// Addresses that belong to no kernel: frames to them reach the client's wire and are dropped there.
/// Raw sockets speak from them without being disturbed by the kernel's own resets.
pub(crate) const GHOSTS: u8 = 20;

const FIRST_CLIENT: u8 = 10;
const FIRST_GHOST: u8 = 200;
const SERVER: u8 = 20;
const _: () = assert!(FIRST_CLIENT + CLIENTS < FIRST_GHOST && FIRST_GHOST < 255 - GHOSTS);

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

/// Address of client number `number`, counted from 0 and taken in turn.
pub(crate) fn client(number: u64, v6: bool) -> IpAddr {
    one_of(Network::Clients, client_host(number % u64::from(CLIENTS)), v6)
}

/// Address of ghost number `number`, counted from 0 and taken in turn.
pub(crate) fn ghost(number: u64, v6: bool) -> IpAddr {
    one_of(Network::Clients, ghost_host(number % u64::from(GHOSTS)), v6)
}

/// Address of the server.
pub(crate) fn server(v6: bool) -> IpAddr {
    one_of(Network::Servers, SERVER, v6)
}

/// Host numbers on the client's side of its network that the client's kernel owns.
pub(crate) fn client_hosts() -> impl Iterator<Item = u8> {
    (0..u64::from(CLIENTS)).map(client_host)
}

/// Host numbers on the client's side that no kernel owns.
pub(crate) fn ghost_hosts() -> impl Iterator<Item = u8> {
    (0..u64::from(GHOSTS)).map(ghost_host)
}

/// Host number of the server in its network.
pub(crate) fn server_host() -> u8 {
    SERVER
}

fn client_host(number: u64) -> u8 {
    FIRST_CLIENT + u8::try_from(number).expect("there are fewer than 256 clients")
}

fn ghost_host(number: u64) -> u8 {
    FIRST_GHOST + u8::try_from(number).expect("there are fewer than 256 ghosts")
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
        assert_eq!(ghost(0, true).to_string(), "2001:db8:c::200");
        assert_eq!(server(false).to_string(), "198.51.100.20");
        assert_eq!(client(u64::from(CLIENTS), false), client(0, false));
    }
}
