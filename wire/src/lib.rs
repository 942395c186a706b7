//! Frames to headers.
//!
//! One call, [`parse`], walks a frame from its link layer to the TCP header inside, through VLANs,
//! MPLS, PPPoE and tunnels to a bounded depth, and lends out what it found. Bytes end here: beyond
//! this crate only facts travel.
//!
//! **Invariant:** no panic and no read outside the frame, whatever the bytes.
//! **Invariant:** nothing is judged; [`Skip`] means "could not be located", never "looks wrong".
//!
//! | file | idea |
//! |---|---|
//! | `straight` | the common shapes, Ethernet to IP to TCP, in one straight line |
//! | `walk` | every other shape: one layer a step, to a bounded depth |
//! | `cooked`, `ieee80211` | link layers that are not Ethernet |
//! | `ethernet`, `mpls`, `ppp` | what stands between a link and IP |
//! | `ip`, `extension` | IPv4 and IPv6, their lengths, options, extension headers and fragments |
//! | `tunnel`, `gre`, `udp`, `l2tp` | packets inside packets |
//! | `tcp`, `options`, `checksum` | the segment itself |
//! | `packet`, `seq` | what callers see |
//! | `server_name` | the name a client asks for, out of its first payload |
//! | `landmarks` | where each header of a frame begins |
//! | `field` | fixed pieces off the front of a slice |
#![forbid(unsafe_code)]

mod checksum;
mod cooked;
mod ethernet;
mod extension;
mod field;
#[cfg(test)]
mod frames;
mod gre;
mod ieee80211;
mod ip;
mod l2tp;
mod landmarks;
mod mpls;
mod options;
mod packet;
mod ppp;
mod seq;
mod server_name;
mod straight;
mod tcp;
mod tunnel;
mod udp;
mod walk;

pub use checksum::Checksum;
pub use landmarks::{Landmark, landmarks};

pub use packet::{
    Address, Ip, Mptcp, Packet, Path, Tcp, TcpFlags, TcpOptions, Timestamps, Tunnel, TunnelKind,
};
pub use seq::SeqNumber;
pub use server_name::{Asked, ServerName};
pub use straight::{Common, CommonV4, CommonV6};

/// What the first byte of a frame is the start of (the capture world's "link type").
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LinkType {
    /// DLT 1.
    Ethernet,
    /// DLT 113, Linux cooked capture.
    LinuxSll,
    /// DLT 276, Linux cooked capture, second version.
    LinuxSll2,
    /// DLT 12, 14, 101, 228, 229: an IP header, version by its first nibble.
    RawIp,
    /// DLT 0: address family in host byte order of the capturing machine.
    Null,
    /// DLT 108: address family in network byte order.
    Loop,
    /// DLT 105: 802.11.
    Ieee80211,
    /// DLT 127: radiotap, then 802.11.
    Radiotap,
    /// DLT 239: Linux netfilter log.
    Nflog,
    /// DLT 9: PPP.
    Ppp,
    /// DLT 50: PPP in HDLC-like framing.
    PppHdlc,
    /// DLT 104: Cisco HDLC.
    CiscoHdlc,
    /// DLT 10: FDDI, an LLC header behind its addresses.
    Fddi,
}

impl LinkType {
    /// Every link type, in the order of the index that stored fuzz inputs begin with.
    pub const ALL: [Self; 13] = [
        Self::Ethernet,
        Self::LinuxSll,
        Self::LinuxSll2,
        Self::RawIp,
        Self::Null,
        Self::Loop,
        Self::Ieee80211,
        Self::Radiotap,
        Self::Nflog,
        Self::Ppp,
        Self::PppHdlc,
        Self::CiscoHdlc,
        Self::Fddi,
    ];

