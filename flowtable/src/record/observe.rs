//! How a record takes in a segment.

use wire::SeqNumber;

use super::packed::Opening;
use super::{Change, FlowRecord, PROBE_GAP_UNIT_MS, Side, State, reset_bit};
use crate::key::Direction;
use crate::payload::PayloadClass;
use crate::plain::Plain;
use crate::segment::{MIXED_MACS, Marks, Segment};
use crate::stack::Stack;
use crate::time::{Tick, Ticks};

impl FlowRecord {
    /// Gives the sides of a connection that nothing is known of their roles, by port numbers (those
    /// of the low and of the high endpoint).
    pub fn guess_roles(&mut self, ports: [u16; 2]) {
        let client = if ports[0] < ports[1] { Direction::FromHigh } else { Direction::FromLow };
        self.state.0 |= State::ROLE_KNOWN | client.index() as u16;
    }

    /// Takes in a segment; resets leave only their mark, since they may be forged.
    pub fn observe(&mut self, direction: Direction, segment: &Segment, ports: [u16; 2]) -> Change {
        if segment.flags.rst() {
            self.settle_roles(direction, segment, ports);
            return self.observe_reset(direction, segment);
        }
        if self.is_intruding_syn(direction, segment) {
            self.state.set(State::SYN_PENDING);
            return Change::default();
        }
        if self.opens_anew(direction, segment) || self.is_accepted_anew(direction, segment) {
            self.restart();
        }
        self.settle_roles(direction, segment, ports);
        let now = segment.time.tick();
        let (plain, controls) = (Plain::part_of(segment), Controls::of(segment));
        self.note_silence(now);
        let opened = self.observe_opening(direction, segment);
        if segment.flags.ack() {
            self.observe_ack(direction, segment.ack, now);
        }
        self.observe_sequence(direction, &plain, controls, now);
        self.observe_headers(direction, &plain, controls, now);
        self.note_progress(opened, direction, segment)
    }

    /// Whether a plain segment changes nothing but what [`FlowRecord::observe_plain`] changes: no
    /// role, no stage of the connection, nothing that is told.
    #[inline(always)]
    #[must_use]
    pub fn takes_plain(&self, direction: Direction, plain: &Plain) -> bool {
        let side = &self.sides[direction.index()];
        // The client's ACK completes a handshake that both sides began.
        let is_past_handshake = self.state.has(State::HANDSHAKE) || !self.both_have(Side::SYN);
        let is_more_of_the_same = plain.payload_len == 0 || side.marks & Side::DATA != 0;
        side.packets > 0 && is_past_handshake && is_more_of_the_same && self.watch == 0
    }

    /// Takes in a plain segment, as [`FlowRecord::observe`] would; only where
    /// [`FlowRecord::takes_plain`] says so.
    #[inline(always)]
    pub fn observe_plain(&mut self, direction: Direction, plain: &Plain, now: Tick) {
        self.note_silence(now);
        self.observe_ack(direction, plain.ack, now);
        self.observe_sequence(direction, plain, Controls::NONE, now);
        self.observe_headers(direction, plain, Controls::NONE, now);
    }

    /// Whether a plain segment completes the handshake, and changes nothing else that
    /// [`FlowRecord::observe_plain`] does not change: the client's ACK without data.
    #[must_use]
    pub fn takes_handshake_end(&self, direction: Direction, plain: &Plain) -> bool {
        let [low, high] = &self.sides;
        let no_fin = (low.marks | high.marks) & Side::FIN == 0;
        let is_clients = direction == self.client() && !self.handshake_complete();
        self.both_have(Side::SYN)
            && no_fin
            && is_clients
            && plain.payload_len == 0
            && self.watch == 0
    }

    /// Takes in the end of a handshake, as [`FlowRecord::observe`] would; only where
    /// [`FlowRecord::takes_handshake_end`] says so.
    pub fn observe_handshake_end(
        &mut self,
        direction: Direction,
        plain: &Plain,
        now: Tick,
    ) -> Change {
        self.observe_plain(direction, plain, now);
        self.state.set(State::HANDSHAKE);
        Change { established: true, ..Change::default() }
    }

