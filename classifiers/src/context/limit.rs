//! Limits on connections: services that refuse a source only while it holds many of theirs.

use std::num::NonZeroUsize;

use flowtable::{Endpoint, Happening, Note, Timestamp};
use wire::Address;

use super::attempt::{Attempt, Outcome};
use super::bounded::Bounded;
use super::lesson::Lesson;
use super::live::Live;

/// A limit that a refusal fits.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Limit {
    /// Connections of the source that the service held at the fewest when it refused.
    pub at: u32,
    /// Connections it held this time.
    pub open: u32,
    /// Refusals of this source so far.
    pub refusals: u32,
    /// Connections of this source that were accepted so far.
    pub accepted: u32,
    /// Whether the service was seen to accept connections between two refusals: a service that
    /// restarts refuses once and accepts afterwards.
    pub is_alive: bool,
}

/// A limit as the report tells it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct FoundLimit {
    /// Who was refused.
    pub source: Address,
    /// By whom.
    pub service: Endpoint,
    /// What the last refusal knew.
    pub limit: Limit,
    /// First refusal.
    pub since: Timestamp,
}

/// What sources hold of services.
#[derive(Debug)]
pub(crate) struct Limits {
    holdings: Bounded<(Address, Endpoint), Holding>,
    services: Bounded<Endpoint, Accepts>,
}

/// One source at one service.
#[derive(Clone, Copy, Debug)]
struct Holding {
    live: Live,
    accepted: u32,
    touched: u32,
    refusals: u32,
    first_refusal: Timestamp,
    /// The last refusals. How many connections there were then is only known when the resets of
    /// that moment were all learned, some seconds later.
    refused: [Timestamp; REFUSALS_KEPT],
    /// Most connections that another one was accepted beside, this minute and the one before.
    accepted_beside: [u32; 2],
    minute_since: Timestamp,
    /// The limit that the last refusal fitted.
    shown: Option<Limit>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { holdings: Bounded::new(HOLDINGS), services: Bounded::new(SERVICES) }
    }
}

impl Limits {
    pub(crate) const fn memory_bytes() -> usize {
        Bounded::<(Address, Endpoint), Holding>::memory_bytes(HOLDINGS)
            + Bounded::<Endpoint, Accepts>::memory_bytes(SERVICES)
    }

    /// Entries that gave way to others.
    pub(crate) const fn forgotten(&self) -> u64 {
        self.holdings.evicted()
    }

    pub(crate) fn note(&mut self, note: &Note) {
        let key = (note.client.address, note.server);
        match note.what {
            Happening::Established => {
                if let Some(accepts) = self.services.admit(note.server, note.time, Accepts::default)
                {
                    accepts.push(note.time);
                }
                if let Some(holding) = self.holdings.admit(key, note.time, Holding::none) {
                    holding.accept(note.time);
                }
            }
            Happening::Closed => {
                if let Some(holding) = self.holdings.peek_mut(&key) {
                    holding.live.closed(note.time);
                }
            }
            Happening::FirstFin { .. } | Happening::NewLook { .. } | Happening::Answered { .. } => {
            }
        }
    }

    /// Takes in the end of a connection by reset, and attempts that were none.
    pub(crate) fn learn(&mut self, lesson: &Lesson<'_>) {
        let attempt = lesson.attempt;
        if let Some(attempt) = attempt.filter(Attempt::was_refused) {
            let key = (attempt.prober, attempt.target);
            if let Some(holding) = self.holdings.peek_mut(&key) {
                holding.refuse(attempt.time);
            }
        }
        if !lesson.ends_connection() {
            return;
        }
        if let Some(holding) = self.holdings.peek_mut(&(lesson.client.address, lesson.server)) {
            holding.live.closed(lesson.watch.reset.time);
            holding.touched +=
                u32::from(attempt.is_some_and(|attempt| attempt.outcome == Outcome::Touched));
        }
    }

    /// Whether the prober has had connections to this very target that carried something.
    pub(crate) fn is_customer(&self, attempt: &Attempt) -> bool {
        self.holdings
            .peek(&(attempt.prober, attempt.target))
            .is_some_and(|holding| holding.accepted > holding.touched)
    }

    /// Whether a refusal may come of a limit: the source holds some of the service's connections.
    pub(crate) fn may_show(&self, attempt: &Attempt) -> bool {
        let holding = self.holdings.peek(&(attempt.prober, attempt.target));
        attempt.outcome == Outcome::Refused
            && holding.is_some_and(|holding| holding.live.now() >= LIMIT_MIN)
    }

