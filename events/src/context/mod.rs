//! What other connections tell: of one reset, and of the run as a whole.
//!
//! | file | idea |
//! |---|---|
//! | `timers` | idle timers, by number and by name |

mod timers;

use classifiers::{Context, Setting};
use serde::{Deserialize, Serialize};

pub use timers::{TimerFields, TimerReport};

/// What other connections tell of one reset; what has nothing to say is left out.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct ContextFields {
    /// The idle timer that it is due to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timer: Option<TimerFields>,
}

impl ContextFields {
    /// What a setting tells; `None` if it tells nothing.
    #[must_use]
    pub fn of(setting: &Setting) -> Option<Self> {
        let fields = Self { timer: setting.timer.as_ref().and_then(TimerFields::at) };
        (fields != Self::default()).then_some(fields)
    }
}

/// What the connections of a run tell together.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct ContextReport {
    /// Idle timers, most often seen first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub timers: Vec<TimerReport>,
}

impl ContextReport {
    /// Everything that a context has found.
    #[must_use]
    pub fn of(context: &Context) -> Self {
        Self { timers: context.timers().iter().map(TimerReport::from).collect() }
    }

    /// Whether there is nothing to say.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
