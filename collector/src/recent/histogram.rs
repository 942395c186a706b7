//! Spans of time in buckets, as Prometheus wants them.

use classifiers::Impact;

/// One histogram for each impact over the same buckets.
#[derive(Clone, Debug)]
pub(crate) struct Histogram {
    /// Upper bounds, seconds, ascending; beyond the last is one bucket more.
    pub(crate) bounds_s: &'static [f64],
    by_impact: Vec<Buckets>,
}

/// Of one impact.
#[derive(Clone, Debug)]
pub(crate) struct Buckets {
    /// Values in each bucket, not cumulated; one more than there are bounds.
    pub(crate) counts: Vec<u64>,
    /// Of all values.
    pub(crate) sum_s: f64,
}

impl Histogram {
    pub(crate) fn new(bounds_s: &'static [f64]) -> Self {
        let empty = Buckets { counts: vec![0; bounds_s.len() + 1], sum_s: 0.0 };
        Self { bounds_s, by_impact: vec![empty; Impact::ALL.len()] }
    }

    pub(crate) fn add(&mut self, impact: Impact, value_s: f64) {
        // What is no span cannot be in a sum.
        if !value_s.is_finite() || value_s < 0.0 {
            return;
        }
        let bucket = self.bounds_s.partition_point(|bound| *bound < value_s);
        let buckets = &mut self.by_impact[impact as usize];
        buckets.counts[bucket] += 1;
        buckets.sum_s += value_s;
    }

    pub(crate) fn of(&self, impact: Impact) -> &Buckets {
        &self.by_impact[impact as usize]
    }
}

/// From the first packet of a connection to its reset.
pub(crate) const TIME_TO_RESET_BOUNDS_S: &[f64] = &[
    0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0,
    3600.0, 7200.0, 28_800.0, 86_400.0,
];

/// Silence before a reset: a bucket of its own around each well-known timer ([`TIMERS_S`]), from 1 % below
/// to 3 % above it, at least half a second: devices sweep their tables now and then. A peak between such
/// a pair of bounds is that timer.
pub(crate) const IDLE_BOUNDS_S: &[f64] = &[
    0.01, 0.1, 1.0, 1.98, 2.5, 4.95, 5.5, 19.8, 20.6, 59.4, 61.8, 64.35, 66.95, 71.28, 74.16,
    74.25, 77.25, 118.8, 123.6, 237.6, 247.2, 297.0, 309.0, 346.5, 360.5, 594.0, 618.0, 891.0,
    927.0, 1782.0, 1854.0, 3564.0, 3708.0, 7128.0, 7416.0,
];

/// Idle timers that products ship with, seconds (product.md, section 3.2).
#[cfg(test)]
const TIMERS_S: [f64; 16] = [
    2.0, 5.0, 20.0, 60.0, 65.0, 72.0, 75.0, 120.0, 240.0, 300.0, 350.0, 600.0, 900.0, 1800.0,
    3600.0, 7200.0,
];

#[cfg(test)]
mod tests {
    use classifiers::Impact;

    use super::{Histogram, IDLE_BOUNDS_S, TIME_TO_RESET_BOUNDS_S, TIMERS_S};

    #[test]
    fn each_timer_has_a_bucket_of_its_own() {
        for bounds in [IDLE_BOUNDS_S, TIME_TO_RESET_BOUNDS_S] {
            assert!(bounds.is_sorted_by(|a, b| a < b));
        }
        let mut histogram = Histogram::new(IDLE_BOUNDS_S);
        for timer in TIMERS_S {
            histogram.add(Impact::Aborted, timer * 1.005);
            let bucket = IDLE_BOUNDS_S.partition_point(|bound| *bound < timer);
            let (low, high) = (IDLE_BOUNDS_S[bucket - 1], IDLE_BOUNDS_S[bucket]);
            assert!((low / timer - 0.99).abs() < 1e-9, "{timer}: {low}");
            assert!((high - (timer * 1.03).max(timer + 0.5)).abs() < 1e-9, "{timer}: {high}");
        }
        let filled = histogram.of(Impact::Aborted).counts.iter().filter(|count| **count == 1);
        assert_eq!(filled.count(), TIMERS_S.len());
    }

    #[test]
    fn what_is_no_span_is_left_out() {
        let mut histogram = Histogram::new(TIME_TO_RESET_BOUNDS_S);
        for value in [f64::NAN, f64::INFINITY, -1.0, 0.0, 1e9] {
            histogram.add(Impact::Benign, value);
        }
        let buckets = histogram.of(Impact::Benign);
        assert_eq!((buckets.counts[0], buckets.counts.last()), (1, Some(&1)));
        assert_eq!((buckets.counts.iter().sum::<u64>(), buckets.sum_s), (2, 1e9));
    }
}
