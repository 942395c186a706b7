//! What connections tell about each other.
//!
//! Bounded tables, fed off the packet path with [`Note`]s and with finished verdicts, and asked for
//! the [`Setting`] of each reset before it is told. A setting is a few facts by value: [`crate::judge`]
//! stays one pure function of the reset, its connection and its setting.
//!
//! | file | idea |
//! |---|---|
//! | `bounded` | a map that cannot grow beyond what was printed at start |
//! | `setting` | the answer: what other connections tell of one reset |

mod bounded;
mod setting;

pub use setting::Setting;

use flowtable::{Note, Timestamp, Watch};

use crate::verdict::Verdict;

/// Everything that is remembered across connections.
///
/// Time is packet time and may step back a little between workers; nothing here may rely on order.
#[derive(Debug, Default)]
pub struct Context {}

impl Context {
    /// Empty tables, allocated as far as they ever grow.
    #[must_use]
    pub fn new() -> Self {
        Self {}
    }

    /// Bytes that all tables together can come to hold.
    #[must_use]
    pub fn memory_bytes() -> usize {
        0
    }

    /// Takes in what a connection did.
    pub fn note(&mut self, _note: &Note) {}

    /// Takes in a reset with the verdict that its connection alone gives, as soon as that is final.
    pub fn learn(&mut self, _watch: &Watch, _verdict: &Verdict) {}

    /// What other connections tell of a reset; asked some seconds after it was learned.
    pub fn setting(&mut self, _watch: &Watch, _verdict: &Verdict, _now: Timestamp) -> Setting {
        Setting { ..Setting::NONE }
    }
}
