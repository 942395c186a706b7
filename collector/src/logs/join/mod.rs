//! Sessions of logs and resets on the wire, brought together.
//!
//! | file | what |
//! |---|---|
//! | `mod.rs` | [`Joiner`]: what came, and when it is decided |
//! | `known.rs` | what waits, and what is known of each writer |
//! | `choose.rs` | which event a session means, and what follows for it |
//! | `absent.rs` | what a firewall did not log |
//! | `options.rs` | [`JoinOptions`], [`JoinCounts`], [`ClockRow`] |
//! | `shelf.rs` | what waits for its counterpart, bounded |
//! | `clock.rs` | how far a writer's clock is from ours |
//! | `fit.rs` | whether times allow it |
//!
//! A log gives up to four pairs of addresses; all are tried. Either side may come first. Of several that fit, one
//! is taken only if it is clearly the nearest: a wrong join is worse than none. Until a writer's clock is known,
//! it is taken to be right, and its lines wait until nothing else can come that fits them as well.
//!
//! Nothing is kept over a restart: what was waiting then is not joined.

mod absent;
mod choose;
mod clock;
mod fit;
mod known;
mod options;
mod shelf;

use std::collections::{BTreeMap, BTreeSet};

use events::{Event, EventStatus, UtcTime};

use super::read::stamp;
use super::session::{End, LogSession};
use clock::zone_text;
use fit::{Instants, ahead_ns};
use known::{KnownEvent, KnownSession, Place, Source, is_same, key_of};
pub use options::{ClockRow, JoinCounts, JoinOptions, Revision};
use shelf::{Key, Shelf};

/// Joins; time comes from outside.
#[derive(Debug)]
pub struct Joiner {
    options: JoinOptions,
    events: Shelf<KnownEvent>,
    /// Sessions that tell of a reset, a policy, a timer.
    sessions: Shelf<KnownSession>,
    /// Sessions that ended well: far more, and worth less.
    finished: Shelf<KnownSession>,
    sources: BTreeMap<String, Source>,
    /// Sessions that have candidates and are not decided.
    open: BTreeSet<Place>,
    /// The first event of which it is not decided yet whether a firewall should have logged it.
    unheard: u64,
    /// When lines were lost, last: since then silence tells nothing.
    deaf: UtcTime,
    counts: JoinCounts,
}

impl Joiner {
    /// With nothing known.
    #[must_use]
    pub fn new(options: JoinOptions) -> Self {
        Self {
            options,
            events: Shelf::new(options.events),
            sessions: Shelf::new(options.sessions),
            finished: Shelf::new(options.sessions),
            sources: BTreeMap::new(),
            open: BTreeSet::new(),
            unheard: 0,
            deaf: UtcTime(0),
            counts: JoinCounts::default(),
        }
    }

    /// Takes an event of a sensor; what it makes of events, this one or others.
    ///
    /// Only final, primary resets are taken: logs know of nothing else.
    pub fn event(&mut self, now: UtcTime, sensor: &str, event: &Event) -> Vec<Revision> {
        let is_primary = event.status == EventStatus::Final && event.is_primary();
        let key = Key::pair(event.client, event.server);
        let mut known = self.events.with(&key).iter().filter_map(|at| self.events.at(*at));
        if !is_primary || event.revision > 0 || known.any(|known| known.event.id == event.id) {
            return Vec::new();
        }
        let content = KnownEvent {
            sensor: sensor.to_owned(),
            instants: Instants::of(event),
            came: now,
            event: event.clone(),
            judgements: Vec::new(),
            claimed: Vec::new(),
        };
        let keys = vec![key, Key::Client(event.client)];
        let of_path = absent::path_of(event);
        let all_keys = keys.iter().copied().chain(of_path).collect();
        let number = self.events.insert(now, all_keys, content);
        let places = self.sessions_with(&keys);
        for place in &places {
            self.learn(*place, number);
        }
        places.into_iter().flat_map(|place| self.decide(now, place)).collect()
    }

    /// Takes a session of a log; what it makes of events.
    pub fn session(&mut self, now: UtcTime, session: LogSession) -> Vec<Revision> {
        if self.sources.len() >= SOURCES_MAX && !self.sources.contains_key(&session.source) {
            self.counts.beyond_sources += 1;
            return Vec::new();
        }
        self.sources.entry(session.source.clone()).or_default();
        let mut keys: Vec<Key> = session.tuples.iter().map(key_of).collect();
        keys.dedup();
        let is_repeated = self
            .sessions_with(&keys)
            .into_iter()
            .any(|place| self.at(place).is_some_and(|known| is_same(&known.session, &session)));
        if is_repeated {
            self.counts.repeated += 1;
            return Vec::new();
        }
        let is_finished = matches!(session.end, End::Finished | End::Other);
        let shelf = if is_finished { &mut self.finished } else { &mut self.sessions };
        let content = KnownSession { session, came: now, joined: Vec::new(), is_ambiguous: false };
        let displaced = shelf.displaced;
        let number = shelf.insert(now, keys.clone(), content);
        if shelf.displaced > displaced {
            self.deaf = now;
        }
        let place = Place { is_finished, number };
        let mut events: Vec<u64> =
            keys.iter().flat_map(|key| self.events.with(key)).copied().collect();
        events.sort_unstable();
        events.dedup();
        for event in &events {
            self.learn(place, *event);
        }
        let mut revisions = self.decide(now, place);
        revisions.extend(events.into_iter().filter_map(|event| self.heard_after_all(place, event)));
        revisions
    }

