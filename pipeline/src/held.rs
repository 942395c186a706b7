//! Finished verdicts wait here for what other connections have to tell.
//!
//! A burst of resets shows only when some seconds of it were seen, a rhythm only after its fourth
//! beat. So the exporter feeds the context with every finding at once, and tells it some seconds
//! later: [`Hold::Burst`] for most, [`Hold::Rhythm`] for those that may be the first of a kind.

use std::collections::VecDeque;

use flowtable::Timestamp;

use crate::window::Finding;

/// How long a finding waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Hold {
    /// Until the rest of a burst is seen. Watches of neighbours end within 4 s of each other,
    /// windows are handed over once a second.
    Burst,
    /// Until four beats of a rhythm of up to ten seconds are seen.
    Rhythm,
}

impl Hold {
    const ALL: [Self; 2] = [Self::Burst, Self::Rhythm];

    const fn ns(self) -> u64 {
        match self {
            Self::Burst => 3_000_000_000,
            Self::Rhythm => 32_000_000_000,
        }
    }
}

/// A queue of findings for each [`Hold`], first come, first told; they never grow.
#[derive(Debug)]
pub(crate) struct Held {
    waiting: [VecDeque<(Timestamp, Finding)>; 2],
    cut_short: u64,
}

impl Held {
    pub(crate) fn new() -> Self {
        Self { waiting: Hold::ALL.map(|_| VecDeque::with_capacity(HELD_MAX)), cut_short: 0 }
    }

    /// Bytes held.
    pub(crate) const fn memory_bytes() -> usize {
        Hold::ALL.len() * HELD_MAX * size_of::<(Timestamp, Finding)>()
    }

    /// The finding that has to go before another one can wait.
    pub(crate) fn make_room(&mut self, hold: Hold) -> Option<Finding> {
        let waiting = &mut self.waiting[hold as usize];
        if waiting.len() < HELD_MAX {
            return None;
        }
        self.cut_short += 1;
        waiting.pop_front().map(|(_, finding)| finding)
    }

    /// Takes in a finding, for which there is room.
    pub(crate) fn push(&mut self, now: Timestamp, finding: &Finding, hold: Hold) {
        self.waiting[hold as usize].push_back((now, *finding));
    }

    /// The next finding that has waited long enough.
    pub(crate) fn due(&mut self, now: Timestamp) -> Option<Finding> {
        Hold::ALL.into_iter().find_map(|hold| {
            let waiting = &mut self.waiting[hold as usize];
            let &(since, _) = waiting.front()?;
            // A clock that was set back would keep it for ever.
            let is_due = now.since_ns(since) >= hold.ns() || since.since_ns(now) >= hold.ns();
            if is_due { waiting.pop_front().map(|(_, finding)| finding) } else { None }
        })
    }

    /// The next finding, due or not, in the order they came: nothing more will be learned.
    pub(crate) fn rest(&mut self) -> Option<Finding> {
        let since =
            |waiting: &VecDeque<(Timestamp, Finding)>| waiting.front().map(|(since, _)| *since);
        let oldest = Hold::ALL
            .into_iter()
            .filter(|hold| !self.waiting[*hold as usize].is_empty())
            .min_by_key(|hold| since(&self.waiting[*hold as usize]))?;
        self.waiting[oldest as usize].pop_front().map(|(_, finding)| finding)
    }

    /// Findings that were told before their time because too many waited.
    pub(crate) const fn cut_short(&self) -> u64 {
        self.cut_short
    }
}

/// Most findings that wait in a queue.
const HELD_MAX: usize = 4_096;
