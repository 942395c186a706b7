//! Many connections that end after the same silence: an atom in the distribution of silences.
//!
//! What people and programs do has densities that vary smoothly with the logarithm of time: by how
//! much a window stands out of its neighbourhood is what tells a timer (classification.md, section
//! 5.5). Three neighbourhoods must agree, since a narrow hump looks like an atom from far and the
//! slope of a wide one from near.

use flowtable::Ticks;

use super::chance::ln_at_least;
use super::samples::Sorted;

/// Silences of nearly the same length.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Atom {
    /// The shortest: a timer never fires early, so this is the best guess of it.
    pub(super) low: Ticks,
    /// The longest: what lies between is the period of a sweep, or jitter.
    pub(super) high: Ticks,
    /// How many.
    pub(super) count: usize,
}

impl Atom {
    /// The most telling atom, if chance makes one such in less than a million.
    pub(super) fn most_telling(sorted: &Sorted) -> Option<Self> {
        let gaps = sorted.as_slice();
        let quantum = quantum(gaps);
        let tries = (gaps.len() * WIDTHS) as f64;
        let mut best: Option<(f64, Self)> = None;
        for (first, &low) in gaps.iter().enumerate() {
            if low < LOW_MIN {
                continue;
            }
            for width in widths(low).into_iter().filter(|&width| width >= quantum) {
                let Some((ln_chance, atom)) = weigh(gaps, first, width, quantum) else { continue };
                let is_best = best.is_none_or(|(least, _)| ln_chance < least);
                if is_best && ln_chance + tries.ln() < LN_CHANCE_MAX {
                    best = Some((ln_chance, atom));
                }
            }
        }
        best.map(|(_, atom)| atom)
    }

    /// Whether a silence ended as these did; the sensor stands a little before or behind the timer.
    pub(super) fn holds(&self, gap: Ticks) -> bool {
        let spread = self.high.0 - self.low.0;
        let slack = (spread / 2).max(SLACK.0).max(self.low.0 / 1_000);
        (self.low.0.saturating_sub(SLACK.0)..=self.high.0.saturating_add(slack)).contains(&gap.0)
    }

    /// From here on a survivor speaks against it. Pollers that come again after the very same
    /// silence survive it a little earlier as often as a little later.
    pub(super) const fn refuted_from(&self) -> Ticks {
        Ticks(self.low.0 - self.low.0 / 200)
    }
}

/// How improbable the window of `width` from the gap number `first` is, if it is one worth a thought.
fn weigh(gaps: &[Ticks], first: usize, width: Ticks, quantum: Ticks) -> Option<(f64, Atom)> {
    let low = gaps[first].0;
    let within = |from: u32, to: u32| {
        let below = gaps.partition_point(|gap| gap.0 < from);
        gaps.partition_point(|gap| gap.0 <= to) - below
    };
    let end = first + gaps[first..].partition_point(|gap| gap.0 <= low.saturating_add(width.0));
    let count = end - first;
    if count < COUNT_MIN {
        return None;
    }
    let high = gaps[end - 1].0;
    // A window as wide on either side: what surrounds an atom is nearly empty.
    let left = within(low.saturating_sub(width.0), low - 1);
    let right = within(high + 1, high.saturating_add(width.0));
    if left.max(right) * 4 > count {
        return None;
    }
    let share = |of: f64| (HUMP * of).min(0.9);
    let near = width.0.saturating_mul(NEAR);
    if near < low / 2 {
        let around = within(low - near, low.saturating_add(near));
        if ln_at_least(count, around, share(0.5 / f64::from(NEAR))) > LN_NEAR_MAX {
            return None;
        }
    }
    let around = within(low / 2, low.saturating_mul(2));
    let width = f64::from(width.0) + f64::from(quantum.0);
    let ln_width = (width / f64::from(low)).ln_1p() / 4f64.ln();
    let atom = Atom { low: Ticks(low), high: Ticks(high), count };
    Some((ln_at_least(count, around, share(ln_width)), atom))
}

/// How wide an atom at `low` may be: jitter of programs, ticks of a second, sweeps of devices.
fn widths(low: Ticks) -> [Ticks; WIDTHS] {
    let widest = (SECOND.0.max(low.0 / 200).saturating_add(low.0 / 50)).min(low.0 / 5);
    let ms = |ms| Ticks::from_ms(ms).0;
    [ms(20), ms(60), ms(200), ms(600), ms(1_000), low.0 / 200, low.0 / 100, widest]
        .map(|width| Ticks(width.min(widest)))
}

/// The step of a clock too coarse to tell neighbouring silences apart; 0 if it is fine enough.
fn quantum(gaps: &[Ticks]) -> Ticks {
    let is_step = |step_ms: u64| {
        gaps.iter().all(|gap| {
            let (ns, step_ns) = (gap.ns(), step_ms * 1_000_000);
            let rest = ns % step_ns;
            rest.min(step_ns - rest) <= CLOCK_ERROR_NS
        })
    };
    let step_ms = [1_000, 100, 10].into_iter().find(|&step_ms| is_step(step_ms));
    step_ms.map_or(Ticks(0), Ticks::from_ms)
}

const WIDTHS: usize = 8;
/// Fewer are no cluster.
const COUNT_MIN: usize = 5;
/// No hump of what people do is so many times denser than its neighbourhood on average.
const HUMP: f64 = 3.0;
/// Windows to either side that make the nearer neighbourhood.
const NEAR: u32 = 10;
/// One in a million, whatever window.
const LN_CHANCE_MAX: f64 = -13.8;
/// One in ten thousand.
const LN_NEAR_MAX: f64 = -9.2;
/// Shorter timers cannot be told from the pauses of ordinary exchanges.
const LOW_MIN: Ticks = Ticks::from_ms(1_900);
const SECOND: Ticks = Ticks::from_ms(1_000);
/// Round trips of acknowledgments between the sensor and the timer.
const SLACK: Ticks = Ticks::from_ms(50);
/// Ticks are rounded down.
const CLOCK_ERROR_NS: u64 = 40_000;
