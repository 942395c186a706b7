//! What is remembered between two lines, bounded.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// A map whose oldest entries give way.
#[derive(Debug)]
pub(crate) struct Memory<K, V> {
    entries: HashMap<K, (u64, V)>,
    /// Keys by age, each with the number of its entry: one that was replaced has another.
    order: VecDeque<(u64, K)>,
    room: usize,
    number: u64,
    gone: u64,
}

impl<K: Eq + Hash + Clone, V> Memory<K, V> {
    /// With room for that many entries.
    pub(crate) fn new(room: usize) -> Self {
        Self { entries: HashMap::new(), order: VecDeque::new(), room, number: 0, gone: 0 }
    }

    /// Remembers; of the same key only the last.
    pub(crate) fn insert(&mut self, key: K, value: V) {
        self.number += 1;
        self.order.push_back((self.number, key.clone()));
        self.entries.insert(key, (self.number, value));
        while self.entries.len() > self.room {
            let Some((number, key)) = self.order.pop_front() else { break };
            if self.entries.get(&key).is_some_and(|entry| entry.0 == number) {
                self.entries.remove(&key);
                self.gone += 1;
            }
        }
        // Removed entries leave their keys behind.
        if self.order.len() > 2 * self.room {
            let entries = &self.entries;
            self.order
                .retain(|(number, key)| entries.get(key).is_some_and(|entry| entry.0 == *number));
        }
    }

    /// What is known of a key; forgets it.
    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        self.entries.remove(key).map(|(_, value)| value)
    }

    /// How many had to give way.
    pub(crate) const fn gone(&self) -> u64 {
        self.gone
    }
}

#[cfg(test)]
mod tests {
    use super::Memory;

    #[test]
    fn what_was_asked_for_makes_nothing_else_give_way() {
        let mut memory = Memory::new(4);
        memory.insert(0, 0);
        for number in 1..1000 {
            memory.insert(number, number);
            assert_eq!(memory.remove(&number), Some(number));
            assert!(memory.order.len() <= 8);
        }
        assert_eq!((memory.remove(&0), memory.gone()), (Some(0), 0));
    }

    #[test]
    fn the_oldest_gives_way_and_is_counted() {
        let mut memory = Memory::new(2);
        memory.insert("a", 1);
        memory.insert("b", 2);
        memory.insert("c", 3);
        assert_eq!(memory.gone(), 1);
        assert_eq!(memory.remove(&"a"), None);
        assert_eq!(memory.remove(&"c"), Some(3));
        // An entry that was replaced is not lost when its first place in the row is.
        memory.insert("b", 4);
        memory.insert("d", 5);
        assert_eq!(memory.remove(&"b"), Some(4));
        assert_eq!(memory.gone(), 1);
    }
}
