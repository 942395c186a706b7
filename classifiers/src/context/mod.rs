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
//! | `distinct` | how many different things, in 64 bytes, and how many within a minute |
//! | `recent` | how often something happened lately, and how often it usually does |
//! | `live` | how many connections were open at a past moment |
//! | `lesson` | one judged reset, read once for all tables |
//! | `attempt` | what came of an attempt to connect, as far as its reset tells |
//! | `cut` | what a reset means for the service it names |
//! | `setting` | the answer: what other connections tell of one reset |
//!
//! Tables of services and paths:
//!
//! | file | idea |
//! |---|---|
//! | `service` | what each service accepts, refuses and cuts |
//! | `burst` | many connections of one service cut together |
//! | `timers` | after what silence connections are ended or forgotten |
//! | `front` | servers behind a front end (E12) |
//! | `names` | resets by the name that was asked for |
//!
//! Tables of sources:
//!
//! | file | idea |
//! |---|---|
//! | `source` | who scans |
//! | `rhythm` | who calls by the clock |
//! | `limit` | who is refused only while it holds many connections |
//! | `shaping` | whose connections to many servers a device resets |
//! | `flood` | SYN-flood protection, and floods in the name of others |
//! | `tuple` | resets between an end of a known connection and a stranger |
//! | `siblings` | connections that one client opens side by side |
//! | `guesses` | blind attacks in progress |
//!
//! Tables of devices:
//!
//! | file | idea |
//! |---|---|
//! | `id_line` | one IP-ID counter behind several senders (E13) |
//! | `style` | how proven devices write resets (E10) |
//! | `devices` | the devices of a run, counted and located |

pub(crate) mod attempt;
mod bounded;
mod burst;
mod cut;
mod devices;
mod distinct;
mod few;
mod flood;
mod front;
pub(crate) mod guesses;
mod id_line;
mod lesson;
mod limit;
mod live;
mod names;
mod recent;
mod rhythm;
#[cfg(test)]
mod scene;
mod service;
mod setting;
mod shaping;
mod siblings;
mod source;
mod style;
mod timers;
mod tuple;

pub use burst::{Burst, BurstKind, Outage};
pub(crate) use cut::{is_of_service, is_orphan, is_overflow, is_refusal, is_turned_away};
pub use devices::DeviceFacts;
pub use flood::{Flood, FoundFlood};
pub use front::FrontFacts;
pub use guesses::Guesses;
pub use id_line::IdLineFacts;
pub use limit::{FoundLimit, Limit};
pub use names::{BlockedName, NameFacts};
pub use rhythm::{Checker, Rhythm};
pub use service::{BurstFacts, ServiceFacts};
pub use setting::Setting;
pub use shaping::{ShapedBy, Shaping};
pub use siblings::Sibling;
pub use source::{Axis, Manner, Scan};
pub use style::StyleFacts;
pub(crate) use timers::closed_silence;
pub use timers::{Relation, TimerFacts, TimerFound, TimerKind, TimerOwner, TimerScope};
pub use tuple::Desync;

use flowtable::{NameNote, Note, Watch};

use attempt::Attempt;
use lesson::Lesson;

use crate::verdict::Ruling;

