//! What a frame was found to be: the headers a reset is judged by, read in place.

use core::hash::{Hash, Hasher};
use core::net::IpAddr;
use core::net::{Ipv4Addr, Ipv6Addr};

use crate::seq::SeqNumber;

/// A TCP segment and everything it was wrapped in; borrows the frame it was read from.
///
/// Strange values are facts: port 0, RST with SYN or absurd offsets all pass. Only what could
/// not be *located* became a [`crate::Skip`] instead.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'b> {
    /// Link layer, VLANs and the innermost tunnel.
    pub path: Path,
    /// The innermost IP header, the one that carries TCP.
    pub ip: Ip,
    /// The TCP header.
    pub tcp: Tcp,
    /// Captured payload: never beyond the IP length, never beyond the frame.
    pub payload: &'b [u8],
    /// Payload bytes on the wire, by the IP length; more than `payload.len()` in cut captures.
    pub payload_len: u32,
    /// The captured TCP header and payload, for [`Packet::checksum`].
    pub(crate) segment: &'b [u8],
}

/// How the segment was wrapped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Path {
    /// Source MAC address of the outermost frame, where the link has one.
    pub source_mac: Option<[u8; 6]>,
    /// VLAN identifiers, outermost first; 0 where there is none (802.1Q priority tag included).
    pub vlan: [u16; 2],
    /// The innermost tunnel that was opened.
    pub tunnel: Option<Tunnel>,
}

/// A tunnel and the identifier by which it separates tenants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tunnel {
    /// Which encapsulation.
    pub kind: TunnelKind,
    /// VNI (VXLAN, Geneve), key (GRE), TEID (GTP-U), session (L2TP, PPPoE, ERSPAN); else 0.
    ///
    /// L2TPv2 sessions count from one in each tunnel: the tunnel's number is the upper half.
    /// In GTP-U, L2TP and PPTP (a GRE whose key is a call) each side chooses the number it wants
    /// to be sent, so the two directions of a connection bear *different* ones.
    pub id: u32,
}

/// Encapsulations that are opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum TunnelKind {
    /// RFC 2784, RFC 2890.
    Gre = 1,
    /// RFC 7348.
    Vxlan,
    /// RFC 8926.
    Geneve,
    /// 3GPP TS 29.281.
    GtpU,
    /// RFC 2003, RFC 4213, RFC 2473.
    IpInIp,
    /// RFC 2661, RFC 3931.
    L2tp,
    /// draft-foschiano-erspan.
    Erspan,
    /// RFC 4380.
    Teredo,
    /// RFC 2516.
    Pppoe,
}

/// An IP address; IPv4 is held mapped (`::ffff:a.b.c.d`), so that keys have one width.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Address(pub [u8; 16]);

/// As one number: an array is hashed with its length, byte by byte.
impl Hash for Address {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u128(u128::from_ne_bytes(self.0));
    }
}

impl Address {
    /// The mapped form of an IPv4 address.
    #[must_use]
    pub const fn v4(octets: [u8; 4]) -> Self {
        let [a, b, c, d] = octets;
        Self([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d])
    }

    /// Whether this is a mapped IPv4 address.
    #[must_use]
    pub fn is_v4(self) -> bool {
        self.to_v4().is_some()
    }

    /// The address as the number it is in IPv4; `None` if it is none.
    #[must_use]
    pub const fn to_v4(self) -> Option<u32> {
        let bits = u128::from_be_bytes(self.0);
        if bits >> 32 == 0xffff { Some(bits as u32) } else { None }
    }
}

impl From<Address> for IpAddr {
    fn from(address: Address) -> Self {
        let bytes = address.0;
        if address.is_v4() {
            Self::V4(Ipv4Addr::new(bytes[12], bytes[13], bytes[14], bytes[15]))
        } else {
            Self::V6(Ipv6Addr::from(bytes))
        }
    }
}

impl From<IpAddr> for Address {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(v4) => Self::v4(v4.octets()),
            IpAddr::V6(v6) => Self(v6.octets()),
        }
    }
}

impl core::fmt::Debug for Address {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}", IpAddr::from(*self))
    }
}

/// The facts of an IPv4 or IPv6 header (RFC 791, RFC 8200).
#[derive(Clone, Copy, Debug)]
pub struct Ip {
    /// Source address.
    pub source: Address,
    /// Destination address: the final one, where a source route or routing header names it.
    pub destination: Address,
    /// Whether the header is IPv6.
    pub is_v6: bool,
    /// TTL or hop limit.
    pub hop_limit: u8,
    /// TOS or traffic class: DSCP in the upper six bits, ECN in the lower two.
    pub traffic_class: u8,
    /// IPv4 identification, or the IPv6 fragment header's low 16 bits; 0 where there is none.
    pub identification: u16,
    /// IPv6 flow label; 0 for IPv4.
    pub flow_label: u32,
    /// IPv4 DF; false for IPv6.
    pub dont_fragment: bool,
    /// First fragment of several: TCP header present, payload incomplete.
    pub more_fragments: bool,
}

