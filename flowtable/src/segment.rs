//! The facts of one TCP segment: all that travels beyond the bytes.

use wire::{Checksum, Mptcp, Packet, SeqNumber, TcpFlags, Timestamps, Tunnel};

use crate::payload::PayloadClass;
use crate::record::Side;
use crate::time::Timestamp;
use crate::tls_record::OpenRecord;

/// What is known of one segment once its bytes are gone; `Copy`, about 80 bytes.
#[derive(Clone, Copy, Debug)]
pub struct Segment {
    /// When it was received.
    pub time: Timestamp,
    /// Sequence number.
    pub seq: SeqNumber,
    /// Acknowledgment field, whether or not ACK is set.
    pub ack: SeqNumber,
    /// Payload bytes on the wire.
    pub payload_len: u32,
    /// Timestamps option.
    pub timestamps: Option<Timestamps>,
    /// Right edge of the highest SACK block.
    pub sack_right_edge: Option<SeqNumber>,
    /// IPv6 flow label; 0 for IPv4.
    pub flow_label: u32,
    /// Layout of the TCP options, see [`wire::TcpOptions::layout`].
    pub layout: u32,
    /// Control bits.
    pub flags: TcpFlags,
    /// Window as sent.
    pub window: u16,
    /// IPv4 identification, or the low 16 bits of the IPv6 flow label.
    pub ip_id: u16,
    /// MSS option; 0 if absent.
    pub mss: u16,
    /// Window scale option.
    pub window_scale: Option<u8>,
    /// TTL or hop limit.
    pub hop_limit: u8,
    /// TOS or traffic class.
    pub traffic_class: u8,
    /// 8-bit hash of the source MAC address and the port; 0 where the link has no addresses.
    pub mac: u8,
    /// The tap port it came in on.
    pub port: TapPort,
    /// What the first payload bytes are.
    pub payload: PayloadClass,
    /// How much of its last TLS record the payload leaves open.
    pub open_record: OpenRecord,
    /// VLAN identifiers, outermost first; 0 where there is none.
    pub vlan: [u16; 2],
    /// The innermost tunnel.
    pub tunnel: Option<Tunnel>,
    /// What MPTCP says.
    pub mptcp: Option<Mptcp>,
    /// Yes-or-no facts.
    pub marks: Marks,
}

/// Which interface of a link a packet came in on: the fibre, on an optical tap.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TapPort(pub u8);

/// Yes-or-no facts of a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Marks(pub u8);

impl Marks {
    /// IPv6.
    pub const V6: Self = Self(1);
    /// IPv4 DF.
    pub const DF: Self = Self(2);
    /// SACK permitted option.
    pub const SACK_PERMITTED: Self = Self(4);
    /// MD5 or AO option.
    pub const SIGNED: Self = Self(8);
    /// TCP checksum is known to be wrong (checked on resets and SYNs only).
    pub const BAD_CHECKSUM: Self = Self(16);
    /// First fragment of several.
    pub const FRAGMENT: Self = Self(32);
    /// Came out of a tunnel.
    pub const TUNNELLED: Self = Self(64);
    /// Fast Open cookie.
    pub const FAST_OPEN: Self = Self(128);

    /// Whether all of `other` is set.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    const fn with(self, other: Self, condition: bool) -> Self {
        if condition { Self(self.0 | other.0) } else { self }
    }
}

