//! Counts of what was told, by name.

use classifiers::{Cause, Effect, Impact, Origin};
use events::Event;

/// Primary resets with a final verdict, counted; constant size.
#[derive(Clone, Debug)]
pub(crate) struct Tally {
    pub(crate) resets: u64,
    impacts: Vec<u64>,
    origins: Vec<u64>,
    causes: Vec<u64>,
    effects: Vec<u64>,
}

impl Tally {
    pub(crate) fn new() -> Self {
        Self {
            resets: 0,
            impacts: vec![0; Impact::ALL.len()],
            origins: vec![0; Origin::ALL.len()],
            causes: vec![0; Cause::ALL.len()],
            effects: vec![0; Effect::ALL.len()],
        }
    }

    /// Counts `event` if it counts.
    pub(crate) fn add(&mut self, event: &Event) {
        if !event.counts() {
            return;
        }
        let verdict = &event.verdict;
        self.resets += 1;
        self.impacts[verdict.impact as usize] += 1;
        self.origins[verdict.origin as usize] += 1;
        self.causes[verdict.cause as usize] += 1;
        self.effects[verdict.effect as usize] += 1;
    }

    pub(crate) fn impact(&self, impact: Impact) -> u64 {
        self.impacts[impact as usize]
    }

    pub(crate) fn origin(&self, origin: Origin) -> u64 {
        self.origins[origin as usize]
    }

    pub(crate) fn cause(&self, cause: Cause) -> u64 {
        self.causes[cause as usize]
    }

    pub(crate) fn effect(&self, effect: Effect) -> u64 {
        self.effects[effect as usize]
    }
}
