//! Kinds of resets while they are counted: which are wanted, and what they are called, is asked once a kind.

use classifiers::Cause;

use super::group::{Group, Named};
use super::places::Places;
use super::tally::{Series, Tally};
use crate::impacts::ImpactCounts;

/// Counts by kind, and those of the step that is gone through.
pub(super) struct Kinds<'k, F: Fn(Group) -> (Named, bool)> {
    /// What a kind is called, and whether it is wanted.
    ask: &'k F,
    places: Places<Group>,
    kinds: Vec<Kind>,
    step: StepCounts,
}

struct Kind {
    named: Named,
    is_wanted: bool,
    count: u64,
}

/// Resets of one step.
pub(super) struct StepCounts {
    pub(super) resets: ImpactCounts,
    /// Harmful ones by [`Cause`].
    pub(super) harmful: [u64; Cause::ALL.len()],
}

impl<'k, F: Fn(Group) -> (Named, bool)> Kinds<'k, F> {
    pub(super) fn new(ask: &'k F) -> Self {
        Self { ask, places: Places::default(), kinds: Vec::new(), step: StepCounts::NONE }
    }

    /// Adds resets of a kind to the step, if they are wanted.
    pub(super) fn add(&mut self, group: Group, count: u64) {
        let place = self.place(group);
        self.add_at(place, count);
    }

    /// The place of a kind, for [`Self::add_at`].
    pub(super) fn place(&mut self, group: Group) -> usize {
        let place = self.places.of(group);
        if place == self.kinds.len() {
            let (named, is_wanted) = (self.ask)(group);
            self.kinds.push(Kind { named, is_wanted, count: 0 });
        }
        place
    }

    /// Adds resets of the kind at a place to the step, if they are wanted; what they are called then.
    pub(super) fn add_at(&mut self, place: usize, count: u64) -> Option<Named> {
        let kind = self.kinds.get_mut(place)?;
        if !kind.is_wanted {
            return None;
        }
        kind.count = kind.count.saturating_add(count);
        let Named { cause, impact, .. } = kind.named;
        self.step.resets.add(impact, count);
        if ImpactCounts::is_harmful(impact) {
            self.step.harmful[cause as usize] += count;
        }
        Some(kind.named)
    }

    /// Ends a step.
    pub(super) fn tell(&mut self, second: u64, series: &mut Series) {
        series.add_step(second, &self.step);
        self.step = StepCounts::NONE;
    }

    /// All steps together.
    pub(super) fn sum(&self, tally: &mut Tally) {
        for kind in self.kinds.iter().filter(|kind| kind.count > 0) {
            tally.add(kind.named, kind.count);
        }
    }
}

impl StepCounts {
    const NONE: Self = Self {
        resets: ImpactCounts { aborted: 0, refused: 0, benign: 0, unknown: 0 },
        harmful: [0; Cause::ALL.len()],
    };
}
