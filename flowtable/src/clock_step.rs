//! How coarse the clock is that stamps the packets.

use crate::time::{Ticks, Timestamp};

/// An upper bound on the step of a clock, from the stamps it has given.
///
/// Two stamps that differ do so by one step at least, so the smallest difference seen is never less
/// than the step, and soon no more than it. No assumption about what the step is: taps stamp in
/// steps of 10 ms, 4 ms (a kernel's jiffies) or 15.6 ms (Windows).
#[derive(Clone, Copy, Debug)]
pub struct ClockStep {
    last: Timestamp,
    least_ns: u64,
}

impl ClockStep {
    /// Before the first stamp: nothing is known.
    #[must_use]
    pub const fn new() -> Self {
        Self { last: Timestamp(0), least_ns: u64::MAX }
    }

    /// Takes in a stamp.
    pub const fn observe(&mut self, time: Timestamp) {
        let difference_ns = time.0.abs_diff(self.last.0);
        if difference_ns != 0 && difference_ns < self.least_ns {
            self.least_ns = difference_ns;
        }
        self.last = time;
    }

    /// The step is no longer than this.
    #[must_use]
    pub const fn ticks(&self) -> Ticks {
        // Rounded up: an upper bound has to stay one; what is below a tick does not show in spans.
        let whole = Ticks::from_ns(self.least_ns);
        if whole.0 == 0 { whole } else { Ticks(whole.0.saturating_add(1)) }
    }
}

impl Default for ClockStep {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::{ClockStep, Ticks, Timestamp};

    fn step_of(stamps_us: &[u64]) -> Ticks {
        let mut step = ClockStep::new();
        stamps_us.iter().for_each(|us| step.observe(Timestamp(us * 1_000)));
        step.ticks()
    }

    #[test]
    fn the_smallest_difference_bounds_the_step() {
        assert_eq!(step_of(&[5_000_000, 5_000_000, 5_030_000, 5_040_000]).ns() / 1_000_000, 10);
        assert_eq!(step_of(&[5_000_000, 5_000_300, 5_000_303]), Ticks(0));
        assert!(step_of(&[5_000_000]) > Ticks::from_ms(4_000), "nothing is known yet");
        assert_eq!(step_of(&[7_020_000, 7_010_000]).ns() / 1_000_000, 10, "also backwards");
    }
}
