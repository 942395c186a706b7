//! What is remembered of one connection: two cache lines, no pointers, no addresses.

mod cost;
mod observe;
mod packed;
mod thinned;

pub use thinned::Sight;

use packed::{Opening, Tallies};
use wire::SeqNumber;

use crate::key::Direction;
use crate::payload::PayloadClass;
use crate::segment::MIXED_MACS;
use crate::stack::Stack;
use crate::time::{ShortSpan, Tick, Ticks};
use crate::tls_record::OpenRecord;

/// One connection; 128 bytes, two cache lines, owned by its table slot. Aligned to both, because
/// processors that load a line often load its neighbour in the same 128 bytes with it.
///
/// Line 0 is touched by every packet, line 1 by handshakes, timestamps and resets. Pairs are
/// indexed by [`Direction::index`]. Every field is what was *seen*; nothing here is a judgement.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(128))]
pub struct FlowRecord {
    /// Bits 16 to 47 of the flow's hash; 0 when the slot is free. The set keeps the upper 16.
    pub(crate) tag: u32,
    sides: [Side; 2],
    ack_advanced: [Tick; 2],
    initial: [SeqNumber; 2],
    timestamp_value: [u32; 2],
    round_trip: [u16; 2],
    syn_window: [u16; 2],
    syn_ip_id: [u16; 2],
    syn_hop_limit: [u8; 2],
    opening: [Opening; 2],
    probes: [u8; 2],
    retransmissions: [u8; 2],
    mac: [u8; 2],
    tallies: [Tallies; 2],
    pub(crate) watch: u32,
    opened_s: u32,
    longest_gap: ShortSpan,
    probe_gap: u16,
    first_payload: [PayloadClass; 2],
    last_payload: [PayloadClass; 2],
    traffic_class: [u8; 2],
    open_record: [OpenRecord; 2],
    state: State,
}

const _: () = assert!(size_of::<FlowRecord>() == 128);

/// What one side has sent; 24 bytes.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Side {
    /// Highest sequence end seen.
    pub next: SeqNumber,
    /// Highest acknowledgment sent.
    pub acked: SeqNumber,
    /// Last segment that was not a reset.
    pub last: Tick,
    /// When `next` last advanced.
    pub advanced: Tick,
    /// Last window, unscaled.
    pub window: u16,
    /// Last IPv4 ID, or the low 16 bits of the IPv6 flow label.
    pub ip_id: u16,
    /// Last hop limit.
    pub hop_limit: u8,
    /// Largest rise (upper nibble) and fall (lower) of the hop limit since the first, to 15.
    pub hop_spread: u8,
    /// See the constants of [`Side`].
    pub marks: u8,
    /// Segments, saturating: 255 means 255 or more.
    pub packets: u8,
}

impl Side {
    /// A SYN was seen.
    pub const SYN: u8 = 1;
    /// A FIN was seen.
    pub const FIN: u8 = 2;
    /// The FIN was acknowledged.
    pub const FIN_ACKED: u8 = 4;
    /// Payload was seen.
    pub const DATA: u8 = 8;
    /// Timestamps are in use.
    pub const TIMESTAMPS: u8 = 16;
    /// The last segment had DF.
    pub const DF: u8 = 32;
    /// Segments are signed (MD5, AO).
    pub const SIGNED: u8 = 64;
    /// Last tap port was an odd one.
    pub const PORT: u8 = 128;

    /// Whether all of `marks` is set.
    #[must_use]
    pub const fn has(&self, marks: u8) -> bool {
        self.marks & marks == marks
    }

    /// Whether anything was seen that takes up sequence space and so is acknowledged.
    const fn sent_something(&self) -> bool {
        self.marks & (Self::SYN | Self::DATA | Self::FIN) != 0
    }

    /// Whether the hop limit has been the same in at least three segments.
    #[must_use]
    pub const fn hop_limit_is_stable(&self) -> bool {
        self.packets >= 3 && self.hop_spread == 0
    }
}

/// Facts of the connection as a whole, as bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct State(u16);

