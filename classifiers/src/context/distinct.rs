//! How many different things were seen, in 64 bytes; and how many within about a minute.

use flowtable::Timestamp;

/// An estimate of the number of different hashes added: 64 registers, standard error 13 % beyond
/// 160, about one up to a dozen (HyperLogLog, Flajolet et al. 2007, with linear counting below).
///
/// Hashes must be keyed: who knows the key can fill all registers with 64 things.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Distinct {
    registers: [u8; REGISTERS],
}

impl Distinct {
    /// Nothing was seen.
    pub(crate) const EMPTY: Self = Self { registers: [0; REGISTERS] };

    /// Takes in the hash of a thing.
    pub(crate) fn add(&mut self, hash: u64) {
        let register = &mut self.registers[hash as usize % REGISTERS];
        let rank = (hash / REGISTERS as u64).trailing_zeros().min(RANK_MAX) as u8 + 1;
        *register = (*register).max(rank);
    }

    /// How many different things, about.
    pub(crate) fn count(&self) -> u32 {
        let free = self.registers.iter().filter(|&&register| register == 0).count();
        let size = REGISTERS as f64;
        // In units of 2^-57, the smallest there is: 64 registers of at most 2^57 fit 64 bits.
        let top = RANK_MAX + 1;
        let sum: u64 =
            self.registers.iter().map(|&rank| 1u64 << (top - u32::from(rank).min(top))).sum();
        let estimate = BIAS * size * size * (1u64 << top) as f64 / sum as f64;
        if estimate <= 2.5 * size && free > 0 {
            return (size * (size / free as f64).ln()).round() as u32;
        }
        estimate.round() as u32
    }

    /// What both have seen.
    fn with(mut self, other: &Self) -> Self {
        for (mine, &theirs) in self.registers.iter_mut().zip(&other.registers) {
            *mine = (*mine).max(theirs);
        }
        self
    }
}

/// [`Distinct`] over the last half minute to minute of packet time; 136 bytes.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct PerMinute {
    since: Timestamp,
    now: Distinct,
    before: Distinct,
}

impl PerMinute {
    /// Nothing was seen.
    pub(crate) const EMPTY: Self =
        Self { since: Timestamp(0), now: Distinct::EMPTY, before: Distinct::EMPTY };

    /// Takes in the hash of a thing seen at `time`; late ones count as of now.
    pub(crate) fn add(&mut self, hash: u64, time: Timestamp) {
        let age_ns = time.since_ns(self.since);
        // Another capture, or a clock that was set: what was known belongs to another time.
        let is_other_time = self.since.since_ns(time) > 2 * HALF_NS;
        if age_ns >= HALF_NS || is_other_time {
            let is_old = age_ns >= 2 * HALF_NS || is_other_time;
            self.before = if is_old { Distinct::EMPTY } else { self.now };
            (self.now, self.since) = (Distinct::EMPTY, time);
        }
        self.now.add(hash);
    }

    /// How many different things near `time`; nothing if none came since.
    pub(crate) fn count(&self, time: Timestamp) -> u32 {
        let apart_ns = time.since_ns(self.since).max(self.since.since_ns(time));
        if apart_ns > 4 * HALF_NS { 0 } else { self.now.with(&self.before).count() }
    }
}

const REGISTERS: usize = 64;
/// More zeros than that never come: 2^57 things.
const RANK_MAX: u32 = 56;
/// Flajolet et al. 2007, figure 3, for 64 registers.
const BIAS: f64 = 0.709;
const HALF_NS: u64 = 30_000_000_000;

#[cfg(test)]
mod tests {
    use std::hash::BuildHasher;

    use flowtable::Timestamp;
    use foldhash::quality::FixedState;

    use super::{Distinct, PerMinute};

    fn hash(thing: u64) -> u64 {
        FixedState::with_seed(7).hash_one(thing)
    }

    #[test]
    fn the_estimate_follows_the_number_from_one_to_a_million() {
        let mut seen = Distinct::EMPTY;
        assert_eq!(seen.count(), 0);
        for thing in 0..1_000_000u64 {
            seen.add(hash(thing));
            seen.add(hash(thing / 2));
            let count = thing + 1;
            if count.is_power_of_two() {
                let ratio = f64::from(seen.count()) / count as f64;
                let slack = if count <= 16 { 0.3 } else { 0.45 };
                assert!((ratio - 1.0).abs() <= slack, "{} told for {count}", seen.count());
            }
        }
    }

    #[test]
    fn what_is_a_minute_old_is_forgotten_and_a_clock_set_back_begins_anew() {
        let second = |s: u64| Timestamp(s * 1_000_000_000);
        let mut seen = PerMinute::EMPTY;
        for thing in 0..20 {
            seen.add(hash(thing), second(1_000 + thing));
        }
        assert!(seen.count(second(1_020)) >= 15);
        seen.add(hash(99), second(1_120));
        assert_eq!(seen.count(second(1_120)), 1);
        assert_eq!(seen.count(second(2_000)), 0);
        seen.add(hash(1), second(5));
        assert_eq!(seen.count(second(5)), 1);
    }
}
