//! How far a writer's clock is from ours, learned from what both saw.

use std::collections::VecDeque;

/// Differences between a writer's stamps and ours of the same instants.
#[derive(Clone, Debug, Default)]
pub(super) struct SourceClock {
    /// Nanoseconds that its stamps are ahead, the last [`PAIRS_KEPT`].
    ahead_ns: VecDeque<i64>,
}

/// What was learned.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Offset {
    /// Nanoseconds that it is ahead of ours.
    pub(super) ahead_ns: i64,
    /// How much around that its stamps scatter.
    pub(super) tolerance_ns: i64,
}

impl Offset {
    /// Of a clock of which nothing is known yet: it is taken to be right, more strictly looked at.
    pub(super) const ASSUMED: Self = Self { ahead_ns: 0, tolerance_ns: SECOND };
}

impl SourceClock {
    /// Notes a pair.
    pub(super) fn add(&mut self, ahead_ns: i64) {
        if self.ahead_ns.len() == PAIRS_KEPT {
            self.ahead_ns.pop_front();
        }
        self.ahead_ns.push_back(ahead_ns);
    }

    /// The median, once five pairs are there and most of them agree. Pairs that are none after all, because a
    /// tuple was used twice, do not move it as long as they are few.
    pub(super) fn learned(&self) -> Option<Offset> {
        if self.ahead_ns.len() < PAIRS_MIN {
            return None;
        }
        let median = median(self.ahead_ns.iter().copied());
        let distances: Vec<i64> = self
            .ahead_ns
            .iter()
            .map(|ahead| ahead.saturating_sub(median).saturating_abs())
            .collect();
        let agreeing = distances.iter().filter(|distance| **distance <= AGREE_NS).count();
        if agreeing * 10 < distances.len() * 6 {
            return None;
        }
        let spread = median_of(distances);
        let tolerance_ns = (SECOND / 2 + 3 * spread).min(5 * SECOND);
        Some(Offset { ahead_ns: median, tolerance_ns })
    }
}

/// What a stamp shift of whole quarters of an hour means, in words; nothing for other shifts.
pub(super) fn zone_text(ahead_ns: i64) -> Option<String> {
    let quarters = (ahead_ns as f64 / (900.0 * SECOND as f64)).round() as i64;
    let rest = ahead_ns.saturating_sub(quarters * 900 * SECOND).saturating_abs();
    if quarters == 0 || quarters.abs() > 14 * 4 || rest > 60 * SECOND {
        return None;
    }
    let sign = if quarters < 0 { '-' } else { '+' };
    let minutes = quarters.abs() * 15;
    Some(format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60))
}

fn median(values: impl Iterator<Item = i64>) -> i64 {
    median_of(values.collect())
}

fn median_of(mut values: Vec<i64>) -> i64 {
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or(0)
}

const SECOND: i64 = 1_000_000_000;

/// Stamps of one second, and durations of one second.
const AGREE_NS: i64 = 3 * SECOND;

const PAIRS_MIN: usize = 5;
const PAIRS_KEPT: usize = 63;

#[cfg(test)]
mod tests {
    use super::{SECOND, SourceClock, zone_text};

    fn clock(seconds: &[i64]) -> SourceClock {
        let mut clock = SourceClock::default();
        seconds.iter().for_each(|ahead| clock.add(ahead * SECOND));
        clock
    }

    #[test]
    fn few_wrong_pairs_do_not_move_the_offset() {
        let offset = clock(&[41, 42, 42, 43, 42, 900, -3600]).learned().unwrap();
        assert_eq!(offset.ahead_ns, 42 * SECOND);
    }

    #[test]
    fn too_few_pairs_or_pairs_that_disagree_teach_nothing() {
        assert_eq!(clock(&[42, 42, 42, 42]).learned(), None);
        assert_eq!(clock(&[0, 10, 20, 30, 40, 50]).learned(), None);
    }

    #[test]
    fn a_clock_that_was_set_is_learned_anew() {
        let mut seconds = vec![42; 40];
        seconds.extend([0; 40]);
        assert_eq!(clock(&seconds).learned().unwrap().ahead_ns, 0);
    }

    #[test]
    fn a_wrong_zone_is_recognised() {
        assert_eq!(zone_text(7201 * SECOND).as_deref(), Some("+02:00"));
        assert_eq!(zone_text(-(5 * 3600 + 1800) * SECOND).as_deref(), Some("-05:30"));
        assert_eq!(zone_text(42 * SECOND), None);
        assert_eq!(zone_text(7400 * SECOND), None);
    }
}