    /// The limit that a refusal fits.
    pub(crate) fn ask(&mut self, attempt: &Attempt) -> Option<Limit> {
        if attempt.outcome != Outcome::Refused {
            return None;
        }
        let holding = self.holdings.peek_mut(&(attempt.prober, attempt.target))?;
        let accepts = self.services.peek(&attempt.target);
        let limit = holding.limit(attempt.time, accepts);
        holding.shown = limit.or(holding.shown);
        limit
    }

    /// Every limit that showed, the one that refused most first.
    pub(crate) fn found(&self) -> Vec<FoundLimit> {
        let mut found: Vec<FoundLimit> = self
            .holdings
            .iter()
            .filter_map(|(&(source, service), holding)| {
                let limit = holding.shown.filter(|limit| limit.is_alive)?;
                Some(FoundLimit { source, service, limit, since: holding.first_refusal })
            })
            .collect();
        found.sort_by_key(|found| std::cmp::Reverse(found.limit.refusals));
        found.truncate(TOLD_MAX);
        found
    }
}

impl Holding {
    fn none() -> Self {
        Self {
            live: Live::NONE,
            accepted: 0,
            touched: 0,
            refusals: 0,
            first_refusal: Timestamp(0),
            refused: [Timestamp(0); REFUSALS_KEPT],
            accepted_beside: [0; 2],
            minute_since: Timestamp(0),
            shown: None,
        }
    }

    fn accept(&mut self, time: Timestamp) {
        let is_other_time = self.minute_since.since_ns(time) > 2 * MINUTE_NS;
        if time.since_ns(self.minute_since) > MINUTE_NS || is_other_time {
            (self.accepted_beside, self.minute_since) = ([0, self.accepted_beside[0]], time);
        }
        self.accepted_beside[0] = self.accepted_beside[0].max(self.live.now());
        self.accepted = self.accepted.saturating_add(1);
        self.live.opened(time);
    }

    fn refuse(&mut self, time: Timestamp) {
        self.first_refusal = if self.refusals == 0 { time } else { self.first_refusal.min(time) };
        self.refused[self.refusals as usize % REFUSALS_KEPT] = time;
        self.refusals = self.refusals.saturating_add(1);
    }

    /// Refused only beside more connections than any other was accepted beside.
    fn limit(&self, time: Timestamp, accepts: Option<&Accepts>) -> Option<Limit> {
        let open = self.live.at(time)?;
        let is_near = |at: &&Timestamp| time.apart_ns(**at) <= MINUTE_NS;
        let near = self.refused.iter().filter(is_near).filter_map(|&at| self.live.at(at));
        let at = near.min()?.min(open);
        let accepted_beside = self.accepted_beside[0].max(self.accepted_beside[1]);
        let is_limit = at >= LIMIT_MIN
            && at > accepted_beside
            && self.refusals >= REFUSALS_MIN
            && self.accepted >= at;
        is_limit.then(|| Limit {
            at,
            open,
            refusals: self.refusals,
            accepted: self.accepted,
            is_alive: accepts.is_some_and(|accepts| {
                self.refused.iter().any(|&at| accepts.has_one_between(self.first_refusal, at))
            }),
        })
    }
}

/// In which eighths of a second of the last 16 s a service has accepted a connection.
#[derive(Clone, Copy, Debug, Default)]
struct Accepts {
    /// The highest bit is the eighth `latest`.
    bits: u128,
    latest: u64,
}

impl Accepts {
    fn push(&mut self, time: Timestamp) {
        let eighth = time.0 / EIGHTH_NS;
        if eighth >= self.latest {
            self.bits = shifted(self.bits, eighth - self.latest) | NEWEST;
            self.latest = eighth;
        } else if self.latest - eighth < 128 {
            self.bits |= shifted(NEWEST, self.latest - eighth);
        } else {
            // Another capture: the clock was set back.
            (self.bits, self.latest) = (NEWEST, eighth);
        }
    }

    /// Clearly after `from` and before `to`.
    fn has_one_between(&self, from: Timestamp, to: Timestamp) -> bool {
        let (from, to) = (from.0 / EIGHTH_NS, to.0 / EIGHTH_NS);
        (0..128).any(|age| {
            let eighth = self.latest.saturating_sub(age);
            eighth > from && eighth < to && self.bits & shifted(NEWEST, age) != 0
        })
    }
}

fn shifted(bits: u128, by: u64) -> u128 {
    u32::try_from(by).ok().and_then(|by| bits.checked_shr(by)).unwrap_or(0)
}

