//! What every outcome of every clue is worth, as one table.
//!
//! A clue finds out *which* outcome holds and names its row; the row says what that is worth. The
//! rows are set by hand from `classification.md` section 5.2 and then fitted on resets of known
//! origin by `rstscope fit`, which writes `weights/table.rs` and `weights/bases.rs` anew and leaves
//! the hand-set values beside the fitted ones.
//!
//! The structure never depends on the fit: whether a row is a header clue, an anomaly or a proof is
//! read from its clue and its hand-set weight.

/// Declares the rows: [`Row`] with their stable names, and [`WEIGHTS`] with what they are worth.
macro_rules! rows {
    ($($row:ident $name:literal $clue:ident $hand_set:literal $source:ident
       $decibans:literal $seen_for:literal $seen_against:literal $why:literal;)+) => {
        /// One outcome of one clue.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
        pub enum Row { $(#[doc = $why] $row,)+ }

        /// Every row, in the order of [`Row`].
        pub const WEIGHTS: [Weight; Row::COUNT] = [$(Weight {
            row: Row::$row,
            name: $name,
            clue: Clue::$clue,
            hand_set: $hand_set,
            source: Source::$source,
            decibans: $decibans,
            seen_for: $seen_for,
            seen_against: $seen_against,
            why: $why,
        },)+];

        impl Row {
            /// How many there are.
            pub const COUNT: usize = [$($name,)+].len();
        }
    };
}

mod bases;
mod set;
mod table;

pub use bases::{BASES, BASES_FIT};
pub(crate) use set::{Rows, rows_where};
pub use table::{FIT, Row, WEIGHTS};

use crate::vocabulary::{Cause, Clue};

/// What an outcome is worth, and where that number comes from.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Weight {
    /// The outcome.
    pub row: Row,
    /// Its name in events and reports; never changes.
    pub name: &'static str,
    /// The clue it is an outcome of.
    pub clue: Clue,
    /// Decibans for the named sender, as set by hand: where the fit begins.
    pub hand_set: f32,
    /// What the hand-set weight rests on.
    pub source: Source,
    /// Decibans for the named sender, as used.
    pub decibans: f32,
    /// Resets of the fit that their named sender had sent and that showed this outcome.
    pub seen_for: u32,
    /// Those that somebody else had sent.
    pub seen_against: u32,
    /// Why the hand-set weight is what it is.
    pub why: &'static str,
}

/// What a hand-set weight rests on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Source {
    /// A judgement.
    Judged,
    /// Counted in captures or read in a stack's source.
    Counted,
}

impl Row {
    /// Its row of the table.
    #[must_use]
    pub const fn weight(self) -> &'static Weight {
        &WEIGHTS[self as usize]
    }

    /// The name used in events and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.weight().name
    }

    /// The row with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        WEIGHTS.iter().find(|weight| weight.name == name).map(|weight| weight.row)
    }

    /// Whether it is one of the correlated header clues, whose sum is clamped.
    #[must_use]
    pub const fn is_header(self) -> bool {
        matches!(
            self.weight().clue,
            Clue::Hops
                | Clue::IpId
                | Clue::Timestamps
                | Clue::Window
                | Clue::Dscp
                | Clue::DontFragment
                | Clue::Profile
        )
    }

    /// Whether it stands in no endpoint's name, whatever the headers look like.
    #[must_use]
    pub const fn is_proof(self) -> bool {
        !self.is_header() && self.weight().hand_set <= PROOF
    }

    /// Whether it makes a header look like another stack's.
    #[must_use]
    pub const fn is_anomaly(self) -> bool {
        self.is_header() && self.weight().hand_set <= ANOMALY
    }
}

/// How sure a rule is at best of the cause it gives, fitted.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Base {
    /// Number of the rule in classification.md.
    pub rule: &'static str,
    /// The cause it gives.
    pub cause: Cause,
    /// As set by hand: one rule may give a cause on stronger or weaker grounds.
    pub hand_set: f32,
    /// As fitted.
    pub base: f32,
    /// Resets of the fit that the rule was right about.
    pub right: u32,
    /// All resets of the fit that the rule decided.
    pub seen: u32,
}

