//! Who scans: sources that try many ports of one host, or one port of many hosts, and get nowhere.
//!
//! Ordinary sources are told apart by three things: they are served too, they come back to what
//! they tried, and what they call in vain they often called with success before.

use std::hash::BuildHasher;
use std::num::NonZeroUsize;

use flowtable::{Happening, Note, Timestamp};
use foldhash::quality::RandomState;
use wire::Address;

use super::attempt::{Attempt, Outcome};
use super::bounded::Bounded;
use super::distinct::Distinct;

/// A scan that an attempt belongs to.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Scan {
    /// Who scans.
    pub source: Address,
    /// Along which axis.
    pub axis: Axis,
    /// By which kind of segments.
    pub manner: Manner,
    /// Ports or hosts tried so far that answered with a reset or were reset, about.
    pub targets: u32,
    /// First attempt that was seen.
    pub since: Timestamp,
    /// Last one.
    pub last: Timestamp,
}

/// What all attempts of a scan have in common.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Axis {
    /// Many ports of this host.
    Host(Address),
    /// This port of many hosts.
    Port(u16),
    /// Some ports of some hosts; only of what no client does: peers of a swarm are refused by many
    /// ports of many hosts, too.
    Block,
}

/// By what a scan tries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Manner {
    /// SYNs; handshakes are left half-open.
    HalfOpen,
    /// Complete connections without a byte.
    Connect,
    /// Segments that open nothing: ACK, FIN, NULL.
    Stealth,
    /// SYNs, all refused: what it would do with an open port was not seen.
    Refused,
}

/// Sources by axis; see [`Sources::memory_bytes`] for its size.
#[derive(Debug)]
pub(crate) struct Sources {
    sweeps: Bounded<(Address, Axis), Sweep>,
    hasher: RandomState,
}

/// Attempts of one source along one axis.
#[derive(Clone, Copy, Debug)]
struct Sweep {
    since: Timestamp,
    last: Timestamp,
    members: Distinct,
    /// How many; counting them takes longer than all else, and most attempts change nothing.
    targets: u32,
    /// Its size when it was last beyond all doubt; 0 before.
    known: u32,
    served: u32,
    outcomes: [u32; 4],
}

impl Default for Sources {
    fn default() -> Self {
        Self { sweeps: Bounded::new(SWEEPS), hasher: RandomState::default() }
    }
}

impl Sources {
    pub(crate) const fn memory_bytes() -> usize {
        Bounded::<(Address, Axis), Sweep>::memory_bytes(SWEEPS)
    }

    /// Entries that gave way to others.
    pub(crate) const fn forgotten(&self) -> u64 {
        self.sweeps.evicted()
    }

    /// Whoever is served is a customer; only of those that fail as well is it kept.
    pub(crate) fn note(&mut self, note: &Note) {
        if note.what != Happening::Established {
            return;
        }
        let source = note.client.address;
        for axis in [Axis::Host(note.server.address), Axis::Port(note.server.port), Axis::Block] {
            if let Some(sweep) = self.sweeps.peek_mut(&(source, axis)) {
                sweep.served = sweep.served.saturating_add(1);
            }
        }
    }

    /// Takes in an attempt that failed.
    pub(crate) fn learn(&mut self, attempt: &Attempt) {
        let Attempt { prober, target, outcome, time } = *attempt;
        for axis in axes_of(attempt) {
            let member = match axis {
                Axis::Host(_) => self.hasher.hash_one(target.port),
                Axis::Port(_) => self.hasher.hash_one(target.address),
                Axis::Block => self.hasher.hash_one(target),
            };
            let sweep = self.sweeps.entry((prober, axis), || Sweep::new(time));
            if sweep.is_past(time) {
                *sweep = Sweep::new(time);
            }
            if sweep.members.add(member) {
                sweep.targets = sweep.members.count();
            }
            // Resets that end within a moment are learned in any order.
            sweep.since = sweep.since.min(time);
            sweep.last = sweep.last.max(time);
            let count = &mut sweep.outcomes[outcome as usize];
            *count = count.saturating_add(1);
            if sweep.is_scan() {
                sweep.known = sweep.targets;
            }
        }
    }

