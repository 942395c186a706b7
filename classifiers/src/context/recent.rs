//! How often something happened in the last moments, and how often it usually does.

use flowtable::Timestamp;

/// Counts of the last `BINS` bins of 2^`SHIFT` ns.
///
/// What steps back a little (several workers, verdicts that ripen) is counted where it belongs; a
/// clock that is set back by more than all bins begins anew.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Recent<const SHIFT: u32, const BINS: usize> {
    newest: u64,
    counts: [u16; BINS],
}

/// Bins of 67 ms: 8.6 s; 264 bytes.
pub(crate) type Moments = Recent<26, 128>;
/// Bins of 1.07 s: 34 s; 72 bytes.
pub(crate) type Seconds = Recent<30, 32>;

impl<const SHIFT: u32, const BINS: usize> Recent<SHIFT, BINS> {
    const LEN: u64 = BINS as u64;

    /// The bin of an instant.
    const fn bin(time: Timestamp) -> u64 {
        time.0 >> SHIFT
    }

    /// Counts one at `time`.
    pub(crate) fn add(&mut self, time: Timestamp) {
        let bin = Self::bin(time);
        if bin + Self::LEN <= self.newest {
            if self.newest - bin < RESTART_ROUNDS * Self::LEN {
                return;
            }
            *self = Self { newest: bin, counts: [0; BINS] };
        }
        // At most one round, however far the clock jumped.
        let fresh = bin.saturating_sub(self.newest).min(Self::LEN);
        if fresh == Self::LEN {
            self.counts = [0; BINS];
        } else {
            for empty in 0..fresh {
                self.counts[Self::place(bin - empty)] = 0;
            }
        }
        self.newest = self.newest.max(bin);
        let count = &mut self.counts[Self::place(bin)];
        *count = count.saturating_add(1);
    }

    /// How many from `first` to `last`, both included; what is older than all bins is not known.
    fn between(&self, first: u64, last: u64) -> u32 {
        let first = first.max((self.newest + 1).saturating_sub(Self::LEN));
        let last = last.min(self.newest);
        let bins = first..(last + 1).max(first);
        bins.map(|bin| u32::from(self.counts[Self::place(bin)])).sum()
    }

    /// How many after `time`, its own bin left out.
    pub(crate) fn after(&self, time: Timestamp) -> u32 {
        self.between(Self::bin(time) + 1, u64::MAX - 1)
    }

    /// How many from `first` to `last`, and in the bin before.
    pub(crate) fn within(&self, first: Timestamp, last: Timestamp) -> u32 {
        self.between(Self::bin(first).saturating_sub(1), Self::bin(last))
    }

    /// How many in the `span_ns` before and after `time`.
    pub(crate) fn around(&self, time: Timestamp, span_ns: u64) -> u32 {
        let first = Self::bin(Timestamp(time.0.saturating_sub(span_ns)));
        self.between(first, Self::bin(time.plus_ns(span_ns)))
    }

    /// Nanoseconds from `time` to the next bin with anything in it.
    pub(crate) fn next_ns(&self, time: Timestamp) -> Option<u64> {
        let oldest = (self.newest + 1).saturating_sub(Self::LEN);
        let first = (Self::bin(time) + 1).max(oldest);
        let next = (first..=self.newest).find(|&bin| self.counts[Self::place(bin)] > 0)?;
        Some(Timestamp(next << SHIFT).since_ns(time))
    }

    const fn place(bin: u64) -> usize {
        (bin % Self::LEN) as usize
    }
}

impl<const SHIFT: u32, const BINS: usize> Default for Recent<SHIFT, BINS> {
    fn default() -> Self {
        Self { newest: 0, counts: [0; BINS] }
    }
}

/// A count that forgets half of itself every [`HALF_LIFE_S`]; 12 bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usual {
    value: f32,
    first_s: u32,
    last_s: u32,
}

impl Usual {
    /// Counts one at `time`.
    pub(crate) fn add(&mut self, time: Timestamp) {
        let now_s = time.seconds();
        if self.first_s == 0 || now_s.saturating_add(RESTART_S) < self.last_s {
            *self = Self { value: 0.0, first_s: now_s, last_s: now_s };
        }
        self.value = self.at(now_s) + 1.0;
        self.last_s = self.last_s.max(now_s);
    }