    /// Whether both sides have a mark.
    #[inline(always)]
    const fn both_have(&self, mark: u8) -> bool {
        self.sides[0].marks & self.sides[1].marks & mark != 0
    }

    fn observe_reset(&mut self, direction: Direction, segment: &Segment) -> Change {
        let first = !self.state.has(State::RESET_FROM_LOW | State::RESET_FROM_HIGH);
        self.state.set(reset_bit(direction));
        if self.is_believable(direction, segment) {
            self.state.set(State::RESET_BELIEVED);
        }
        if self.opened_s == 0 {
            // 0 is "not yet".
            self.opened_s = segment.time.seconds().max(1);
        }
        Change { reset: first, ..Change::default() }
    }

    /// A SYN with a new number on a known 4-tuple is another connection (RFC 6191 aside).
    fn opens_anew(&self, direction: Direction, segment: &Segment) -> bool {
        let side = self.side(direction);
        let is_syn = segment.flags.syn() && !segment.flags.ack();
        let is_known = side.packets > 0 || self.is_over();
        let is_other = !side.has(Side::SYN) || self.initial(direction) != segment.seq;
        // A late copy of the SYN must not begin the connection anew; no stack is back this soon.
        let is_copy = segment.time.tick().since(side.last) < SYN_COPY_WITHIN;
        is_syn && is_known && (is_other || (self.is_over() && !is_copy))
    }

    /// A SYN into a connection that is busy this moment is an attack or a stray; it must not wipe
    /// what is known (RFC 5961, section 4).
    fn is_intruding_syn(&self, direction: Direction, segment: &Segment) -> bool {
        self.opens_anew(direction, segment) && self.is_established() && !self.is_over()
    }

    /// RFC 5961, section 3.2: a receiver obeys a reset only at the very number it expects.
    fn is_believable(&self, direction: Direction, segment: &Segment) -> bool {
        let (side, peer) = (self.side(direction), self.side(direction.opposite()));
        let unknown = side.packets == 0 || peer.packets == 0 || self.has_gap();
        let is_exact =
            segment.seq.distance_from(side.next).unsigned_abs() <= 1 || segment.seq == peer.acked;
        (unknown || is_exact) && !segment.marks.has(Marks::BAD_CHECKSUM)
    }

    /// A SYN/ACK with a new number after a SYN that was not believed: the SYN was genuine.
    fn is_accepted_anew(&self, direction: Direction, segment: &Segment) -> bool {
        let is_other = self.initial(direction) != segment.seq;
        self.state.has(State::SYN_PENDING) && segment.flags.syn() && segment.flags.ack() && is_other
    }

    /// Forgets the old connection but not who watches the tuple.
    fn restart(&mut self) {
        let (tag, watch) = (self.tag, self.watch);
        *self = Self::empty();
        (self.tag, self.watch) = (tag, watch);
        self.state.set(State::REUSED);
    }

    fn settle_roles(&mut self, direction: Direction, segment: &Segment, ports: [u16; 2]) {
        if self.state.has(State::ROLE_BY_SYN) {
            return;
        }
        let syn = segment.flags.syn() && !segment.flags.rst();
        let (client, bit) = match (syn, segment.flags.ack()) {
            (true, false) => (direction, State::ROLE_BY_SYN),
            (true, true) => (direction.opposite(), State::ROLE_BY_SYN_ACK),
            _ if self.state.has(State::ROLE_KNOWN) => return,
            _ if ports[0] < ports[1] => (Direction::FromHigh, 0),
            _ => (Direction::FromLow, 0),
        };
        self.state.0 &= !State::CLIENT_IS_HIGH;
        self.state.0 |= bit | State::ROLE_KNOWN | client.index() as u16;
    }

    #[inline(always)]
    fn note_silence(&mut self, now: Tick) {
        let [low, high] = &self.sides;
        let latest = match (low.packets, high.packets) {
            (0, 0) => return,
            (_, 0) => low.last,
            (0, _) => high.last,
            _ => low.last.latest(high.last),
        };
        self.longest_gap = self.longest_gap.or_longer(now.since(latest));
    }

