//! What many addresses tell of one server: SYN-flood protection that tests its clients, and floods
//! in the name of addresses that never spoke.

use std::hash::BuildHasher;
use std::num::NonZeroUsize;

use flowtable::{Timestamp, Watch};
use foldhash::quality::RandomState;
use wire::Address;

use super::Setting;
use super::attempt::{Attempt, Outcome};
use super::bounded::Bounded;
use super::distinct::PerMinute;
use crate::case::Case;
use crate::rules::meets_wrong_ack;
use crate::verdict::Ruling;
use crate::vocabulary::{Cause, Role, Shape};

/// What went on at a server in the last minute.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Flood {
    /// The server, by its address.
    pub server: Address,
    /// Clients whose SYN was answered with a wrong acknowledgment number, about.
    pub tested: u32,
    /// Of those that came again at once, the share that was let in, per cent; `None` if none did.
    pub let_in_percent: Option<u8>,
    /// Addresses that reset its SYN/ACK without having spoken, about; 0 if as many had spoken.
    pub spoofed: u32,
}

/// A flood as the report tells it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct FoundFlood {
    /// Its largest minute.
    pub flood: Flood,
    /// First reset that belongs to it.
    pub since: Timestamp,
    /// Last one.
    pub last: Timestamp,
}

/// Servers by address.
#[derive(Debug)]
pub(crate) struct Floods {
    servers: Bounded<Address, Record>,
    hasher: RandomState,
}

#[derive(Clone, Copy, Debug)]
struct Record {
    tested: PerMinute,
    spoofed: PerMinute,
    /// Whose SYN was seen: where these are many, the others' SYNs were lost by the capture.
    half_open: PerMinute,
    retried: u32,
    let_in: u32,
    peak: Option<FoundFlood>,
}

/// The part that a reset has in a flood.
enum Part {
    Tested {
        let_in: Option<bool>,
    },
    Spoofed,
    /// Only a refusal passed here: part of a flood, or a capture of one direction.
    Unseen,
    /// A handshake that broke off, as many do.
    HalfOpen,
}

impl Default for Floods {
    fn default() -> Self {
        Self { servers: Bounded::new(SERVERS), hasher: RandomState::default() }
    }
}

impl Floods {
    pub(crate) const fn memory_bytes() -> usize {
        Bounded::<Address, Record>::memory_bytes(SERVERS)
    }

    pub(crate) fn learn(&mut self, watch: &Watch, verdict: &Ruling, attempt: Option<&Attempt>) {
        let Some((server, other, part)) = part(watch, verdict, attempt) else { return };
        let (hash, time) = (self.hasher.hash_one(other), watch.reset.time);
        let record = self.servers.entry(server, || Record::NONE);
        match part {
            Part::Tested { let_in } => {
                record.tested.add(hash, time);
                record.retried = record.retried.saturating_add(u32::from(let_in.is_some()));
                record.let_in = record.let_in.saturating_add(u32::from(let_in == Some(true)));
            }
            Part::Spoofed => record.spoofed.add(hash, time),
            Part::HalfOpen => record.half_open.add(hash, time),
            Part::Unseen => {}
        }
        record.note_peak(server, time);
    }

    /// What went on at the server of a reset that may be part of a flood.
    pub(crate) fn ask(
        &self,
        watch: &Watch,
        verdict: &Ruling,
        attempt: Option<&Attempt>,
    ) -> Option<Flood> {
        let (server, _, _) = part(watch, verdict, attempt)?;
        let flood = self.servers.peek(&server)?.flood(server, watch.reset.time);
        flood.is_one().then_some(flood)
    }

    /// Whether the flood that a reset may be part of is yet to show.
    pub(crate) fn may_show(&self, watch: &Watch, verdict: &Ruling) -> bool {
        let is_part = part(watch, verdict, None).is_some();
        is_part && self.ask(watch, verdict, None).is_none()
    }

    /// Every flood, the largest first.
    pub(crate) fn found(&self) -> Vec<FoundFlood> {
        let mut found: Vec<FoundFlood> =
            self.servers.iter().filter_map(|(_, record)| record.peak).collect();
        found.sort_by_key(|found| std::cmp::Reverse(found.flood.size()));
        found.truncate(TOLD_MAX);
        found
    }
}