    /// How many a second, the last `recent` of them left out: the rate before something happened.
    pub(crate) fn rate_without(&self, recent: u32, time: Timestamp) -> f32 {
        let now_s = time.seconds();
        let age_s = now_s.saturating_sub(self.first_s) as f32;
        let reach_s = age_s.clamp(AGE_S_MIN, HALF_LIFE_S / std::f32::consts::LN_2);
        (self.at(now_s) - recent as f32).max(0.0) / reach_s
    }

    fn at(&self, now_s: u32) -> f32 {
        let span_s = now_s.saturating_sub(self.last_s) as f32;
        self.value * (-span_s / HALF_LIFE_S).exp2()
    }
}

/// Whether `count` in `span_s` seconds cannot be chance at so many a second: Poisson, p < 10^-6.
///
/// By Chernoff's bound, ln P(X >= k) <= k - m - k ln(k / m) for k > m.
pub(crate) fn is_improbable(count: u32, rate: f32, span_s: f32) -> bool {
    let (count, mean) = (f64::from(count), f64::from((rate + RATE_MIN) * span_s));
    count > mean && count - mean - count * (count / mean).ln() < LN_MILLIONTH
}

/// Rounds of the ring; further back is another capture, or a clock that was set.
const RESTART_ROUNDS: u64 = 4;
const RESTART_S: u32 = 120;
const HALF_LIFE_S: f32 = 300.0;
/// A younger count says nothing of a rate.
const AGE_S_MIN: f32 = 10.0;
/// Nothing is rarer than one in 20 s, as long as nothing better is known.
const RATE_MIN: f32 = 0.05;
const LN_MILLIONTH: f64 = -13.815_510_557_964_274;

#[cfg(test)]
mod tests {
    use flowtable::Timestamp;

    use super::{Seconds, Usual, is_improbable};

    fn at(ms: u64) -> Timestamp {
        Timestamp(1_748_736_000_000_000_000 + ms * 1_000_000)
    }

    #[test]
    fn what_comes_late_is_counted_where_it_belongs() {
        let mut recent = Seconds::default();
        for ms in [0, 100, 20_000, 10_000, 20_100] {
            recent.add(at(ms));
        }
        assert_eq!(recent.within(at(0), at(1000)), 2);
        assert_eq!(recent.around(at(10_500), 1_000_000_000), 1);
        assert_eq!(recent.after(at(8000)), 3);
        assert!(recent.next_ns(at(5000)).is_some_and(|ns| ns < 5_200_000_000));
        assert_eq!(recent.next_ns(at(21_000)), None);
    }

    #[test]
    fn old_counts_fade_and_a_clock_set_back_begins_anew() {
        let mut recent = Seconds::default();
        recent.add(at(0));
        recent.add(at(60_000));
        assert_eq!(recent.within(at(0), at(61_000)), 1);
        recent.add(at(20_000));
        assert_eq!(recent.within(at(0), at(61_000)), 1, "too late for its bin");
        recent.add(Timestamp(5));
        assert_eq!(recent.within(Timestamp(0), Timestamp(6)), 1);
        recent.add(Timestamp(u64::MAX));
        assert_eq!(recent.within(Timestamp(0), Timestamp(u64::MAX)), 1);
    }

    #[test]
    fn the_usual_rate_leaves_out_the_latest_and_survives_a_clock_set_back() {
        let mut usual = Usual::default();
        for second in 0..200 {
            usual.add(at(second * 1000));
        }
        let rate = usual.rate_without(10, at(199_000));
        assert!((0.7..1.0).contains(&rate), "{rate}");
        usual.add(at(0));
        assert!(usual.rate_without(0, at(0)) <= 0.1);
        // The last second that 32 bits hold, and the first one after it.
        for seconds in [u64::from(u32::MAX), u64::from(u32::MAX) + 1] {
            usual.add(Timestamp(seconds * 1_000_000_000));
            assert!(usual.rate_without(0, Timestamp(seconds * 1_000_000_000)) <= 0.1);
        }
    }

    #[test]
    fn eight_in_two_seconds_are_no_chance_unless_they_are_usual() {
        assert!(is_improbable(8, 0.0, 2.0));
        assert!(!is_improbable(8, 1.0, 2.0));
        assert!(is_improbable(60, 5.0, 2.0));
        assert!(!is_improbable(25, 5.0, 2.0));
    }
}
