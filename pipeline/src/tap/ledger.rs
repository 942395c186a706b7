//! The exporter's half: what samples of a minute add up to.

use events::Share;
use flowtable::Timestamp;
use hashbrown::HashMap;

use super::sampler::TapSample;

/// Samples of the last minute, those of one connection together; the rest as sums.
#[derive(Debug)]
pub(crate) struct Ledger {
    connections: HashMap<u64, Entry>,
    /// The coarsest sample: only connections in it were looked at by every worker.
    mask: u64,
    /// What was dropped after its minute.
    older: Sums,
}

/// One connection.
#[derive(Clone, Copy, Debug)]
struct Entry {
    first: Timestamp,
    sample: TapSample,
}

/// What connections add up to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Sums {
    pub(crate) one_sided: Share,
    pub(crate) duplicated: Share,
    pub(crate) split: Share,
    /// Connections whose fibres say nothing, of those with both directions.
    pub(crate) mixed: Share,
    /// The longest time between a segment and its copy.
    pub(crate) delay_ns_max: u32,
}

impl Ledger {
    pub(crate) fn new() -> Self {
        let connections = HashMap::with_capacity(CONNECTIONS_MAX);
        Self { connections, mask: 0, older: Sums::default() }
    }

    pub(crate) const fn memory_bytes() -> usize {
        CONNECTIONS_MAX * (size_of::<(u64, Entry)>() + 1) * 8 / 7
    }

    pub(crate) fn take(&mut self, sample: &TapSample) {
        self.mask |= sample.mask;
        if let Some(entry) = self.connections.get_mut(&sample.hash) {
            entry.sample = joined(&entry.sample, sample);
        } else if self.connections.len() < CONNECTIONS_MAX {
            let entry = Entry { first: sample.time, sample: *sample };
            self.connections.insert(sample.hash, entry);
        }
    }

    /// What the connections of the last minute before `now` add up to, but for the latest, of which
    /// another worker may still tell the other direction.
    pub(crate) fn last_minute(&mut self, now: Timestamp) -> Sums {
        let (mask, older) = (self.mask, &mut self.older);
        self.connections.retain(|hash, entry| {
            let is_recent = now.since_ns(entry.first) < MINUTE_NS;
            if !is_recent {
                older.add(&entry.sample, hash & mask == 0);
            }
            is_recent
        });
        if self.connections.is_empty() {
            // A sample may grow finer again once nothing of the coarse one is left.
            self.mask = 0;
        }
        let is_settled = |entry: &&Entry| now.since_ns(entry.first) >= SETTLED_NS;
        self.sums(Sums::default(), is_settled)
    }

    /// What all connections since the start add up to.
    pub(crate) fn all(&self) -> Sums {
        self.sums(self.older, |_| true)
    }

    fn sums(&self, before: Sums, is_wanted: impl Fn(&&Entry) -> bool) -> Sums {
        let mut sums = before;
        let is_everywhere = |entry: &Entry| entry.sample.hash & self.mask == 0;
        let entries = self.connections.values().filter(is_wanted);
        entries.for_each(|entry| sums.add(&entry.sample, is_everywhere(entry)));
        sums
    }
}

impl Sums {
    /// `is_everywhere` says that every worker looked at the connection. A segment and its copy come to one
    /// worker, so that copies count without that: while the sample grows coarser, little is left with it.
    fn add(&mut self, sample: &TapSample, is_everywhere: bool) {
        let count = |share: &mut Share, part: bool| {
            share.part += u64::from(part);
            share.whole += 1;
        };
        self.duplicated.part += u64::from(sample.copies);
        self.duplicated.whole += u64::from(sample.looked);
        self.delay_ns_max = self.delay_ns_max.max(sample.delay_ns);
        if !is_everywhere {
            return;
        }
        if sample.was_seen == [true, true] {
            count(&mut self.one_sided, false);
            count(&mut self.split, sample.queues[0] != sample.queues[1]);
            count(&mut self.mixed, sample.has_mixed_ports());
        } else if sample.answers >= ANSWERS_MIN && sample.repeats < sample.answers {
            count(&mut self.one_sided, true);
        }
    }
}

impl TapSample {
    /// Whether a direction came in on both ports, or both directions on one.
    const fn has_mixed_ports(&self) -> bool {
        !matches!(self.ports, 0b_10_01 | 0b_01_10)
    }
}

/// What two workers, or one at two times, tell of a connection.
fn joined(one: &TapSample, other: &TapSample) -> TapSample {
    let side = |index: usize| if other.was_seen[index] { other } else { one };
    TapSample {
        queues: [side(0).queues[0], side(1).queues[1]],
        was_seen: [0, 1].map(|index| one.was_seen[index] || other.was_seen[index]),
        answers: one.answers.saturating_add(other.answers),
        repeats: one.repeats.saturating_add(other.repeats),
        ports: one.ports | other.ports,
        looked: one.looked.saturating_add(other.looked),
        copies: one.copies.saturating_add(other.copies),
        delay_ns: one.delay_ns.max(other.delay_ns),
        ..*one
    }
}

/// Connections that are remembered for a minute; beyond that the sample is large enough.
const CONNECTIONS_MAX: usize = 7 << 8;
const MINUTE_NS: u64 = 60_000_000_000;
/// Workers tell of a connection within this time of each other.
const SETTLED_NS: u64 = 5_000_000_000;
/// One answer that was not captured may have been lost.
const ANSWERS_MIN: u8 = 2;
