//! What other connections tell: of one reset, and of a run as a whole.
//!
//! | file | idea |
//! |---|---|
//! | `source` | scans, health checks, limits: what a source does besides |
//! | `crowd` | floods, shaping, failed translations: what many connections have in common |

mod crowd;
mod source;

use std::time::{Duration, UNIX_EPOCH};

use classifiers::Setting;
use serde::{Deserialize, Serialize};

use crate::explain::capitalised;
use crate::time::UtcTime;

pub use crowd::{DesyncFields, FloodFields, FloodItem, GuessFields, ShapingFields, SiblingFields};
pub use source::{
    CheckerItem, HealthCheckFields, HealthCheckItem, LimitFields, LimitItem, ScanFields,
};

/// What other connections tell of one reset; only what is known is there.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct ContextFields {
    /// The scan it is part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scan: Option<ScanFields>,
    /// The health check it is part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_check: Option<HealthCheckFields>,
    /// The limit on connections that it fits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<LimitFields>,
    /// How its client's connections fare at many servers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shaping: Option<ShapingFields>,
    /// The flood that it is part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flood: Option<FloodFields>,
    /// The connection that its lone segment belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub desync: Option<DesyncFields>,
    /// The connection for whose sake it was given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sibling: Option<SiblingFields>,
    /// Guesses at other connections of the same hosts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guesses: Option<GuessFields>,
}

impl ContextFields {
    /// The fields of a setting; `None` if nothing is known.
    #[must_use]
    pub fn of(setting: &Setting) -> Option<Self> {
        let fields = Self {
            scan: setting.scan.as_ref().map(Into::into),
            health_check: setting.rhythm.as_ref().map(Into::into),
            limit: setting.limit.as_ref().map(Into::into),
            shaping: setting.shaping.as_ref().map(Into::into),
            flood: setting.flood.as_ref().map(Into::into),
            desync: setting.desync.as_ref().map(Into::into),
            sibling: setting.sibling.as_ref().map(Into::into),
            guesses: setting.guesses.as_ref().map(Into::into),
        };
        (fields != Self::default()).then_some(fields)
    }

    /// What is known, a sentence each.
    #[must_use]
    pub fn sentences(&self) -> Vec<String> {
        [
            self.health_check.as_ref().map(HealthCheckFields::sentence),
            self.scan.as_ref().map(ScanFields::sentence),
            self.limit.as_ref().map(LimitFields::sentence),
            self.shaping.as_ref().map(ShapingFields::sentence),
            self.flood.as_ref().and_then(FloodFields::sentence),
            self.desync.as_ref().map(DesyncFields::sentence),
            self.sibling.as_ref().map(SiblingFields::sentence),
            self.guesses.as_ref().map(GuessFields::sentence),
        ]
        .into_iter()
        .flatten()
        .map(|sentence| format!("{}.", capitalised(&sentence)))
        .collect()
    }
}

/// What connections tell of each other over a whole run; most telling first in each list.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct ContextReport {
    /// Sources that scan.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scans: Vec<ScanFields>,
    /// Services whose resets are, in part, health checks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub health_checks: Vec<HealthCheckItem>,
    /// Limits on connections that showed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<LimitItem>,
    /// Servers under a flood or protected from one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub floods: Vec<FloodItem>,
    /// Entries of the bounded tables that gave way to others: what they knew is not in the verdicts.
    #[serde(default)]
    pub forgotten: u64,
}

impl ContextReport {
    /// The report in words: lines with a label in front, a few of each kind.
    #[must_use]
    pub fn lines(&self) -> Vec<(&'static str, String)> {
        let scans = self.scans.iter().map(|scan| ("Scan", scan.sentence()));
        let checks = self.health_checks.iter().map(|check| ("Health check", check.sentence()));
        let limits = self.limits.iter().map(|limit| ("Limit", limit.sentence()));
        let floods = self.floods.iter().map(|flood| ("Flood", flood.sentence()));
        let few = |lines: &mut dyn Iterator<Item = (&'static str, String)>| -> Vec<_> {
            lines.take(LINES_MAX).collect()
        };
        [
            few(&mut scans.into_iter()),
            few(&mut checks.into_iter()),
            few(&mut limits.into_iter()),
            few(&mut floods.into_iter()),
        ]
        .concat()
    }
}

/// A time to the second, as reports tell it.
fn clock(time: UtcTime) -> String {
    let instant = UNIX_EPOCH + Duration::from_nanos(time.0);
    humantime::format_rfc3339_seconds(instant).to_string()
}

/// Lines of one kind; all are in the JSON.
const LINES_MAX: usize = 5;
