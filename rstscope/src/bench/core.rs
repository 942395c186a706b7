//! `rstscope bench core`: packets a second of one core, against connections and against size.

use std::io;
use std::sync::atomic::AtomicBool;

use anyhow::Context as _;
use benches::{Mix, Start, Traffic};
use events::Event;
use pipeline::{Options, Sink};

use super::arguments::CoreArguments;
use super::machine::{self, Machine};
use super::report::{Point, Report, Skipped, Sweep};
use super::rounds::{Plan, Rounds};

/// Measures every point, those of most connections last.
pub(super) fn measure(arguments: &CoreArguments) -> anyhow::Result<Report> {
    let core = arguments.core.or_else(|| machine::cores().last().copied());
    let mut report = Report::new(Machine::here(), core, arguments);
    for asked in points(arguments) {
        let (needed, available) = (asked.memory_bytes(), machine::available_bytes());
        if needed > available / 10 * 9 {
            report.skipped.push(Skipped {
                flows: asked.flows,
                frame_len: asked.frame_len,
                needed_bytes: needed,
                available_bytes: available,
            });
            continue;
        }
        report.points.push(asked.measure(arguments, core)?);
    }
    Ok(report)
}

/// One combination that shall be measured.
#[derive(Clone, Copy)]
struct Asked {
    sweep: Sweep,
    flows: usize,
    frame_len: usize,
    packets: usize,
    rounds: u32,
}

fn points(arguments: &CoreArguments) -> Vec<Asked> {
    let (packets, rounds) = (arguments.packets as usize, arguments.rounds);
    if arguments.quick {
        let quick = |sweep, frame_len| Asked {
            sweep,
            flows: 1 << 10,
            frame_len,
            packets: 20_000,
            rounds: 2,
        };
        return vec![quick(Sweep::Flows, SMALLEST), quick(Sweep::Size, 512)];
    }
    let by_size = arguments.sizes.iter().map(|&frame_len| Asked {
        sweep: Sweep::Size,
        flows: arguments.size_flows,
        frame_len,
        packets,
        rounds,
    });
    let mut flows = arguments.flows.clone();
    flows.sort_unstable();
    let by_flows = flows.into_iter().map(|flows| Asked {
        sweep: Sweep::Flows,
        flows,
        frame_len: SMALLEST,
        packets,
        rounds,
    });
    by_size.chain(by_flows).collect()
}

impl Asked {
    /// Entries of the table: what is used unless told otherwise, or so many that it is full to
    /// at most four fifths.
    fn table_flows(&self) -> usize {
        (self.flows + self.flows / 4).next_power_of_two().max(Options::default().flows)
    }

    /// What it takes, by and large: the table, the connections of the maker, the frames.
    fn memory_bytes(&self) -> u64 {
        let stride = if self.frame_len > SMALLEST { 128 } else { 64 };
        (self.table_flows() * 136 + self.flows * 48 + self.packets * (stride + 2)) as u64
            + (256 << 20)
    }

    fn measure(&self, arguments: &CoreArguments, core: Option<usize>) -> anyhow::Result<Point> {
        let is_smallest = self.frame_len <= SMALLEST;
        let traffic = Traffic::new(&benches::Options {
            // No room for TCP options in the smallest frames.
            mix: if is_smallest { Mix::Small } else { Mix::Imix },
            flows: self.flows,
            resets_per_mille: 0,
            start: Start::Handshakes,
            rate: arguments.rate,
            seed: arguments.seed,
            frame_len: (!is_smallest).then_some(self.frame_len),
            ..benches::Options::default()
        });
        let source = Rounds::new(
            traffic,
            Plan {
                rounds: self.rounds,
                packets: self.packets,
                resets_per_mille: (arguments.resets * 10.0).round() as u64,
                frame_len_max: if is_smallest { SMALLEST } else { self.frame_len.max(SYN_LEN) },
                core,
                rate: arguments.rate,
            },
        );
        let bytes = source.memory_bytes();
        let options = Options {
            flows: self.table_flows(),
            // The same table for the same seed.
            seed: Some(arguments.seed),
            ..Options::default()
        };
        let names = ["memory".to_owned()];
        // Set by the replay when it ends; signals end the process.
        let stop = AtomicBool::new(false);
        let (source, sensed) =
            pipeline::replay(source, bytes, &names, &options, &stop, &mut Counted)
                .context("judge made-up traffic")?;
        Ok(Point::of(self.sweep, self.flows, self.frame_len, &source, &sensed))
    }
}

/// Counts only, as `read --summary` does.
struct Counted;

impl Sink for Counted {
    fn wants_events(&self) -> bool {
        false
    }

    fn emit(&mut self, _: &Event) -> io::Result<()> {
        Ok(())
    }
}

/// The least an Ethernet frame has, without its check sequence.
const SMALLEST: usize = 60;
/// A SYN with options.
const SYN_LEN: usize = 74;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_asked_for_before_it_is_taken() {
        let asked = |flows| Asked {
            sweep: Sweep::Flows,
            flows,
            frame_len: SMALLEST,
            packets: 1 << 20,
            rounds: 1,
        };
        assert_eq!(asked(1 << 16).table_flows(), 1 << 20, "what is used unless told otherwise");
        assert_eq!(asked(1 << 20).table_flows(), 1 << 21, "full to four fifths at most");
        assert!(asked(1 << 24).memory_bytes() > 5_000_000_000);
        assert!(asked(1 << 16).memory_bytes() < 600_000_000);
    }
}
