//! Flow tables against each other, on the same segments; and how far ahead memory is best loaded.
//!
//! `instructions` counts under callgrind, the same number every time; `times` runs the tables in turns
//! and tells processor time; `worst` takes every segment by itself; `kept` tells what an attack makes a
//! table forget; `ahead` sweeps batch and prefetch. See `TABLES.md` for figures.
#![allow(clippy::unwrap_used, reason = "a bench that cannot go on stops")]
#![allow(clippy::print_stdout, reason = "figures are what it is for")]

mod ahead;
mod buckets;
mod script;
mod sets;
mod store;
mod swiss;

use std::process::Command;
use std::time::Instant;

use clap::{Parser, ValueEnum};

use crate::script::{Mix, Script};
use crate::store::{Advice, Store};

#[derive(Parser, Debug)]
pub(crate) struct Arguments {
    /// What to measure
    #[arg(value_enum)]
    what: What,
    /// Places in the table
    #[arg(long, default_value_t = 1 << 16)]
    flows: usize,
    /// Percent of them that are established from the start
    #[arg(long, default_value_t = 75)]
    load: u64,
    /// Only this mix
    #[arg(long)]
    mix: Option<Mix>,
    /// Only this store
    #[arg(long)]
    store: Option<usize>,
    /// Segments of one run
    #[arg(long, default_value_t = 400_000)]
    steps: usize,
    /// Only this batch: 8, 16, 32, 64, 128 or 256
    #[arg(long)]
    batch: Option<usize>,
    /// Runs in turns
    #[arg(long, default_value_t = 9)]
    rounds: usize,
    /// Ask for huge pages
    #[arg(long)]
    huge: bool,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum What {
    /// Instructions a segment, by callgrind
    Instructions,
    /// Nanoseconds of processor time a segment, stores in turns
    Times,
    /// The longest single segment
    Worst,
    /// Established flows that are still known at the end
    Kept,
    /// Batches and prefetches
    Ahead,
    /// One run and nothing else
    Run,
}

fn main() {
    let arguments = Arguments::parse();
    if arguments.what == What::Ahead {
        return ahead::compare(&arguments);
    }
    let mixes = arguments.mix.map_or_else(|| Mix::value_variants().to_vec(), |mix| vec![mix]);
    for mix in mixes {
        println!("{mix:?}, {} places, {} % established", arguments.flows, arguments.load);
        match arguments.what {
            What::Instructions => instructions(&arguments, mix),
            What::Times => times(&arguments, mix),
            What::Worst => worst(&arguments, mix),
            What::Kept => kept(&arguments, mix),
            What::Run | What::Ahead => {
                let mut run = START[arguments.store.unwrap()](&arguments, mix);
                run.steps(arguments.steps);
            }
        }
    }
}

/// A store and the segments it is given.
struct Running<S> {
    store: S,
    script: Script,
    bytes_at_first: usize,
}

/// The same for all stores.
trait Run {
    fn name(&self) -> &'static str;
    fn steps(&mut self, count: usize);
    /// Nanoseconds of every single segment.
    fn one_by_one(&mut self, count: usize) -> Vec<u32>;
    /// Percent of living connections that are known.
    fn kept_percent(&self) -> f64;
    /// Bytes at the start and now.
    fn memory_bytes(&self) -> [usize; 2];
}

type Start = fn(&Arguments, Mix) -> Box<dyn Run>;

const START: [Start; 6] = [
    start::<sets::Nothing>,
    start::<sets::Bare>,
    start::<sets::Sets>,
    start::<swiss::Swiss>,
    start::<buckets::Buckets>,
    start::<sets::Short>,
];
/// Those of them that are tables.
const TABLES: std::ops::Range<usize> = 2..5;

fn start<S: Store + 'static>(arguments: &Arguments, mix: Mix) -> Box<dyn Run> {
    let mut store = S::new(arguments.flows, &mut Advice { huge: arguments.huge });
    let script = Script::new(mix, arguments.flows as u64 * arguments.load / 100);
    for step in script.opening() {
        store.take(step.hash, step.now, step.seen);
    }
    let bytes_at_first = store.memory_bytes();
    Box::new(Running { store, script, bytes_at_first })
}