    /// The link type of a capture file's DLT number, if it is one we read.
    #[must_use]
    pub const fn from_dlt(dlt: u32) -> Option<Self> {
        Some(match dlt {
            1 => Self::Ethernet,
            113 => Self::LinuxSll,
            276 => Self::LinuxSll2,
            12 | 14 | 101 | 228 | 229 => Self::RawIp,
            0 => Self::Null,
            108 => Self::Loop,
            105 => Self::Ieee80211,
            127 => Self::Radiotap,
            239 => Self::Nflog,
            9 => Self::Ppp,
            50 => Self::PppHdlc,
            104 => Self::CiscoHdlc,
            10 => Self::Fddi,
            _ => return None,
        })
    }
}

/// Why a frame gave no TCP header. Counted by reason, never an error.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Skip {
    /// The frame ends inside a header.
    Truncated,
    /// A link-layer protocol that carries no IP (ARP, LLDP, control frames ...).
    NotIp,
    /// IP, but not TCP and no tunnel that is opened.
    NotTcp,
    /// A later fragment: its TCP header travelled in the first.
    LaterFragment,
    /// A length field contradicts its own header (IPv4 IHL < 5, TCP offset < 5 ...).
    BadLength,
    /// More encapsulation than is followed.
    TooDeep,
    /// Encrypted below IP (802.11 protected frames) or below TCP (ESP).
    Encrypted,
}

impl Skip {
    /// Every reason, in the order of its counter.
    pub const ALL: [Self; 7] = [
        Self::Truncated,
        Self::NotIp,
        Self::NotTcp,
        Self::LaterFragment,
        Self::BadLength,
        Self::TooDeep,
        Self::Encrypted,
    ];

    /// The name of its counter.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Truncated => "truncated",
            Self::NotIp => "not_ip",
            Self::NotTcp => "not_tcp",
            Self::LaterFragment => "later_fragment",
            Self::BadLength => "bad_length",
            Self::TooDeep => "too_deep",
            Self::Encrypted => "encrypted",
        }
    }
}

/// Walks `frame` down to its TCP header.
///
/// `frame` holds the captured bytes; the wire may have had more. Lengths are taken from the IP
/// header, so link padding is never payload and bytes beyond the IP packet are never parsed.
///
/// ```
/// use wire::{LinkType, Skip, parse};
///
/// let segment = [0, 80, 0x30, 0x39, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 0x04, 0, 0, 0, 0, 0, 0];
/// let ip = [0x45, 0, 0, 40, 0, 7, 0x40, 0, 57, 6, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2];
/// let frame = [&ip[..], &segment[..]].concat();
/// let packet = parse(LinkType::RawIp, &frame)?;
/// assert!(packet.tcp.flags.rst());
/// assert_eq!((packet.tcp.source_port, packet.ip.hop_limit), (80, 57));
/// # Ok::<(), Skip>(())
/// ```
///
/// # Errors
/// [`Skip`] names why no TCP header could be located.
#[inline]
pub fn parse(link: LinkType, frame: &[u8]) -> Result<Packet<'_>, Skip> {
    if link == LinkType::Ethernet
        && let Some(common) = CommonV4::find(frame)
    {
        return Ok(common.packet());
    }
    parse_other(link, frame)
}

/// Everything but the commonest shape; apart, so that only that one is inlined into callers.
#[inline(never)]
fn parse_other(link: LinkType, frame: &[u8]) -> Result<Packet<'_>, Skip> {
    if link == LinkType::Ethernet
        && let Some(common) = CommonV6::find(frame)
    {
        return Ok(common.packet());
    }
    walk::walk(link, frame)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_link_type_has_a_number_and_every_reason_a_name() {
        let named = (0..300).filter_map(LinkType::from_dlt).collect::<Vec<_>>();
        assert!(LinkType::ALL.iter().all(|link| named.contains(link)));
        assert_eq!(LinkType::from_dlt(147), None);
        let mut names = Skip::ALL.map(Skip::name).to_vec();
        names.dedup();
        assert_eq!(names.len(), Skip::ALL.len());
    }

    #[test]
    fn counters_follow_the_order_of_the_reasons() {
        assert!(Skip::ALL.iter().enumerate().all(|(index, skip)| *skip as usize == index));
    }
}