/// The server, the other address, and what happened between them.
fn part(
    watch: &Watch,
    verdict: &Ruling,
    attempt: Option<&Attempt>,
) -> Option<(Address, Address, Part)> {
    if verdict.role != Role::Primary {
        return None;
    }
    let case = Case::new(watch, true, &Setting::NONE);
    let (sender, receiver) =
        (watch.key.sender(case.sender).address, watch.key.sender(case.receiver).address);
    if meets_wrong_ack(&case) {
        let after = &watch.aftermath;
        let let_in = after.retry.is_some().then_some(after.retry_accepted);
        return Some((receiver, sender, Part::Tested { let_in }));
    }
    if verdict.cause == Cause::SynFloodBackscatter {
        return if !case.is_without_context() {
            Some((receiver, sender, Part::Spoofed))
        } else if case.shape == Shape::Refusal {
            Some((sender, receiver, Part::Unseen))
        } else {
            None
        };
    }
    let is_half_open = attempt.is_some_and(|attempt| attempt.outcome == Outcome::HalfOpen);
    is_half_open.then_some((receiver, sender, Part::HalfOpen))
}

impl Flood {
    /// SYN-flood protection tests clients here.
    pub(crate) const fn tests_clients(&self) -> bool {
        self.tested >= TESTED_MIN
    }

    /// SYNs come here in the name of others.
    pub(crate) const fn is_spoofed(&self) -> bool {
        self.spoofed >= SPOOFED_MIN
    }

    const fn is_one(&self) -> bool {
        self.tests_clients() || self.is_spoofed()
    }

    fn size(&self) -> u32 {
        self.tested.max(self.spoofed)
    }
}

impl Record {
    const NONE: Self = Self {
        tested: PerMinute::EMPTY,
        spoofed: PerMinute::EMPTY,
        half_open: PerMinute::EMPTY,
        retried: 0,
        let_in: 0,
        peak: None,
    };

    fn flood(&self, server: Address, now: Timestamp) -> Flood {
        let spoofed = self.spoofed.count(now);
        let percent = || (u64::from(self.let_in) * 100 / u64::from(self.retried)) as u8;
        Flood {
            server,
            tested: self.tested.count(now),
            let_in_percent: (self.retried > 0).then(percent),
            spoofed: if spoofed > self.half_open.count(now) { spoofed } else { 0 },
        }
    }

    fn note_peak(&mut self, server: Address, now: Timestamp) {
        let flood = self.flood(server, now);
        if !flood.is_one() {
            return;
        }
        let peak = self.peak.get_or_insert(FoundFlood { flood, since: now, last: now });
        peak.since = peak.since.min(now);
        peak.last = peak.last.max(now);
        if flood.size() >= peak.flood.size() {
            peak.flood = flood;
        }
    }
}

const SERVERS: NonZeroUsize = NonZeroUsize::new(4_096).expect("not zero");
/// classification.md, section 5.3, R05: clients a minute at one server.
const TESTED_MIN: u32 = 5;
/// Fewer strangers may be a capture that misses one direction.
const SPOOFED_MIN: u32 = 8;
/// Floods that the report lists.
const TOLD_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use flowtable::Timestamp;
    use std::hash::BuildHasher;

    use foldhash::quality::FixedState;
    use wire::Address;

    use super::Record;

    #[test]
    fn five_clients_a_minute_are_a_test_and_one_client_often_is_none() {
        let mut record = Record::NONE;
        let server = Address::v4([10, 0, 0, 1]);
        let time = |second: u64| Timestamp((1_000 + second) * 1_000_000_000);
        for attempt in 0..50 {
            record.tested.add(FixedState::with_seed(1).hash_one(7), time(attempt / 10));
        }
        assert!(!record.flood(server, time(5)).tests_clients());
        for client in 0..6u64 {
            record.tested.add(FixedState::with_seed(1).hash_one(client), time(5 + client));
        }
        assert!(record.flood(server, time(11)).tests_clients());
        assert!(!record.flood(server, time(400)).tests_clients());
    }
}