const HOLDINGS: NonZeroUsize = NonZeroUsize::new(8_192).expect("not zero");
const SERVICES: NonZeroUsize = NonZeroUsize::new(4_096).expect("not zero");
/// Nobody limits to fewer; and few connections refused may be anything.
const LIMIT_MIN: u32 = 3;
const REFUSALS_MIN: u32 = 2;
/// Refusals whose moment is looked back at.
const REFUSALS_KEPT: usize = 8;
const NEWEST: u128 = 1 << 127;
const EIGHTH_NS: u64 = 125_000_000;
const MINUTE_NS: u64 = 60_000_000_000;
/// Limits that the report lists.
const TOLD_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use flowtable::{Endpoint, Happening, Note, Timestamp};
    use wire::Address;

    use super::{Attempt, Limits, Outcome};

    /// Connections and refusals of one source at one service.
    struct World {
        limits: Limits,
        now_ms: u64,
    }

    const SERVICE: Endpoint = Endpoint { address: Address::v4([10, 0, 0, 9]), port: 80 };

    impl World {
        fn new() -> Self {
            Self { limits: Limits::default(), now_ms: 1_000_000_000 }
        }

        fn time(&mut self) -> Timestamp {
            self.now_ms += 400;
            Timestamp(self.now_ms * 1_000_000)
        }

        fn note(&mut self, source: u8, what: Happening) {
            let client = Endpoint { address: Address::v4([10, 1, 0, source]), port: 5_000 };
            let time = self.time();
            self.limits.note(&Note { time, flow: 1, client, server: SERVICE, what });
        }

        fn refused(&mut self, source: u8) -> Attempt {
            let attempt = Attempt {
                prober: Address::v4([10, 1, 0, source]),
                target: SERVICE,
                outcome: Outcome::Refused,
                time: self.time(),
            };
            if let Some(holding) = self.limits.holdings.peek_mut(&(attempt.prober, SERVICE)) {
                holding.refuse(attempt.time);
            }
            attempt
        }
    }

    #[test]
    fn refused_beside_ten_and_accepted_below_is_a_limit_of_ten() {
        let mut world = World::new();
        (0..10).for_each(|_| world.note(1, Happening::Established));
        let refusals = [world.refused(1), world.refused(1), world.refused(1)];
        let limit = world.limits.ask(&refusals[0]).expect("a limit");
        assert_eq!((limit.at, limit.open, limit.is_alive), (10, 10, false));
        world.note(1, Happening::Closed);
        world.note(1, Happening::Established);
        assert!(!world.limits.ask(&refusals[2]).expect("still a limit").is_alive);
        let again = world.refused(1);
        assert!(world.limits.ask(&again).expect("the same limit").is_alive);
        assert_eq!(world.limits.found()[0].limit.at, 10);
    }

    #[test]
    fn a_service_that_is_down_for_a_moment_has_no_limit() {
        let mut world = World::new();
        (0..20).for_each(|_| world.note(1, Happening::Established));
        let refusals = [world.refused(1), world.refused(1), world.refused(1)];
        // Back again, and it accepts beside as many as it refused beside.
        world.note(1, Happening::Established);
        assert_eq!(world.limits.ask(&refusals[2]), None);
        assert!(world.limits.found().is_empty());
    }

    #[test]
    fn a_service_that_restarts_gracefully_has_no_proven_limit() {
        let mut world = World::new();
        (0..20).for_each(|_| world.note(1, Happening::Established));
        let refusals = [world.refused(1), world.refused(1), world.refused(1)];
        (0..20).for_each(|_| world.note(1, Happening::Closed));
        world.note(1, Happening::Established);
        assert!(world.limits.ask(&refusals[2]).is_none_or(|limit| !limit.is_alive));
    }

    #[test]
    fn a_service_that_died_with_its_connections_has_no_limit() {
        let mut world = World::new();
        (0..20).for_each(|_| world.note(1, Happening::Established));
        // The refusals are learned first, though the connections had been reset before.
        let died = world.time();
        let refusals = [world.refused(1), world.refused(1), world.refused(1)];
        let holding = world.limits.holdings.peek_mut(&(refusals[0].prober, SERVICE)).unwrap();
        (0..20).for_each(|_| holding.live.closed(died));
        world.note(1, Happening::Established);
        assert_eq!(world.limits.ask(&refusals[2]), None);
    }

    #[test]
    fn who_holds_nothing_is_not_limited() {
        let mut world = World::new();
        (0..10).for_each(|_| world.note(1, Happening::Established));
        let refusal = world.refused(2);
        assert_eq!(world.limits.ask(&refusal), None);
        assert!(!world.limits.may_show(&refusal));
    }

    #[test]
    fn a_flood_of_sources_does_not_grow_the_table() {
        let mut world = World::new();
        for number in 0..300_000u32 {
            let [_, a, b, c] = number.to_be_bytes();
            let client = Endpoint { address: Address::v4([10, a, b, c]), port: 1 };
            let time = world.time();
            let what = Happening::Established;
            world.limits.note(&Note { time, flow: 1, client, server: SERVICE, what });
        }
        assert_eq!(world.limits.holdings.iter().count(), super::HOLDINGS.get());
        assert!(world.limits.found().is_empty());
    }
}
