//! What a firewall did not log, though it logs every session of this path: told, and never a proof.
//!
//! Silence is told only where it is sure to be one: the firewall logged nearly all other resets between these
//! clients and this server, and the nearest before and after this one within a minute; its clock is known; its
//! lines come by a way that loses none, and none was lost, unread or pushed out meanwhile; no end of a session with
//! these addresses came from it; the event itself came in time. It may still mean little: the firewall may hold the
//! session yet because the reset never came to it.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use classifiers::{Effect, Stage};
use events::{Agreement, CorroborationItem, Event, UtcTime};

use super::choose::ITEMS_MAX;
use super::known::{Claim, KnownEvent, Place};
use super::options::Revision;
use super::shelf::Key;
use super::{Joiner, stamp};
use crate::logs::conclude::Judgement;

/// What a writer did with the other resets of a path.
#[derive(Clone, Copy, Default, Debug)]
struct Heard {
    logged: u64,
}

/// The other reset of a path that is nearest on one side of an event, and whether a firewall logged it.
#[derive(Clone, Copy, Default, Debug)]
struct Nearest(Option<(u64, bool)>);

impl Nearest {
    fn meet(&mut self, distance_ns: u64, is_logged: bool) {
        if self.0.is_none_or(|(nearest_ns, _)| distance_ns < nearest_ns) {
            self.0 = Some((distance_ns, is_logged));
        }
    }

    /// Whether the writer was not pausing then.
    fn is_logged(self) -> bool {
        self.0.is_some_and(|(distance_ns, is_logged)| {
            is_logged && distance_ns <= NEAR_S * 1_000_000_000
        })
    }
}

/// The path of an event whose session a firewall on it must have logged: a connection that was there, and ended.
pub(super) fn path_of(event: &Event) -> Option<Key> {
    let is_there = matches!(event.verdict.stage, Stage::PostAck | Stage::PostPsh | Stage::Later);
    let is_over = matches!(event.verdict.effect, Effect::Accepted | Effect::Unobservable);
    (is_there && is_over).then(|| Key::Path(network_of(event.client.ip), event.server))
}

/// Neighbours share their way.
fn network_of(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(ip) => Ipv4Addr::from_bits(ip.to_bits() >> 8 << 8).into(),
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).into(),
    }
}

impl Joiner {
    /// Events that have waited long enough, with firewalls that should have logged them and did not.
    pub(super) fn absent(&mut self, now: UtcTime) -> Vec<Revision> {
        let before = stamp::earlier(now, self.options.absent_s);
        let mut revisions = Vec::new();
        while self.unheard < self.events.next() {
            let number = self.unheard;
            if self.events.at(number).is_some_and(|seen| seen.came > before) {
                break;
            }
            self.unheard += 1;
            revisions.extend(self.silence(number, stamp::earlier(now, LATE_S)));
        }
        revisions
    }

    /// Takes back that a writer was silent: it told of these addresses, whatever it meant.
    pub(super) fn heard_after_all(&mut self, place: Place, number: u64) -> Option<Revision> {
        let source = self.at(place)?.session.source.clone();
        let seen = self.events.at_mut(number)?;
        let told = seen.judgements.len();
        seen.judgements
            .retain(|made| made.item.agreement != Agreement::Absent || made.item.source != source);
        let is_changed = seen.judgements.len() < told;
        is_changed.then(|| Revision { sensor: seen.sensor.clone(), event: seen.told_anew() })
    }

    fn silence(&mut self, number: u64, late: UtcTime) -> Option<Revision> {
        let seen = self.events.at(number)?;
        let path = path_of(&seen.event)?;
        // Of several firewalls of a path one may stand in for the other.
        let is_logged = seen.claimed.iter().any(|claim| claim.product.is_firewall());
        if is_logged || !is_prompt(seen) || seen.judgements.len() >= ITEMS_MAX {
            return None;
        }
        let (claim, heard) = self.silent_writer(number, seen, path, late)?;
        let judgement = self.judgement(seen, &claim, heard)?;
        let seen = self.events.at_mut(number)?;
        seen.judgements.push(judgement);
        let event = seen.told_anew();
        self.counts.absent += 1;
        Some(Revision { sensor: self.events.at(number)?.sensor.clone(), event })
    }

