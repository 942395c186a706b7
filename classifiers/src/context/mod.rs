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
//! | `distinct` | how many different things, in 68 bytes, and how many within a minute |
//! | `live` | how many connections were open at a past moment |
//! | `attempt` | what came of an attempt to connect, as far as its reset tells |
//! | `source` | who scans |
//! | `rhythm` | who calls by the clock |
//! | `limit` | who is refused only while it holds many connections |
//! | `shaping` | whose connections to many servers a device resets |
//! | `flood` | SYN-flood protection, and floods in the name of others |
//! | `tuple` | resets between an end of a known connection and a stranger |
//! | `siblings` | connections that one client opens side by side |
//! | `guesses` | blind attacks in progress |

pub(crate) mod attempt;
mod bounded;
mod distinct;
mod flood;
pub(crate) mod guesses;
mod limit;
mod live;
mod rhythm;
mod setting;
mod shaping;
mod siblings;
mod source;
mod tuple;

pub use flood::{Flood, FoundFlood};
pub use guesses::Guesses;
pub use limit::{FoundLimit, Limit};
pub use rhythm::{Checker, Rhythm};
pub use setting::Setting;
pub use shaping::{ShapedBy, Shaping};
pub use siblings::Sibling;
pub use source::{Axis, Manner, Scan};
pub use tuple::Desync;

use flowtable::{Note, Timestamp, Watch};

use attempt::Attempt;

use crate::verdict::Verdict;

/// Everything that is remembered across connections.
///
/// Time is packet time and may step back a little between workers; nothing here may rely on order.
#[derive(Debug, Default)]
pub struct Context {
    sources: source::Sources,
    rhythms: rhythm::Rhythms,
    limits: limit::Limits,
    loads: shaping::Loads,
    floods: flood::Floods,
    tuples: tuple::Tuples,
    siblings: siblings::Siblings,
    guessers: guesses::Guessers,
}

impl Context {
    /// Empty tables, allocated as far as they ever grow.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes that all tables together can come to hold.
    #[must_use]
    pub fn memory_bytes() -> usize {
        source::Sources::memory_bytes()
            + rhythm::Rhythms::memory_bytes()
            + limit::Limits::memory_bytes()
            + shaping::Loads::memory_bytes()
            + flood::Floods::memory_bytes()
            + tuple::Tuples::memory_bytes()
            + siblings::Siblings::memory_bytes()
            + guesses::Guessers::memory_bytes()
    }

    /// Takes in what a connection did.
    pub fn note(&mut self, note: &Note) {
        self.sources.note(note);
        self.limits.note(note);
        self.loads.note(note);
        self.tuples.note(note);
        self.siblings.note(note);
    }

    /// Takes in a reset with the verdict that its connection alone gives, as soon as that is final.
    pub fn learn(&mut self, watch: &Watch, verdict: &Verdict) {
        let attempt = Attempt::of(watch, verdict);
        self.limits.learn(watch, verdict, attempt.as_ref());
        // Whom it is served by it does not scan.
        if let Some(attempt) = attempt.filter(|attempt| !self.limits.is_customer(attempt)) {
            self.sources.learn(&attempt);
        }
        self.rhythms.learn(watch, verdict);
        self.loads.learn(watch, verdict);
        self.floods.learn(watch, verdict, attempt.as_ref());
        self.tuples.learn(watch, verdict);
        self.guessers.learn(watch);
    }

    /// Whether the next half minute may tell what nothing tells yet: worth holding the verdict for.
    #[must_use]
    pub fn is_open(&self, watch: &Watch, verdict: &Verdict) -> bool {
        let attempt = Attempt::of(watch, verdict);
        self.rhythms.may_begin(watch, verdict)
            || self.floods.may_show(watch, verdict)
            || attempt.is_some_and(|attempt| {
                self.limits.may_show(&attempt) || self.sources.may_show(&attempt)
            })
    }

    /// What other connections tell of a reset; asked some seconds after it was learned.
    pub fn setting(&mut self, watch: &Watch, verdict: &Verdict, _now: Timestamp) -> Setting {
        let attempt = Attempt::of(watch, verdict);
        let stranger = attempt.filter(|attempt| !self.limits.is_customer(attempt));
        Setting {
            scan: stranger.and_then(|attempt| self.sources.ask(&attempt)),
            rhythm: self.rhythms.ask(watch, verdict),
            limit: attempt.and_then(|attempt| self.limits.ask(&attempt)),
            shaping: self.loads.ask(watch, verdict),
            flood: self.floods.ask(watch, verdict, attempt.as_ref()),
            desync: self.tuples.ask(watch),
            sibling: self.siblings.ask(watch),
            guesses: self.guessers.ask(watch),
        }
    }

    /// Entries that gave way to others since the start.
    #[must_use]
    pub fn forgotten(&self) -> u64 {
        self.sources.forgotten() + self.rhythms.forgotten() + self.limits.forgotten()
    }

    /// Sources that scan, the largest scan first.
    #[must_use]
    pub fn scanners(&self) -> Vec<Scan> {
        self.sources.scanners()
    }

    /// Sources that probe services by the clock, the one with most probes first.
    #[must_use]
    pub fn checkers(&self) -> Vec<Checker> {
        self.rhythms.checkers()
    }

    /// Limits on connections that showed, the one that refused most first.
    #[must_use]
    pub fn limits(&self) -> Vec<FoundLimit> {
        self.limits.found()
    }

    /// Servers under a flood, or protected from one, the largest first.
    #[must_use]
    pub fn floods(&self) -> Vec<FoundFlood> {
        self.floods.found()
    }
}