    fn observe_opening(&mut self, direction: Direction, segment: &Segment) -> bool {
        let index = direction.index();
        let first = self.sides[index].packets == 0;
        if self.opened_s == 0 {
            // 0 is "not yet".
            self.opened_s = segment.time.seconds().max(1);
        }
        if segment.flags.syn() {
            self.initial[index] = segment.seq;
            self.syn_window[index] = segment.window;
            self.syn_ip_id[index] = segment.ip_id;
            self.syn_hop_limit[index] = segment.hop_limit;
            self.opening[index] = Opening::new(
                Stack::of(segment),
                segment.window_scale,
                segment.marks.has(Marks::BAD_CHECKSUM),
            );
            if segment.flags.ack() && self.is_wrong_echo(direction, segment) {
                self.state.set(State::ODD_ANSWER);
            }
        } else if first {
            self.initial[index] = segment.seq;
            let answers_syn = segment.flags.ack() && self.side(direction.opposite()).has(Side::SYN);
            if answers_syn && direction != self.client() {
                self.state.set(State::ODD_ANSWER);
            }
        }
        segment.flags.syn() && !segment.flags.ack() && first
    }

    /// A SYN/ACK that echoes a time stamp which the client cannot have sent in its attempts of the
    /// last minutes (RFC 7323, section 3.2).
    fn is_wrong_echo(&self, direction: Direction, segment: &Segment) -> bool {
        let client = direction.opposite();
        let is_known = self.side(client).has(Side::SYN | Side::TIMESTAMPS);
        let age = |echo: u32| self.timestamp_value[client.index()].wrapping_sub(echo);
        is_known && segment.timestamps.is_some_and(|stamps| age(stamps.echo) > ECHO_AGE_MAX)
    }

    #[inline(always)]
    fn observe_ack(&mut self, direction: Direction, ack: SeqNumber, now: Tick) {
        let (index, peer) = (direction.index(), direction.opposite().index());
        let first = self.sides[index].packets == 0 || self.ack_advanced[index] == Tick(0);
        let step = ack.distance_from(self.sides[index].acked);
        self.probes[peer] = 0;
        if !first && !(1..SEQ_JUMP_MAX).contains(&step) {
            return;
        }
        self.sides[index].acked = ack;
        self.ack_advanced[index] = now;
        // Karn's rule: an answer to something sent twice measures nothing.
        let ambiguous = std::mem::take(&mut self.retransmissions[peer]) > 0;
        let other = &self.sides[peer];
        if other.packets == 0 || ack != other.next {
            return;
        }
        // A pure ACK, all that was seen of a side met in mid-stream, provokes no answer: what its
        // number ends was sent at an unknown time. Nor does what is stamped later than its answer.
        let is_timed = other.sent_something() && other.advanced.since(now) == Ticks(0);
        let span = now.since(other.advanced);
        let answers_syn = other.marks & (Side::SYN | Side::DATA | Side::FIN) == Side::SYN;
        if other.has(Side::FIN) {
            self.sides[peer].marks |= Side::FIN_ACKED;
        }
        if is_timed && ambiguous {
            self.bound_round_trip(direction, span);
        } else if is_timed {
            self.sample_round_trip(direction, span, answers_syn);
        }
    }

    /// The host has answered bytes that passed here so long ago (RFC 6298 samples, at the sensor).
    #[inline(always)]
    fn sample_round_trip(&mut self, direction: Direction, span: Ticks, answers_syn: bool) {
        let index = direction.index();
        self.bound_round_trip(direction, span);
        self.tallies[index].add_sample();
        if answers_syn {
            self.state.set(State::ROUND_TRIP_LOW << index);
        }
    }

    /// The round trip is no longer than this. Something sent twice gives no sample, but whichever of
    /// the two was answered, the answer took no longer than since the first.
    #[inline(always)]
    fn bound_round_trip(&mut self, direction: Direction, span: Ticks) {
        let span = u16::try_from(span.0).unwrap_or(u16::MAX);
        let smallest = &mut self.round_trip[direction.index()];
        *smallest = span.min(*smallest);
    }

