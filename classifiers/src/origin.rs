//! Who: from the sum of the evidence to a name (classification.md, section 5.2).

use flowtable::{AliveBy, Side};

use crate::case::Case;
use crate::clues::{self, Weighed};
use crate::vocabulary::{Origin, Stage, Terminator};

/// Who sent it, by how much.
pub(crate) struct Attribution {
    pub(crate) origin: Origin,
    pub(crate) confidence: f32,
    pub(crate) terminator: Terminator,
    pub(crate) weighed: Weighed,
}

impl Attribution {
    /// Probability that the named endpoint sent it.
    pub(crate) fn endpoint_probability(&self) -> f32 {
        probability(self.weighed.decibans)
    }
}

/// Names the sender, or admits that the evidence does not.
pub(crate) fn attribute(case: &Case<'_>) -> Attribution {
    let weighed = clues::weigh(case);
    let endpoint = probability(weighed.decibans);
    let is_blind = weighed.decibans <= MIDDLEBOX_DECIBANS && is_blind(case);
    // Odd as it may look: with nothing to compare it with, nobody is accused.
    let nobody = case.is_without_context();
    let (origin, confidence) = if endpoint >= LIKELY && weighed.has_proof {
        // Genuine headers against a proof: one of them deceives.
        (Origin::Unknown, 0.5)
    } else if endpoint >= LIKELY {
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
        && (case.before().syn_window(case.sender) == 0 || case.stage == Stage::PostPsh)
    {
        // SYN proxies answer with window 0 until they have a server (nf_synproxy_core.c); and what
        // rejects a request by its content may be a proxy as well as the application.
        Terminator::Suspected
    } else {
        Terminator::None
    };
    Attribution { origin, confidence, terminator, weighed }
}

/// Whom the packet names.
pub(crate) const fn named_endpoint(case: &Case<'_>) -> Origin {
    if case.sender_is_client() { Origin::Client } else { Origin::Server }
}

/// A device in the path, by the direction it resets in.
pub(crate) fn device(case: &Case<'_>) -> Origin {
    if clues::unprovoked_opposite(case).is_some() {
        Origin::MiddleboxBoth
    } else if case.sender_is_client() {
        Origin::MiddleboxToServer
    } else {
        Origin::MiddleboxToClient
    }
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
