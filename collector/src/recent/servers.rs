//! Primary resets by server, in bounded memory.

use std::cmp::Reverse;
use std::collections::HashMap;

use classifiers::Cause;
use events::{Endpoint, Event, UtcTime};

use crate::answers::ServerRow;
use crate::impacts::ImpactCounts;

/// The servers that had resets. The sum over all of them and `others` is always that of all resets.
///
/// When there is no room, a quarter of them gives way at once, so that the work per event stays the same
/// under a scan: those with the fewest aborted connections first, then with the fewest resets, then the
/// ones longest silent.
#[derive(Clone, Debug)]
pub(crate) struct Servers {
    known: HashMap<Endpoint, Entry>,
    others: ImpactCounts,
    kept_max: usize,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    counts: ImpactCounts,
    last: UtcTime,
    last_cause: Cause,
}

impl Servers {
    pub(crate) fn new(kept_max: usize) -> Self {
        let kept_max = kept_max.max(KEPT_MIN);
        Self { known: HashMap::with_capacity(kept_max), others: ImpactCounts::default(), kept_max }
    }

    pub(crate) fn add(&mut self, event: &Event) {
        if self.known.len() >= self.kept_max && !self.known.contains_key(&event.server) {
            self.make_room();
        }
        let last_cause = event.verdict.cause;
        let new = Entry { counts: ImpactCounts::default(), last: event.ts, last_cause };
        let entry = self.known.entry(event.server).or_insert(new);
        entry.counts.add(event.verdict.impact, 1);
        (entry.last, entry.last_cause) = (event.ts, last_cause);
    }

    /// The `rows_max` most harmful, and the sum of the rest.
    pub(crate) fn rows(&self, rows_max: usize) -> (Vec<ServerRow>, ImpactCounts) {
        let mut all: Vec<(&Endpoint, &Entry)> = self.known.iter().collect();
        all.sort_unstable_by_key(|(server, entry)| {
            (Reverse((entry.counts.harmful(), entry.counts.total())), **server)
        });
        let mut rest = self.others;
        for (_, entry) in all.iter().skip(rows_max) {
            rest.merge(&entry.counts);
        }
        let rows = all.into_iter().take(rows_max).map(|(server, entry)| ServerRow {
            server: *server,
            last: entry.last,
            last_cause: entry.last_cause.name().to_owned(),
            counts: entry.counts,
        });
        (rows.collect(), rest)
    }

    fn make_room(&mut self) {
        let mut all: Vec<(Endpoint, Entry)> =
            self.known.iter().map(|(server, entry)| (*server, *entry)).collect();
        let worth = |entry: &Entry| (entry.counts.aborted, entry.counts.total(), entry.last);
        let gone = (all.len() / 4).max(1);
        all.select_nth_unstable_by_key(gone - 1, |(_, entry)| worth(entry));
        for (server, entry) in &all[..gone] {
            self.others.merge(&entry.counts);
            self.known.remove(server);
        }
    }

    /// Bytes for so many servers.
    pub(crate) const fn memory_bytes(kept_max: usize) -> usize {
        // The map keeps an eighth free and rounds up to a power of two: at most twice.
        kept_max * 2 * (size_of::<(Endpoint, Entry)>() + 1)
    }
}

const KEPT_MIN: usize = 16;
