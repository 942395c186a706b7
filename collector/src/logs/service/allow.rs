//! Who may send.

use std::net::IpAddr;

use super::error::LogError;

/// Addresses and networks; none means everybody.
#[derive(Clone, Debug, Default)]
pub(super) struct Allow {
    networks: Vec<(IpAddr, u32)>,
}

impl Allow {
    /// Reads `10.0.0.0/24`, `2001:db8::/32` and single addresses.
    pub(super) fn new(texts: &[String]) -> Result<Self, LogError> {
        let network = |text: &String| {
            let (ip, bits) =
                text.split_once('/').map_or((text.as_str(), None), |(ip, bits)| (ip, Some(bits)));
            let ip: IpAddr = ip.parse().ok()?;
            let most = if ip.is_ipv4() { 32 } else { 128 };
            let bits: u32 = bits.map_or(Ok(most), str::parse).ok()?;
            (bits <= most).then_some((ip, bits))
        };
        let networks = texts
            .iter()
            .map(|text| network(text).ok_or_else(|| LogError::Allow { text: text.clone() }))
            .collect::<Result<_, _>>()?;
        Ok(Self { networks })
    }

    pub(super) fn holds(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.networks.is_empty()
            || self.networks.iter().any(|(ip, bits)| is_inside(peer, *ip, *bits))
    }
}

fn is_inside(peer: IpAddr, network: IpAddr, bits: u32) -> bool {
    let (one, other, width) = match (peer, network) {
        (IpAddr::V4(one), IpAddr::V4(other)) => {
            (u128::from(one.to_bits()), u128::from(other.to_bits()), 32)
        }
        (IpAddr::V6(one), IpAddr::V6(other)) => (one.to_bits(), other.to_bits(), 128),
        _ => return false,
    };
    // A shift by all bits is none at all.
    (one ^ other).checked_shr(width - bits).unwrap_or(0) == 0
}

#[cfg(test)]
mod tests {
    use super::Allow;

    #[test]
    fn networks_hold_their_addresses_and_no_others() {
        let allow =
            |texts: &[&str]| Allow::new(&texts.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>());
        let holds = |text: &str, peer: &str| allow(&[text]).unwrap().holds(peer.parse().unwrap());
        assert!(holds("10.0.0.0/24", "10.0.0.255") && !holds("10.0.0.0/24", "10.0.1.0"));
        assert!(holds("10.0.0.0/24", "::ffff:10.0.0.1"));
        assert!(holds("10.0.0.7", "10.0.0.7") && !holds("10.0.0.7", "10.0.0.6"));
        assert!(holds("0.0.0.0/0", "192.0.2.1") && !holds("0.0.0.0/0", "2001:db8::1"));
        assert!(holds("::/0", "2001:db8::1") && holds("2001:db8::/32", "2001:db8:9::1"));
        assert!(allow(&[]).unwrap().holds("192.0.2.1".parse().unwrap()));
        for text in ["10.0.0.0/33", "x", "10.0.0.0/", "/8"] {
            assert!(allow(&[text]).is_err(), "{text}");
        }
    }
}
