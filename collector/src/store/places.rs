//! Keys that come in nearly the same order again and again, as numbers.

use std::collections::HashMap;
use std::hash::Hash;

/// Gives each key the number of keys that came before it. A key that follows the same one as the last time costs a
/// comparison instead of a hash: bodies of counts are sorted, and mostly of the same servers.
pub(super) struct Places<K> {
    keys: Vec<K>,
    /// The place that came last after each.
    next: Vec<usize>,
    last: usize,
    /// Keys are drawn by who opens connections: their hash is keyed.
    known: HashMap<K, usize, foldhash::fast::RandomState>,
}

impl<K> Default for Places<K> {
    fn default() -> Self {
        Self { keys: Vec::new(), next: Vec::new(), last: 0, known: HashMap::default() }
    }
}

impl<K: Copy + Eq + Hash> Places<K> {
    /// The place of a key; of a new one the number of those before.
    pub(super) fn of(&mut self, key: K) -> usize {
        let guess = self.next.get(self.last).copied().unwrap_or(0);
        if self.keys.get(guess) == Some(&key) {
            self.last = guess;
            return guess;
        }
        let place = *self.known.entry(key).or_insert(self.keys.len());
        if place == self.keys.len() {
            self.keys.push(key);
            self.next.push(place + 1);
        }
        if let Some(next) = self.next.get_mut(self.last) {
            *next = place;
        }
        self.last = place;
        place
    }

    pub(super) fn get(&self, key: &K) -> Option<usize> {
        self.known.get(key).copied()
    }

    /// All in the order of their places.
    pub(super) fn keys(&self) -> &[K] {
        &self.keys
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::Places;

    proptest! {
        #[test]
        fn each_key_has_one_place_in_whatever_order_keys_come(
            keys in prop::collection::vec(0_u8..20, 0..200),
            is_sorted: bool,
        ) {
            let mut keys = keys;
            if is_sorted {
                keys.chunks_mut(20).for_each(<[u8]>::sort_unstable);
            }
            let mut naive: HashMap<u8, usize> = HashMap::new();
            let mut places = Places::default();
            for key in keys {
                let count = naive.len();
                let place = *naive.entry(key).or_insert(count);
                prop_assert_eq!(places.of(key), place);
                prop_assert_eq!(places.get(&key), Some(place));
                prop_assert_eq!(places.keys()[place], key);
            }
            prop_assert_eq!(places.keys().len(), naive.len());
        }
    }
}