/// Everything that is remembered across connections.
///
/// Time is packet time and may step back a little between workers; nothing here may rely on order.
#[derive(Debug)]
pub struct Context {
    services: service::Services,
    timers: timers::Timers,
    fronts: front::Fronts,
    names: names::Names,
    sources: source::Sources,
    rhythms: rhythm::Rhythms,
    limits: limit::Limits,
    loads: shaping::Loads,
    floods: flood::Floods,
    tuples: tuple::Tuples,
    siblings: siblings::Siblings,
    guessers: guesses::Guessers,
    id_lines: id_line::IdLines,
    styles: style::Styles,
    devices: devices::Devices,
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
            services: service::Services::new(),
            timers: timers::Timers::new(),
            fronts: front::Fronts::new(),
            names: names::Names::new(),
            sources: source::Sources::default(),
            rhythms: rhythm::Rhythms::default(),
            limits: limit::Limits::default(),
            loads: shaping::Loads::default(),
            floods: flood::Floods::default(),
            tuples: tuple::Tuples::default(),
            siblings: siblings::Siblings::default(),
            guessers: guesses::Guessers::default(),
            id_lines: id_line::IdLines::new(),
            styles: style::Styles::new(),
            devices: devices::Devices::new(),
        }
    }

    /// Bytes that all tables together can come to hold.
    #[must_use]
    pub fn memory_bytes() -> usize {
        service::Services::memory_bytes()
            + timers::Timers::memory_bytes()
            + front::Fronts::memory_bytes()
            + names::Names::memory_bytes()
            + source::Sources::memory_bytes()
            + rhythm::Rhythms::memory_bytes()
            + limit::Limits::memory_bytes()
            + shaping::Loads::memory_bytes()
            + flood::Floods::memory_bytes()
            + tuple::Tuples::memory_bytes()
            + siblings::Siblings::memory_bytes()
            + guesses::Guessers::memory_bytes()
            + id_line::IdLines::memory_bytes()
            + style::Styles::memory_bytes()
            + devices::Devices::memory_bytes()
    }

    /// Takes in what connections did, one table after the other: what a note needs of memory is fetched while the
    /// one before it is still taken in, since nothing but the table links them.
    pub fn notes(&mut self, notes: &[&Note]) {
        notes.iter().for_each(|note| self.services.note(note));
        notes.iter().for_each(|note| self.timers.note(note));
        notes.iter().for_each(|note| self.fronts.note(note));
        notes.iter().for_each(|note| self.names.note(note));
        notes.iter().for_each(|note| self.sources.note(note));
        notes.iter().for_each(|note| self.limits.note(note));
        notes.iter().for_each(|note| self.loads.note(note));
        notes.iter().for_each(|note| self.tuples.note(note));
        notes.iter().for_each(|note| self.siblings.note(note));
    }

    /// Takes in the name that a client asked for.
    pub fn name(&mut self, name: &NameNote) {
        self.names.asked(name);
    }

    /// Takes in a reset with what its connection alone decides, as soon as that is final, and says
    /// whether the next half minute may tell what nothing tells yet: worth holding the reset for.
    pub fn learn(&mut self, watch: &Watch, ruling: &Ruling) -> bool {
        let lesson = Lesson::of(watch, ruling);
        self.services.learn(&lesson);
        self.limits.learn(&lesson);
        // Whom it is served by it does not scan.
        if let Some(attempt) = lesson.attempt.filter(|attempt| !self.limits.is_customer(attempt)) {
            self.sources.learn(&attempt);
        }
        self.floods.learn(&lesson);
        self.id_lines.learn(watch, ruling);
        self.styles.learn(watch, ruling);
        let mut may_show = false;
        if !lesson.was_refused() {
            self.timers.learn(&lesson);
            self.names.learn(&lesson);
            may_show = self.rhythms.learn(&lesson);
            self.loads.learn(&lesson);
            self.tuples.learn(&lesson);
            self.guessers.learn(&lesson);
        }
        may_show
            || self.floods.may_show(&lesson)
            || lesson.attempt.is_some_and(|attempt| {
                self.limits.may_show(&attempt) || self.sources.may_show(&attempt)
            })
    }

    /// What other connections tell of a reset; asked some seconds after it was learned. Unless all
    /// is told, what cannot change how it is judged is left out where that is the cheaper way.
    pub fn setting(&mut self, watch: &Watch, ruling: &Ruling, is_told: bool) -> Setting {
        let lesson = Lesson::of(watch, ruling);
        let attempt = lesson.attempt;
        let id_line = self.id_lines.ask(watch);
        let (service, burst) = self.services.ask(&lesson, is_told);
        let mut setting = Setting {
            service,
            burst,
            front: self.fronts.ask(lesson.server),
            scan: self.scan(attempt.as_ref()),
            limit: attempt.and_then(|attempt| self.limits.ask(&attempt)),
            shaping: self.loads.ask(&lesson),
            flood: self.floods.ask(&lesson),
            id_line,
            style: self.styles.ask(watch),
            device: self.devices.take(watch, ruling, id_line),
            ..Setting::NONE
        };
        if !lesson.was_refused() {
            setting.timer = self.timers.ask(&lesson);
            setting.names = self.names.ask(lesson.client, lesson.server);
            setting.rhythm = self.rhythms.ask(&lesson);
            setting.desync = self.tuples.ask(watch);
            setting.sibling = self.siblings.ask(&lesson);
            setting.guesses = self.guessers.ask(&lesson);
        }
        setting
    }

    /// What tells of a flood as a whole, for those of its resets that are too many to be learned.
    #[must_use]
    pub fn setting_in_flood(&self, watch: &Watch, ruling: &Ruling) -> Setting {
        let lesson = Lesson::of(watch, ruling);
        Setting {
            scan: self.scan(lesson.attempt.as_ref()),
            flood: self.floods.ask(&lesson),
            ..Setting::NONE
        }
    }

    /// The scan that an attempt is part of: of whom it is served by it is none.
    fn scan(&self, attempt: Option<&Attempt>) -> Option<Scan> {
        let scan = self.sources.ask(attempt?)?;
        (!self.limits.is_customer(attempt?)).then_some(scan)
    }

    /// Entries that gave way to others since the start, without the names.
    #[must_use]
    pub fn forgotten(&self) -> u64 {
        self.services.forgotten()
            + self.sources.forgotten()
            + self.rhythms.forgotten()
            + self.limits.forgotten()
    }

    /// The bursts of all services so far, in the order they began.
    pub fn bursts(&self) -> impl Iterator<Item = &Burst> {
        self.services.bursts()
    }

    /// Every idle timer that shows, most often seen first.
    #[must_use]
    pub fn timers(&self) -> Vec<TimerFound> {
        self.timers.found()
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