    /// The only firewall that logs all others of this path; those that came after `late` need not be logged yet.
    fn silent_writer(
        &self,
        number: u64,
        seen: &KnownEvent,
        path: Key,
        late: UtcTime,
    ) -> Option<(Claim, Heard)> {
        let mut writers: BTreeMap<&str, (&Claim, Heard)> = BTreeMap::new();
        let (mut waited, mut before, mut after) = (0_u64, Nearest::default(), Nearest::default());
        let reset = seen.event.ts.0;
        let others = self.events.with(&path).iter().filter(|other| **other != number);
        for other in others.filter_map(|other| self.events.at(*other)) {
            if other.sensor != seen.sensor || !is_prompt(other) {
                continue;
            }
            let firewalls = other.claimed.iter().filter(|claim| claim.product.is_firewall());
            let mut is_logged = false;
            for claim in firewalls {
                is_logged = true;
                let (_, heard) =
                    writers.entry(&claim.source).or_insert_with(|| (claim, Heard::default()));
                heard.logged += 1;
            }
            if !is_logged && other.came > late {
                continue;
            }
            waited += 1;
            let side = if other.event.ts.0 < reset { &mut before } else { &mut after };
            side.meet(other.event.ts.0.abs_diff(reset), is_logged);
        }
        let mut writers = writers.into_values();
        let (claim, heard) = writers.next()?;
        let is_all = heard.logged >= LOGGED_MIN
            && waited.saturating_sub(heard.logged) * UNLOGGED_PER <= heard.logged;
        let is_sure = writers.next().is_none() && is_all && before.is_logged() && after.is_logged();
        (is_sure && self.was_heard(seen, claim)).then(|| (claim.clone(), heard))
    }

    /// Whether everything that this writer logged since the reset was taken, and none of it is of this connection.
    fn was_heard(&self, seen: &KnownEvent, claim: &Claim) -> bool {
        let since = stamp::earlier(seen.came, SLACK_S);
        let event = &seen.event;
        let keys = [Key::pair(event.client, event.server), Key::Client(event.client)];
        let mut lines = self.sessions_with(&keys).into_iter().filter_map(|place| self.at(place));
        let is_named = lines.any(|known| known.session.source == claim.source);
        let source = self.sources.get(&claim.source);
        !is_named
            && self.deaf < since
            && source.is_some_and(|source| {
                !source.is_lossy && source.garbled < since && source.clock.learned().is_some()
            })
    }

    fn judgement(&self, seen: &KnownEvent, claim: &Claim, heard: Heard) -> Option<Judgement> {
        let event = &seen.event;
        let offset = self.sources.get(&claim.source)?.clock.learned()?;
        let (fw, server) = (&claim.source, event.server);
        let sentence = format!(
            "{fw} logs no end of this connection, though it logged {} others between the neighbours of {} and {server} \
             before and after it: the reset did not come to {fw}, which holds the session still, or the connection \
             went another way, or its rule does not log. Silence is no proof.",
            heard.logged, event.client.ip
        );
        let item = CorroborationItem {
            agreement: Agreement::Absent,
            source: fw.clone(),
            product: claim.product.name().to_owned(),
            said: "nothing".to_owned(),
            rule: None,
            threat: None,
            ts: event.ts,
            clock_offset_s: Some(offset.ahead_ns as f64 / 1e9),
            matched: "none".to_owned(),
            community_id_nat: None,
            sentence,
            line: String::new(),
        };
        Some(Judgement { item, conclusion: None, rank: 0 })
    }
}

/// Whether an event came when lines of its time were still at hand: what a sensor sends after an outage did not.
fn is_prompt(known: &KnownEvent) -> bool {
    stamp::earlier(known.came, SLACK_S) <= known.event.ts
}

/// Resets of a path that a firewall logged, before its silence tells anything.
const LOGGED_MIN: u64 = 8;

/// Logged resets for each that is not.
const UNLOGGED_PER: u64 = 8;

/// The neighbours in time that must have been logged are no further away, s.
const NEAR_S: u64 = 60;

/// Most lines have come by then.
const LATE_S: u64 = 120;

/// An event is told up to 37 s after its reset.
const SLACK_S: u64 = 60;
