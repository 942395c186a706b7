//! What traffic is made of, by name.

use std::str::FromStr;

/// What the traffic is made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mix {
    /// Handshakes and pure ACKs, 60 bytes a frame: the worst case for work per packet.
    Small,
    /// Seven of 60, four of 590, one of 1514 bytes, as IMIX has them.
    Imix,
    /// Long connections of full frames and their ACKs.
    Elephants,
    /// Connections of a few packets each: the worst case for the table.
    Churn,
    /// One SYN a connection, never answered.
    SynFlood,
    /// One SYN a target, all refused: sixteen ports of each host, by one source after another.
    Scan,
    /// As [`Mix::Imix`], behind a VLAN tag.
    Vlan,
    /// As [`Mix::Imix`], inside VXLAN (RFC 7348).
    Vxlan,
    /// As [`Mix::Imix`], IPv6.
    Ipv6,
}

impl Mix {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Small,
        Self::Imix,
        Self::Elephants,
        Self::Churn,
        Self::SynFlood,
        Self::Scan,
        Self::Vlan,
        Self::Vxlan,
        Self::Ipv6,
    ];

    /// Whether any connection is ever established, so that there is something to warm up.
    pub(crate) const fn has_connections(self) -> bool {
        !matches!(self, Self::SynFlood | Self::Scan)
    }

    /// Its name on command lines and in benches.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Imix => "imix",
            Self::Elephants => "elephants",
            Self::Churn => "churn",
            Self::SynFlood => "syn-flood",
            Self::Scan => "scan",
            Self::Vlan => "vlan",
            Self::Vxlan => "vxlan",
            Self::Ipv6 => "ipv6",
        }
    }
}

impl FromStr for Mix {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        named("mix", &Self::ALL.map(|mix| (mix.name(), mix)), name)
    }
}

/// How the capture begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Start {
    /// Nothing is open: with N flows side by side, most of the first 3 N packets are handshakes.
    #[default]
    Cold,
    /// Every flow shakes hands first, [`Traffic::warm_up_len`](crate::Traffic::warm_up_len) packets.
    Handshakes,
    /// Every flow is met in its middle first, by a pure ACK of each side.
    Midstream,
}

impl Start {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Cold, Self::Handshakes, Self::Midstream];

    /// Its name on command lines.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cold => "cold",
            Self::Handshakes => "handshakes",
            Self::Midstream => "midstream",
        }
    }

    /// Frames of each flow in the warm-up.
    pub(crate) const fn frames(self) -> u64 {
        match self {
            Self::Cold => 0,
            Self::Handshakes => 3,
            Self::Midstream => 2,
        }
    }
}

impl FromStr for Start {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        named("start", &Self::ALL.map(|start| (start.name(), start)), name)
    }
}

/// Which resets there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Resets {
    /// One of an open connection, from either end: half RST/ACK, half a bare RST.
    #[default]
    Plain,
    /// Every kind, by the weights in `traffic/resets.rs`.
    AllKinds,
}

impl Resets {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Plain, Self::AllKinds];

    /// Its name on command lines.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::AllKinds => "all",
        }
    }
}

impl FromStr for Resets {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        named("kind of resets", &Self::ALL.map(|resets| (resets.name(), resets)), name)
    }
}

fn named<T: Copy>(what: &str, all: &[(&str, T)], name: &str) -> Result<T, String> {
    let found = all.iter().find(|(known, _)| *known == name);
    found.map(|&(_, value)| value).ok_or_else(|| {
        let names: Vec<&str> = all.iter().map(|&(name, _)| name).collect();
        format!("unknown {what} {name:?}; known are {}", names.join(", "))
    })
}
