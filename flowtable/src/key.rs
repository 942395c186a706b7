//! Who talks to whom: the key of a connection, the same for both of its directions.

use std::hash::{Hash, Hasher};

use wire::{Address, CommonV4, CommonV6, Packet, Tunnel};

/// Both endpoints in address order, and what separates them from namesakes.
///
/// 40 bytes; `low` is the smaller `(address, port)` pair, so both directions share one key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
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
        let scope = scope_hash(scope, packet.path.vlan, packet.path.tunnel);
        if source <= destination {
            (Self { low: source, high: destination, scope }, Direction::FromLow)
        } else {
            (Self { low: destination, high: source, scope }, Direction::FromHigh)
        }
    }

    /// The key of a frame of a common shape, without reading more of it; `None` for all others.
    #[must_use]
    pub fn of_common(frame: &[u8], scope: KeyScope) -> Option<Self> {
        match CommonV4::find(frame) {
            Some(common) => Some(Ends::of_v4(&common, scope).0.into()),
            None => Some(Ends::of_v6(&CommonV6::find(frame)?, scope)?.0.into()),
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

/// The hash of [`Ends`]: a look-up must find what either was made of.
impl Hash for FlowKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { low, high, scope } = *self;
        match (low.address.to_v4(), high.address.to_v4()) {
            (Some(from), Some(to)) => {
                Ends { low: EndV4::of(from, low.port), high: EndV4::of(to, high.port), scope }
                    .hash(state);
            }
            _ => Ends { low: EndV6::of(low), high: EndV6::of(high), scope }.hash(state),
        }
    }
}

/// The key of a common frame as a look-up needs it, in as few words as its addresses have.
///
/// Equal to [`FlowKey`] in order, direction and hash.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ends<E> {
    low: E,
    high: E,
    scope: u32,
}

/// IPv4 address above port: 48 bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct EndV4(u64);

/// IPv6 address and port.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct EndV6(u128, u16);

impl EndV4 {
    #[inline(always)]
    const fn of(address: u32, port: u16) -> Self {
        Self((address as u64) << 16 | port as u64)
    }
}

impl EndV6 {
    const fn of(end: Endpoint) -> Self {
        Self(u128::from_be_bytes(end.address.0), end.port)
    }
}

impl Ends<EndV4> {
    /// The ends of a frame, and its direction.
    #[inline(always)]
    #[must_use]
    pub fn of_v4(frame: &CommonV4<'_>, scope: KeyScope) -> (Self, Direction) {
        let ([from, to], [from_port, to_port]) = (frame.addresses(), frame.ports());
        let ends = [EndV4::of(from, from_port), EndV4::of(to, to_port)];
        Self::ordered(ends, scope_hash(scope, [frame.vlan(), 0], None))
    }
}

impl Ends<EndV6> {
    /// The ends of a frame, and its direction; `None` for the odd one that bears mapped IPv4
    /// addresses, whose key is that of IPv4.
    #[inline(always)]
    #[must_use]
    pub fn of_v6(frame: &CommonV6<'_>, scope: KeyScope) -> Option<(Self, Direction)> {
        let ([from, to], [from_port, to_port]) = (frame.addresses(), frame.ports());
        if from >> 32 == V4_MAPPED || to >> 32 == V4_MAPPED {
            return None;
        }
        let ends = [EndV6(from, from_port), EndV6(to, to_port)];
        Some(Self::ordered(ends, scope_hash(scope, [frame.vlan(), 0], None)))
    }
}

impl From<Ends<EndV4>> for FlowKey {
    fn from(ends: Ends<EndV4>) -> Self {
        let end = |EndV4(bits): EndV4| Endpoint {
            address: Address::v4(((bits >> 16) as u32).to_be_bytes()),
            port: bits as u16,
        };
        Self { low: end(ends.low), high: end(ends.high), scope: ends.scope }
    }
}

impl From<Ends<EndV6>> for FlowKey {
    fn from(ends: Ends<EndV6>) -> Self {
        let end =
            |EndV6(bits, port): EndV6| Endpoint { address: Address(bits.to_be_bytes()), port };
        Self { low: end(ends.low), high: end(ends.high), scope: ends.scope }
    }
}

impl<E: Ord + Copy> Ends<E> {
    #[inline(always)]
    fn ordered([from, to]: [E; 2], scope: u32) -> (Self, Direction) {
        if from <= to {
            (Self { low: from, high: to, scope }, Direction::FromLow)
        } else {
            (Self { low: to, high: from, scope }, Direction::FromHigh)
        }
    }
}

impl Hash for Ends<EndV4> {
    #[inline(always)]
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.low.0);
        state.write_u64(self.high.0);
        if self.scope != 0 {
            state.write_u32(self.scope);
        }
    }
}

impl Hash for Ends<EndV6> {
    #[inline(always)]
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u128(self.low.0);
        state.write_u128(self.high.0);
        let ports = u32::from(self.low.1) << 16 | u32::from(self.high.1);
        state.write_u64(u64::from(ports) << 32 | u64::from(self.scope));
    }
}

/// Folds the chosen identities into 32 bits; not keyed, because it only enters the keyed hash.
#[inline(always)]
fn scope_hash(scope: KeyScope, [outer, inner]: [u16; 2], tunnel: Option<Tunnel>) -> u32 {
    let mut hash = 0u32;
    if scope.vlan {
        hash = (u32::from(outer) << 16 | u32::from(inner)).wrapping_mul(0x9e37_79b1);
    }
    if let (true, Some(tunnel)) = (scope.tunnel, tunnel) {
        hash ^= (tunnel.id ^ (tunnel.kind as u32) << 28).wrapping_mul(0x85eb_ca6b) | 1;
    }
    hash
}

/// The upper 96 bits of a mapped address (RFC 4291, section 2.5.5.2).
const V4_MAPPED: u128 = 0xffff;
