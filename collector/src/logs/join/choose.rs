//! Which event a session means, and what follows for it.

use std::collections::BTreeMap;

use events::{Agreement, Endpoint, RoleSource, UtcTime};

use super::clock::Offset;
use super::fit::{distance, is_exact};
use super::known::{Claim, KnownSession, Place, key_of};
use super::options::Revision;
use super::shelf::Key;
use super::{Joiner, stamp};
use crate::logs::conclude::judge;
use crate::logs::session::{Kind, LogSession, LogTuple, Matched};

impl Joiner {
    pub(super) fn decide(&mut self, now: UtcTime, place: Place) -> Vec<Revision> {
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
    pub(super) fn decide_settled(&mut self, place: Place, is_settled: bool) -> Vec<Revision> {
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
        let is_claimed = seen.claimed.iter().any(|claim| claim.source == session.source);
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
        // What was taken for silent has spoken.
        seen.judgements.retain(|made| {
            made.item.agreement != Agreement::Absent || made.item.source != session.source
        });
        seen.judgements.push(judge(&seen.event, &session, &tuple, ahead_s, tap));
        if session.kind == Kind::Session {
            let (source, product) = (session.source.clone(), session.product);
            seen.claimed.push(Claim { source, product });
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

/// The session with the sides named as the event names them; nothing where both know better.
fn in_terms_of(
    event: &events::Event,
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

/// Log lines that an event may have.
pub(super) const ITEMS_MAX: usize = 8;
