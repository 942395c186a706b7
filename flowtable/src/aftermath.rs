//! What followed a reset: is its sender alive, did its receiver stop, are there more of its kind?

use wire::SeqNumber;

use crate::key::Direction;
use crate::record::{FlowRecord, Side};
use crate::segment::Segment;
use crate::time::Ticks;

/// What was seen of a flow after one of its resets. "Sender" is whom the reset names, "receiver"
/// the other side; nothing here is a judgement.
#[derive(Clone, Copy, Debug, Default)]
pub struct Aftermath {
    /// Data of the sender up to so long after the reset may be copies of what was not seen before.
    pub data_after_min: Ticks,
    /// The sender's first new data, FIN or SYN/ACK that it cannot have sent before the reset.
    pub alive: Option<Alive>,
    /// Segments of the sender after the reset, resets left out, saturating.
    pub sender_packets: u16,
    /// Segments of the receiver, resets left out, saturating.
    pub receiver_packets: u16,
    /// How far the receiver had got with data that passed here after the reset.
    pub receiver_next: Option<SeqNumber>,
    /// New data of the receiver sent when the reset must have reached it.
    pub receiver_went_on: bool,
    /// Retransmissions of the receiver sent when the reset must have reached it.
    pub receiver_retransmits: u8,
    /// A pure ACK of the receiver right after the reset that repeats what it knew (RFC 5961).
    pub challenged: bool,
    /// Resets that followed in the same direction.
    pub train: Train,
    /// First reset in the other direction.
    pub opposite: Option<Opposite>,
    /// How far the sender had got by an earlier reset of its own.
    pub told: Option<SeqNumber>,
    /// A new SYN on the same 4-tuple came after so long.
    pub retry: Option<Ticks>,
    /// Some such SYN was the one from before the reset again.
    pub repeated_syn: bool,
    /// That SYN was answered by SYN/ACK.
    pub retry_accepted: bool,
}

/// Proof that the sender of a reset did not stop.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Alive {
    /// How long after the reset.
    pub after: Ticks,
    /// What it sent.
    pub what: AliveBy,
    /// IP ID of that segment.
    pub ip_id: u16,
    /// Its hop limit.
    pub hop_limit: u8,
    /// Hash of its source MAC.
    pub mac: u8,
}

/// What a sender did after its own reset.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AliveBy {
    /// Sent data beyond what it had sent.
    Data,
    /// Sent a FIN it had not sent.
    Fin,
    /// Accepted the connection it is said to have refused.
    SynAck,
    /// Completed the handshake it is said to have broken off.
    Ack,
}

/// Further resets in the direction of the first.
#[derive(Clone, Copy, Debug, Default)]
pub struct Train {
    /// How many, saturating.
    pub count: u8,
    /// Unprovoked, with a number above the first one's and above everything the sender had sent.
    pub beyond: u8,
    /// RST|ACKs that repeat the first, with no segment of the receiver in between.
    pub repeats: u8,
    /// Whose window differs from the one before by one constant small step.
    pub window_steps: u8,
    /// Without any segment of the receiver since the one before.
    pub unprovoked: u8,
    /// Whose hop limit is one more than that of the one before, in a row.
    pub hop_limit_steps: u8,
    last_window: u16,
    last_hop_limit: u8,
    window_step: i16,
    provoked: bool,
}

/// A reset in the other direction.
#[derive(Clone, Copy, Debug)]
pub struct Opposite {
    /// How long after.
    pub after: Ticks,
    /// Its header.
    pub hop_limit: u8,
    /// Its IP ID.
    pub ip_id: u16,
    /// Its sequence number.
    pub seq: SeqNumber,
    /// Whether the sender of the first one had sent anything in between that it may answer.
    pub provoked: bool,
}

