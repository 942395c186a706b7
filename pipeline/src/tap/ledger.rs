//! The exporter's half: what samples of a minute add up to.

use events::Share;
use flowtable::Timestamp;
use hashbrown::HashMap;

use super::sampler::TapSample;

/// Samples of the last minute, those of one connection together; the rest as sums.
#[derive(Debug)]
pub(crate) struct Ledger {
    connections: HashMap<u64, Entry>,
    /// The smallest sample: only connections in it were looked at by every worker, and have room.
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
    /// Connections whose fibres say nothing, of those with both directions on a link of two ports.
    pub(crate) mixed: Share,
    /// The longest time between a segment and its copy.
    pub(crate) delay_ns_max: u32,
}

impl Ledger {
    pub(crate) fn new() -> Self {
        let connections = HashMap::with_capacity(PLACES);
        Self { connections, mask: 0, older: Sums::default() }
    }

    pub(crate) const fn memory_bytes() -> usize {
        PLACES * (size_of::<(u64, Entry)>() + 1) * 8 / 7
    }

    pub(crate) fn take(&mut self, sample: &TapSample) {
        self.mask |= sample.mask;
        if let Some(entry) = self.connections.get_mut(&sample.hash) {
            entry.sample = joined(&entry.sample, sample);
        } else if sample.hash & self.mask == 0 {
            while self.connections.len() >= CONNECTIONS_MAX {
                self.thin();
            }
            let entry = Entry { first: sample.time, sample: *sample };
            self.connections.insert(sample.hash, entry);
        }
    }

    /// Forgets about half of the connections, so that those to come find room.
    fn thin(&mut self) {
        self.mask = self.mask << 1 | 1;
        let mask = self.mask;
        self.connections.retain(|hash, entry| {
            entry.sample.mask |= mask;
            hash & mask == 0
        });
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
        // A sample may grow again once nothing of the small one is left.
        self.mask = self.connections.values().fold(0, |mask, entry| mask | entry.sample.mask);
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
            if sample.ports & 0b11 != 0 && sample.ports & 0b11_00 != 0 {
                count(&mut self.mixed, sample.has_mixed_ports());
            }
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
        mask: one.mask | other.mask,
        ports: one.ports | other.ports,
        looked: one.looked.saturating_add(other.looked),
        copies: one.copies.saturating_add(other.copies),
        delay_ns: one.delay_ns.max(other.delay_ns),
        ..*one
    }
}

/// Connections that are remembered for a minute; of more only a part is, which is sample enough.
const CONNECTIONS_MAX: usize = 7 << 8;
/// Where entries come and go, a map that is never more than half full needs no more memory.
const PLACES: usize = 2 * CONNECTIONS_MAX;
const MINUTE_NS: u64 = 60_000_000_000;
/// Workers tell of a connection within this time of each other.
const SETTLED_NS: u64 = 5_000_000_000;
/// One answer that was not captured may have been lost.
const ANSWERS_MIN: u8 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND_NS: u64 = 1_000_000_000;

    fn told(hash: u64, second: u64, mask: u64) -> TapSample {
        let time = Timestamp(second * SECOND_NS);
        let (was_seen, ports) = ([true, true], 0b_10_01);
        TapSample { hash, time, mask, was_seen, ports, ..TapSample::BLANK }
    }

    #[test]
    fn a_busy_minute_makes_nobody_blind_for_longer() {
        let mut ledger = Ledger::new();
        ledger.take(&told(0xf00, 1, 0xff));
        let mut seen = Vec::new();
        for second in 2..100 {
            ledger.take(&told(second << 16 | 1, second, 0));
            seen.push(ledger.last_minute(Timestamp(second * SECOND_NS)).split.whole);
        }
        assert_eq!(seen[40], 1, "others were not looked at by the busy worker");
        assert!(seen[90] > 20, "{seen:?}");
    }

    #[test]
    fn more_connections_than_there_is_room_for_are_a_sample() {
        let mut ledger = Ledger::new();
        let count = 100 * CONNECTIONS_MAX as u64;
        let room = ledger.connections.allocation_size();
        for number in 0..count {
            let hash = number.wrapping_mul(0x9e37_79b9_7f4a_7c15).swap_bytes();
            ledger.take(&told(hash, 10 * number / count, 0));
        }
        let sums = ledger.last_minute(Timestamp(20 * SECOND_NS));
        assert!(sums.split.whole > CONNECTIONS_MAX as u64 / 3, "{sums:?}");
        let before = ledger.connections.len();
        assert!((0..1_000).any(|number| {
            ledger.take(&told(number << 40, 20, 0));
            ledger.connections.len() > before
        }));
        ledger.last_minute(Timestamp(100 * SECOND_NS));
        assert_eq!(ledger.mask, 0);
        assert_eq!(ledger.connections.allocation_size(), room, "it never grows");
    }

    #[test]
    fn ports_are_judged_only_on_links_of_two() {
        let mut sums = Sums::default();
        for ports in [0b_00_00, 0b_10_01, 0b_01_01, 0b_00_10] {
            sums.add(&TapSample { ports, ..told(0, 0, 0) }, true);
        }
        assert_eq!(sums.mixed, Share { part: 1, whole: 2 });
    }
}
