//! What the model of `SCALING.md` needs to know: instructions, cache lines and time of a packet, of a
//! reset and of a hand-over, with one worker and with two; and the model itself, as tables.
//!
//! ```sh
//! cargo bench -p benches --bench scaling           # or benches/scaling.sh, which can write them down
//! ```
#![allow(clippy::unwrap_used, reason = "a bench that cannot go on stops")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "figures are what it is for")]

mod child;
mod measure;
mod memory;
mod model;
mod queue;

use clap::Parser;

use crate::child::Run;
use crate::measure::{CHILD, Counted, SECOND_LEVEL_BYTES, Timed, count, time};
use crate::model::{Constants, RING_SEGMENTS};

#[derive(Parser, Debug)]
struct Arguments {
    /// Packets of a run under callgrind; the cost is that of the second half
    #[arg(long, default_value_t = 300_000)]
    packets: u64,
    /// Connections side by side under callgrind; their records do not fit the simulated cache
    #[arg(long, default_value_t = 25_000)]
    flows: usize,
    /// Packets of a run by the clock; the time is that of the second half
    #[arg(long, default_value_t = 4_000_000)]
    timed_packets: u64,
    /// Connections side by side in a run by the clock
    #[arg(long, default_value_t = 500_000)]
    timed_flows: usize,
    /// Runs by the clock; the median counts
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Nominal clock of the cores here, which turns time into cycles
    #[arg(long, default_value_t = clock_ghz())]
    ghz: f64,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

/// What is run: name, thousandths of resets, packets a second, workers, rings or not.
const CASES: [(&str, u64, u64, usize, bool); CASE_COUNT] = [
    ("1 worker, no resets", 0, 200_000, 1, false),
    ("1 worker, 2 % resets", 20, 200_000, 1, false),
    ("1 worker, a flood of resets", 200, 10_000_000, 1, false),
    ("2 workers, symmetric queues", 20, 200_000, 2, false),
    ("2 workers, hand-over", 20, 200_000, 2, true),
];
const CASE_COUNT: usize = 5;

fn main() {
    if let Ok(words) = std::env::var(CHILD) {
        return child::child(&words);
    }
    let arguments = Arguments::parse();
    let case = |(_, resets_per_mille, rate, workers, hands_over), packets, flows| Run {
        packets,
        flows,
        resets_per_mille,
        rate,
        workers,
        hands_over,
    };
    let counted = CASES.map(|of| {
        eprintln!("count: {}", of.0);
        count(&case(of, arguments.packets, arguments.flows))
    });
    let mut rounds = vec![];
    for round in 1..=arguments.rounds {
        eprintln!("time: round {round} of {}", arguments.rounds);
        rounds
            .push(CASES.map(|of| time(&case(of, arguments.timed_packets, arguments.timed_flows))));
    }
    let timed = std::array::from_fn(|case| {
        let of = |part: fn(&Timed) -> f64| median(rounds.iter().map(|round| part(&round[case])));
        Timed {
            worker_ns_a_packet: of(|timed| timed.worker_ns_a_packet),
            exporter_ns_a_reset: of(|timed| timed.exporter_ns_a_reset),
        }
    });
    print_runs(&arguments, &counted, &timed);
    let constants = constants(&arguments, &counted, &timed);
    print!("{constants}");
    constants.print_model();
}

/// The cases as they were run.
fn print_runs(arguments: &Arguments, counted: &[Counted; CASE_COUNT], timed: &[Timed; CASE_COUNT]) {
    println!("### Runs\n");
    println!(
        "64-byte frames. Counted: {} packets, {} connections; lines from beyond {} KiB. Timed: {} \
         packets, {} connections, {} rounds, median. Each the difference to half as many packets. \
         `{}`, {} cores.\n",
        arguments.packets,
        arguments.flows,
        SECOND_LEVEL_BYTES >> 10,
        arguments.timed_packets,
        arguments.timed_flows,
        arguments.rounds,
        processor(),
        std::thread::available_parallelism().map_or(0, usize::from),
    );
    println!(
        "| run | worker, instructions a packet | lines a packet | written back | exporter, \
         instructions a reset | worker, ns a packet | exporter, ns a reset | rings overflowed | resets \
         beyond the budget |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for ((case, counted), timed) in CASES.iter().zip(counted).zip(timed) {
        let Counted { packets, resets, workers, exporter, told } = counted;
        let reset = |cost: f64| match *resets {
            0.0 => "–".to_owned(),
            resets => format!("{:.0}", cost / resets),
        };
        let exporter_ns = match *resets {
            0.0 => "–".to_owned(),
            _ => format!("{:.0}", timed.exporter_ns_a_reset),
        };
        println!(
            "| {} | {:.0} | {:.2} | {:.2} | {} | {:.0} | {} | {} | {} |",
            case.0,
            workers.instructions / packets,
            workers.lines / packets,
            workers.written_back / packets,
            reset(exporter.instructions),
            timed.worker_ns_a_packet,
            exporter_ns,
            told.lost,
            told.beyond,
        );
    }
    println!();
}

fn constants(
    arguments: &Arguments,
    counted: &[Counted; CASE_COUNT],
    timed: &[Timed; CASE_COUNT],
) -> Constants {
    let [plain, resets, flood, symmetric, handed] = counted;
    assert!(
        (symmetric.told.opened - handed.told.opened).abs() < symmetric.told.opened / 100.0,
        "with and without rings the same connections are found"
    );
    let instructions = |counted: &Counted| counted.workers.instructions / counted.packets;
    let share = resets.resets / resets.packets;
    let flood_share = flood.resets / flood.packets;
    let handed_share = 0.5;
    let notes = plain.exporter.instructions / plain.packets;
    let exporter = |counted: &Counted| {
        (counted.exporter.instructions - notes * counted.packets) / counted.resets
    };
    let per = |more: f64, less: f64, share: f64| (more - less) / share;
    Constants {
        ghz: arguments.ghz,
        packet_instructions: instructions(plain),
        reset_instructions: per(instructions(resets), instructions(plain), share),
        flood_reset_instructions: per(instructions(flood), instructions(plain), flood_share),
        handover_instructions: per(instructions(handed), instructions(symmetric), handed_share),
        learned_instructions: exporter(resets),
        told_instructions: exporter(flood),
        lines: plain.workers.lines / plain.packets,
        written_back: plain.workers.written_back / plain.packets,
        handover_lines: per(
            handed.workers.lines / handed.packets,
            symmetric.workers.lines / symmetric.packets,
            handed_share,
        ),
        segment_bytes: handed.told.ring_bytes / 2.0 / RING_SEGMENTS,
        packet_ns: timed[0].worker_ns_a_packet,
        packet_with_resets_ns: timed[1].worker_ns_a_packet,
        handover_ns: per(timed[4].worker_ns_a_packet, timed[3].worker_ns_a_packet, handed_share),
        learned_ns: timed[1].exporter_ns_a_reset,
        told_ns: timed[2].exporter_ns_a_reset,
        line_ns: memory::random_line_ns(arguments.rounds),
    }
}

fn median(numbers: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = numbers.collect();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

fn processor() -> String {
    cpu_info("model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned())
}

/// As the kernel says; 1 where it does not, so that cycles are nanoseconds.
fn clock_ghz() -> f64 {
    cpu_info("cpu MHz").and_then(|mhz| mhz.parse::<f64>().ok()).map_or(1.0, |mhz| mhz / 1000.0)
}

fn cpu_info(name: &str) -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
