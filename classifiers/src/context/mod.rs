//! What connections tell about each other.
//!
//! Bounded tables, fed off the packet path with [`Note`]s and with finished verdicts, and asked for
//! the [`Setting`] of each reset before it is told. A setting is a few facts by value: [`crate::judge`]
//! stays one pure function of the reset, its connection and its setting.
//!
//! | file | idea |
//! |---|---|
//! | `bounded` | a map that cannot grow beyond what was printed at start |
//! | `timers` | after what silence connections are ended or forgotten |
//! | `setting` | the answer: what other connections tell of one reset |

mod bounded;
mod setting;
mod timers;

pub use setting::Setting;
pub(crate) use timers::closed_silence;
pub use timers::{Relation, TimerFacts, TimerFound, TimerKind, TimerOwner, TimerScope};

use flowtable::{Note, Timestamp, Watch};

use crate::verdict::Verdict;

/// Everything that is remembered across connections.
///
/// Time is packet time and may step back a little between workers; nothing here may rely on order.
#[derive(Debug)]
pub struct Context {
    timers: timers::Timers,
}

impl Context {
    /// Empty tables, allocated as far as they ever grow.
    #[must_use]
    pub fn new() -> Self {
        Self { timers: timers::Timers::new() }
    }

    /// Bytes that all tables together can come to hold.
    #[must_use]
    pub fn memory_bytes() -> usize {
        timers::Timers::memory_bytes()
    }

    /// Takes in what a connection did.
    pub fn note(&mut self, note: &Note) {
        self.timers.note(note);
    }

    /// Takes in a reset with the verdict that its connection alone gives, as soon as that is final.
    pub fn learn(&mut self, watch: &Watch, verdict: &Verdict) {
        self.timers.learn(watch, verdict);
    }

    /// What other connections tell of a reset; asked some seconds after it was learned.
    pub fn setting(&mut self, watch: &Watch, verdict: &Verdict, _now: Timestamp) -> Setting {
        Setting { timer: self.timers.ask(watch, verdict) }
    }

    /// Every idle timer that shows, most often seen first.
    #[must_use]
    pub fn timers(&self) -> Vec<TimerFound> {
        self.timers.found()
    }
}

impl Default for Context {
    fn default() -> Self {
        Self::new()
    }
}
