//! What other connections tell: of one reset, and of a run as a whole.
//!
//! | file | idea |
//! |---|---|
//! | `service` | what the service accepts, refuses and cuts besides |
//! | `burst` | restarts, reboots, failovers: many connections cut together |

mod burst;
mod service;

use classifiers::{Context, Setting};
use serde::{Deserialize, Serialize};

pub use burst::{BurstFields, BurstItem};
pub use service::ServiceFields;

/// What other connections tell of one reset; only what is known is there.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct ContextFields {
    /// The service that the reset names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceFields>,
    /// The burst of resets that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<BurstFields>,
}

impl ContextFields {
    /// The fields of a setting; `None` if nothing is known.
    #[must_use]
    pub fn of(setting: &Setting) -> Option<Self> {
        let fields = Self {
            service: setting.service.as_ref().map(Into::into),
            burst: setting.burst.as_ref().map(Into::into),
        };
        (fields != Self::default()).then_some(fields)
    }

    /// What is known, in sentences.
    #[must_use]
    pub fn sentences(&self) -> Vec<String> {
        let burst = self.burst.iter().map(BurstFields::sentence);
        let service = self.service.iter().flat_map(ServiceFields::sentences);
        burst.chain(service).collect()
    }
}

/// What connections tell of each other over a whole run.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct ContextReport {
    /// Services that restarted, died or moved, in the order of time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bursts: Vec<BurstItem>,
    /// Entries of the bounded tables that gave way to others: what they knew is not in the verdicts.
    #[serde(default)]
    pub forgotten: u64,
}

impl ContextReport {
    /// Everything that a context has found.
    #[must_use]
    pub fn of(context: &Context) -> Self {
        Self {
            bursts: context.bursts().map(BurstItem::from).collect(),
            forgotten: context.forgotten(),
        }
    }

    /// The report in words: lines with a label in front, a few of each kind.
    #[must_use]
    pub fn lines(&self) -> Vec<(&'static str, String)> {
        burst::largest(&self.bursts, LINES_MAX).map(|burst| ("Service", burst.sentence())).collect()
    }
}

/// Lines of one kind; all are in the JSON.
const LINES_MAX: usize = 5;
