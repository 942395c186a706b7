//! Sessions of logs and resets on the wire, brought together.
//!
//! | file | what |
//! |---|---|
//! | `mod.rs` | [`Joiner`]: what came, what fits, what follows |
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

mod clock;
mod fit;
mod options;
mod shelf;

use std::collections::{BTreeMap, BTreeSet};

use events::{Endpoint, Event, EventStatus, RoleSource, UtcTime};

use super::conclude::{Judgement, TapSide, judge};
use super::read::stamp;
use super::session::{End, Kind, LogSession, LogTuple, Matched};
use clock::{Offset, SourceClock, zone_text};
use fit::{Instants, ahead_ns, distance, is_exact};
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
    counts: JoinCounts,
}

/// Which shelf, and the number there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Place {
    is_finished: bool,
    number: u64,
}

#[derive(Debug)]
struct KnownEvent {
    sensor: String,
    instants: Instants,
    came: UtcTime,
    event: Event,
    judgements: Vec<Judgement>,
    /// Writers whose session this is already.
    claimed: Vec<String>,
}

#[derive(Debug)]
struct KnownSession {
    session: LogSession,
    came: UtcTime,
    /// Which of its tuples is joined, and at which sensor.
    joined: Vec<(Matched, String)>,
    /// Whether it is counted as one that several resets fitted.
    is_ambiguous: bool,
}

