//! What waits for its counterpart: bounded, the oldest gives way.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use events::{Endpoint, UtcTime};

/// What two observers of one connection have in common.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Key {
    /// Both ends, the smaller one first: observers may differ in who opened it.
    Pair(Endpoint, Endpoint),
    /// The client alone, for logs that do not tell the server.
    Client(Endpoint),
    /// A network of clients and a server: what goes between them goes one way, mostly.
    Path(IpAddr, Endpoint),
}

impl Key {
    pub(super) fn pair(one: Endpoint, other: Endpoint) -> Self {
        if one <= other { Self::Pair(one, other) } else { Self::Pair(other, one) }
    }

    /// Items with it that are looked at.
    const fn room(self) -> usize {
        match self {
            Self::Pair(..) | Self::Client(_) => SAME_KEY_MAX,
            Self::Path(..) => SAME_PATH_MAX,
        }
    }
}

/// Items by number, found by any of their keys.
#[derive(Debug)]
pub(super) struct Shelf<T> {
    items: HashMap<u64, Item<T>>,
    /// Numbers by age; a number without an item is gone already.
    order: VecDeque<(u64, UtcTime)>,
    by_key: HashMap<Key, Vec<u64>>,
    room: usize,
    next: u64,
    /// How many gave way before their time.
    pub(super) displaced: u64,
}

#[derive(Debug)]
struct Item<T> {
    keys: Vec<Key>,
    content: T,
}

impl<T> Shelf<T> {
    /// With room for so many items.
    pub(super) fn new(room: usize) -> Self {
        Self {
            items: HashMap::new(),
            order: VecDeque::new(),
            by_key: HashMap::new(),
            room: room.max(1),
            next: 0,
            displaced: 0,
        }
    }

    /// Keeps an item; the number by which it is known from now on.
    pub(super) fn insert(&mut self, now: UtcTime, keys: Vec<Key>, content: T) -> u64 {
        while self.items.len() >= self.room {
            let Some((number, _)) = self.order.pop_front() else { break };
            self.displaced += u64::from(self.remove(number));
        }
        let number = self.next;
        self.next += 1;
        for key in &keys {
            let numbers = self.by_key.entry(*key).or_default();
            // Whoever repeats one tuple for ever gains nothing by it.
            if numbers.len() >= key.room() {
                numbers.remove(0);
            }
            numbers.push(number);
        }
        self.items.insert(number, Item { keys, content });
        self.order.push_back((number, now));
        number
    }

    /// The numbers of all items with this key, oldest first.
    pub(super) fn with(&self, key: &Key) -> &[u64] {
        self.by_key.get(key).map_or(&[], Vec::as_slice)
    }

    /// The number that comes next.
    pub(super) const fn next(&self) -> u64 {
        self.next
    }

    pub(super) fn at(&self, number: u64) -> Option<&T> {
        self.items.get(&number).map(|item| &item.content)
    }

    pub(super) fn at_mut(&mut self, number: u64) -> Option<&mut T> {
        self.items.get_mut(&number).map(|item| &mut item.content)
    }

    /// Forgets what came before.
    pub(super) fn forget_before(&mut self, time: UtcTime) {
        while let Some((number, _)) = self.order.front().filter(|(_, came)| *came < time).copied() {
            self.order.pop_front();
            self.remove(number);
        }
    }

    fn remove(&mut self, number: u64) -> bool {
        let Some(item) = self.items.remove(&number) else { return false };
        for key in item.keys {
            if let Some(numbers) = self.by_key.get_mut(&key) {
                numbers.retain(|other| *other != number);
                if numbers.is_empty() {
                    self.by_key.remove(&key);
                }
            }
        }
        true
    }
}

/// Items of one connection.
const SAME_KEY_MAX: usize = 32;

/// Events of one path.
const SAME_PATH_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use events::{Endpoint, UtcTime};

    use super::{Key, Shelf};

    fn key(port: u16) -> Key {
        let end = |port| Endpoint { ip: [10, 0, 0, 1].into(), port };
        Key::pair(end(port), end(1))
    }

    #[test]
    fn the_oldest_gives_way_and_leaves_no_key_behind() {
        let mut shelf = Shelf::new(2);
        for number in 0..3 {
            shelf.insert(UtcTime(number), vec![key(number as u16)], number);
        }
        assert_eq!((shelf.items.len(), shelf.displaced), (2, 1));
        assert!(shelf.with(&key(0)).is_empty());
        assert_eq!(shelf.with(&key(2)), [2]);
        shelf.forget_before(UtcTime(2));
        assert_eq!((shelf.items.len(), shelf.displaced), (1, 1), "age is no displacement");
        assert_eq!(shelf.at(2), Some(&2));
    }

    #[test]
    fn one_key_is_not_followed_for_ever() {
        let mut shelf = Shelf::new(1000);
        for number in 0..100 {
            shelf.insert(UtcTime(number), vec![key(9)], number);
        }
        assert_eq!(shelf.with(&key(9)).len(), 32);
    }
}
