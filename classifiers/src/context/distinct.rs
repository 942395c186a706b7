//! How many different things were seen, in 68 bytes; and how many within about a minute.

use flowtable::Timestamp;

/// How many different hashes were added: exactly up to 15, so that thresholds mean what they say,
/// an estimate beyond (HyperLogLog, Flajolet et al. 2007: 64 registers, standard error 13 %).
///
/// 68 bytes. Hashes must be keyed: who knows the key can fill all registers with 64 things.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Distinct {
    /// The lower halves of the hashes themselves; 0 is a free place.
    Few([u32; FEW]),
    /// Of each register's hashes the highest rank.
    Many([u8; REGISTERS]),
}

impl Distinct {
    /// Nothing was seen.
    pub(crate) const EMPTY: Self = Self::Few([0; FEW]);

    /// Takes in the hash of a thing and says whether that may have changed the count.
    pub(crate) fn add(&mut self, hash: u64) -> bool {
        let hash = (hash as u32).max(1);
        match self {
            Self::Few(few) => {
                let place = few.iter().position(|&known| known == hash || known == 0);
                if let Some(place) = place {
                    let is_new = few[place] != hash;
                    few[place] = hash;
                    return is_new;
                }
                let mut many = [0; REGISTERS];
                for &known in few.iter().chain([&hash]) {
                    raise(&mut many, known);
                }
                *self = Self::Many(many);
                true
            }
            Self::Many(many) => raise(many, hash),
        }
    }

    /// How many different things.
    pub(crate) fn count(&self) -> u32 {
        let many = match self {
            Self::Few(few) => return few.iter().filter(|&&known| known != 0).count() as u32,
            Self::Many(many) => many,
        };
        let free = many.iter().filter(|&&register| register == 0).count();
        let size = REGISTERS as f64;
        // In units of the smallest there is.
        let top = RANK_MAX + 1;
        let sum: u64 = many.iter().map(|&rank| 1u64 << (top - u32::from(rank).min(top))).sum();
        let estimate = BIAS * size * size * (1u64 << top) as f64 / sum as f64;
        let linear = size * (size / free as f64).ln();
        let is_small = estimate <= 2.5 * size && free > 0;
        (if is_small { linear } else { estimate }).round().max(FEW as f64 + 1.0) as u32
    }

    /// What both have seen.
    fn with(mut self, other: &Self) -> Self {
        match (&mut self, other) {
            (Self::Many(mine), Self::Many(theirs)) => {
                for (mine, &theirs) in mine.iter_mut().zip(theirs) {
                    *mine = (*mine).max(theirs);
                }
                self
            }
            (_, Self::Few(few)) => {
                few.iter().filter(|&&hash| hash != 0).for_each(|&hash| {
                    self.add(u64::from(hash));
                });
                self
            }
            (Self::Few(_), Self::Many(_)) => other.with(&self),
        }
    }
}

fn raise(registers: &mut [u8; REGISTERS], hash: u32) -> bool {
    let register = &mut registers[hash as usize % REGISTERS];
    let rank = (hash / REGISTERS as u32).trailing_zeros().min(RANK_MAX) as u8 + 1;
    let is_higher = rank > *register;
    *register = (*register).max(rank);
    is_higher
}

/// [`Distinct`] over the last half minute to minute of packet time; 144 bytes.
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
        let apart_ns = time.apart_ns(self.since);
        if apart_ns > 4 * HALF_NS { 0 } else { self.now.with(&self.before).count() }
    }
}

const REGISTERS: usize = 64;
const FEW: usize = 15;
/// Bits of a hash beside those that choose the register.
const RANK_MAX: u32 = 26;
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
                let slack = if count <= 15 { 0.0 } else { 0.45 };
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