impl Aftermath {
    /// Takes in a segment that followed `reset`, which had come in `sender`'s direction.
    pub fn observe(
        &mut self,
        before: &FlowRecord,
        reset: &Segment,
        sender: Direction,
        direction: Direction,
        segment: &Segment,
    ) {
        let after = segment.time.tick().since(reset.time.tick());
        match (segment.flags.rst(), direction == sender) {
            (true, true) => {
                let next = highest_known(before, sender, self.told);
                self.train.observe(next, reset, segment, self.sender_packets > 0);
            }
            (true, false) => self.note_opposite(after, segment),
            (false, _) if segment.flags.syn() && !segment.flags.ack() => {
                self.retry = self.retry.or(Some(after));
                let known = before.side(direction).has(Side::SYN);
                self.repeated_syn |= known && before.initial(direction) == segment.seq;
            }
            _ if self.retry.is_some() => self.retry_accepted |= segment.flags.syn(),
            (false, true) => self.observe_sender(before, reset, sender, after, segment),
            (false, false) => self.observe_receiver(before, reset, sender, after, segment),
        }
    }

    fn note_opposite(&mut self, after: Ticks, segment: &Segment) {
        self.opposite = self.opposite.or(Some(Opposite {
            after,
            hop_limit: segment.hop_limit,
            ip_id: segment.ip_id,
            seq: segment.seq,
            provoked: self.sender_packets > 0,
        }));
    }

    fn observe_sender(
        &mut self,
        before: &FlowRecord,
        reset: &Segment,
        sender: Direction,
        after: Ticks,
        segment: &Segment,
    ) {
        self.sender_packets = self.sender_packets.saturating_add(1);
        let half = before.round_trip(sender).map_or(Ticks(0), |span| Ticks(span.0 / 2));
        if self.alive.is_some() || after <= half.max(REORDERED_WITHIN) {
            return;
        }
        let side = before.side(sender);
        let is_below = segment.end().distance_from(reset.seq) <= 0;
        if reset.flags.ack() && side.packets > 0 && is_below && !segment.flags.syn() {
            // Data that its own reset has overtaken.
            return;
        }
        let is_new = side.packets == 0 || segment.end().distance_from(side.next) > 0;
        let is_copy = segment.flags.syn()
            && side.has(Side::SYN)
            && segment.time.tick().since(side.last) < SYN_ACK_COPY_WITHIN;
        if is_copy {
            return;
        }
        let what = if segment.flags.syn() {
            AliveBy::SynAck
        } else if segment.payload_len > 0 && is_new && after > self.data_after_min {
            AliveBy::Data
        } else if segment.flags.fin() && !side.has(Side::FIN) && is_new {
            AliveBy::Fin
        } else if before.side(sender).packets <= 1
            && side.has(Side::SYN)
            && sender == before.client()
        {
            AliveBy::Ack
        } else {
            return;
        };
        let Segment { ip_id, hop_limit, mac, .. } = *segment;
        self.alive = Some(Alive { after, what, ip_id, hop_limit, mac });
    }

    fn observe_receiver(
        &mut self,
        before: &FlowRecord,
        reset: &Segment,
        sender: Direction,
        after: Ticks,
        segment: &Segment,
    ) {
        self.receiver_packets = self.receiver_packets.saturating_add(1);
        self.train.provoked = true;
        let receiver = sender.opposite();
        let side = before.side(receiver);
        // What it sent after the reset reached it passes here one round trip to it later; queues
        // may make that two. Without a round trip nobody knows.
        let round_trip = before.round_trip(receiver);
        let reached = Ticks(round_trip.unwrap_or(Ticks(0)).0 * 2).max(JITTER);
        let is_new = segment.end().distance_from(side.next) > 0;
        if segment.payload_len > 0 && is_new {
            let data_end = segment.seq + segment.payload_len;
            let is_highest = self.receiver_next.is_none_or(|next| data_end.distance_from(next) > 0);
            self.receiver_next = if is_highest { Some(data_end) } else { self.receiver_next };
        }
        if after > reached && round_trip.is_some() {
            if segment.occupies() && is_new {
                self.receiver_went_on = true;
            } else if segment.occupies() {
                self.receiver_retransmits = self.receiver_retransmits.saturating_add(1);
            }
        }
        let repeats = segment.seq == side.next && segment.ack == side.acked;
        // Not before the reset can have reached it, and at once then.
        let at_least = round_trip.unwrap_or(Ticks(0)).0 / 4 * 3;
        let prompt = after.0 >= at_least && after <= Ticks(reached.0.saturating_add(JITTER.0));
        if !segment.occupies() && repeats && prompt && reset.seq != side.acked {
            self.challenged = true;
        }
    }
}