impl Base {
    /// One line of the table.
    #[must_use]
    pub const fn new(
        rule: &'static str,
        cause: Cause,
        hand_set: f32,
        base: f32,
        right: u32,
        seen: u32,
    ) -> Self {
        Self { rule, cause, hand_set, base, right, seen }
    }
}

/// The fitted base for what a rule says; the hand-set one where nothing was fitted.
#[must_use]
pub fn fitted_base(rule: &str, cause: Cause, hand_set: f32) -> f32 {
    let (first, count) = BASES_OF[cause as usize];
    BASES_BY_CAUSE[usize::from(first)..][..usize::from(count)]
        .iter()
        .map(|&index| &BASES[usize::from(index)])
        .find(|base| (base.hand_set - hand_set).abs() < SAME_BASE && base.rule == rule)
        .map_or(hand_set, |base| base.base)
}

/// Places in [`BASES`], those of one cause beside each other.
const BASES_BY_CAUSE: [u8; BASES.len()] = bases_by_cause().0;
/// Where the bases of each cause begin in [`BASES_BY_CAUSE`], and how many there are.
const BASES_OF: [(u8, u8); Cause::ALL.len()] = bases_by_cause().1;

const fn bases_by_cause() -> ([u8; BASES.len()], [(u8, u8); Cause::ALL.len()]) {
    assert!(BASES.len() < 256);
    let (mut places, mut of, mut next) = ([0; BASES.len()], [(0, 0); Cause::ALL.len()], 0);
    let mut cause = 0;
    while cause < of.len() {
        of[cause].0 = next as u8;
        let mut index = 0;
        while index < BASES.len() {
            if BASES[index].cause as usize == cause {
                places[next] = index as u8;
                next += 1;
            }
            index += 1;
        }
        of[cause].1 = next as u8 - of[cause].0;
        cause += 1;
    }
    (places, of)
}

/// Least sum of the header clues, decibans.
pub const HEADERS_MIN: f32 = -35.0;
/// Greatest sum of the header clues, decibans.
pub const HEADERS_MAX: f32 = 28.0;

/// Evidence of this hand-set weight decides against the named sender by itself.
const PROOF: f32 = -25.0;
/// A header clue of this hand-set weight makes a reset look foreign.
const ANOMALY: f32 = -6.0;
/// Bases are written with two decimals.
const SAME_BASE: f32 = 0.004;

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{BASES, Row, WEIGHTS, fitted_base};
    use crate::vocabulary::Cause;

    #[test]
    fn every_row_stands_at_its_place_under_a_name_of_its_own() {
        let names: HashSet<&str> = WEIGHTS.iter().map(|weight| weight.name).collect();
        assert_eq!(names.len(), Row::COUNT);
        for (index, weight) in WEIGHTS.iter().enumerate() {
            assert_eq!(weight.row as usize, index, "{}", weight.name);
            assert_eq!(Row::from_name(weight.name), Some(weight.row));
            assert!(!weight.why.is_empty(), "{} has no reason", weight.name);
        }
    }

    #[test]
    fn no_fit_turns_a_clue_against_its_meaning() {
        for weight in &WEIGHTS {
            let (before, now) = (weight.hand_set, weight.decibans);
            assert!(before * now > 0.0 || before == now, "{}: {before} became {now}", weight.name);
        }
    }

    #[test]
    fn a_base_is_fitted_only_for_the_grounds_it_was_counted_on() {
        for base in BASES {
            assert_eq!(fitted_base(base.rule, base.cause, base.hand_set), base.base);
            assert!((0.0..1.0).contains(&base.base) && base.right <= base.seen);
        }
        assert_eq!(fitted_base("R98", Cause::AppAbort, 0.8), 0.8);
    }
}
