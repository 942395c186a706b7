//! The last events, whole.

use std::collections::VecDeque;
use std::sync::Arc;

use classifiers::Impact;
use events::Event;

/// The last events, one queue for each impact.
///
/// **Invariant:** together they hold no more than `kept_max`. What gives way is the oldest of the longest
/// queue: a flood of one kind pushes out itself.
#[derive(Debug)]
pub(crate) struct KeptEvents {
    queues: [VecDeque<KeptEvent>; IMPACTS],
    kept_max: usize,
    /// Number of the last event.
    last: u64,
}

/// An event, its number, and the name of the sensor that saw it.
#[derive(Clone, Debug)]
pub(crate) struct KeptEvent {
    pub(crate) number: u64,
    pub(crate) sensor: Arc<str>,
    pub(crate) event: Arc<Event>,
}

impl KeptEvents {
    pub(crate) fn new(kept_max: usize) -> Self {
        Self { queues: Default::default(), kept_max: kept_max.max(1), last: 0 }
    }

    /// Keeps `event`; the one that gives way is handed back, so that it can be freed elsewhere.
    pub(crate) fn push(&mut self, sensor: Arc<str>, event: Arc<Event>) -> Option<KeptEvent> {
        let gone = (self.len() >= self.kept_max).then(|| self.longest().pop_front()).flatten();
        self.last += 1;
        let queue = &mut self.queues[event.verdict.impact as usize];
        queue.push_back(KeptEvent { number: self.last, sensor, event });
        gone
    }

    /// Number of the last event that was told.
    pub(crate) const fn last(&self) -> u64 {
        self.last
    }

    pub(crate) fn len(&self) -> usize {
        self.queues.iter().map(VecDeque::len).sum()
    }

    /// All of them with a number above `after`, in the order they were told.
    pub(crate) fn after(&self, after: u64) -> Vec<KeptEvent> {
        let newer = |queue: &VecDeque<KeptEvent>| {
            let begin = queue.partition_point(|kept| kept.number <= after);
            queue.range(begin..).cloned().collect::<Vec<_>>()
        };
        let mut all: Vec<KeptEvent> = self.queues.iter().flat_map(newer).collect();
        all.sort_unstable_by_key(|kept| kept.number);
        all
    }

    fn longest(&mut self) -> &mut VecDeque<KeptEvent> {
        self.queues.iter_mut().max_by_key(|queue| queue.len()).expect("there are four queues")
    }
}

const IMPACTS: usize = Impact::ALL.len();

/// What one kept event takes, its strings and its evidence included; measured by the test of
/// `collector/tests/memory.rs`, rounded up.
pub(crate) const EVENT_BYTES: usize = 4 << 10;
