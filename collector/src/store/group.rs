//! Origin, cause, stage and impact together, as one number.

use classifiers::{Cause, Impact, Origin, Stage};
use events::{Facts, MinuteRow, ServerRange};

use super::words::Words;

/// What resets of a server are told apart by, in the words of one file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Group {
    pub(crate) origin: u8,
    pub(crate) cause: u8,
    pub(crate) stage: u8,
    pub(crate) impact: u8,
}

impl Group {
    pub(super) fn of(row: &MinuteRow, words: &Words) -> Self {
        Self {
            origin: words.origin_code(row.origin),
            cause: words.cause_code(row.cause),
            stage: words.stage_code(row.stage),
            impact: words.impact_code(row.impact),
        }
    }

    pub(crate) const fn to_number(self) -> u64 {
        u32::from_be_bytes([self.cause, self.origin, self.stage, self.impact]) as u64
    }

    pub(crate) const fn from_number(number: u64) -> Self {
        let [cause, origin, stage, impact] = (number as u32).to_be_bytes();
        Self { origin, cause, stage, impact }
    }

    /// In the words of this program.
    pub(super) fn named(self, words: &Words) -> Named {
        Named {
            origin: words.origin(self.origin),
            cause: words.cause(self.cause),
            stage: words.stage(self.stage),
            impact: words.impact(self.impact),
        }
    }
}

/// The same in words.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Named {
    pub(crate) origin: Origin,
    pub(crate) cause: Cause,
    pub(crate) stage: Stage,
    pub(crate) impact: Impact,
}

impl Named {
    /// What filters ask for.
    pub(crate) const fn facts(self, server: ServerRange) -> Facts {
        Facts {
            impact: self.impact,
            origin: self.origin,
            cause: self.cause,
            stage: self.stage,
            server,
            client: None,
            effect: None,
            role: Some(classifiers::Role::Primary),
        }
    }
}