impl Train {
    fn observe(
        &mut self,
        sender_next: Option<SeqNumber>,
        first: &Segment,
        segment: &Segment,
        sender_went_on: bool,
    ) {
        let before = if self.count == 0 { first.window } else { self.last_window };
        let step = segment.window.wrapping_sub(before) as i16;
        let provoked = std::mem::take(&mut self.provoked);
        self.count = self.count.saturating_add(1);
        if segment.hop_limit.abs_diff(first.hop_limit) > TRAIN_HOPS_MAX {
            // From somewhere else: what others forge says nothing of the first one.
            return;
        }
        let is_small = step != 0 && step.unsigned_abs() <= WINDOW_STEP_MAX;
        if is_small && (self.count == 1 || step == self.window_step) {
            self.window_steps = self.window_steps.saturating_add(1);
        }
        let last_limit = if self.count == 1 { first.hop_limit } else { self.last_hop_limit };
        if last_limit.checked_add(1) == Some(segment.hop_limit) {
            self.hop_limit_steps = self.hop_limit_steps.saturating_add(1);
        } else if self.hop_limit_steps < HOP_LIMIT_STEPS_MIN {
            // Up and down again: a tap on both sides of a router sees each reset twice.
            self.hop_limit_steps = 0;
        }
        self.last_hop_limit = segment.hop_limit;
        // NDSS 2009: the second of a back-to-back pair lies above the first and above everything.
        let above = sender_next.is_some_and(|next| segment.seq.distance_from(next) > 0);
        if above && !provoked && !sender_went_on && segment.seq.distance_from(first.seq) > 0 {
            self.beyond = self.beyond.saturating_add(1);
        }
        if !provoked {
            self.unprovoked = self.unprovoked.saturating_add(1);
            // Replies repeat by nature, one for each segment that was under way.
            if segment.flags.ack() && segment.seq == first.seq && segment.ack == first.ack {
                self.repeats = self.repeats.saturating_add(1);
            }
        }
        (self.last_window, self.window_step) = (segment.window, step);
    }
}

/// The highest number of `sender` that anything seen so far vouches for: what it sent, or what the
/// other side acknowledged though the capture lost it. `None` where the numbers are not known.
fn highest_known(
    before: &FlowRecord,
    sender: Direction,
    told: Option<SeqNumber>,
) -> Option<SeqNumber> {
    let (side, peer) = (before.side(sender), before.side(sender.opposite()));
    if side.packets == 0 || before.has_gap() || before.is_midstream() {
        return None;
    }
    let is_behind = peer.packets > 0 && peer.acked.distance_from(side.next) > 0;
    let known = if is_behind { peer.acked } else { side.next };
    Some(told.filter(|told| told.distance_from(known) > 0).unwrap_or(known))
}

/// Packets this close together may have changed places on their way through a mirror.
const REORDERED_WITHIN: Ticks = Ticks::from_ms(10);
/// A SYN/ACK again so soon is a copy of the first, not its retransmission.
const SYN_ACK_COPY_WITHIN: Ticks = Ticks::from_ms(150);
/// Delay that queues and busy hosts add.
const JITTER: Ticks = Ticks::from_ms(50);
/// Triples whose hop limits rise by one stay this close together; paths flap less.
const TRAIN_HOPS_MAX: u8 = 4;
/// So many steps up in a row are a pattern.
const HOP_LIMIT_STEPS_MIN: u8 = 2;
/// Known injectors step the window by 1 to 10 from one reset to the next.
const WINDOW_STEP_MAX: u16 = 16;
