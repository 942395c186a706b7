//! One reset and everything known about it, in the terms the clues and rules speak in.

use flowtable::{
    Direction, FlowRecord, HostBaseline, Marks, Segment, Side, Sight, Stack, Ticks, Watch,
};
use wire::SeqNumber;

use crate::context::Setting;
use crate::vocabulary::{Shape, Stage};

/// A reset under judgement. *Sender* is whom the packet names, *receiver* the other side.
#[derive(Clone, Copy)]
pub(crate) struct Case<'w> {
    pub(crate) watch: &'w Watch,
    /// What other connections tell.
    pub(crate) setting: &'w Setting,
    pub(crate) sender: Direction,
    pub(crate) receiver: Direction,
    pub(crate) is_final: bool,
    pub(crate) shape: Shape,
    pub(crate) stage: Stage,
}

/// A round trip, and how far it can be trusted as a lower bound.
#[derive(Clone, Copy)]
pub(crate) struct RoundTrip {
    pub(crate) span: Ticks,
    /// Several independent samples agree that the host is at least this far.
    pub(crate) is_firm: bool,
    /// One of them is of a handshake, which no application delays.
    pub(crate) has_handshake: bool,
}

impl<'w> Case<'w> {
    pub(crate) fn new(watch: &'w Watch, is_final: bool, setting: &'w Setting) -> Self {
        let sender = watch.direction;
        let mut case = Self {
            watch,
            setting,
            sender,
            receiver: sender.opposite(),
            is_final,
            shape: Shape::Odd,
            stage: Stage::None,
        };
        case.shape = case.shape_of_reset();
        case.stage = case.stage_reached();
        case
    }

