//! A map of fixed capacity: what was not asked for longest gives way.

use std::fmt;
use std::hash::Hash;
use std::num::NonZeroUsize;

use foldhash::quality::RandomState;
use lru::LruCache;

/// At most `capacity` entries; keys are hashed with a secret, since they are the traffic's.
pub(crate) struct Bounded<K: Hash + Eq, V> {
    entries: LruCache<K, V, RandomState>,
    evicted: u64,
}

impl<K: Hash + Eq, V> Bounded<K, V> {
    /// An empty map.
    pub(crate) fn new(capacity: NonZeroUsize) -> Self {
        Self { entries: LruCache::with_hasher(capacity, RandomState::default()), evicted: 0 }
    }

    /// Bytes that `capacity` entries take: the entry with its two links, and its place in the index.
    pub(crate) const fn memory_bytes(capacity: NonZeroUsize) -> usize {
        let node = size_of::<K>() + size_of::<V>() + 2 * size_of::<usize>();
        let index = 2 * size_of::<usize>() + 1;
        // The index is kept at most seven eighths full and grows by doubling.
        capacity.get() * (node + ALLOCATION) + (capacity.get() * 8 / 7).next_power_of_two() * index
    }

    /// The value of `key`, made by `new` if there is none, and now the last to give way.
    pub(crate) fn entry(&mut self, key: K, new: impl FnOnce() -> V) -> &mut V {
        let is_full = self.entries.len() == self.entries.cap().get();
        let evicted = &mut self.evicted;
        self.entries.get_or_insert_mut(key, || {
            *evicted += u64::from(is_full);
            new()
        })
    }

    /// The value of `key`; asking does not keep it from giving way.
    pub(crate) fn peek(&self, key: &K) -> Option<&V> {
        self.entries.peek(key)
    }

    /// The value of `key`, to be changed; asking does not keep it from giving way.
    pub(crate) fn peek_mut(&mut self, key: &K) -> Option<&mut V> {
        self.entries.peek_mut(key)
    }

    /// Forgets `key`.
    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        self.entries.pop(key)
    }

    /// Every entry, most recently used first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.entries.iter()
    }

    /// Entries that gave way to others.
    pub(crate) const fn evicted(&self) -> u64 {
        self.evicted
    }
}

impl<K: Hash + Eq, V> fmt::Debug for Bounded<K, V> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Bounded({} of {})", self.entries.len(), self.entries.cap())
    }
}

/// What the allocator adds to an entry.
const ALLOCATION: usize = 16;

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::Bounded;

    #[test]
    fn what_was_used_longest_ago_gives_way_and_is_counted() {
        let mut map = Bounded::new(NonZeroUsize::new(2).expect("two is not zero"));
        for key in [1, 2] {
            map.entry(key, || key * 10);
        }
        *map.entry(1, || 0) += 1;
        map.entry(3, || 30);
        assert_eq!(map.peek(&1), Some(&11));
        assert_eq!(map.peek(&2), None);
        assert_eq!(map.evicted(), 1);
        assert_eq!(map.iter().count(), 2);
        assert_eq!(map.remove(&3), Some(30));
        assert_eq!(map.peek_mut(&3), None);
    }
}