#[derive(Debug, Default)]
struct Source {
    clock: SourceClock,
    joined: u64,
    /// How often each sensor was shown each side of it, for sessions whose addresses do not tell.
    taps: BTreeMap<String, [u64; 2]>,
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
        let number = self.events.insert(now, keys.clone(), content);
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
        let number = shelf.insert(now, keys.clone(), content);
        let place = Place { is_finished, number };
        let mut events: Vec<u64> =
            keys.iter().flat_map(|key| self.events.with(key)).copied().collect();
        events.sort_unstable();
        events.dedup();
        for event in events {
            self.learn(place, event);
        }
        self.decide(now, place)
    }

    /// Lets time pass: what is old is forgotten, what has waited is decided.
    pub fn tick(&mut self, now: UtcTime) -> Vec<Revision> {
        self.events.forget_before(stamp::earlier(now, self.options.event_s));
        let before = stamp::earlier(now, self.options.session_s);
        self.sessions.forget_before(before);
        self.finished.forget_before(before);
        let open: Vec<Place> = self.open.iter().copied().collect();
        open.into_iter().flat_map(|place| self.decide(now, place)).collect()
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

    fn decide(&mut self, now: UtcTime, place: Place) -> Vec<Revision> {
        let Some(known) = self.at(place) else {
            self.open.remove(&place);
            return Vec::new();
        };
        let candidates =
            known.session.tuples.iter().flat_map(|tuple| self.events.with(&key_of(tuple)));
        let latest = candidates.filter_map(|at| Some(self.events.at(*at)?.came)).max();
        let latest = latest.map_or(known.came, |latest| latest.max(known.came));
        let is_settled = now >= stamp::later(latest, self.options.settle_s);
        self.decide_settled(place, is_settled)
    }

    /// Joins a session with what fits each of its tuples at each sensor.
    fn decide_settled(&mut self, place: Place, is_settled: bool) -> Vec<Revision> {
        let Some(known) = self.at(place) else { return Vec::new() };
        let offset =
            self.sources.get(&known.session.source).and_then(|source| source.clock.learned());
        if offset.is_none() && !is_settled {
            self.open.insert(place);
            return Vec::new();
        }
        self.open.remove(&place);
        let known = self.at(place).expect("it was there a moment ago");
        let mut pairs = Vec::new();
        let (mut is_ambiguous, mut must_wait) = (false, false);
        for tuple in &known.session.tuples {
            for (_, candidates) in self.by_sensor(known, tuple) {
                match self.best(known, tuple, &candidates, offset) {
                    Best::One(event) if is_settled || self.is_exact(known, event) => {
                        pairs.push((event, *tuple));
                    }
                    Best::One(_) => must_wait = true,
                    Best::Several => is_ambiguous = true,
                    Best::None => {}
                }
            }
        }
        if is_ambiguous && let Some(known) = self.at_mut(place) {
            let is_new = !std::mem::replace(&mut known.is_ambiguous, true);
            self.counts.ambiguous += u64::from(is_new);
        }
        if must_wait {
            self.open.insert(place);
        }
        pairs
            .into_iter()
            .filter_map(|(event, tuple)| self.join(place, event, tuple, offset))
            .collect()
    }

    /// Events of a tuple by sensor, without sensors where it is joined.
    fn by_sensor(&self, known: &KnownSession, tuple: &LogTuple) -> BTreeMap<&str, Vec<u64>> {
        let mut groups: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
        for number in self.events.with(&key_of(tuple)) {
            let Some(seen) = self.events.at(*number) else { continue };
            let is_joined = known
                .joined
                .iter()
                .any(|(matched, sensor)| *matched == tuple.matched && *sensor == seen.sensor);
            if !is_joined {
                groups.entry(&seen.sensor).or_default().push(*number);
            }
        }
        groups
    }

    fn is_exact(&self, known: &KnownSession, event: u64) -> bool {
        self.events.at(event).is_some_and(|seen| is_exact(&known.session, seen.instants))
    }

    /// The event that a session must mean.
    fn best(
        &self,
        known: &KnownSession,
        tuple: &LogTuple,
        candidates: &[u64],
        offset: Option<Offset>,
    ) -> Best {
        let session = &known.session;
        // Without the server's address only the same begin tells two connections apart.
        if tuple.server.is_none() && !candidates.iter().all(|at| self.is_exact(known, *at)) {
            return Best::None;
        }
        // With a clock that nobody knows only what is alone can be meant.
        if offset.is_none() && (candidates.len() > 1 || !self.is_alone(known)) {
            return Best::Several;
        }
        let clock = offset.unwrap_or(Offset::ASSUMED);
        let mut fitting: Vec<(u64, u64)> = candidates
            .iter()
            .filter_map(|number| {
                let seen = self.events.at(*number)?;
                Some((distance(session, seen.instants, clock)?, *number))
            })
            .collect();
        fitting.sort_unstable();
        match fitting.as_slice() {
            [] => Best::None,
            [(near, only)] => self.unless_claimed(known, *only, *near, clock),
            [(near, nearest), (far, _), ..] => {
                let margin = session.resolution_ns + 2 * clock.tolerance_ns.unsigned_abs();
                if far.saturating_sub(*near) > margin {
                    self.unless_claimed(known, *nearest, *near, clock)
                } else {
                    Best::Several
                }
            }
        }
    }

    /// A writer has one session for a connection: if a second one fits about as well, neither is taken.
    fn unless_claimed(&self, known: &KnownSession, number: u64, near: u64, clock: Offset) -> Best {
        let Some(seen) = self.events.at(number) else { return Best::None };
        let session = &known.session;
        if seen.judgements.len() >= ITEMS_MAX {
            return Best::Several;
        }
        if session.kind == Kind::Moment {
            return Best::One(number);
        }
        let margin = session.resolution_ns + 2 * clock.tolerance_ns.unsigned_abs();
        let keys: Vec<Key> = session.tuples.iter().map(key_of).collect();
        let rivals = self.sessions_with(&keys).into_iter().filter_map(|place| self.at(place));
        let has_rival = rivals
            .filter(|other| !std::ptr::eq(*other, known))
            .filter(|other| other.session.source == session.source)
            .filter(|other| other.session.kind == Kind::Session)
            .filter_map(|other| distance(&other.session, seen.instants, clock))
            .any(|distance| distance <= near.saturating_add(margin));
        let is_claimed = seen.claimed.contains(&session.source);
        if is_claimed || has_rival { Best::Several } else { Best::One(number) }
    }

    /// Whether its writer told of no other session with these addresses.
    fn is_alone(&self, known: &KnownSession) -> bool {
        let keys: Vec<Key> = known.session.tuples.iter().map(key_of).collect();
        let same = self.sessions_with(&keys).into_iter().filter_map(|place| self.at(place));
        let mut same = same.filter(|other| {
            other.session.source == known.session.source && other.session.kind == known.session.kind
        });
        same.nth(1).is_none()
    }

    /// Brings the two together; the event as it is told anew.
    fn join(
        &mut self,
        place: Place,
        number: u64,
        tuple: LogTuple,
        offset: Option<Offset>,
    ) -> Option<Revision> {
        let known = self.at(place)?;
        let seen = self.events.at(number)?;
        let (session, tuple) = in_terms_of(&seen.event, &known.session, tuple)?;
        let sensor = seen.sensor.clone();
        let source = self.sources.get_mut(&session.source)?;
        let tap = source.tap_side(&sensor, &session, &tuple);
        source.joined += 1;
        let ahead_s = offset.map(|offset| offset.ahead_ns as f64 / 1e9);
        let seen = self.events.at_mut(number)?;
        seen.judgements.push(judge(&seen.event, &session, &tuple, ahead_s, tap));
        if session.kind == Kind::Session {
            seen.claimed.push(session.source.clone());
        }
        let event = seen.told_anew();
        self.at_mut(place)?.joined.push((tuple.matched, sensor.clone()));
        self.counts.joined += 1;
        Some(Revision { sensor, event })
    }
}