    pub(crate) const fn reset(&self) -> &'w Segment {
        &self.watch.reset
    }

    pub(crate) const fn before(&self) -> &'w FlowRecord {
        &self.watch.before
    }

    /// Whether segments may have passed that were left out on purpose (control mode).
    pub(crate) fn is_thinned(&self) -> bool {
        self.watch.sight == Sight::Thinned
    }

    /// What the named sender had sent.
    pub(crate) const fn from(&self) -> &'w Side {
        self.watch.before.side(self.watch.direction)
    }

    /// What the other side had sent.
    pub(crate) const fn to(&self) -> &'w Side {
        self.watch.before.side(self.watch.direction.opposite())
    }

    /// What the server's other connections look like, if the server is the named sender.
    pub(crate) const fn baseline(&self) -> Option<&'w HostBaseline> {
        match &self.watch.host {
            Some(host) if !self.sender_is_client() => Some(host),
            _ => None,
        }
    }

    pub(crate) const fn sender_is_client(&self) -> bool {
        self.watch.before.client().index() == self.sender.index()
    }

    pub(crate) const fn stack(&self) -> Stack {
        self.before().stack(self.sender)
    }

    pub(crate) const fn is_v6(&self) -> bool {
        self.reset().marks.has(Marks::V6)
    }

    pub(crate) const fn has_ack(&self) -> bool {
        self.reset().flags.ack()
    }

    /// A bare RST.
    pub(crate) const fn is_bare(&self) -> bool {
        !self.has_ack()
    }

    /// The sequence number one expects if the reset answers the receiver's latest acknowledgment.
    pub(crate) fn answers_receiver(&self) -> bool {
        self.to().packets > 0 && self.reset().seq == self.to().acked
    }

    /// Whether the sender's last segment is older than the receiver's.
    pub(crate) fn receiver_spoke_last(&self) -> bool {
        self.to().packets > 0
            && (self.from().packets == 0 || self.before().last_sender() == self.receiver)
    }

    /// Time since the last segment of `side`.
    pub(crate) fn since(&self, side: &Side) -> Option<Ticks> {
        (side.packets > 0).then(|| self.reset().time.tick().since(side.last))
    }

    /// Silence of both sides before the reset.
    pub(crate) fn idle(&self) -> Ticks {
        let last = self.before().last_activity();
        last.map_or(Ticks(0), |last| self.reset().time.tick().since(last))
    }

    /// Silence before whatever provoked the reset: what an idle timer would have measured.
    pub(crate) fn idle_before_provocation(&self) -> Ticks {
        let provoked = self.is_bare() && self.receiver_spoke_last();
        match self.since(self.from()) {
            Some(silence) if provoked => silence,
            _ => self.idle(),
        }
    }

    /// The same, unless nothing was seen before the reset.
    pub(crate) fn idle_if_known(&self) -> Option<Ticks> {
        (!self.is_without_context()).then(|| self.idle_before_provocation())
    }

    /// Silence before the reset, in seconds.
    pub(crate) fn idle_s(&self) -> f64 {
        self.idle().seconds()
    }

    /// Smallest round trip to the named sender, from its flow and from its server's others.
    pub(crate) fn round_trip(&self) -> Option<RoundTrip> {
        let before = self.before();
        let own = before.round_trip(self.sender);
        let known = self.baseline().and_then(HostBaseline::round_trip);
        let has_handshake = before.round_trip_has_handshake(self.sender);
        let own_firm = has_handshake && before.round_trip_samples(self.sender) >= 2;
        let seen = self.baseline().map_or(0, |host| host.seen);
        match (own, known) {
            (Some(own), Some(known)) => {
                let is_firm = own_firm || seen >= 2;
                Some(RoundTrip { span: own.min(known), is_firm, has_handshake: true })
            }
            (Some(span), None) => Some(RoundTrip { span, is_firm: own_firm, has_handshake }),
            (None, Some(span)) => Some(RoundTrip { span, is_firm: seen >= 3, has_handshake: true }),
            (None, None) => None,
        }
    }

    /// A number of the sender, relative to its first.
    pub(crate) fn relative(&self, seq: SeqNumber) -> i64 {
        i64::from(seq.distance_from(self.before().initial(self.sender)))
    }

    /// Whether nothing at all was seen of the flow before.
    pub(crate) const fn is_without_context(&self) -> bool {
        self.from().packets == 0 && self.to().packets == 0
    }

    /// The sender's packets show that the other side spoke, and yet nothing of it was seen.
    pub(crate) fn is_one_way(&self) -> bool {
        let from = self.from();
        let was_answered = from.has(Side::DATA) || from.has(Side::FIN) || !from.has(Side::SYN);
        from.packets > 0 && self.to().packets == 0 && (was_answered || !self.sender_is_client())
    }

    /// Data was seen in both directions, or at least acknowledged.
    pub(crate) const fn carried_data(&self) -> bool {
        self.from().has(Side::DATA) || self.to().has(Side::DATA)
    }

    fn shape_of_reset(&self) -> Shape {
        let reset = self.reset();
        match (reset.flags.ack(), reset.flags.syn() || reset.flags.fin()) {
            (_, true) => Shape::Odd,
            (true, _) if reset.seq == SeqNumber(0) && !self.to().has(Side::DATA) => Shape::Refusal,
            (true, _) => Shape::Active,
            (false, _) => Shape::Reply,
        }
    }

    fn stage_reached(&self) -> Stage {
        let before = self.before();
        let (client, server) =
            (before.side(before.client()), before.side(before.client().opposite()));
        if self.is_without_context() {
            Stage::None
        } else if client.has(Side::FIN) || server.has(Side::FIN) {
            Stage::PostFin
        } else if server.has(Side::DATA) || (before.is_midstream() && !client.has(Side::SYN)) {
            Stage::Later
        } else if client.has(Side::DATA) {
            Stage::PostPsh
        } else if before.handshake_complete() {
            Stage::PostAck
        } else {
            Stage::PostSyn
        }
    }
}

/// Distance from the next higher initial hop limit: 32, 64, 128 or 255.
#[must_use]
pub const fn hops(hop_limit: u8) -> u8 {
    initial_hop_limit(hop_limit) - hop_limit
}

/// The initial value that a hop limit probably started from.
pub(crate) const fn initial_hop_limit(hop_limit: u8) -> u8 {
    match hop_limit {
        0..=32 => 32,
        33..=64 => 64,
        65..=128 => 128,
        _ => 255,
    }
}