/// The facts of a TCP header (RFC 9293, section 3.1).
#[derive(Clone, Copy, Debug)]
pub struct Tcp {
    /// Source port.
    pub source_port: u16,
    /// Destination port.
    pub destination_port: u16,
    /// Sequence number.
    pub seq: SeqNumber,
    /// Acknowledgment field, whether or not ACK is set.
    pub ack: SeqNumber,
    /// Control bits.
    pub flags: TcpFlags,
    /// Window field as sent, unscaled.
    pub window: u16,
    /// Urgent pointer.
    pub urgent: u16,
    /// Options; what could be read of them.
    pub options: TcpOptions,
}

/// Control bits; the lower eight of the header and NS/AE as bit 8 (RFC 9293, RFC 3168).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct TcpFlags(pub u16);

impl TcpFlags {
    /// No more data from the sender.
    pub const FIN: Self = Self(0x01);
    /// Synchronise sequence numbers.
    pub const SYN: Self = Self(0x02);
    /// Reset the connection.
    pub const RST: Self = Self(0x04);
    /// Push.
    pub const PSH: Self = Self(0x08);
    /// The acknowledgment field counts.
    pub const ACK: Self = Self(0x10);
    /// The urgent pointer counts.
    pub const URG: Self = Self(0x20);
    /// ECN echo.
    pub const ECE: Self = Self(0x40);
    /// Congestion window reduced.
    pub const CWR: Self = Self(0x80);
    /// Accurate ECN, formerly the nonce sum.
    pub const AE: Self = Self(0x100);

    /// Both sets together.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether every bit of `other` is set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// FIN is set.
    #[must_use]
    pub const fn fin(self) -> bool {
        self.contains(Self::FIN)
    }

    /// SYN is set.
    #[must_use]
    pub const fn syn(self) -> bool {
        self.contains(Self::SYN)
    }

    /// RST is set.
    #[must_use]
    pub const fn rst(self) -> bool {
        self.contains(Self::RST)
    }

    /// ACK is set.
    #[must_use]
    pub const fn ack(self) -> bool {
        self.contains(Self::ACK)
    }
}

impl core::fmt::Debug for TcpFlags {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        if self.0 == 0 {
            return f.write_str("-");
        }
        let letters = [(0, 'F'), (1, 'S'), (2, 'R'), (3, 'P'), (4, 'A'), (5, 'U'), (6, 'E')];
        for (bit, letter) in letters.into_iter().chain([(7, 'C'), (8, 'N')]) {
            if self.0 & (1 << bit) != 0 {
                write!(f, "{letter}")?;
            }
        }
        Ok(())
    }
}

/// Options that are evidence; absent ones are `None` or false.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpOptions {
    /// Maximum segment size (kind 2).
    pub mss: Option<u16>,
    /// Window scale shift (kind 3), as sent.
    pub window_scale: Option<u8>,
    /// SACK permitted (kind 4).
    pub sack_permitted: bool,
    /// Right edge of the highest SACK block (kind 5).
    pub sack_right_edge: Option<SeqNumber>,
    /// Timestamps (kind 8).
    pub timestamps: Option<Timestamps>,
    /// MD5 signature present (kind 19, RFC 2385).
    pub md5: bool,
    /// TCP-AO present (kind 29, RFC 5925).
    pub ao: bool,
    /// TCP Fast Open cookie, or a request for one (kind 34 or experimental 254/0xF989).
    pub fast_open: bool,
    /// MPTCP (kind 30).
    pub mptcp: Option<Mptcp>,
    /// FNV-1a hash of the sequence of option kinds, NOPs included: a stack's layout; 0 if none.
    ///
    /// An end-of-list (kind 0) counts once and ends the sequence; so does the capture's end.
    pub layout: u32,
    /// An option ran past the header or had an impossible length; those before it were read.
    ///
    /// Also set if the header itself runs past the IP packet. A capture or a fragment that ends
    /// inside the options is not the sender's doing and does not set it.
    pub malformed: bool,
}

/// The timestamps option (RFC 7323, section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timestamps {
    /// TSval.
    pub value: u32,
    /// TSecr.
    pub echo: u32,
}

/// What an MPTCP option says (RFC 8684). Several in one segment: the most telling wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mptcp {
    /// Any subtype that says nothing of resets.
    Other {
        /// MPTCP subtype, upper four bits of the first byte.
        subtype: u8,
    },
    /// MP_TCPRST (subtype 8) with its reason code.
    TcpRst {
        /// Reason (RFC 8684, section 3.6).
        reason: u8,
        /// The T flag: transient.
        transient: bool,
    },
    /// MP_FASTCLOSE (subtype 7).
    FastClose,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_keep_their_family_through_the_common_width() {
        for text in ["192.0.2.1", "2001:db8::1", "::", "0.0.0.0"] {
            let address: IpAddr = text.parse().unwrap();
            let kept = Address::from(address);
            assert_eq!(IpAddr::from(kept), address);
            assert_eq!((kept.is_v4(), format!("{kept:?}")), (address.is_ipv4(), text.to_owned()));
        }
    }

    #[test]
    fn flags_are_written_as_letters() {
        let all = TcpFlags(0x1ff);
        assert_eq!(format!("{all:?} {:?}", TcpFlags::default()), "FSRPAUECN -");
        let reset = TcpFlags::RST.union(TcpFlags::ACK);
        assert!(reset.rst() && reset.ack() && !reset.syn() && !reset.fin());
    }

    #[test]
    fn a_packet_fits_three_cache_lines() {
        assert!(size_of::<Packet<'_>>() <= 192, "{}", size_of::<Packet<'_>>());
    }
}