enum Best {
    None,
    One(u64),
    Several,
}

impl Source {
    /// By this session's addresses, else by what all others showed to the same sensor.
    fn tap_side(&mut self, sensor: &str, session: &LogSession, tuple: &LogTuple) -> TapSide {
        let side = TapSide::of(session, tuple);
        if !self.taps.contains_key(sensor) {
            if side == TapSide::Unknown || self.taps.len() >= SENSORS_MAX {
                return side;
            }
            self.taps.insert(sensor.to_owned(), [0; 2]);
        }
        let Some([client, server]) = self.taps.get_mut(sensor) else { return side };
        match side {
            TapSide::Client => {
                *client += 1;
                TapSide::Client
            }
            TapSide::Server => {
                *server += 1;
                TapSide::Server
            }
            // A sensor may have taps on both sides: only what was never otherwise is taken over.
            TapSide::Unknown => match (*client, *server) {
                (SIDES_MIN.., 0) => TapSide::Client,
                (0, SIDES_MIN..) => TapSide::Server,
                _ => TapSide::Unknown,
            },
        }
    }
}

impl KnownEvent {
    /// The next revision.
    fn told_anew(&mut self) -> Event {
        let event = &mut self.event;
        event.revision += 1;
        event.corroboration = self.judgements.iter().map(|made| made.item.clone()).collect();
        let best = self.judgements.iter().rev().max_by_key(|made| made.rank);
        event.conclusion = best.and_then(|made| made.conclusion.clone());
        event.clone()
    }
}

/// The session with the sides named as the event names them; nothing where both know better.
fn in_terms_of(
    event: &Event,
    session: &LogSession,
    tuple: LogTuple,
) -> Option<(LogSession, LogTuple)> {
    let is_same = |end: Endpoint| end == event.client;
    if is_same(tuple.client) {
        return Some((session.clone(), tuple));
    }
    let is_proxy = matches!(tuple.matched, Matched::Front | Matched::Back);
    if is_proxy || (session.is_oriented && event.role_source != RoleSource::Port) {
        return None;
    }
    let turned = session.clone().flipped();
    let tuple = LogTuple { client: tuple.server?, server: Some(tuple.client), ..tuple };
    Some((turned, tuple))
}

fn key_of(tuple: &LogTuple) -> Key {
    tuple.server.map_or(Key::Client(tuple.client), |server| Key::pair(tuple.client, server))
}

/// Whether two lines say the same of the same: one was sent twice.
fn is_same(one: &LogSession, other: &LogSession) -> bool {
    (&one.source, &one.said, one.ended, one.begun, one.kind, one.product)
        == (&other.source, &other.said, other.ended, other.begun, other.kind, other.product)
        && one.tuples == other.tuples
}

/// Log lines that an event may have.
const ITEMS_MAX: usize = 8;

/// Writers that are followed.
const SOURCES_MAX: usize = 4096;

/// Sensors of which it is followed on which side of a writer they are.
const SENSORS_MAX: usize = 256;

/// Sessions whose addresses tell the side, before it is believed of others.
const SIDES_MIN: u64 = 5;
