//! `hashbrown::HashTable`: the table of the Rust library, with a bound and a hand that sweeps.
//!
//! It allocates by itself, so nobody can ask for huge pages before it is touched.

use flowtable::Timestamp;
use hashbrown::HashTable;

use crate::store::{Advice, Record, Seen, Store};

/// Seven eighths of its buckets can be taken; when they are, sixteen buckets from the hand on are
/// looked at for a flow that can give way (as second-chance page replacement does).
pub(crate) struct Swiss {
    table: HashTable<Record>,
    flows_max: usize,
    hand: usize,
}

impl Swiss {
    fn victim(&mut self, now: Timestamp) -> Option<usize> {
        let buckets = self.table.num_buckets();
        let mut best = None;
        for _ in 0..LOOKED_AT {
            self.hand = (self.hand + 1) & (buckets - 1);
            let rank = self.table.get_bucket(self.hand).and_then(|record| record.rank(now));
            best = best.max(rank.map(|rank| (rank, self.hand)));
        }
        best.map(|(_, bucket)| bucket)
    }

    fn remove(&mut self, bucket: usize) {
        if let Ok(entry) = self.table.get_bucket_entry(bucket) {
            entry.remove();
        }
    }
}

impl Store for Swiss {
    const NAME: &'static str = "hashbrown";

    fn new(flows: usize, _: &mut Advice) -> Self {
        // The buckets of a table for `flows` slots; one more flow would double them.
        let flows_max = flows / 8 * 7;
        Self { table: HashTable::with_capacity(flows_max), flows_max, hand: 0 }
    }

    #[inline(never)]
    fn take(&mut self, hash: u64, now: Timestamp, seen: Seen) -> bool {
        if let Some(record) = self.table.find_mut(hash, |record| record.hash == hash) {
            if record.is_expired(now) {
                *record = Record::new(hash, now);
            }
            record.note(now, seen);
            return true;
        }
        if self.table.len() >= self.flows_max {
            let Some(victim) = self.victim(now) else { return false };
            self.remove(victim);
        }
        let mut record = Record::new(hash, now);
        record.note(now, seen);
        self.table.insert_unique(hash, record, |record| record.hash);
        true
    }

    fn contains(&self, hash: u64) -> bool {
        self.table.find(hash, |record| record.hash == hash).is_some()
    }

    fn sweep(&mut self, now: Timestamp) {
        for _ in 0..LOOKED_AT {
            self.hand = (self.hand + 1) & (self.table.num_buckets() - 1);
            if self.table.get_bucket(self.hand).is_some_and(|record| record.is_expired(now)) {
                self.remove(self.hand);
            }
        }
    }

    fn memory_bytes(&self) -> usize {
        self.table.allocation_size()
    }
}

/// Buckets looked at for one that can be spared, and in a sweep.
const LOOKED_AT: usize = 16;
