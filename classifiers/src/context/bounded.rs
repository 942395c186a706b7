//! A map of fixed capacity: what was not asked for longest gives way.
//!
//! Where far more keys come than there is room for, each would give way before it tells anything, at
//! the full price of coming and going. Then [`Bounded::admit`] lets in one of so many, by its hash, so
//! that those few are known whole and the others not at all: less is known, nothing false.

use std::fmt;
use std::hash::{BuildHasher, Hash};
use std::num::NonZeroUsize;

use flowtable::Timestamp;
use foldhash::quality::RandomState;
use lru::LruCache;

/// At most `capacity` entries; keys are hashed with a secret, since they are the traffic's.
pub(crate) struct Bounded<K: Hash + Eq, V> {
    entries: LruCache<K, V, RandomState>,
    evicted: u64,
    /// Chooses who is let in; not the map's own, whose bits say where an entry lies.
    hasher: RandomState,
    pressure: Pressure,
}

/// How fast entries give way, by the second.
#[derive(Debug, Default)]
struct Pressure {
    second: u64,
    /// Entries that had given way when the second began.
    evicted: u64,
    /// One key in 2^`shift` is let in.
    shift: u32,
}

impl Pressure {
    /// Looks back at a second that is over: too many gave way, so fewer are let in; hardly any did, so
    /// twice as many.
    fn turn(&mut self, second: u64, evicted: u64, capacity: usize) {
        let is_over = second > self.second;
        // Workers are some time apart; a clock that was set back is another matter.
        if is_over || self.second - second > CLOCK_BACK_S {
            let seconds = second.saturating_sub(self.second).max(1);
            let (gone, room) = ((evicted - self.evicted) / seconds, (capacity / LIFE_S) as u64);
            let more = (gone / room.max(1)).checked_ilog2().map_or(0, |log| log + 1);
            let less = u32::from(gone <= room / 4);
            let shift = (self.shift + more).saturating_sub(less).min(SHIFT_MAX);
            *self = Self { second, evicted, shift };
        }
    }
}

impl<K: Hash + Eq, V> Bounded<K, V> {
    /// An empty map.
    pub(crate) fn new(capacity: NonZeroUsize) -> Self {
        Self {
            entries: LruCache::with_hasher(capacity, RandomState::default()),
            evicted: 0,
            hasher: RandomState::default(),
            pressure: Pressure::default(),
        }
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

    /// The value of `key` as [`Bounded::entry`] gives it; `None` if there is none and too many keys
    /// like it have come lately.
    pub(crate) fn admit(
        &mut self,
        key: K,
        time: Timestamp,
        new: impl FnOnce() -> V,
    ) -> Option<&mut V> {
        let second = time.0 / 1_000_000_000;
        if second != self.pressure.second {
            self.pressure.turn(second, self.evicted, self.entries.cap().get());
        }
        if self.pressure.shift > 0 && !self.entries.contains(&key) {
            let admitted_of = 1_u64 << self.pressure.shift;
            if !self.hasher.hash_one(&key).is_multiple_of(admitted_of) {
                return None;
            }
        }
        Some(self.entry(key, new))
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

/// How long an entry shall live at least, as long as that can be had by letting in fewer.
const LIFE_S: usize = 4;
/// A million keys a second for every place.
const SHIFT_MAX: u32 = 20;
/// Further back than workers are apart.
const CLOCK_BACK_S: u64 = 10;
/// What the allocator adds to an entry.
const ALLOCATION: usize = 16;

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use flowtable::Timestamp;

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

    #[test]
    fn of_too_many_keys_a_few_are_let_in_and_stay() {
        let mut map = Bounded::new(NonZeroUsize::new(1_024).expect("not zero"));
        let mut offer = |second: u64, keys: std::ops::Range<u64>| {
            let time = Timestamp(second * 1_000_000_000);
            let admitted: Vec<u64> =
                keys.filter(|&key| map.admit(key, time, || ()).is_some()).collect();
            (admitted, map.evicted())
        };
        let (_, evicted) = offer(7, 0..100_000);
        assert_eq!(evicted, 100_000 - 1_024);
        let (second, evicted) = offer(8, 200_000..300_000);
        assert!((100..400).contains(&second.len()), "{} in four lives", second.len());
        let (same, evicted_then) = offer(9, 200_000..300_000);
        assert!(second.iter().all(|key| same.contains(key)), "whoever is in stays");
        assert_eq!(evicted_then, evicted, "none gave way");
        // As many as there is room for, again and again: some seconds later all are in.
        let last = (10..30).map(|second| offer(second, 400_000..400_500).0.len()).last();
        assert_eq!(last, Some(500));
    }
}
