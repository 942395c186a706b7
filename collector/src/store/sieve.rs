//! Which identifiers a sealed part may hold, in ten bits each: so that not every part is asked for every event.

/// A Bloom filter (Bloom, 1970) over identifiers, with six bits of each: it lets through one in a hundred that is
/// not there, of a full part one in a thousand.
#[derive(Clone, Debug)]
pub(super) struct Sieve {
    words: Vec<u64>,
}

impl Sieve {
    /// Of so many identifiers.
    pub(super) fn of(ids: impl ExactSizeIterator<Item = u64>) -> Self {
        let words = (ids.len() * BITS_EACH).div_ceil(64).next_power_of_two();
        let mut sieve = Self { words: vec![0; words] };
        for id in ids {
            sieve.add(id);
        }
        sieve
    }

    /// Adds one that came late.
    pub(super) fn add(&mut self, id: u64) {
        for bit in self.bits(id) {
            self.words[bit / 64] |= 1 << (bit % 64);
        }
    }

    /// Whether it may be there; `false` is certain.
    pub(super) fn may_hold(&self, id: u64) -> bool {
        self.bits(id).into_iter().all(|bit| self.words[bit / 64] & 1 << (bit % 64) != 0)
    }

    fn bits(&self, id: u64) -> [usize; 6] {
        let mask = self.words.len() * 64 - 1;
        let mixed = id.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let (step, first) = ((mixed >> 32) as usize | 1, (mixed ^ mixed >> 29) as usize);
        [0, 1, 2, 3, 4, 5].map(|turn: usize| first.wrapping_add(turn.wrapping_mul(step)) & mask)
    }
}

const BITS_EACH: usize = 10;

#[cfg(test)]
mod tests {
    use super::Sieve;

    #[test]
    fn what_is_there_passes_and_little_else() {
        let id = |n: u64| (n + 1).wrapping_mul(0xd134_2543_de82_ef95);
        let sieve = Sieve::of((0..10_000_usize).map(|n| id(n as u64)));
        assert!((0..10_000).all(|n| sieve.may_hold(id(n))));
        let wrong = (10_000..110_000).filter(|n| sieve.may_hold(id(*n))).count();
        assert!(wrong < 3_000, "{wrong} of 100000");
        assert!(!Sieve::of(std::iter::empty()).may_hold(7));
    }
}