impl State {
    const CLIENT_IS_HIGH: u16 = 1;
    const ROLE_BY_SYN: u16 = 2;
    const ROLE_BY_SYN_ACK: u16 = 4;
    const ROLE_KNOWN: u16 = 8;
    const HANDSHAKE: u16 = 16;
    /// A reset was seen that its receiver must obey.
    const RESET_BELIEVED: u16 = 32;
    const GAP: u16 = 64;
    const REUSED: u16 = 128;
    const RESET_FROM_LOW: u16 = 256;
    const RESET_FROM_HIGH: u16 = 512;
    const CLOSED_WELL: u16 = 1024;
    /// The round trip to the low side has a handshake sample; the next bit is the high side's.
    const ROUND_TRIP_LOW: u16 = 2048;
    /// The server answered the SYN with an ACK that had no SYN, or echoed a time stamp of nobody.
    const ODD_ANSWER: u16 = 8192;
    /// The high side sent the last segment that was not a reset.
    const LAST_FROM_HIGH: u16 = 16384;
    /// A SYN came into the living connection and was not believed.
    const SYN_PENDING: u16 = 32768;

    const fn has(self, bit: u16) -> bool {
        self.0 & bit != 0
    }

    const fn set(&mut self, bit: u16) {
        self.0 |= bit;
    }
}

/// How it is known which side is the client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RoleSource {
    /// It sent the SYN.
    Syn,
    /// It was sent the SYN/ACK.
    SynAck,
    /// Guessed by port numbers: the lower one serves.
    Port,
}

/// What a segment changed for the connection as a whole; the table counts these.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Change {
    /// A SYN opened a connection, or reopened its 4-tuple.
    pub opened: bool,
    /// The three-way handshake was completed.
    pub established: bool,
    /// Both sides have sent FIN and no reset was seen.
    pub closed_well: bool,
    /// First reset of the connection.
    pub reset: bool,
}

