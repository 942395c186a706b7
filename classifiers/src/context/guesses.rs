//! Blind attacks in progress: resets at guessed numbers, a few in each of several connections
//! between the same two hosts, that have no effect.

use std::hash::BuildHasher;
use std::num::NonZeroUsize;

use flowtable::{AliveBy, Timestamp, Watch};
use foldhash::quality::RandomState;
use wire::Address;

use super::bounded::Bounded;
use super::distinct::PerMinute;
use super::lesson::Lesson;
use crate::case::Case;

/// Guesses between two hosts within the last minute.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Guesses {
    /// Connections that were aimed at and live on, about.
    pub connections: u32,
}

/// Pairs of hosts: in whose name, to whom.
#[derive(Debug)]
pub(crate) struct Guessers {
    pairs: Bounded<(Address, Address), PerMinute>,
    hasher: RandomState,
}

impl Default for Guessers {
    fn default() -> Self {
        Self { pairs: Bounded::new(PAIRS), hasher: RandomState::default() }
    }
}

impl Guessers {
    pub(crate) const fn memory_bytes() -> usize {
        Bounded::<(Address, Address), PerMinute>::memory_bytes(PAIRS)
    }

    pub(crate) fn learn(&mut self, lesson: &Lesson<'_>) {
        if is_guess(&lesson.case) && had_no_effect(&lesson.case) {
            let watch = lesson.watch;
            let connection = self.hasher.hash_one(watch.key);
            let pair = self.pairs.entry(pair(watch), || PerMinute::EMPTY);
            pair.add(connection, watch.reset.time);
        }
    }

    /// What else is guessed between the same two hosts.
    pub(crate) fn ask(&self, lesson: &Lesson<'_>) -> Option<Guesses> {
        if !is_guess(&lesson.case) {
            return None;
        }
        let connections = self.count(pair(lesson.watch), lesson.watch.reset.time);
        (connections >= CONNECTIONS_MIN).then_some(Guesses { connections })
    }

    fn count(&self, pair: (Address, Address), now: Timestamp) -> u32 {
        self.pairs.peek(&pair).map_or(0, |minute| minute.count(now))
    }
}

fn pair(watch: &Watch) -> (Address, Address) {
    let (from, to) = (watch.direction, watch.direction.opposite());
    (watch.key.sender(from).address, watch.key.sender(to).address)
}

/// A bare reset into a living connection at a number that nothing seen explains.
pub(crate) fn is_guess(case: &Case<'_>) -> bool {
    let off = case.reset().seq.distance_from(case.from().next).unsigned_abs();
    case.is_bare()
        && case.from().packets > 0
        && case.before().is_established()
        && !case.before().has_gap()
        && !case.before().is_over()
        && off > 1
        && !case.answers_receiver()
}

fn had_no_effect(case: &Case<'_>) -> bool {
    let after = &case.watch.aftermath;
    let lives = after.alive.is_some_and(|alive| matches!(alive.what, AliveBy::Data | AliveBy::Fin));
    lives || after.challenged
}

const PAIRS: NonZeroUsize = NonZeroUsize::new(4_096).expect("not zero");
const CONNECTIONS_MIN: u32 = 3;
