//! Resets by impact: so many, so many a second, and how that went.

use classifiers::Impact;
use collector::{ImpactCounts, Second, Snapshot};
use ratatui::text::{Line, Span};

use super::look::Look;
use super::numbers;
use crate::top::screen::Screen;

/// A line for each impact that is shown.
pub(super) fn lines<'t>(screen: &Screen, look: Look, width: usize) -> Vec<Line<'t>> {
    let Some(snapshot) = &screen.snapshot else { return Vec::new() };
    Impact::ALL
        .iter()
        .filter(|impact| !screen.harmful_only || ImpactCounts::is_harmful(**impact))
        .map(|impact| line(screen, snapshot, *impact, look, width))
        .collect()
}

fn line<'t>(
    screen: &Screen,
    snapshot: &Snapshot,
    impact: Impact,
    look: Look,
    width: usize,
) -> Line<'t> {
    let count = numbers::count(snapshot.resets.of(impact));
    let rate = if screen.is_live { recent_rate(&snapshot.series, impact) } else { String::new() };
    let head = format!("{:<8}{count:>10}{rate:>10} ", impact.name());
    let steps = width.saturating_sub(head.chars().count() + TAIL_WIDTH);
    let values = binned(&snapshot.series, impact, steps, screen.is_live);
    let peak = values.iter().copied().max().unwrap_or(0);
    let tail = if peak > 0 { format!(" max {}", numbers::count(peak)) } else { String::new() };
    Line::from(vec![
        Span::styled(head, look.impact(impact)),
        Span::styled(bars(&values, peak), look.impact(impact)),
        Span::styled(tail, look.aside()),
    ])
}

/// Resets a second over the last ones.
fn recent_rate(series: &[Second], impact: Impact) -> String {
    let last = &series[series.len().saturating_sub(RATE_STEPS)..];
    let sum: u64 = last.iter().map(|step| step.resets.of(impact)).sum();
    format!("{}/s", numbers::rate(sum as f64 / last.len().max(1) as f64))
}

/// The series in at most `steps` values: the last ones of a live run, all of a capture.
fn binned(series: &[Second], impact: Impact, steps: usize, is_live: bool) -> Vec<u64> {
    if steps == 0 {
        return Vec::new();
    }
    let of = |part: &[Second]| part.iter().map(|step| step.resets.of(impact)).sum();
    if is_live {
        let last = &series[series.len().saturating_sub(steps)..];
        return last.chunks(1).map(of).collect();
    }
    series.chunks(series.len().div_ceil(steps).max(1)).map(of).collect()
}

/// One character each, of eight heights; what is not nothing is seen.
fn bars(values: &[u64], peak: u64) -> String {
    let bar = |value: &u64| match *value {
        0 => ' ',
        value => HEIGHTS[(value * HEIGHTS.len() as u64).div_ceil(peak).max(1) as usize - 1],
    };
    values.iter().map(bar).collect()
}

const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// Room for the greatest value.
const TAIL_WIDTH: usize = 14;
/// Seconds that a rate is taken over.
const RATE_STEPS: usize = 10;

#[cfg(test)]
mod tests {
    use super::bars;

    #[test]
    fn the_smallest_count_is_seen_and_the_greatest_is_full() {
        assert_eq!(bars(&[0, 1, 500, 1000], 1000), " ▁▄█");
        assert_eq!(bars(&[], 0), "");
        assert_eq!(bars(&[0, 0], 0), "  ");
    }
}
