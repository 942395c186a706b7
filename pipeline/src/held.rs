//! Finished verdicts wait here for what other connections have to tell.
//!
//! A burst of resets shows only when some seconds of it were seen. So the exporter feeds the
//! context with every finding at once, and tells it [`HOLD_NS`] later.

use std::collections::VecDeque;

use flowtable::Timestamp;

use crate::window::Finding;

/// A queue of findings, first come, first told; it never grows.
#[derive(Debug)]
pub(crate) struct Held {
    waiting: VecDeque<(Timestamp, Finding)>,
    cut_short: u64,
}

impl Held {
    pub(crate) fn new() -> Self {
        Self { waiting: VecDeque::with_capacity(HELD_MAX), cut_short: 0 }
    }

    /// Bytes held.
    pub(crate) const fn memory_bytes() -> usize {
        HELD_MAX * size_of::<(Timestamp, Finding)>()
    }

    /// Takes in a finding; gives the oldest one back if there is no room for both.
    pub(crate) fn push(&mut self, now: Timestamp, finding: &Finding) -> Option<Finding> {
        let oldest = if self.waiting.len() == HELD_MAX {
            self.cut_short += 1;
            self.waiting.pop_front().map(|(_, finding)| finding)
        } else {
            None
        };
        self.waiting.push_back((now, *finding));
        oldest
    }

    /// The next finding that has waited long enough.
    pub(crate) fn due(&mut self, now: Timestamp) -> Option<Finding> {
        let &(since, _) = self.waiting.front()?;
        // A clock that was set back would keep it for ever.
        let is_due = now.since_ns(since) >= HOLD_NS || since.since_ns(now) >= HOLD_NS;
        if is_due { self.rest() } else { None }
    }

    /// The next finding, due or not: nothing more will be learned.
    pub(crate) fn rest(&mut self) -> Option<Finding> {
        self.waiting.pop_front().map(|(_, finding)| finding)
    }

    /// Findings that were told before their time because too many waited.
    pub(crate) const fn cut_short(&self) -> u64 {
        self.cut_short
    }
}

/// Most findings that wait.
const HELD_MAX: usize = 4_096;
/// Time in which the rest of a burst is seen. Watches of neighbours end within 4 s of each other,
/// windows are handed over once a second.
const HOLD_NS: u64 = 3_000_000_000;
