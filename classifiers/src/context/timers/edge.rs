//! What died and what lived when connections spoke again after a silence: an edge between them.
//!
//! Every survivor is a lower bound of a device's timer, every late packet that drew a reset an upper
//! one (interval-censored samples). A few may contradict: hosts restart, paths differ.

use flowtable::Ticks;

use super::chance::ln_separated;
use super::samples::Sorted;

/// A timer lies between `low` and `high`.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Edge {
    /// The longest silence below it that was survived.
    pub(super) low: Ticks,
    /// The shortest silence above it that was not.
    pub(super) high: Ticks,
    /// How many died above it.
    pub(super) above: usize,
    /// How many survived above it or died below it.
    pub(super) against: usize,
}

impl Edge {
    /// The edge with the fewest contradictions, if it is sharp and chance does not explain it.
    pub(super) fn between(died: &Sorted, lived: &Sorted) -> Option<Self> {
        let (died, lived) = (died.as_slice(), lived.as_slice());
        let against = |high: Ticks| below(died, high) + lived.len() - below(lived, high);
        // The cut just before one that died: nothing between two of them can cut better.
        let high = *died.iter().min_by_key(|&&high| (against(high), std::cmp::Reverse(high)))?;
        let low = *lived[..below(lived, high)].last()?;
        let above = died.len() - below(died, high);
        let edge = Self { low, high, above, against: against(high) };
        // Where no silence between the two was tried, nothing is known of the timer.
        let is_sharp = high.0 - low.0 <= (low.0 / 3).max(SECOND.0) && high >= LOW_MIN;
        // Longer silences die more often of any cause, so only those of about this length count.
        let (near, far) = (Ticks(low.0 / 2), Ticks(high.0.saturating_mul(2)));
        let under = |gaps: &[Ticks]| below(gaps, high) - below(gaps, near);
        let over = |gaps: &[Ticks]| below(gaps, far) - below(gaps, high);
        let ln_chance = ln_separated((over(died), over(lived)), (under(died), under(lived)));
        let enough = if edge.against == 0 { LN_CHANCE_MAX } else { LN_CHANCE_DISPUTED_MAX };
        let is_sure = above >= COUNT_MIN && edge.against * 3 <= above && ln_chance < enough;
        (is_sharp && is_sure && edge.is_clean(died, lived)).then_some(edge)
    }

    /// Whether the last ones that lived below and the first ones that died above are nearly alone
    /// between each other. Where restarts or moods decide, the living and the dead are mixed just there.
    fn is_clean(&self, died: &[Ticks], lived: &[Ticks]) -> bool {
        let (dead, alive) = (below(died, self.high), below(lived, self.high));
        let first = lived[alive.saturating_sub(COUNT_MIN)];
        let last = died[(dead + COUNT_MIN - 1).min(died.len() - 1)];
        let mixed = (dead - below(died, first)) + (below(lived, last) - alive);
        mixed <= MIXED_MAX
    }

    /// Whether a silence is one that the timer does not let pass.
    pub(super) fn holds(&self, gap: Ticks) -> bool {
        gap > self.low
    }
}

/// How many are shorter than `gap`.
fn below(sorted: &[Ticks], gap: Ticks) -> usize {
    sorted.partition_point(|&one| one < gap)
}

/// Fewer are an accident.
const COUNT_MIN: usize = 5;
/// Of about ten next to the edge.
const MIXED_MAX: usize = 2;
/// One in fifty thousand, if death had nothing to do with the length of the silence: ten that died
/// beside ten that lived, or six beside sixteen.
const LN_CHANCE_MAX: f64 = -10.8;
/// One in a million, where some contradict.
const LN_CHANCE_DISPUTED_MAX: f64 = -13.8;
const LOW_MIN: Ticks = Ticks::from_ms(1_900);
const SECOND: Ticks = Ticks::from_ms(1_000);