    #[inline(always)]
    fn observe_sequence(
        &mut self,
        direction: Direction,
        plain: &Plain,
        controls: Controls,
        now: Tick,
    ) {
        let index = direction.index();
        let peer_acked = self.sides[direction.opposite().index()].acked;
        let side = &mut self.sides[index];
        let (end, first) = (controls.end(plain), side.packets == 0);
        let step = end.distance_from(side.next);
        if controls.is_fragment {
            // Only its first part was measured.
            self.state.set(State::GAP);
        }
        if first || (controls.syn && !side.has(Side::SYN)) {
            (side.next, side.advanced) = (end, now);
            if plain.payload_len > 0 || !controls.syn {
                self.open_record[index] = plain.open_record;
            }
        } else if step > 0 && step < SEQ_JUMP_MAX {
            if plain.seq.distance_from(side.next) > 0 {
                self.state.set(State::GAP);
            }
            (side.next, side.advanced) = (end, now);
            // What is missing of a record counts in sequence numbers, so a hole in it is no loss.
            let bytes = step as u32 - u32::from(controls.fin);
            if bytes > 0 {
                let open = self.open_record[index];
                self.open_record[index] = open.advanced(bytes, plain.open_record);
            }
        } else if is_probe(side, peer_acked, plain, controls) {
            self.note_probe(direction, now);
        } else if controls.occupies(plain) && !is_captured_twice(side, plain, end, now) {
            self.retransmissions[index] = self.retransmissions[index].saturating_add(1);
        }
    }

    fn note_probe(&mut self, direction: Direction, now: Tick) {
        let index = direction.index();
        let gap_ms = now.since(self.sides[index].last).ns() / 1_000_000;
        self.probe_gap = u16::try_from(gap_ms / u64::from(PROBE_GAP_UNIT_MS)).unwrap_or(u16::MAX);
        self.probes[index] = self.probes[index].saturating_add(1);
    }

    #[inline(always)]
    fn observe_headers(
        &mut self,
        direction: Direction,
        plain: &Plain,
        controls: Controls,
        now: Tick,
    ) {
        let index = direction.index();
        self.state.0 &= !State::LAST_FROM_HIGH;
        self.state.0 |= State::LAST_FROM_HIGH * index as u16;
        let side = &mut self.sides[index];
        let step = plain.ip_id.wrapping_sub(side.ip_id) as i16;
        // The ID of a SYN/ACK is 0, before the socket's counter starts.
        let counts = side.packets > 1 || (side.packets == 1 && side.ip_id != 0);
        if counts && !(-ID_REORDER_MAX..=ID_STEP_MAX).contains(&step) {
            self.tallies[index].mark_irregular_ids();
        }
        if side.hop_limit != plain.hop_limit {
            if side.packets > 0 {
                side.hop_spread = widen(side.hop_spread, side.hop_limit, plain.hop_limit);
            }
            side.hop_limit = plain.hop_limit;
        }
        side.ip_id = plain.ip_id;
        side.window = plain.window;
        side.last = now;
        side.packets = side.packets.saturating_add(1);
        side.marks = side.marks & !(Side::DF | Side::PORT) | plain.side_marks;
        if plain.side_marks & Side::TIMESTAMPS != 0 {
            self.timestamp_value[index] = plain.timestamp;
        }
        if plain.payload_len > 0 {
            if self.first_payload[index] == PayloadClass::Empty {
                self.first_payload[index] = plain.payload;
            }
            self.last_payload[index] = plain.payload.after(self.last_payload[index]);
        }
        if plain.window == 0 && !controls.syn {
            self.tallies[index].add_zero_window();
        }
        self.traffic_class[index] = plain.traffic_class;
        if self.mac[index] != plain.mac {
            self.mac[index] = if self.mac[index] == 0 { plain.mac } else { MIXED_MACS };
        }
    }

    fn note_progress(&mut self, opened: bool, direction: Direction, segment: &Segment) -> Change {
        let mut change = Change { opened, ..Change::default() };
        let acks = segment.flags.ack() && !segment.flags.syn();
        if !self.handshake_complete()
            && self.both_have(Side::SYN)
            && acks
            && direction == self.client()
        {
            self.state.set(State::HANDSHAKE);
            change.established = true;
        }
        if self.both_have(Side::FIN) && !self.is_over() {
            self.state.set(State::CLOSED_WELL);
            change.closed_well = true;
        }
        change
    }
}

