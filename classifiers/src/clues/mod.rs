//! The evidence for and against the named sender, one clue a file (classification.md, 5.2).
//!
//! A clue names the row of `weights` that holds; the row says what it is worth.

mod alive;
mod causality;
mod dont_fragment;
mod dscp;
mod hops;
mod id_line;
mod ip_id;
mod learned;
mod moved;
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

pub(crate) use causality::answered_too_soon;
pub(crate) use opposite::unprovoked as unprovoked_opposite;
pub(crate) use signature::must_be_dropped;
pub(crate) use split::is_split;

use flowtable::Sight;

use crate::case::Case;
use crate::verdict::{Evidence, Sheet, Value};
use crate::vocabulary::Clue;
use crate::weights::{HEADERS_MAX, HEADERS_MIN, Row, Rows, rows_where};

/// The sum of the evidence.
#[derive(Clone, Copy)]
pub(crate) struct Weighed {
    /// Decibans for the named sender.
    pub(crate) decibans: f32,
    /// What was weighed.
    pub(crate) rows: Rows,
    /// A single piece outside the clamp would decide against the named sender by itself.
    pub(crate) has_proof: bool,
}

/// Adds up every clue, and shows each to the proof sheet. Header clues are correlated ("another
/// stack wrote it"), so their sum is clamped; proofs stand outside.
pub(crate) fn weigh(case: &Case<'_>, sheet: &mut impl Sheet) -> Weighed {
    let mut scale = Scale { rows: Rows::NONE, sheet };
    let prior = scale.take(Some(prior(case)));
    let mut headers = 0.0f32;
    for clue in HEADER_CLUES {
        headers += scale.take(clue(case).filter(|found| is_telling(case, found)));
    }
    let mut decibans = prior + headers.clamp(HEADERS_MIN, HEADERS_MAX);
    let is_seen = |found: &Evidence| !rests_on_unseen(case, found);
    for clue in PROOF_CLUES {
        decibans += scale.take(clue(case).filter(is_seen));
    }
    let has_anomaly = scale.rows.meets(ANOMALIES);
    decibans += scale.take(alive::weigh(case, has_anomaly).filter(is_seen));
    decibans += scale.take(opposite::weigh(case, has_anomaly));
    Weighed { decibans, rows: scale.rows, has_proof: scale.rows.meets(PROOFS) }
}

/// Where pieces of evidence are put, one by one.
struct Scale<'s, S> {
    rows: Rows,
    sheet: &'s mut S,
}

impl<S: Sheet> Scale<'_, S> {
    /// Decibans for the named sender, 0 if the clue says nothing.
    fn take(&mut self, found: Option<Evidence>) -> f32 {
        let Some(found) = found else { return 0.0 };
        self.rows = found.row.map_or(self.rows, |row| self.rows.with(row));
        self.sheet.add(&found);
        found.decibans
    }
}

const ANOMALIES: Rows = rows_where!(|weight| weight.row.is_anomaly());
const PROOFS: Rows = rows_where!(|weight| weight.row.is_proof());

/// Whether a header clue says anything of the named sender.
fn is_telling(case: &Case<'_>, found: &Evidence) -> bool {
    !is_other_stack(case, found) && !rests_on_unseen(case, found)
}

/// What speaks against the named sender only if its latest segment, or all of them, were seen: in
/// control mode windows, numbers and what provoked the reset may be those of segments left out. Hop
/// limits and clocks of a second ago still hold, and what agrees by chance hardly ever does.
/// Causality also needs the shortest of many round trips.
fn rests_on_unseen(case: &Case<'_>, found: &Evidence) -> bool {
    let sight = case.watch.sight;
    let is_causality = found.clue == Clue::Causality && sight != Sight::Whole;
    let is_of_latest = matches!(
        found.row,
        Some(
            Row::WindowCopied
                | Row::WindowZeroLinux
                | Row::WindowZeroApple
                | Row::ProfileSuricata
                | Row::IpIdBreaks
        )
    ) || found.clue == Clue::Numbers;
    found.decibans < 0.0 && (is_causality || (sight == Sight::Thinned && is_of_latest))
}

/// A front end that resets in its own name writes as itself, not as the machine behind it; and that
/// machine, where only its front end was seen yet, not as the front end.
fn is_other_stack(case: &Case<'_>, found: &Evidence) -> bool {
    found.decibans < 0.0
        && ((found.clue != Clue::Hops && split::is_from_front(case))
            || split::is_from_known_front(case)
            || split::is_only_front_seen(case))
}

/// Most resets come from whom they name; without any context that is all there is to say.
fn prior(case: &Case<'_>) -> Evidence {
    let (row, says) = if case.is_without_context() {
        (Row::PriorLonely, "nothing was seen of this connection before the reset")
    } else {
        (Row::Prior, "most resets come from whom they name")
    };
    Evidence::of(row, Value::None, Value::None, says)
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
    train::weigh,
    signature::weigh,
    port::weigh,
    moved::weigh,
    id_line::weigh,
    split::weigh,
    name::weigh,
];