    /// The scan that an attempt is part of.
    pub(crate) fn ask(&self, attempt: &Attempt) -> Option<Scan> {
        let prober = attempt.prober;
        axes_of(attempt).find_map(|axis| {
            let sweep = self.sweeps.peek(&(prober, axis))?;
            (sweep.is_scan() && !sweep.is_past(attempt.time)).then(|| sweep.told(prober, axis))
        })
    }

    /// Whether the scan that a lone segment may be part of is yet to show.
    pub(crate) fn may_show(&self, attempt: &Attempt) -> bool {
        attempt.outcome == Outcome::Stray && self.ask(attempt).is_none()
    }

    /// Every source that scanned, the largest scan first; a block only where nothing simpler fits.
    pub(crate) fn scanners(&self) -> Vec<Scan> {
        let mut scans: Vec<Scan> = self
            .sweeps
            .iter()
            .filter(|(_, sweep)| sweep.known > 0)
            .map(|(&(source, axis), sweep)| sweep.told(source, axis))
            .collect();
        scans.sort_by_key(|scan| {
            (scan.source, scan.axis == Axis::Block, std::cmp::Reverse(scan.targets))
        });
        scans.dedup_by(|later, first| later.source == first.source && later.axis == Axis::Block);
        scans.sort_by_key(|scan| std::cmp::Reverse(scan.targets));
        scans.truncate(TOLD_MAX);
        scans
    }
}

/// The axes along which an attempt may be part of a scan, the plainest first.
fn axes_of(attempt: &Attempt) -> impl Iterator<Item = Axis> {
    let Attempt { target, outcome, .. } = *attempt;
    let is_odd = matches!(outcome, Outcome::Stray | Outcome::HalfOpen);
    [Axis::Host(target.address), Axis::Port(target.port)]
        .into_iter()
        .chain(is_odd.then_some(Axis::Block))
}

impl Sweep {
    const fn new(time: Timestamp) -> Self {
        let members = Distinct::EMPTY;
        Self { since: time, last: time, members, targets: 0, known: 0, served: 0, outcomes: [0; 4] }
    }

    /// Over for so long, or of another time altogether, that the next attempt begins another.
    fn is_past(&self, now: Timestamp) -> bool {
        let is_quiet = now.since_ns(self.last) > QUIET_NS || self.since.since_ns(now) > QUIET_NS;
        // Whoever fails once a minute for days is no scanner yet.
        is_quiet || (self.known == 0 && now.since_ns(self.since) > SPAN_NS)
    }

    fn is_scan(&self) -> bool {
        let members = self.targets;
        let attempts: u32 = self.outcomes.iter().fold(0, |sum, count| sum.saturating_add(*count));
        // A connection that is reset without a byte was told as established before.
        let served = self.served.saturating_sub(self.outcomes[Outcome::Touched as usize]);
        members >= TARGETS_MIN
            && attempts <= members.saturating_mul(ATTEMPTS_A_TARGET_MAX)
            && served <= members / SERVED_SHARE
    }

    fn told(&self, source: Address, axis: Axis) -> Scan {
        let count = |outcome: Outcome| self.outcomes[outcome as usize];
        let syns = count(Outcome::Refused) + count(Outcome::HalfOpen) + count(Outcome::Touched);
        let manner = if count(Outcome::Stray) > syns {
            Manner::Stealth
        } else if count(Outcome::HalfOpen) > count(Outcome::Touched) {
            Manner::HalfOpen
        } else if count(Outcome::Touched) > 0 {
            Manner::Connect
        } else {
            Manner::Refused
        };
        let targets = self.targets.max(self.known);
        Scan { source, axis, manner, targets, since: self.since, last: self.last }
    }
}

