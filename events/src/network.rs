//! Networks of addresses: `10.0.0.0/24`, `2001:db8::/32` and single addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// All addresses that share their first bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Network {
    /// One of them.
    pub ip: IpAddr,
    /// How many bits they share; nothing for a single address.
    pub prefix: Option<u8>,
}

impl Network {
    /// Reads one; nothing if the text is none.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let (ip, prefix) = match text.split_once('/') {
            Some((ip, prefix)) => (ip, Some(prefix.parse::<u8>().ok()?)),
            None => (text, None),
        };
        let network = Self { ip: ip.parse().ok()?, prefix };
        (network.bits() <= bits_of(network.ip)).then_some(network)
    }

    /// How many bits its addresses share.
    #[must_use]
    pub fn bits(self) -> u8 {
        self.prefix.unwrap_or_else(|| bits_of(self.ip))
    }

    /// Its lowest and its highest address.
    #[must_use]
    pub fn ends(self) -> (IpAddr, IpAddr) {
        let bits = u32::from(self.bits());
        match self.ip {
            IpAddr::V4(ip) => {
                let rest = u32::MAX.checked_shr(bits).unwrap_or(0);
                let ip = ip.to_bits();
                (Ipv4Addr::from(ip & !rest).into(), Ipv4Addr::from(ip | rest).into())
            }
            IpAddr::V6(ip) => {
                let rest = u128::MAX.checked_shr(bits).unwrap_or(0);
                let ip = ip.to_bits();
                (Ipv6Addr::from(ip & !rest).into(), Ipv6Addr::from(ip | rest).into())
            }
        }
    }

    /// Whether an address is one of them; families are kept apart.
    #[must_use]
    pub fn holds(self, other: IpAddr) -> bool {
        let same = match (self.ip, other) {
            (IpAddr::V4(one), IpAddr::V4(other)) => {
                (one.to_bits() ^ other.to_bits()).leading_zeros()
            }
            (IpAddr::V6(one), IpAddr::V6(other)) => {
                (one.to_bits() ^ other.to_bits()).leading_zeros()
            }
            _ => return false,
        };
        same >= self.bits().into()
    }
}

/// How many bits an address of this family has.
const fn bits_of(ip: IpAddr) -> u8 {
    if ip.is_ipv4() { 32 } else { 128 }
}

#[cfg(test)]
mod tests {
    use super::Network;

    #[test]
    fn networks_hold_what_shares_their_bits_and_nothing_else() {
        let holds =
            |network: &str, ip: &str| Network::read(network).unwrap().holds(ip.parse().unwrap());
        assert!(holds("10.1.2.0/24", "10.1.2.255") && !holds("10.1.2.0/24", "10.1.3.0"));
        assert!(holds("0.0.0.0/0", "255.1.2.3") && !holds("0.0.0.0/0", "::1"));
        assert!(holds("2001:db8::/32", "2001:db8:ffff::1") && holds("::/0", "2001::1"));
        assert!(holds("192.0.2.1", "192.0.2.1") && !holds("192.0.2.1", "192.0.2.2"));
        assert!(!holds("::ffff:10.0.0.0/104", "10.0.0.1"));
        for wrong in ["10.0.0.0/33", "x", "", "/8", "10.0.0.0/", "::/129", "10.0.0.0/-1"] {
            assert_eq!(Network::read(wrong), None, "{wrong}");
        }
    }
}