impl<S: Store> Run for Running<S> {
    fn name(&self) -> &'static str {
        S::NAME
    }

    fn steps(&mut self, count: usize) {
        for index in 0..count {
            let step = self.script.next();
            self.store.take(step.hash, step.now, step.seen);
            if index % BATCH == 0 {
                self.store.sweep(step.now);
            }
        }
    }

    fn one_by_one(&mut self, count: usize) -> Vec<u32> {
        let mut one = || {
            let step = self.script.next();
            let before = Instant::now();
            self.store.take(step.hash, step.now, step.seen);
            before.elapsed().as_nanos() as u32
        };
        (0..count).map(|_| one()).collect()
    }

    fn kept_percent(&self) -> f64 {
        let (mut known, mut all) = (0u32, 0u32);
        for hash in self.script.living() {
            known += u32::from(self.store.contains(hash));
            all += 1;
        }
        100.0 * f64::from(known) / f64::from(all)
    }

    fn memory_bytes(&self) -> [usize; 2] {
        [self.bytes_at_first, self.store.memory_bytes()]
    }
}

/// The difference of a long and a short run, so that the start cancels.
fn instructions(arguments: &Arguments, mix: Mix) {
    let count = |store: usize, steps: usize| -> f64 {
        let mut command = Command::new("valgrind");
        let mix = mix.to_possible_value().unwrap();
        let output = command
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .arg(std::env::current_exe().unwrap())
            .args(["run", "--mix", mix.get_name()])
            .args(["--store", &store.to_string(), "--steps", &steps.to_string()])
            .args(["--flows", &arguments.flows.to_string(), "--load", &arguments.load.to_string()])
            .output()
            .expect("valgrind is installed");
        let told = String::from_utf8(output.stderr).unwrap();
        let line = told.lines().find_map(|line| line.split_once("Collected : "));
        line.unwrap_or_else(|| panic!("{told}")).1.trim().parse().unwrap()
    };
    let stores: Vec<usize> =
        arguments.store.map_or((0..START.len()).collect(), |store| vec![store]);
    for store in stores {
        let steps = arguments.steps;
        let a_step = (count(store, 2 * steps) - count(store, steps)) / steps as f64;
        println!("  {:<18} {a_step:7.1}", NAMES[store]);
    }
}

fn times(arguments: &Arguments, mix: Mix) {
    let mut runs: Vec<Box<dyn Run>> = START.iter().map(|start| start(arguments, mix)).collect();
    let mut times = vec![Vec::new(); runs.len()];
    for _ in 0..arguments.rounds {
        for (run, times) in runs.iter_mut().zip(&mut times) {
            let before = processor_ns();
            run.steps(arguments.steps);
            times.push((processor_ns() - before) as f64 / arguments.steps as f64);
        }
    }
    for (run, times) in runs.iter().zip(&mut times) {
        times.sort_by(f64::total_cmp);
        let [least, median] = [times[0], times[times.len() / 2]];
        println!("  {:<18} min {least:6.1} ns, median {median:6.1}", run.name());
    }
}

/// The same run several times: what is slow every time is the table's doing, not the machine's.
fn worst(arguments: &Arguments, mix: Mix) {
    for start in &START[TABLES] {
        let mut name = "";
        let mut least = vec![u32::MAX; arguments.steps];
        for _ in 0..arguments.rounds {
            let mut run = start(arguments, mix);
            name = run.name();
            for (least, ns) in least.iter_mut().zip(run.one_by_one(arguments.steps)) {
                *least = ns.min(*least);
            }
        }
        let (index, ns) = least.iter().enumerate().max_by_key(|(_, ns)| **ns).unwrap();
        println!("  {name:<18} segment {index}: {:.1} us", f64::from(*ns) / 1e3);
    }
}

fn kept(arguments: &Arguments, mix: Mix) {
    for start in &START[TABLES] {
        let mut run = start(arguments, mix);
        let before = run.kept_percent();
        run.steps(arguments.steps);
        let [first, last] = run.memory_bytes().map(|bytes| bytes as f64 / arguments.flows as f64);
        println!(
            "  {:<18} known {before:.3} % at first, {:.3} % at the end; {first:.1} bytes a place, {last:.1}",
            run.name(),
            run.kept_percent(),
        );
    }
}

/// Processor time of this thread (Documentation/scheduler/sched-stats.rst).
pub(crate) fn processor_ns() -> u64 {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    told.split_ascii_whitespace().next().unwrap().parse().unwrap()
}

const NAMES: [&str; START.len()] = [
    sets::Nothing::NAME,
    sets::Bare::NAME,
    sets::Sets::NAME,
    swiss::Swiss::NAME,
    buckets::Buckets::NAME,
    sets::Short::NAME,
];
/// Segments between two sweeps.
const BATCH: usize = 64;
