//! What many addresses tell of one server: SYN-flood protection that tests its clients, and floods
//! in the name of addresses that never spoke.

use std::hash::BuildHasher;
use std::num::NonZeroUsize;

use flowtable::Timestamp;
use foldhash::quality::RandomState;
use wire::Address;

use super::attempt::{Attempt, Outcome};
use super::bounded::Bounded;
use super::distinct::PerMinute;
use super::lesson::Lesson;
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
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    server: Address,
    /// In whose name it is flooded.
    other: Address,
    act: Act,
}

/// What happened between the two.
#[derive(Clone, Copy, Debug)]
enum Act {
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

    pub(crate) fn learn(&mut self, lesson: &Lesson<'_>) {
        let Some(Part { server, other, act }) = lesson.part else { return };
        let (hash, time) = (self.hasher.hash_one(other), lesson.watch.reset.time);
        let record = self.servers.entry(server, || Record::NONE);
        match act {
            Act::Tested { let_in } => {
                record.tested.add(hash, time);
                record.retried = record.retried.saturating_add(u32::from(let_in.is_some()));
                record.let_in = record.let_in.saturating_add(u32::from(let_in == Some(true)));
            }
            Act::Spoofed => record.spoofed.add(hash, time),
            Act::HalfOpen => record.half_open.add(hash, time),
            Act::Unseen => {}
        }
        record.note_peak(server, time);
    }

    /// What went on at the server of a reset that may be part of a flood.
    pub(crate) fn ask(&self, lesson: &Lesson<'_>) -> Option<Flood> {
        let Part { server, .. } = lesson.part?;
        let flood = self.servers.peek(&server)?.flood(server, lesson.watch.reset.time);
        flood.is_one().then_some(flood)
    }

    /// Whether the flood that a reset may be part of is yet to show.
    pub(crate) fn may_show(&self, lesson: &Lesson<'_>) -> bool {
        let is_part = lesson.part.is_some_and(|part| !matches!(part.act, Act::HalfOpen));
        is_part && self.ask(lesson).is_none()
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

impl Part {
    pub(crate) fn of(case: &Case<'_>, ruling: &Ruling, attempt: Option<&Attempt>) -> Option<Self> {
        if ruling.role != Role::Primary {
            return None;
        }
        let key = &case.watch.key;
        let (sender, receiver) =
            (key.sender(case.sender).address, key.sender(case.receiver).address);
        let of_sender = |act| Some(Self { server: receiver, other: sender, act });
        if meets_wrong_ack(case) {
            let after = &case.watch.aftermath;
            let let_in = after.retry.is_some().then_some(after.retry_accepted);
            return of_sender(Act::Tested { let_in });
        }
        if ruling.cause == Cause::SynFloodBackscatter {
            return match case.shape {
                _ if !case.is_without_context() => of_sender(Act::Spoofed),
                Shape::Refusal => Some(Self { server: sender, other: receiver, act: Act::Unseen }),
                _ => None,
            };
        }
        let is_half_open = attempt.is_some_and(|attempt| attempt.outcome == Outcome::HalfOpen);
        if is_half_open { of_sender(Act::HalfOpen) } else { None }
    }
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
