//! What connections tell about each other.
//!
//! Bounded tables, fed off the packet path with [`Note`]s and with finished verdicts, and asked for
//! the [`Setting`] of each reset before it is told. A setting is a few facts by value: [`crate::judge`]
//! stays one pure function of the reset, its connection and its setting.
//!
//! | file | idea |
//! |---|---|
//! | `bounded` | a map that cannot grow beyond what was printed at start |
//! | `few` | a set of a few things |
//! | `setting` | the answer: what other connections tell of one reset |
//! | `id_line` | one IP-ID counter behind several senders (E13) |
//! | `style` | how proven devices write resets (E10) |
//! | `devices` | the devices of a run, counted and located |
//! | `names` | resets by the name that was asked for |
//! | `front` | servers behind a front end (E12) |

mod bounded;
mod devices;
mod few;
mod front;
mod id_line;
mod names;
#[cfg(test)]
mod scene;
mod setting;
mod style;

pub use devices::DeviceFacts;
pub use front::FrontFacts;
pub use id_line::IdLineFacts;
pub use names::{BlockedName, NameFacts};
pub use setting::Setting;
pub use style::StyleFacts;

use flowtable::{NameNote, Note, Timestamp, Watch};

use devices::Devices;
use front::Fronts;
use id_line::IdLines;
use names::Names;
use style::Styles;

use crate::verdict::Verdict;

/// Everything that is remembered across connections.
///
/// Time is packet time and may step back a little between workers; nothing here may rely on order.
#[derive(Debug)]
pub struct Context {
    id_lines: IdLines,
    styles: Styles,
    devices: Devices,
    names: Names,
    fronts: Fronts,
}

impl Default for Context {
    fn default() -> Self {
        Self::new()
    }
}

impl Context {
    /// Empty tables, allocated as far as they ever grow.
    #[must_use]
    pub fn new() -> Self {
        Self {
            id_lines: IdLines::new(),
            styles: Styles::new(),
            devices: Devices::new(),
            names: Names::new(),
            fronts: Fronts::new(),
        }
    }

    /// Bytes that all tables together can come to hold.
    #[must_use]
    pub fn memory_bytes() -> usize {
        IdLines::memory_bytes()
            + Styles::memory_bytes()
            + Devices::memory_bytes()
            + Names::memory_bytes()
            + Fronts::memory_bytes()
    }

    /// Takes in what a connection did.
    pub fn note(&mut self, note: &Note) {
        self.names.note(note);
        self.fronts.note(note);
    }

    /// Takes in the name that a client asked for.
    pub fn name(&mut self, name: &NameNote) {
        self.names.asked(name);
    }

    /// Takes in a reset with the verdict that its connection alone gives, as soon as that is final.
    pub fn learn(&mut self, watch: &Watch, verdict: &Verdict) {
        self.id_lines.learn(watch, verdict);
        self.styles.learn(watch, verdict);
        self.names.learn(watch, verdict);
    }

    /// What other connections tell of a reset; asked some seconds after it was learned.
    pub fn setting(&mut self, watch: &Watch, verdict: &Verdict, _now: Timestamp) -> Setting {
        let id_line = self.id_lines.ask(watch);
        Setting {
            id_line,
            style: self.styles.ask(watch),
            device: self.devices.take(watch, verdict, id_line),
            names: self.names.ask(watch),
            front: self.fronts.ask(watch),
        }
    }

    /// The devices that reset, busiest first.
    #[must_use]
    pub fn devices(&self) -> Vec<DeviceFacts> {
        self.devices.all()
    }

    /// The names that devices reset while others pass, most resets first.
    #[must_use]
    pub fn blocked_names(&self) -> Vec<BlockedName> {
        self.names.blocked()
    }

    /// Connections whose name gave way to those of others.
    #[must_use]
    pub const fn names_forgotten(&self) -> u64 {
        self.names.forgotten()
    }
}
