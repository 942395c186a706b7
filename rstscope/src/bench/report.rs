//! What `bench core` measured, as one value.

use std::collections::BTreeMap;

use serde::Serialize;

use super::arguments::CoreArguments;
use super::machine::Machine;
use super::rounds::{Round, Rounds};

/// All of it; `--json` prints this.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) machine: Machine,
    /// The core that it was measured on.
    pub(super) core: Option<usize>,
    /// Percentage of resets in the rounds with resets, as asked for.
    pub(super) resets_percent: f64,
    pub(super) seed: u64,
    pub(super) points: Vec<Point>,
    /// What did not fit.
    pub(super) skipped: Vec<Skipped>,
}

/// What is varied.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Sweep {
    Flows,
    Size,
}

/// One combination of connections and size.
#[derive(Debug, Serialize)]
pub(super) struct Point {
    pub(super) sweep: Sweep,
    /// Connections that live side by side.
    pub(super) flows: usize,
    /// Bytes of a frame with data, without check sequence.
    pub(super) frame_len: usize,
    /// The table of flows, bytes.
    pub(super) table_bytes: u64,
    /// Huge pages of the whole process, bytes.
    pub(super) huge_bytes: u64,
    pub(super) without_resets: Measured,
    pub(super) with_resets: Measured,
    /// Frames that were lent, and those that the sensor counted: always the same.
    pub(super) lent: u64,
    pub(super) judged: u64,
    /// Primary resets that were told.
    pub(super) resets: u64,
    /// Processor seconds of the other thread, which hears what other connections tell, for each
    /// reset told; it runs on another core.
    pub(super) exporter_ns_per_reset: Option<f64>,
    /// What was lost, by name: of what is known about packets, never packets themselves.
    pub(super) losses: BTreeMap<String, u64>,
}

/// Rounds of one kind.
#[derive(Debug, Serialize)]
pub(super) struct Measured {
    /// Mean bytes of a frame, without check sequence.
    pub(super) mean_len: f64,
    /// Millions of packets a second of processor time.
    pub(super) mpps: Spread,
    /// The same in Gbit/s on the wire: with check sequence, preamble and gap, 24 bytes a frame.
    pub(super) gbps: f64,
    /// Nanoseconds a packet, of the median round.
    pub(super) ns_per_packet: f64,
    /// Share of the time that the worker had the core while it was measured; what is missing took
    /// others, or waiting for the other thread.
    pub(super) core_share: f64,
}

/// How far rounds lie apart.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Spread {
    pub(super) min: f64,
    pub(super) median: f64,
    pub(super) max: f64,
}

/// A combination that did not fit into memory.
#[derive(Debug, Serialize)]
pub(super) struct Skipped {
    pub(super) flows: usize,
    pub(super) frame_len: usize,
    pub(super) needed_bytes: u64,
    pub(super) available_bytes: u64,
}

impl Report {
    pub(super) fn new(machine: Machine, core: Option<usize>, arguments: &CoreArguments) -> Self {
        Self {
            machine,
            core,
            resets_percent: arguments.resets,
            seed: arguments.seed,
            points: Vec::new(),
            skipped: Vec::new(),
        }
    }

    /// The points of one sweep.
    pub(super) fn of(&self, sweep: Sweep) -> impl Iterator<Item = &Point> {
        self.points.iter().filter(move |point| point.sweep == sweep)
    }

    /// Whether every frame that was lent was counted by the sensor.
    pub(super) fn adds_up(&self) -> bool {
        self.points.iter().all(|point| point.lent == point.judged)
    }
}

impl Point {
    pub(super) fn of(
        sweep: Sweep,
        flows: usize,
        frame_len: usize,
        source: &Rounds,
        sensed: &events::Report,
    ) -> Self {
        let of_kind = |resets: bool| {
            let rounds = source.rounds().iter().filter(move |round| round.has_resets == resets);
            Measured::of(&rounds.copied().collect::<Vec<_>>())
        };
        let table = sensed.memory.items.iter().filter(|item| item.name.contains("flow"));
        let resets = sensed.resets.primary;
        let exporter_ns = sensed.cpu.exporter_s * 1e9;
        Self {
            sweep,
            flows,
            frame_len,
            table_bytes: table.map(|item| item.bytes).sum(),
            huge_bytes: source.huge_bytes(),
            without_resets: of_kind(false),
            with_resets: of_kind(true),
            lent: source.lent(),
            judged: sensed.packets,
            resets,
            exporter_ns_per_reset: (resets > 0).then(|| exporter_ns / resets as f64),
            losses: sensed.losses.clone(),
        }
    }
}

impl Measured {
    fn of(rounds: &[Round]) -> Self {
        let packets: u64 = rounds.iter().map(|round| round.packets).sum();
        let bytes: u64 = rounds.iter().map(|round| round.bytes).sum();
        let cpu_ns: u64 = rounds.iter().map(|round| round.cpu_ns).sum();
        let wall_ns: u64 = rounds.iter().map(|round| round.wall_ns).sum();
        let mean_len = bytes as f64 / packets.max(1) as f64;
        let rate = |round: &Round| round.packets as f64 * 1e3 / round.cpu_ns.max(1) as f64;
        let mpps = Spread::of(rounds.iter().map(rate).collect());
        Self {
            mean_len,
            mpps,
            gbps: gbps(mpps.median, mean_len),
            ns_per_packet: 1e3 / mpps.median.max(1e-9),
            core_share: cpu_ns as f64 / wall_ns.max(1) as f64,
        }
    }
}

impl Spread {
    /// Zeros of nothing.
    pub(super) fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let (Some(&min), Some(&max)) = (values.first(), values.last()) else {
            return Self { min: 0.0, median: 0.0, max: 0.0 };
        };
        let upper = values.len() / 2;
        let lower = (values.len() - 1) / 2;
        Self { min, median: f64::midpoint(values[lower], values[upper]), max }
    }

    /// Half the distance between the extremes, in percent of the median.
    pub(super) fn percent(&self) -> f64 {
        (self.max - self.min) * 50.0 / self.median.max(1e-9)
    }
}

/// Gbit/s that frames of `mean_len` bytes without check sequence take on the wire.
pub(super) fn gbps(mpps: f64, mean_len: f64) -> f64 {
    mpps * (mean_len + WIRE_EXTRA) * 8.0 / 1e3
}

/// Packets, in millions a second, of a full link of so many Gbit/s.
pub(super) fn line_rate_mpps(gbps: f64, mean_len: f64) -> f64 {
    gbps * 1e3 / (mean_len + WIRE_EXTRA) / 8.0
}

/// Check sequence, preamble, start delimiter and gap of a frame (IEEE 802.3), bytes.
const WIRE_EXTRA: f64 = 4.0 + 8.0 + 12.0;
/// Links that are drawn and compared with, Gbit/s.
pub(super) const LINKS: [f64; 4] = [1.0, 10.0, 25.0, 40.0];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_rates_are_those_of_the_books() {
        assert!((line_rate_mpps(10.0, 60.0) - 14.881).abs() < 0.001);
        assert!((line_rate_mpps(1.0, 1514.0) - 0.0813).abs() < 0.0001);
        assert!((gbps(14.881, 60.0) - 10.0).abs() < 0.001);
    }

    #[test]
    fn a_spread_has_its_median_in_the_middle() {
        let spread = Spread::of(vec![4.0, 1.0, 2.0, 3.0]);
        assert_eq!((spread.min, spread.median, spread.max), (1.0, 2.5, 4.0));
        assert!((spread.percent() - 60.0).abs() < 1e-9);
        assert_eq!(Spread::of(Vec::new()).median, 0.0);
    }
}
