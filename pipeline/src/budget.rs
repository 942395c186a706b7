//! How much of a flood of resets is learned.

use flowtable::Timestamp;

/// Counts the resets of each second: [`LEARNED_MAX`] are learned and held, of those beyond one in
/// [`SAMPLE`], so that a flood neither costs more than that nor washes everything else out of the
/// tables. 128 bytes.
///
/// Seconds are those of the resets, which become final up to five seconds later, in any order.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    seconds: [Spent; SECONDS],
    beyond: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Spent {
    second: u64,
    resets: u32,
}

impl Budget {
    /// Whether the reset of this time is to be learned.
    pub(crate) fn admits(&mut self, time: Timestamp) -> bool {
        let second = time.0 / NS_PER_S;
        let spent = &mut self.seconds[(second % SECONDS as u64) as usize];
        if spent.second != second {
            *spent = Spent { second, resets: 0 };
        }
        spent.resets = spent.resets.saturating_add(1);
        let is_admitted = spent.resets <= LEARNED_MAX || spent.resets.is_multiple_of(SAMPLE);
        self.beyond += u64::from(!is_admitted);
        is_admitted
    }

    /// Resets that were not admitted.
    pub(crate) const fn beyond(&self) -> u64 {
        self.beyond
    }
}

const NS_PER_S: u64 = 1_000_000_000;
const SECONDS: usize = 8;
/// Set by hand: four times what can wait at a time ([`crate::held`]), half of what 2 % resets of
/// 1.5 million packets a second are.
const LEARNED_MAX: u32 = 16_384;
/// Set by hand: a source that scans 128 targets in such a second still has the eight that show it.
const SAMPLE: u32 = 16;

#[cfg(test)]
mod tests {
    use flowtable::Timestamp;

    use super::{Budget, LEARNED_MAX, NS_PER_S, SAMPLE};

    #[test]
    fn a_flood_is_sampled_and_the_next_second_has_its_own_budget() {
        let (mut budget, flood) = (Budget::default(), 10 * LEARNED_MAX);
        let learned = (0..flood).filter(|_| budget.admits(Timestamp(7 * NS_PER_S + 5))).count();
        assert_eq!(learned as u32, LEARNED_MAX + (flood - LEARNED_MAX) / SAMPLE);
        assert_eq!(budget.beyond(), u64::from(flood) - learned as u64);
        assert!(budget.admits(Timestamp(8 * NS_PER_S)));
        assert!(budget.admits(Timestamp(15 * NS_PER_S)), "in the place of the flood's second");
    }

    #[test]
    fn late_resets_of_the_last_seconds_do_not_renew_each_others_budgets() {
        let mut budget = Budget::default();
        let times = (0..10 * u64::from(LEARNED_MAX)).map(|reset| Timestamp(reset % 5 * NS_PER_S));
        let learned = times.filter(|&time| budget.admits(time)).count() as u32;
        assert_eq!(learned, 5 * (LEARNED_MAX + LEARNED_MAX / SAMPLE));
    }
}
