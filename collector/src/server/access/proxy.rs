//! Reverse proxies that check users themselves and name them in a header.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderName};

use super::Role;
use crate::error::Error;
use crate::options::ProxyOptions;

/// Whom we believe.
#[derive(Debug)]
pub(super) struct Proxies {
    trusted: Vec<Network>,
    user_header: HeaderName,
    admin_users: Vec<String>,
}

/// Addresses that share their first bits.
#[derive(Clone, Copy, Debug)]
struct Network {
    ip: IpAddr,
    prefix: u32,
}

impl Proxies {
    pub(super) fn new(options: &ProxyOptions) -> Result<Self, Error> {
        let trusted: Result<Vec<_>, _> =
            options.trusted.iter().map(|text| Network::parse(text)).collect();
        let user_header = HeaderName::from_bytes(options.user_header.as_bytes())
            .map_err(|_| Error::Proxy { text: options.user_header.clone() })?;
        Ok(Self { trusted: trusted?, user_header, admin_users: options.admin_users.clone() })
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.trusted.is_empty()
    }

    /// The role of the user that a trusted proxy names.
    pub(super) fn role(&self, peer: IpAddr, headers: &HeaderMap) -> Option<Role> {
        if !self.trusts(peer) {
            return None;
        }
        let user = headers.get(&self.user_header)?.to_str().ok()?.trim();
        if user.is_empty() {
            return None;
        }
        let is_admin = self.admin_users.iter().any(|admin| admin == user);
        Some(if is_admin { Role::Admin } else { Role::Read })
    }

    /// Whose request it is: the peer's, or that of the client which a trusted proxy names last.
    pub(super) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        if !self.trusts(peer) {
            return peer;
        }
        let forwarded = headers.get_all(FORWARDED_FOR).iter().next_back();
        let last = forwarded.and_then(|value| value.to_str().ok()?.rsplit(',').next());
        last.and_then(|text| text.trim().parse().ok()).unwrap_or(peer)
    }

    fn trusts(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.trusted.iter().any(|network| network.holds(peer))
    }
}

impl Network {
    fn parse(text: &str) -> Result<Self, Error> {
        let wrong = || Error::Proxy { text: text.to_owned() };
        let (ip, prefix) = text.split_once('/').map_or((text, None), |(ip, bits)| (ip, Some(bits)));
        let ip: IpAddr = ip.parse().map_err(|_| wrong())?;
        let bits = if ip.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Ok(bits), str::parse).map_err(|_| wrong())?;
        if prefix > bits { Err(wrong()) } else { Ok(Self { ip, prefix }) }
    }

    fn holds(self, other: IpAddr) -> bool {
        match (self.ip, other) {
            (IpAddr::V4(ours), IpAddr::V4(other)) => {
                let differ = u64::from(ours.to_bits() ^ other.to_bits());
                differ >> (32 - self.prefix) == 0
            }
            (IpAddr::V6(ours), IpAddr::V6(other)) => {
                let differ = ours.to_bits() ^ other.to_bits();
                differ.checked_shr(128 - self.prefix).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

const FORWARDED_FOR: &str = "x-forwarded-for";

#[cfg(test)]
mod tests {
    use super::Network;

    #[test]
    fn networks_hold_what_shares_their_bits() {
        let holds =
            |network: &str, ip: &str| Network::parse(network).unwrap().holds(ip.parse().unwrap());
        assert!(holds("10.1.2.0/24", "10.1.2.255") && !holds("10.1.2.0/24", "10.1.3.0"));
        assert!(holds("0.0.0.0/0", "255.1.2.3") && !holds("0.0.0.0/0", "::1"));
        assert!(holds("2001:db8::/32", "2001:db8:ffff::1") && holds("::/0", "2001::1"));
        assert!(holds("192.0.2.1", "192.0.2.1") && !holds("192.0.2.1", "192.0.2.2"));
        for wrong in ["10.0.0.0/33", "x", "", "::/129", "10.0.0.0/-1"] {
            assert!(Network::parse(wrong).is_err(), "{wrong}");
        }
    }
}