impl Segment {
    /// Reads the facts out of a packet; its bytes are not needed afterwards.
    #[must_use]
    pub fn of(packet: &Packet<'_>, time: Timestamp, port: TapPort) -> Self {
        let (ip, tcp) = (&packet.ip, &packet.tcp);
        let options = &tcp.options;
        let is_checked = tcp.flags.rst() || tcp.flags.syn();
        let bad_checksum = is_checked && packet.checksum() == Checksum::Invalid;
        let marks = Marks::default()
            .with(Marks::V6, ip.is_v6)
            .with(Marks::DF, ip.dont_fragment)
            .with(Marks::SACK_PERMITTED, options.sack_permitted)
            .with(Marks::SIGNED, options.md5 || options.ao)
            .with(Marks::BAD_CHECKSUM, bad_checksum)
            .with(Marks::FRAGMENT, ip.more_fragments)
            .with(Marks::TUNNELLED, packet.path.tunnel.is_some())
            .with(Marks::FAST_OPEN, options.fast_open);
        let (payload, open_record) = OpenRecord::with_class(packet.payload, packet.payload_len);
        Self {
            time,
            seq: tcp.seq,
            ack: tcp.ack,
            payload_len: packet.payload_len,
            timestamps: options.timestamps,
            sack_right_edge: options.sack_right_edge,
            flow_label: ip.flow_label,
            layout: options.layout,
            flags: tcp.flags,
            window: tcp.window,
            ip_id: if ip.is_v6 { ip.flow_label as u16 } else { ip.identification },
            mss: options.mss.unwrap_or(0),
            window_scale: options.window_scale,
            hop_limit: ip.hop_limit,
            traffic_class: ip.traffic_class,
            mac: mac_on_port(packet.path.source_mac.map_or(0, mac_hash), port),
            port,
            payload,
            open_record,
            vlan: packet.path.vlan,
            tunnel: packet.path.tunnel,
            mptcp: options.mptcp,
            marks,
        }
    }

    /// A segment of nothing, for places that are filled later.
    #[must_use]
    pub fn blank() -> Self {
        Self {
            time: Timestamp(0),
            seq: SeqNumber(0),
            ack: SeqNumber(0),
            payload_len: 0,
            timestamps: None,
            sack_right_edge: None,
            flow_label: 0,
            layout: 0,
            flags: TcpFlags(0),
            window: 0,
            ip_id: 0,
            mss: 0,
            window_scale: None,
            hop_limit: 0,
            traffic_class: 0,
            mac: 0,
            port: TapPort(0),
            payload: PayloadClass::Empty,
            open_record: OpenRecord::UNKNOWN,
            vlan: [0; 2],
            tunnel: None,
            mptcp: None,
            marks: Marks(0),
        }
    }

    /// The sequence number after the segment: SYN and FIN count one each (RFC 9293, section 3.4).
    #[must_use]
    pub fn end(&self) -> SeqNumber {
        let controls = u32::from(self.flags.syn()) + u32::from(self.flags.fin());
        self.seq + self.payload_len + controls
    }

    /// What it adds to the marks of its side, see the constants of [`Side`].
    pub(crate) fn side_marks(&self) -> u8 {
        mark(self.flags.syn(), Side::SYN)
            | mark(self.flags.fin(), Side::FIN)
            | mark(self.payload_len > 0, Side::DATA)
            | mark(self.timestamps.is_some(), Side::TIMESTAMPS)
            | mark(self.marks.has(Marks::DF), Side::DF)
            | mark(self.marks.has(Marks::SIGNED), Side::SIGNED)
            | mark(self.port != TapPort(0), Side::PORT)
    }

    /// Whether the segment takes up sequence space or not.
    #[must_use]
    pub fn occupies(&self) -> bool {
        self.payload_len > 0 || self.flags.syn() || self.flags.fin()
    }
}

/// In place of a hash: a side's segments come from several cards (routers that take turns).
pub const MIXED_MACS: u8 = 0xff;

/// `bit` under a condition.
#[inline(always)]
pub(crate) const fn mark(condition: bool, bit: u8) -> u8 {
    if condition { bit } else { 0 }
}

/// The hash of a MAC address that is seen on a port: another one on the second, so that a side that
/// changes its fibre is known by [`MIXED_MACS`] without a look of its own at every packet.
#[inline(always)]
pub(crate) const fn mac_on_port(mac: u8, port: TapPort) -> u8 {
    if port.0 == 0 { mac } else { MIXED_MACS - mac }
}

/// Folds a MAC address to 1 to 128: never 0 nor [`MIXED_MACS`].
#[inline(always)]
pub(crate) const fn mac_hash([a, b, c, d, e, f]: [u8; 6]) -> u8 {
    let mac = u64::from_le_bytes([a, b, c, d, e, f, 0, 0]);
    // Fibonacci hashing.
    1 + (mac.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 57) as u8
}
