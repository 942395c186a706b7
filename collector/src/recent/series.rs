//! The last minutes, in steps.

use std::collections::VecDeque;

use classifiers::Impact;
use events::UtcTime;

use crate::answers::Second;

/// What happened when.
#[derive(Clone, Debug)]
pub(crate) enum Series {
    /// Seconds of a live run: a step ends with each status.
    Live {
        /// Oldest first.
        steps: VecDeque<Second>,
        /// The one that is not over.
        current: Second,
    },
    /// The time of a capture, however long: steps are doubled when it goes beyond the last one.
    Capture {
        /// From the first event on.
        steps: Vec<Second>,
        /// Time of the first event.
        begin: Option<UtcTime>,
        step_ns: u64,
    },
}

impl Series {
    pub(crate) fn live() -> Self {
        Self::Live { steps: VecDeque::with_capacity(STEPS_MAX), current: Second::default() }
    }

    pub(crate) const fn capture() -> Self {
        Self::Capture { steps: Vec::new(), begin: None, step_ns: STEP_NS_MIN }
    }

    /// Counts a primary reset at `ts`.
    pub(crate) fn reset(&mut self, ts: UtcTime, impact: Impact) {
        match self {
            Self::Live { current, .. } => current.resets.add(impact, 1),
            Self::Capture { steps, begin, step_ns } => {
                let since_ns = ts.0.saturating_sub(begin.get_or_insert(ts).0);
                while since_ns / *step_ns >= STEPS_MAX as u64 {
                    halve(steps);
                    *step_ns *= 2;
                }
                let index = (since_ns / *step_ns) as usize;
                steps.resize(steps.len().max(index + 1), Second::default());
                steps[index].resets.add(impact, 1);
            }
        }
    }

    /// Ends a second of a live run.
    pub(crate) fn end_second(&mut self, packets: u64, bytes: u64, losses: u64) {
        if let Self::Live { steps, current } = self {
            if steps.len() == STEPS_MAX {
                steps.pop_front();
            }
            steps.push_back(Second { packets, bytes, losses, ..std::mem::take(current) });
        }
    }

    /// The steps that are over, oldest first.
    pub(crate) fn steps(&self) -> Vec<Second> {
        match self {
            Self::Live { steps, .. } => steps.iter().copied().collect(),
            Self::Capture { steps, .. } => steps.clone(),
        }
    }

    /// Seconds of one step.
    pub(crate) const fn step_s(&self) -> f64 {
        match self {
            Self::Live { .. } => 1.0,
            Self::Capture { step_ns, .. } => *step_ns as f64 / 1e9,
        }
    }
}

/// Makes one step of two.
fn halve(steps: &mut Vec<Second>) {
    let pairs = steps.chunks(2).map(|pair| {
        let mut sum = pair[0];
        if let Some(second) = pair.get(1) {
            sum.packets += second.packets;
            sum.bytes += second.bytes;
            sum.losses += second.losses;
            sum.resets.merge(&second.resets);
        }
        sum
    });
    *steps = pairs.collect();
}

/// Five minutes of seconds.
const STEPS_MAX: usize = 300;
/// The first step of a capture.
const STEP_NS_MIN: u64 = 10_000_000;

#[cfg(test)]
mod tests {
    use classifiers::Impact;
    use events::UtcTime;

    use super::{STEPS_MAX, Series};

    #[test]
    fn a_capture_of_any_length_fits_and_loses_no_reset() {
        let mut series = Series::capture();
        for event in 0..1_000u64 {
            series.reset(UtcTime(7_000_000_000 + event * event * 40_000_000), Impact::Refused);
        }
        let steps = series.steps();
        assert!(steps.len() <= STEPS_MAX && steps.len() > STEPS_MAX / 4, "{}", steps.len());
        assert_eq!(steps.iter().map(|step| step.resets.refused).sum::<u64>(), 1_000);
        let span_s = steps.len() as f64 * series.step_s();
        assert!((39_900.0..80_000.0).contains(&span_s), "{span_s}");
        series.reset(UtcTime(0), Impact::Aborted);
        assert_eq!(series.steps()[0].resets.aborted, 1, "what comes late counts at the beginning");
    }

    #[test]
    fn a_live_run_keeps_its_last_seconds() {
        let mut series = Series::live();
        for second in 0..400 {
            series.reset(UtcTime(0), Impact::Aborted);
            series.end_second(second, 2 * second, 0);
        }
        series.reset(UtcTime(0), Impact::Aborted);
        let steps = series.steps();
        assert_eq!((steps.len(), steps[0].packets, steps[299].bytes), (300, 100, 798));
        assert!(steps.iter().all(|step| step.resets.aborted == 1), "the current one is not told");
    }
}
