//! What connections tell about each other.
//!
//! Bounded tables, fed off the packet path with [`Note`]s and with finished verdicts, and asked for
//! the [`Setting`] of each reset before it is told. A setting is a few facts by value: [`crate::judge`]
//! stays one pure function of the reset, its connection and its setting.
//!
//! | file | idea |
//! |---|---|
//! | `bounded` | a map that cannot grow beyond what was printed at start |
//! | `recent` | how often something happened lately, and how often it usually does |
//! | `cut` | what a reset means for the service it names |
//! | `service` | what each service accepts, refuses and cuts |
//! | `burst` | many connections of one service cut together |
//! | `setting` | the answer: what other connections tell of one reset |

mod bounded;
mod burst;
mod cut;
mod recent;
mod service;
mod setting;

pub use burst::{Burst, BurstKind, Outage};
pub(crate) use cut::{is_orphan, is_overflow, is_refusal, is_turned_away};
pub use service::{BurstFacts, ServiceFacts};
pub use setting::Setting;

use flowtable::{Note, Timestamp, Watch};

use crate::verdict::Verdict;

/// Everything that is remembered across connections.
///
/// Time is packet time and may step back a little between workers; nothing here may rely on order.
#[derive(Debug)]
pub struct Context {
    services: service::Services,
}

impl Context {
    /// Empty tables, allocated as far as they ever grow.
    #[must_use]
    pub fn new() -> Self {
        Self { services: service::Services::new() }
    }

    /// Bytes that all tables together can come to hold.
    #[must_use]
    pub fn memory_bytes() -> usize {
        service::Services::memory_bytes()
    }

    /// Takes in what a connection did.
    pub fn note(&mut self, note: &Note) {
        self.services.note(note);
    }

    /// Takes in a reset with the verdict that its connection alone gives, as soon as that is final.
    pub fn learn(&mut self, watch: &Watch, verdict: &Verdict) {
        self.services.learn(watch, verdict);
    }

    /// What other connections tell of a reset; asked some seconds after it was learned.
    pub fn setting(&mut self, watch: &Watch, verdict: &Verdict, _now: Timestamp) -> Setting {
        Setting {
            service: self.services.ask(watch, verdict),
            burst: self.services.burst(watch, verdict),
        }
    }

    /// Entries that gave way to others since the start.
    #[must_use]
    pub fn forgotten(&self) -> u64 {
        self.services.forgotten()
    }

    /// The bursts of all services so far, in the order they began.
    pub fn bursts(&self) -> impl Iterator<Item = &Burst> {
        self.services.bursts()
    }
}

impl Default for Context {
    fn default() -> Self {
        Self::new()
    }
}