/// What a segment does besides being plain.
#[derive(Clone, Copy)]
struct Controls {
    syn: bool,
    fin: bool,
    ack: bool,
    is_fragment: bool,
}

impl Controls {
    /// Those of a plain segment.
    const NONE: Self = Self { syn: false, fin: false, ack: true, is_fragment: false };

    fn of(segment: &Segment) -> Self {
        let (flags, marks) = (segment.flags, segment.marks);
        Self {
            syn: flags.syn(),
            fin: flags.fin(),
            ack: flags.ack(),
            is_fragment: marks.has(Marks::FRAGMENT),
        }
    }

    /// See [`Segment::end`].
    #[inline(always)]
    fn end(self, plain: &Plain) -> SeqNumber {
        plain.seq + plain.payload_len + u32::from(self.syn) + u32::from(self.fin)
    }

    /// See [`Segment::occupies`].
    #[inline(always)]
    const fn occupies(self, plain: &Plain) -> bool {
        plain.payload_len > 0 || self.syn || self.fin
    }
}

/// A keepalive probe: nothing, or one old byte, just before what was sent (RFC 9293, 3.8.4). One
/// byte that is not yet acknowledged is a retransmitted keystroke.
#[inline(always)]
fn is_probe(side: &Side, peer_acked: SeqNumber, plain: &Plain, controls: Controls) -> bool {
    let quiet = !controls.syn && !controls.fin && controls.ack;
    let is_empty = plain.payload_len == 0;
    let is_old_byte = plain.payload_len == 1 && peer_acked == side.next;
    quiet && plain.seq.distance_from(side.next) == -1 && (is_empty || is_old_byte)
}

/// A mirror port that shows a packet twice shows the same IP ID within a moment.
///
/// Where there is none, the last segment again, and so soon that no timer can have sent it.
fn is_captured_twice(side: &Side, plain: &Plain, end: SeqNumber, now: Tick) -> bool {
    let span = now.since(side.last);
    let has_id = plain.ip_id != 0 && !plain.is_v6;
    if has_id {
        // Copies may come interleaved: one of the last few.
        return side.ip_id.wrapping_sub(plain.ip_id) < COPIES_UNDER_WAY && span < DUPLICATE_WITHIN;
    }
    end == side.next && plain.window == side.window && span < COPY_WITHIN
}

/// The spread nibbles after the hop limit went from `before` to `now`.
const fn widen(spread: u8, before: u8, now: u8) -> u8 {
    let (rise, fall) = (now.saturating_sub(before), before.saturating_sub(now));
    let (rise, fall) = (if rise > 15 { 15 } else { rise }, if fall > 15 { 15 } else { fall });
    let (old_rise, old_fall) = (spread >> 4, spread & 15);
    let rise = if rise > old_rise { rise } else { old_rise };
    let fall = if fall > old_fall { fall } else { old_fall };
    rise << 4 | fall
}

/// Steps beyond 1 GiB are not progress but nonsense or an attack.
const SEQ_JUMP_MAX: i32 = 1 << 30;
/// Ticks of a client's clock within which it may have sent the SYN that is answered: 17 s in
/// microseconds, the finest in use. A number out of the blue is this close once in 256 times.
const ECHO_AGE_MAX: u32 = 1 << 24;
/// Segments that one large send is cut into, each with its own ID.
const ID_STEP_MAX: i16 = 64;
/// Segments that changed places.
const ID_REORDER_MAX: i16 = 16;
/// Segments that pass between a packet and its copy.
const COPIES_UNDER_WAY: u16 = 16;
/// A SYN that is refused is repeated after 500 ms at the earliest (Windows).
const SYN_COPY_WITHIN: Ticks = Ticks::from_ms(200);
/// A copy on a mirror port follows its original at once; the shortest retransmission takes longer.
const COPY_WITHIN: Ticks = Ticks::from_ms(2);
/// Two copies of one packet are this close together on a mirror port.
const DUPLICATE_WITHIN: Ticks = Ticks::from_ms(100);
