//! Peers that are meant by their addresses or networks.

use std::net::IpAddr;

use events::Network;

/// Networks of peers; IPv4 inside IPv6 is IPv4.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Networks(Vec<Network>);

impl Networks {
    /// Reads all.
    ///
    /// # Errors
    /// The text that is none.
    pub(crate) fn read(texts: &[String]) -> Result<Self, String> {
        let read = |text: &String| Network::read(text).ok_or_else(|| text.clone());
        texts.iter().map(read).collect::<Result<_, _>>().map(Self)
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a peer is in any of them.
    pub(crate) fn hold(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.0.iter().any(|network| network.holds(peer))
    }
}

#[cfg(test)]
mod tests {
    use super::Networks;

    #[test]
    fn a_peer_on_a_socket_of_both_families_is_known_by_its_own() {
        let networks = Networks::read(&["10.0.0.0/24".to_owned(), "::/0".to_owned()]).unwrap();
        assert!(networks.hold("::ffff:10.0.0.1".parse().unwrap()));
        assert!(!networks.hold("::ffff:10.0.1.1".parse().unwrap()));
        assert_eq!(Networks::read(&["10.0.0.0/33".to_owned()]), Err("10.0.0.0/33".to_owned()));
        assert!(!Networks::default().hold("10.0.0.1".parse().unwrap()));
    }
}