const SWEEPS: NonZeroUsize = NonZeroUsize::new(16_384).expect("not zero");
/// Fewer failures of one source are bad luck or a broken configuration.
const TARGETS_MIN: u32 = 8;
/// Clients call again what refused them (Windows twice within a second), scanners hardly.
const ATTEMPTS_A_TARGET_MAX: u32 = 4;
/// Of so many targets a scanner may be a customer of one: a proxy or NAT serves many who are.
const SERVED_SHARE: u32 = 3;
/// Silence that ends a scan.
const QUIET_NS: u64 = 300_000_000_000;
/// A scan shows itself within an hour, or failures are forgotten.
const SPAN_NS: u64 = 3_600_000_000_000;
/// Scanners that the report lists.
const TOLD_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use flowtable::{Endpoint, Happening, Note, Timestamp};
    use wire::Address;

    use super::{Attempt, Axis, Manner, Outcome, Sources};

    fn attempt(source: u8, host: u32, port: u16, outcome: Outcome, ms: u64) -> Attempt {
        let [_, a, b, c] = host.to_be_bytes();
        Attempt {
            prober: Address::v4([198, 51, 100, source]),
            target: Endpoint { address: Address::v4([10, a, b, c]), port },
            outcome,
            time: Timestamp(1_000_000_000_000 + ms * 1_000_000),
        }
    }

    fn served(sources: &mut Sources, attempt: &Attempt) {
        let client = Endpoint { address: attempt.prober, port: 5_000 };
        let what = Happening::Established;
        sources.note(&Note { time: attempt.time, flow: 1, client, server: attempt.target, what });
    }

    #[test]
    fn many_ports_of_one_host_are_a_scan_from_the_eighth_on() {
        let mut sources = Sources::default();
        let mut first = None;
        for port in 1..=40 {
            let outcome = if port % 10 == 0 { Outcome::HalfOpen } else { Outcome::Refused };
            let attempt = attempt(1, 1, port, outcome, u64::from(port) * 5);
            sources.learn(&attempt);
            if sources.ask(&attempt).is_some() {
                first.get_or_insert(port);
            }
        }
        assert_eq!(first, Some(8));
        let scan = sources.scanners()[0];
        assert_eq!(scan.axis, Axis::Host(Address::v4([10, 0, 0, 1])));
        assert_eq!(scan.manner, Manner::HalfOpen);
        assert!((20..=80).contains(&scan.targets));
    }

    #[test]
    fn one_port_of_many_hosts_is_a_scan_and_a_served_source_is_none() {
        let mut sources = Sources::default();
        for host in 0..30 {
            let stray = attempt(1, host, 443, Outcome::Stray, u64::from(host));
            sources.learn(&stray);
            let refused = attempt(2, host, 443, Outcome::Refused, u64::from(host));
            sources.learn(&refused);
            served(&mut sources, &refused);
        }
        let told = sources.scanners();
        assert_eq!(told.len(), 1);
        assert_eq!((told[0].axis, told[0].manner), (Axis::Port(443), Manner::Stealth));
    }

    #[test]
    fn who_calls_a_few_dead_services_again_and_again_is_no_scanner() {
        let mut sources = Sources::default();
        for ms in 0..2_000u64 {
            let port = 8_000 + (ms % 9) as u16;
            sources.learn(&attempt(1, 1, port, Outcome::Refused, ms * 100));
        }
        assert_eq!(sources.ask(&attempt(1, 1, 8_000, Outcome::Refused, 200_000)), None);
    }

    #[test]
    fn a_flood_of_spoofed_sources_neither_grows_the_table_nor_hides_the_scanner() {
        let mut sources = Sources::default();
        for number in 0..500_000u32 {
            let [_, a, b, c] = number.to_be_bytes();
            let mut spoofed = attempt(9, 7, 80, Outcome::HalfOpen, u64::from(number / 100));
            spoofed.prober = Address::v4([a, b, c, 1]);
            sources.learn(&spoofed);
            if number % 1_000 == 0 {
                let port = (number / 1_000) as u16;
                sources.learn(&attempt(1, 1, port, Outcome::Refused, u64::from(number / 100)));
            }
        }
        assert_eq!(sources.scanners().len(), 1, "{:?}", sources.scanners());
        assert!(sources.sweeps.iter().count() <= super::SWEEPS.get());
    }

    #[test]
    fn a_clock_set_back_begins_anew() {
        let mut sources = Sources::default();
        for port in 1..=40 {
            sources.learn(&attempt(1, 1, port, Outcome::Refused, 10_000_000));
        }
        let early = attempt(1, 1, 41, Outcome::Refused, 0);
        sources.learn(&early);
        assert_eq!(sources.ask(&early), None);
    }
}
