//! A count for each impact: what every table and every curve is made of.

use classifiers::Impact;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Primary resets by what they cost.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct ImpactCounts {
    /// A live connection was cut.
    pub aborted: u64,
    /// A connection did not come to be.
    pub refused: u64,
    /// Nothing was lost.
    pub benign: u64,
    /// Cannot be told.
    pub unknown: u64,
}

impl ImpactCounts {
    /// Adds `count` resets of `impact`.
    pub fn add(&mut self, impact: Impact, count: u64) {
        *match impact {
            Impact::Aborted => &mut self.aborted,
            Impact::Refused => &mut self.refused,
            Impact::Benign => &mut self.benign,
            Impact::Unknown => &mut self.unknown,
        } += count;
    }

    /// Adds all of `others`.
    pub fn merge(&mut self, others: &Self) {
        for impact in Impact::ALL {
            self.add(*impact, others.of(*impact));
        }
    }

    /// Resets of one impact.
    #[must_use]
    pub const fn of(&self, impact: Impact) -> u64 {
        match impact {
            Impact::Aborted => self.aborted,
            Impact::Refused => self.refused,
            Impact::Benign => self.benign,
            Impact::Unknown => self.unknown,
        }
    }

    /// All of them.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.aborted + self.refused + self.benign + self.unknown
    }

    /// Those that did harm.
    #[must_use]
    pub const fn harmful(&self) -> u64 {
        self.aborted + self.refused
    }

    /// Whether a reset of this impact did harm: something was cut, or did not come to be.
    #[must_use]
    pub const fn is_harmful(impact: Impact) -> bool {
        matches!(impact, Impact::Aborted | Impact::Refused)
    }
}