    /// Lets time pass: what is old is forgotten, what has waited is decided.
    pub fn tick(&mut self, now: UtcTime) -> Vec<Revision> {
        self.events.forget_before(stamp::earlier(now, self.options.event_s));
        let before = stamp::earlier(now, self.options.session_s);
        self.sessions.forget_before(before);
        self.finished.forget_before(before);
        let open: Vec<Place> = self.open.iter().copied().collect();
        let mut revisions: Vec<Revision> =
            open.into_iter().flat_map(|place| self.decide(now, place)).collect();
        revisions.extend(self.absent(now));
        revisions
    }

    /// Lines were lost: what is not heard of since then may have been logged.
    pub fn lost(&mut self, now: UtcTime) {
        self.deaf = now;
    }

    /// The same of one writer: a line of it could not be read. Of nobody who is known: it may be anybody's.
    pub fn garbled(&mut self, now: UtcTime, source: &str) {
        match self.sources.get_mut(source) {
            Some(source) => source.garbled = now,
            None => self.deaf = now,
        }
    }

    /// Lines of this writer come by a way on which some are lost and nobody hears of it.
    pub fn lossy(&mut self, source: &str) {
        if let Some(source) = self.sources.get_mut(source) {
            source.is_lossy = true;
        }
    }

    /// Decides what waits as if all had been waited for: nothing more will come.
    pub fn finish(&mut self) -> Vec<Revision> {
        let open: Vec<Place> = self.open.iter().copied().collect();
        open.into_iter().flat_map(|place| self.decide_settled(place, true)).collect()
    }

    /// What became of all.
    #[must_use]
    pub fn counts(&self) -> JoinCounts {
        JoinCounts {
            events_displaced: self.events.displaced,
            sessions_displaced: self.sessions.displaced + self.finished.displaced,
            ..self.counts
        }
    }

    /// Writers by name, with their clocks.
    #[must_use]
    pub fn clocks(&self) -> BTreeMap<String, ClockRow> {
        let rows = self.sources.iter().map(|(name, source)| {
            let offset = source.clock.learned();
            let row = ClockRow {
                joined: source.joined,
                ahead_s: offset.map(|offset| offset.ahead_ns as f64 / 1e9),
                zone: offset.and_then(|offset| zone_text(offset.ahead_ns)),
            };
            (name.clone(), row)
        });
        rows.collect()
    }

    fn at(&self, place: Place) -> Option<&KnownSession> {
        let shelf = if place.is_finished { &self.finished } else { &self.sessions };
        shelf.at(place.number)
    }

    fn at_mut(&mut self, place: Place) -> Option<&mut KnownSession> {
        let shelf = if place.is_finished { &mut self.finished } else { &mut self.sessions };
        shelf.at_mut(place.number)
    }

    /// All sessions with any of these keys.
    fn sessions_with(&self, keys: &[Key]) -> Vec<Place> {
        let mut places = BTreeSet::new();
        for key in keys {
            for (is_finished, shelf) in [(false, &self.sessions), (true, &self.finished)] {
                places.extend(shelf.with(key).iter().map(|at| Place { is_finished, number: *at }));
            }
        }
        places.into_iter().collect()
    }

    /// Learns of a writer's clock, if this session and this event can only mean each other.
    fn learn(&mut self, place: Place, event: u64) {
        let Some(known) = self.at(place) else { return };
        let Some(seen) = self.events.at(event) else { return };
        let keys: Vec<Key> = known.session.tuples.iter().map(key_of).collect();
        let is_only_event = keys
            .iter()
            .flat_map(|key| self.events.with(key))
            .filter_map(|at| self.events.at(*at))
            .all(|other| other.event.id == seen.event.id || other.sensor != seen.sensor);
        let is_only_session = self
            .sessions_with(&keys)
            .into_iter()
            .filter(|other| *other != place)
            .filter_map(|other| self.at(other))
            .all(|other| other.session.source != known.session.source);
        if !is_only_event || !is_only_session {
            return;
        }
        let Some(ahead_ns) = ahead_ns(&known.session, seen.instants) else { return };
        let source = known.session.source.clone();
        if let Some(source) = self.sources.get_mut(&source) {
            source.clock.add(ahead_ns);
        }
    }
}

/// Writers that are followed.
const SOURCES_MAX: usize = 4096;
