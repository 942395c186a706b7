//! Who talks to whom: the key of a connection, the same for both of its directions.

use wire::{Address, Packet};

/// Both endpoints in address order, and what separates them from namesakes.
///
/// 40 bytes; `low` is the smaller `(address, port)` pair, so both directions share one key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct FlowKey {
    /// The smaller endpoint.
    pub low: Endpoint,
    /// The larger endpoint.
    pub high: Endpoint,
    /// VLAN and tunnel identity as [`KeyScope`] chose, hashed to 32 bits; 0 if left out.
    pub scope: u32,
}

/// An address and a port.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Endpoint {
    /// IP address, IPv4 mapped.
    pub address: Address,
    /// TCP port.
    pub port: u16,
}

/// Which way a segment goes, in terms of its key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Direction {
    /// Sent by [`FlowKey::low`].
    FromLow = 0,
    /// Sent by [`FlowKey::high`].
    FromHigh = 1,
}

impl Direction {
    /// The way back.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::FromLow => Self::FromHigh,
            Self::FromHigh => Self::FromLow,
        }
    }

    /// Index of this direction in a pair.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// What besides the 4-tuple tells connections apart.
///
/// VLANs often differ between the two directions of one connection (asymmetric trunks), tunnels
/// nearly always do (one key or TEID a direction), so both are off unless asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct KeyScope {
    /// The same 4-tuple in two VLANs is two connections.
    pub vlan: bool,
    /// The same 4-tuple in two tunnels is two connections.
    pub tunnel: bool,
}

impl FlowKey {
    /// The key of a packet, and its direction.
    #[must_use]
    pub fn of(packet: &Packet<'_>, scope: KeyScope) -> (Self, Direction) {
        let source = Endpoint { address: packet.ip.source, port: packet.tcp.source_port };
        let destination =
            Endpoint { address: packet.ip.destination, port: packet.tcp.destination_port };
        let scope = scope_hash(packet, scope);
        if source <= destination {
            (Self { low: source, high: destination, scope }, Direction::FromLow)
        } else {
            (Self { low: destination, high: source, scope }, Direction::FromHigh)
        }
    }

    /// The endpoint that sends in `direction`.
    #[must_use]
    pub const fn sender(&self, direction: Direction) -> Endpoint {
        match direction {
            Direction::FromLow => self.low,
            Direction::FromHigh => self.high,
        }
    }
}

/// Folds the chosen identities into 32 bits; not keyed, because it only enters the keyed hash.
fn scope_hash(packet: &Packet<'_>, scope: KeyScope) -> u32 {
    let mut hash = 0u32;
    if scope.vlan {
        let [outer, inner] = packet.path.vlan;
        hash = (u32::from(outer) << 16 | u32::from(inner)).wrapping_mul(0x9e37_79b1);
    }
    if let (true, Some(tunnel)) = (scope.tunnel, packet.path.tunnel) {
        hash ^= (tunnel.id ^ (tunnel.kind as u32) << 28).wrapping_mul(0x85eb_ca6b) | 1;
    }
    hash
}