impl FlowRecord {
    /// A record that has seen nothing.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            tag: 0,
            sides: [Side::default(); 2],
            ack_advanced: [Tick(0); 2],
            initial: [SeqNumber(0); 2],
            timestamp_value: [0; 2],
            round_trip: [u16::MAX; 2],
            syn_window: [0; 2],
            syn_ip_id: [0; 2],
            syn_hop_limit: [0; 2],
            opening: [Opening::UNSEEN; 2],
            probes: [0; 2],
            retransmissions: [0; 2],
            mac: [0; 2],
            watch: 0,
            opened_s: 0,
            longest_gap: ShortSpan::NONE,
            probe_gap: 0,
            first_payload: [PayloadClass::Empty; 2],
            last_payload: [PayloadClass::Empty; 2],
            traffic_class: [0; 2],
            tallies: [Tallies::default(); 2],
            open_record: [OpenRecord::CLOSED; 2],
            state: State(0),
        }
    }

    /// What `direction` has sent.
    #[must_use]
    pub const fn side(&self, direction: Direction) -> &Side {
        &self.sides[direction.index()]
    }

    /// The direction in which the client sends.
    #[must_use]
    pub const fn client(&self) -> Direction {
        if self.state.has(State::CLIENT_IS_HIGH) { Direction::FromHigh } else { Direction::FromLow }
    }

    /// How that is known.
    #[must_use]
    pub const fn role_source(&self) -> RoleSource {
        if self.state.has(State::ROLE_BY_SYN) {
            RoleSource::Syn
        } else if self.state.has(State::ROLE_BY_SYN_ACK) {
            RoleSource::SynAck
        } else {
            RoleSource::Port
        }
    }

    /// Initial sequence number of a side that sent SYN; of others, the first number seen.
    #[must_use]
    pub const fn initial(&self, direction: Direction) -> SeqNumber {
        self.initial[direction.index()]
    }

    /// Bytes a side has sent, by its sequence numbers; wraps at 4 GiB.
    #[must_use]
    pub fn bytes(&self, direction: Direction) -> u32 {
        let side = self.side(direction);
        if side.packets == 0 {
            return 0;
        }
        let controls = u32::from(side.has(Side::SYN)) + u32::from(side.has(Side::FIN));
        let span = side.next.0.wrapping_sub(self.initial(direction).0);
        // A FIN at a nonsensical number must not count as four gigabytes.
        span.saturating_sub(controls)
    }

    /// Bytes of `direction` that the other side has not acknowledged.
    #[must_use]
    pub fn unacknowledged(&self, direction: Direction) -> u32 {
        let (side, peer) = (self.side(direction), self.side(direction.opposite()));
        let never = self.ack_advanced[direction.opposite().index()] == Tick(0);
        if side.packets == 0 || peer.packets == 0 || never {
            return 0;
        }
        u32::try_from(side.next.distance_from(peer.acked)).unwrap_or(0)
    }

    /// When the acknowledgment of `direction` last advanced.
    #[must_use]
    pub const fn ack_advanced(&self, direction: Direction) -> Tick {
        self.ack_advanced[direction.index()]
    }

    /// Smallest round trip seen between the sensor and the host that sends in `direction`.
    #[must_use]
    pub fn round_trip(&self, direction: Direction) -> Option<Ticks> {
        let index = direction.index();
        (self.tallies[index].samples() > 0).then(|| Ticks(u32::from(self.round_trip[index])))
    }

    /// How many samples that is the smallest of; 15 means 15 or more.
    #[must_use]
    pub const fn round_trip_samples(&self, direction: Direction) -> u8 {
        self.tallies[direction.index()].samples()
    }

    /// Whether one of them is of the handshake, which no application delays.
    #[must_use]
    pub const fn round_trip_has_handshake(&self, direction: Direction) -> bool {
        self.state.has(State::ROUND_TRIP_LOW << direction.index())
    }

    /// Last TSval of a side.
    #[must_use]
    pub const fn timestamp_value(&self, direction: Direction) -> u32 {
        self.timestamp_value[direction.index()]
    }

    /// Window of the SYN or SYN/ACK.
    #[must_use]
    pub const fn syn_window(&self, direction: Direction) -> u16 {
        self.syn_window[direction.index()]
    }

    /// IP ID of the SYN or SYN/ACK.
    #[must_use]
    pub const fn syn_ip_id(&self, direction: Direction) -> u16 {
        self.syn_ip_id[direction.index()]
    }

    /// Hop limit of the SYN or SYN/ACK; 0 if none was seen.
    #[must_use]
    pub const fn syn_hop_limit(&self, direction: Direction) -> u8 {
        self.syn_hop_limit[direction.index()]
    }

    /// Stack that wrote the SYN or SYN/ACK.
    #[must_use]
    pub const fn stack(&self, direction: Direction) -> Stack {
        self.opening[direction.index()].stack()
    }

    /// Whether the checksum of a SYN or SYN/ACK was wrong: then the capture altered packets, or does
    /// not hold what was on the wire, and checksums say nothing.
    #[must_use]
    pub const fn has_bad_checksums(&self) -> bool {
        self.opening[0].has_bad_checksum() || self.opening[1].has_bad_checksum()
    }

    /// Window scale of a side, if its SYN was seen and had one.
    #[must_use]
    pub const fn window_scale(&self, direction: Direction) -> Option<u8> {
        self.opening[direction.index()].window_scale()
    }

    /// Keepalive probes of a side that are unanswered so far.
    #[must_use]
    pub const fn unanswered_probes(&self, direction: Direction) -> u8 {
        self.probes[direction.index()]
    }

    /// Time between the last two keepalive probes.
    #[must_use]
    pub const fn probe_gap_ms(&self) -> u32 {
        self.probe_gap as u32 * PROBE_GAP_UNIT_MS
    }

    /// Retransmitted segments of a side since it was last acknowledged.
    #[must_use]
    pub const fn retransmissions(&self, direction: Direction) -> u8 {
        self.retransmissions[direction.index()]
    }

    /// Zero windows a side has announced; 7 means 7 or more.
    #[must_use]
    pub const fn zero_windows(&self, direction: Direction) -> u8 {
        self.tallies[direction.index()].zero_windows()
    }

    /// Whether the IP IDs of a side's own segments jump: a counter shared by many connections, or
    /// no counter at all.
    #[must_use]
    pub const fn has_irregular_ids(&self, direction: Direction) -> bool {
        self.tallies[direction.index()].has_irregular_ids()
    }

    /// 8-bit hash of a side's MAC address and tap port; 0 if unknown, [`MIXED_MACS`] if several.
    #[must_use]
    pub const fn mac(&self, direction: Direction) -> u8 {
        self.mac[direction.index()]
    }

    /// Whether a side may have come in on both ports of a tap, or from several network cards.
    #[must_use]
    pub const fn may_have_mixed_ports(&self, direction: Direction) -> bool {
        self.mac[direction.index()] == MIXED_MACS
    }

    /// Second in which the first segment was seen.
    #[must_use]
    pub const fn opened_s(&self) -> u32 {
        self.opened_s
    }

    /// Longest silence the connection has survived; at most 1/2048 too short.
    #[must_use]
    pub const fn longest_gap(&self) -> Ticks {
        self.longest_gap.ticks()
    }

    /// Class of the first payload of a side.
    #[must_use]
    pub const fn first_payload(&self, direction: Direction) -> PayloadClass {
        self.first_payload[direction.index()]
    }

    /// Class of the last payload of a side.
    #[must_use]
    pub const fn last_payload(&self, direction: Direction) -> PayloadClass {
        self.last_payload[direction.index()]
    }

    /// TOS or traffic class of the last segment of a side.
    #[must_use]
    pub const fn traffic_class(&self, direction: Direction) -> u8 {
        self.traffic_class[direction.index()]
    }

    /// SYN, SYN/ACK and the client's ACK were all seen.
    #[must_use]
    pub const fn handshake_complete(&self) -> bool {
        self.state.has(State::HANDSHAKE)
    }

    /// The first segment seen was not a SYN.
    #[must_use]
    pub const fn is_midstream(&self) -> bool {
        self.state.has(State::ROLE_KNOWN)
            && !self.state.has(State::ROLE_BY_SYN | State::ROLE_BY_SYN_ACK)
    }

    /// Sequence numbers jumped: something was not captured.
    #[must_use]
    pub const fn has_gap(&self) -> bool {
        self.state.has(State::GAP)
    }

    /// The 4-tuple carried another connection before.
    #[must_use]
    pub const fn is_reused(&self) -> bool {
        self.state.has(State::REUSED)
    }

    /// The SYN was answered by an ACK without SYN, and by nothing else so far.
    #[must_use]
    pub const fn syn_was_answered_oddly(&self) -> bool {
        self.state.has(State::ODD_ANSWER) && !self.side(self.client().opposite()).has(Side::SYN)
    }

    /// The SYN was answered by a SYN/ACK that echoes a time stamp which the client had not sent.
    #[must_use]
    pub const fn syn_was_echoed_wrongly(&self) -> bool {
        self.state.has(State::ODD_ANSWER) && self.side(self.client().opposite()).has(Side::SYN)
    }

    /// Whether a SYN that was not believed waits for its answer.
    #[must_use]
    pub const fn has_pending_syn(&self) -> bool {
        self.state.has(State::SYN_PENDING)
    }

    /// Whether a reset was seen in `direction`.
    #[must_use]
    pub const fn reset_seen(&self, direction: Direction) -> bool {
        self.state.has(reset_bit(direction))
    }

    /// Whether the connection is over: closed by both, or reset in a way that its receiver obeys.
    ///
    /// Any other reset must not make a living connection worth less: it may be forged.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.state.has(State::RESET_BELIEVED | State::CLOSED_WELL)
    }

    /// Whether data or acknowledgments went both ways: worth more than a half-open connection.
    #[must_use]
    pub const fn is_established(&self) -> bool {
        self.state.has(State::HANDSHAKE) || (self.sides[0].packets > 1 && self.sides[1].packets > 1)
    }

    /// Whether a reset of this connection is being watched.
    #[must_use]
    pub const fn is_watched(&self) -> bool {
        self.watch != 0
    }

    /// Who sent the last segment that was not a reset; meaningless if none was seen.
    #[must_use]
    pub const fn last_sender(&self) -> Direction {
        if self.state.has(State::LAST_FROM_HIGH) { Direction::FromHigh } else { Direction::FromLow }
    }

    /// The last segment of either side that was not a reset.
    #[must_use]
    pub fn last_activity(&self) -> Option<Tick> {
        let [low, high] = &self.sides;
        match (low.packets, high.packets) {
            (0, 0) => None,
            (_, 0) => Some(low.last),
            (0, _) => Some(high.last),
            _ if high.last.since(low.last) > Ticks(0) => Some(high.last),
            _ => Some(low.last),
        }
    }
}

const fn reset_bit(direction: Direction) -> u16 {
    match direction {
        Direction::FromLow => State::RESET_FROM_LOW,
        Direction::FromHigh => State::RESET_FROM_HIGH,
    }
}

/// Probe spacing is kept in units that let 16 bits reach over an hour.
const PROBE_GAP_UNIT_MS: u32 = 64;
