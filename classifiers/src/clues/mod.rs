//! The evidence for and against the named sender, one clue a file (classification.md, 5.2).

mod alive;
mod causality;
mod dont_fragment;
mod dscp;
mod hops;
mod id_line;
mod ip_id;
mod learned;
mod name;
mod numbers;
mod opposite;
mod port;
mod profile;
mod signature;
mod split;
mod timestamps;
mod train;
mod window;

pub(crate) use opposite::unprovoked as unprovoked_opposite;
pub(crate) use signature::must_be_dropped;
pub(crate) use split::is_split;

use crate::case::Case;
use crate::verdict::{Evidence, EvidenceList, Value};
use crate::vocabulary::Clue;

/// The sum of the evidence.
pub(crate) struct Weighed {
    /// Decibans for the named sender.
    pub(crate) decibans: f32,
    /// What was weighed.
    pub(crate) evidence: EvidenceList,
    /// A single piece outside the clamp would decide against the named sender by itself.
    pub(crate) has_proof: bool,
}

/// Adds up every clue. Header clues are correlated ("another stack wrote it"), so their sum is
/// clamped; proofs stand outside.
pub(crate) fn weigh(case: &Case<'_>) -> Weighed {
    let mut evidence = EvidenceList::new();
    let prior = prior(case);
    evidence.push(prior);
    let mut headers = 0.0f32;
    let mut has_anomaly = false;
    for clue in HEADER_CLUES {
        if let Some(found) = clue(case).filter(|found| !is_other_stack(case, found)) {
            headers += found.decibans;
            has_anomaly |= found.decibans <= -6.0;
            evidence.push(found);
        }
    }
    let mut decibans = prior.decibans + headers.clamp(HEADERS_MIN, HEADERS_MAX);
    let mut has_proof = false;
    for clue in PROOF_CLUES {
        if let Some(found) = clue(case) {
            decibans += found.decibans;
            has_proof |= found.decibans <= PROOF;
            evidence.push(found);
        }
    }
    if let Some(found) = opposite::weigh(case, has_anomaly) {
        decibans += found.decibans;
        evidence.push(found);
    }
    Weighed { decibans, evidence, has_proof }
}

/// A front end that resets in its own name writes as itself, not as the machine behind it.
fn is_other_stack(case: &Case<'_>, found: &Evidence) -> bool {
    let by_handshake = found.clue != Clue::Hops && split::is_from_front(case);
    let by_front = split::is_from_known_front(case) || split::is_behind_syn_proxy(case);
    found.decibans < 0.0 && (by_handshake || by_front)
}

/// Most resets come from whom they name; without any context that is all there is to say.
fn prior(case: &Case<'_>) -> Evidence {
    let lonely = case.is_without_context();
    Evidence {
        clue: Clue::Prior,
        observed: Value::None,
        expected: Value::None,
        decibans: if lonely { PRIOR_LONELY } else { PRIOR },
        says: if lonely {
            "nothing was seen of this connection before the reset"
        } else {
            "most resets come from whom they name"
        },
    }
}

type ClueFn = fn(&Case<'_>) -> Option<Evidence>;

const HEADER_CLUES: [ClueFn; 8] = [
    hops::weigh,
    ip_id::weigh,
    timestamps::weigh,
    window::weigh,
    dscp::weigh,
    dont_fragment::weigh,
    profile::weigh,
    learned::weigh,
];
const PROOF_CLUES: [ClueFn; 9] = [
    numbers::weigh,
    causality::weigh,
    alive::weigh,
    train::weigh,
    signature::weigh,
    port::weigh,
    id_line::weigh,
    split::weigh,
    name::weigh,
];

/// 95 %: classification.md, section 5.2.
const PRIOR: f32 = 13.0;
/// 80 %: nothing to compare with.
const PRIOR_LONELY: f32 = 6.0;
/// Evidence of this weight stands in no endpoint's name, whatever its headers look like.
const PROOF: f32 = -25.0;
const HEADERS_MIN: f32 = -35.0;
const HEADERS_MAX: f32 = 28.0;
