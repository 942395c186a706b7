//! The segments of which there are most: they carry data or acknowledge, and nothing else.

use wire::{Common, CommonV4, CommonV6, SeqNumber};

use crate::payload::PayloadClass;
use crate::record::Side;
use crate::segment::{Segment, TapPort, mac_hash, mac_on_port, mark};
use crate::tls_record::OpenRecord;

/// What a segment tells that is neither SYN, FIN nor RST, and has no options but timestamps; `Copy`,
/// 28 bytes. Nine of ten segments are plain, and a record takes them in by a road of their own:
/// [`crate::FlowRecord::observe_plain`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Plain {
    /// Sequence number.
    pub seq: SeqNumber,
    /// Acknowledgment field; ACK is set.
    pub ack: SeqNumber,
    /// Payload bytes on the wire.
    pub payload_len: u32,
    /// TSval; meaningless without [`Side::TIMESTAMPS`].
    pub timestamp: u32,
    /// Window as sent.
    pub window: u16,
    /// IPv4 identification, or the low 16 bits of the IPv6 flow label.
    pub ip_id: u16,
    /// How much of its last TLS record the payload leaves open.
    pub open_record: OpenRecord,
    /// TTL or hop limit.
    pub hop_limit: u8,
    /// TOS or traffic class.
    pub traffic_class: u8,
    /// 8-bit hash of the source MAC address.
    pub mac: u8,
    /// What the first payload bytes are.
    pub payload: PayloadClass,
    /// What it adds to the marks of its side, see the constants of [`Side`].
    pub side_marks: u8,
    /// IPv6: there is no identification.
    pub is_v6: bool,
}

const _: () = assert!(size_of::<Plain>() == 28);

impl Plain {
    /// Nothing, for places that are filled later.
    pub const BLANK: Self = Self {
        seq: SeqNumber(0),
        ack: SeqNumber(0),
        payload_len: 0,
        timestamp: 0,
        window: 0,
        ip_id: 0,
        open_record: OpenRecord::UNKNOWN,
        hop_limit: 0,
        traffic_class: 0,
        mac: 0,
        payload: PayloadClass::Empty,
        side_marks: 0,
        is_v6: false,
    };

    /// The facts of a frame whose segment is plain.
    #[inline(always)]
    #[must_use]
    pub fn of_v4(frame: &CommonV4<'_>) -> Self {
        let plain = Self {
            ip_id: frame.identification(),
            hop_limit: frame.hop_limit(),
            traffic_class: frame.traffic_class(),
            side_marks: mark(frame.dont_fragment(), Side::DF),
            is_v6: false,
            ..Self::BLANK
        };
        plain.with_tcp(frame)
    }

    /// The facts of a frame whose segment is plain.
    #[inline(always)]
    #[must_use]
    pub fn of_v6(frame: &CommonV6<'_>) -> Self {
        let plain = Self {
            ip_id: frame.flow_label_low(),
            hop_limit: frame.hop_limit(),
            traffic_class: frame.traffic_class(),
            is_v6: true,
            ..Self::BLANK
        };
        plain.with_tcp(frame)
    }

    /// The same with what does not depend on the version of IP.
    #[inline(always)]
    fn with_tcp<const N: usize>(self, frame: &Common<'_, N>) -> Self {
        let (payload, open_record) = content(frame.payload(), frame.payload_len());
        Self {
            seq: frame.seq(),
            ack: frame.ack(),
            payload_len: frame.payload_len(),
            timestamp: frame.plain_timestamp(),
            window: frame.window(),
            open_record,
            mac: mac_hash(frame.source_mac()),
            payload,
            side_marks: self.side_marks
                | mark(frame.payload_len() > 0, Side::DATA)
                | mark(frame.has_options(), Side::TIMESTAMPS),
            ..self
        }
    }

    /// Whether it was received on the second port of a tap.
    #[must_use]
    pub const fn is_on_second_port(&self) -> bool {
        self.side_marks & Side::PORT != 0
    }

    /// Notes the port it was received on.
    #[inline(always)]
    pub fn set_port(&mut self, port: TapPort) {
        if port != TapPort(0) {
            self.side_marks |= Side::PORT;
            self.mac = mac_on_port(self.mac, port);
        }
    }

    /// What a segment of any kind tells of the same.
    #[must_use]
    pub(crate) fn part_of(segment: &Segment) -> Self {
        Self {
            seq: segment.seq,
            ack: segment.ack,
            payload_len: segment.payload_len,
            timestamp: segment.timestamps.map_or(0, |timestamps| timestamps.value),
            window: segment.window,
            ip_id: segment.ip_id,
            open_record: segment.open_record,
            hop_limit: segment.hop_limit,
            traffic_class: segment.traffic_class,
            mac: segment.mac,
            payload: segment.payload,
            side_marks: segment.side_marks(),
            is_v6: segment.marks.has(crate::segment::Marks::V6),
        }
    }
}

#[inline(always)]
fn content(payload: &[u8], payload_len: u32) -> (PayloadClass, OpenRecord) {
    if payload_len == 0 {
        return (PayloadClass::Empty, OpenRecord::UNKNOWN);
    }
    OpenRecord::with_class(payload, payload_len)
}
