//! Who: from the sum of the evidence to a name (classification.md, section 5.2).

use flowtable::{AliveBy, Side, Stack, Ticks};

use crate::case::Case;
use crate::clues::{self, Weighed};
use crate::declared;
use crate::verdict::Sheet;
use crate::vocabulary::{Origin, Stage, Terminator};

/// Who sent it, by how much.
#[derive(Clone, Copy)]
pub(crate) struct Attribution {
    pub(crate) origin: Origin,
    pub(crate) confidence: f32,
    /// Probability that the named endpoint sent it.
    pub(crate) by_endpoint: f32,
    pub(crate) terminator: Terminator,
    pub(crate) weighed: Weighed,
}

impl Attribution {
    /// The device that it may have been if it was not the named endpoint.
    pub(crate) fn device_candidate(&self, case: &Case<'_>) -> Origin {
        let is_beyond = self.origin == Origin::Unknown && is_invisible_injection(case);
        // What the client was reset by came from the other side, and is not this reset.
        if is_beyond { Origin::MiddleboxToClient } else { device(case) }
    }
}

/// Names the sender, or admits that the evidence does not.
pub(crate) fn attribute(case: &Case<'_>, sheet: &mut impl Sheet) -> Attribution {
    let weighed = clues::weigh(case, sheet);
    let endpoint = probability(weighed.decibans);
    let is_likely = endpoint >= LIKELY;
    let is_blind = weighed.decibans <= MIDDLEBOX_DECIBANS && is_blind(case);
    // Odd as it may look: with nothing to compare it with, nobody is accused.
    let nobody = case.is_without_context();
    let (origin, confidence) = if is_likely && is_invisible_injection(case) {
        // Whether the host forgot the connection or was reset by what did not pass here.
        (Origin::Unknown, 0.5)
    } else if is_likely && weighed.has_proof {
        // Genuine headers against a proof: one of them deceives.
        (Origin::Unknown, 0.5)
    } else if is_likely {
        (named_endpoint(case), endpoint)
    } else if is_blind {
        (Origin::BlindAttacker, 1.0 - endpoint)
    } else if weighed.decibans <= MIDDLEBOX_DECIBANS && !nobody {
        (device(case), 1.0 - endpoint)
    } else {
        (Origin::Unknown, endpoint.max(1.0 - endpoint))
    };
    let terminator = if clues::is_split(case) && !case.sender_is_client() {
        Terminator::Proven
    } else if case.from().has(Side::SYN)
        && !case.sender_is_client()
        && (case.before().syn_window(case.sender) == 0
            || case.stage == Stage::PostPsh
            || declared::netscaler(case).is_some())
    {
        // SYN proxies answer with window 0 until they have a server (nf_synproxy_core.c); and what
        // rejects a request by its content may be a proxy as well as the application. A NetScaler's
        // reset code is a NetScaler's.
        Terminator::Suspected
    } else {
        Terminator::None
    };
    // Undecided in spite of such a sum: what stands against it weighs as much.
    let by_endpoint = if origin == Origin::Unknown && is_likely { 0.5 } else { endpoint };
    Attribution { origin, confidence, by_endpoint, terminator, weighed }
}

/// Whom the packet names.
pub(crate) const fn named_endpoint(case: &Case<'_>) -> Origin {
    if case.sender_is_client() { Origin::Client } else { Origin::Server }
}

/// A device in the path, by the direction it resets in.
fn device(case: &Case<'_>) -> Origin {
    if clues::unprovoked_opposite(case).is_some() {
        Origin::MiddleboxBoth
    } else if case.sender_is_client() {
        Origin::MiddleboxToServer
    } else {
        Origin::MiddleboxToClient
    }
}

/// A client that was busy a moment ago answers data as if it had no connection: it was reset by
/// something between it and the sensor, or it forgot (classification.md, section 5.2). Only Linux
/// tells that from a reset of its own accord; and servers do forget, when a worker is killed or a
/// balancer chooses another.
fn is_invisible_injection(case: &Case<'_>) -> bool {
    let (from, to, before) = (case.from(), case.to(), case.before());
    let is_open = !from.has(Side::FIN) && !to.has(Side::FIN) && case.watch.earlier.is_none();
    // What was left out on purpose makes nobody surer.
    let has_gap = before.has_gap() && !case.is_thinned();
    let knows_all = !has_gap && !before.is_midstream() && !before.is_reused();
    let round_trips = [case.sender, case.receiver]
        .map(|side| before.round_trip(side).map_or(0, |span| span.0))
        .iter()
        .fold(0u32, |sum, &span| sum.saturating_add(span));
    let just_now = Ticks(round_trips.saturating_add(round_trips / 2)).max(Ticks::from_ms(5));
    case.sender_is_client()
        && case.is_bare()
        && case.stack() == Stack::Linux
        && is_open
        && knows_all
        && from.has(Side::DATA)
        && to.has(Side::DATA)
        && before.retransmissions(case.receiver) == 0
        && case.receiver_spoke_last()
        && case.answers_receiver()
        && case.reset().seq == from.next
        && case.since(from).is_some_and(|span| span <= just_now)
}

/// Several resets at other numbers than the sender's next, and the connection lives on: guesses.
fn is_blind(case: &Case<'_>) -> bool {
    let after = &case.watch.aftermath;
    let off = case.reset().seq.distance_from(case.from().next).unsigned_abs();
    let lives = matches!(after.alive.map(|alive| alive.what), Some(AliveBy::Data | AliveBy::Fin))
        || after.challenged;
    let earlier_off = case.watch.earlier.is_some_and(|earlier| {
        earlier.direction == case.sender && earlier.reset.seq != case.reset().seq
    });
    case.is_bare()
        && (case.carried_data() || case.before().handshake_complete())
        && off > 1
        && !case.answers_receiver()
        && lives
        && (after.train.count >= 3 || earlier_off)
}

/// Decibans to probability.
pub(crate) fn probability(decibans: f32) -> f32 {
    1.0 / (1.0 + 10f32.powf(-decibans / 10.0))
}

/// From here on an endpoint is named.
const LIKELY: f32 = 0.70;
/// From here on a device is named: 0.83, because accusing an innocent is the worst mistake.
const MIDDLEBOX_DECIBANS: f32 = -7.0;
