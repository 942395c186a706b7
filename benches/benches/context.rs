//! What judging by other connections costs: the same traffic with it and without it, in turns.
//!
//! Each run is a child process that reads endless input from a pipe, so that its memory and its
//! threads are its own. `--instructions` counts them under callgrind instead of taking time: fewer
//! packets, but the same number every time.
#![allow(clippy::unwrap_used, reason = "a bench that cannot go on stops")]
#![allow(clippy::print_stdout, reason = "figures are what it is for")]

use std::fs;
use std::io::{self, BufWriter};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;

use benches::{CaptureWriter, Mix, Traffic};
use clap::Parser;
use events::{Event, Status};
use pipeline::{Options, Sink};

#[derive(Parser, Debug)]
struct Arguments {
    /// Packets of each run
    #[arg(long, default_value_t = 2_000_000)]
    packets: u64,
    /// Pairs of runs; the median ratio is told
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Count instructions of each thread under callgrind
    #[arg(long)]
    instructions: bool,
    /// Only this traffic: scan, resets or none
    #[arg(long)]
    only: Option<String>,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

/// Name, mix and thousandths of resets.
const TRAFFIC: [(&str, Mix, u64); 3] =
    [("scan", Mix::Scan, 0), ("resets", Mix::Imix, 20), ("none", Mix::Imix, 0)];

fn main() {
    if let Ok(context) = std::env::var(CHILD) {
        return child(context == "on");
    }
    let arguments = Arguments::parse();
    let wanted = |name: &str| arguments.only.as_deref().is_none_or(|only| only == name);
    for (name, mix, resets_per_mille) in TRAFFIC.into_iter().filter(|(name, ..)| wanted(name)) {
        let runs: Vec<[Run; 2]> = (0..arguments.rounds)
            .map(|_| [true, false].map(|on| run(&arguments, mix, resets_per_mille, on)))
            .collect();
        for [with, without] in &runs {
            println!("{name}: with context {with:?}");
            println!("{name}: without      {without:?}");
        }
        let ratio = |part: fn(&Run) -> f64| {
            let mut ratios: Vec<f64> = runs.iter().map(|[a, b]| part(a) / part(b)).collect();
            ratios.sort_by(f64::total_cmp);
            ratios[ratios.len() / 2]
        };
        println!(
            "{name}: worker x {:.3}, all threads x {:.3}, peak memory x {:.3}",
            ratio(|run| run.worker),
            ratio(|run| run.all),
            ratio(|run| run.peak_kib as f64),
        );
    }
}

/// Of one child; instructions or nanoseconds a packet.
#[derive(Clone, Copy, Debug)]
struct Run {
    worker: f64,
    all: f64,
    peak_kib: u64,
    #[allow(dead_code, reason = "shown by Debug")]
    stated_kib: u64,
}

fn run(arguments: &Arguments, mix: Mix, resets_per_mille: u64, context: bool) -> Run {
    let itself = std::env::current_exe().unwrap();
    let folder = std::env::temp_dir().join(format!("context-bench-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let mut command = if arguments.instructions {
        let mut command = Command::new("valgrind");
        let out = folder.join("callgrind");
        command
            .args(["-q", "--tool=callgrind", "--separate-threads=yes"])
            .arg(format!("--callgrind-out-file={}", out.display()))
            .arg(itself);
        command
    } else {
        Command::new(itself)
    };
    let mut child = command
        .env(CHILD, if context { "on" } else { "off" })
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let pipe = BufWriter::with_capacity(1 << 16, child.stdin.take().unwrap());
    write(pipe, arguments.packets, mix, resets_per_mille);
    let output = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    let number = |name: &str| -> f64 {
        let line = output.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name} in {output}")).trim().parse().unwrap()
    };
    assert_eq!(number("packets:") as u64, arguments.packets);
    let packets = arguments.packets as f64;
    let [worker, all] = if arguments.instructions {
        let [main, worker] = [1, 2].map(|thread| instructions(&folder, thread));
        [worker / packets, (worker + main) / packets]
    } else {
        [number("worker:"), number("all:") / packets]
    };
    fs::remove_dir_all(&folder).unwrap();
    Run { worker, all, peak_kib: number("peak:") as u64, stated_kib: number("stated:") as u64 }
}

fn write(pipe: impl io::Write, packets: u64, mix: Mix, resets_per_mille: u64) {
    let options = benches::Options { mix, resets_per_mille, rate: 200_000, ..Default::default() };
    let (mut traffic, mut frame) = (Traffic::new(&options), Vec::new());
    let mut capture = CaptureWriter::begin(pipe).unwrap();
    for _ in 0..packets {
        let time_ns = traffic.next_frame(&mut frame);
        capture.frame(time_ns, &frame).unwrap();
    }
    drop(capture.finish().unwrap());
}

/// What callgrind counted for a thread; the main thread, which exports, is 1, the worker 2.
fn instructions(folder: &Path, thread: u32) -> f64 {
    let text = fs::read_to_string(folder.join(format!("callgrind-{thread:02}"))).unwrap();
    let totals = text.lines().find_map(|line| line.strip_prefix("totals: "));
    totals.expect("callgrind writes totals").trim().parse().unwrap()
}

/// Wants no events, and looks at the worker's clock as long as that lives.
#[derive(Default)]
struct Watching {
    worker_ns: u64,
    packets: u64,
}

impl Sink for Watching {
    fn wants_events(&self) -> bool {
        false
    }

    fn emit(&mut self, _: &Event) -> io::Result<()> {
        Ok(())
    }

    fn status(&mut self, status: &Status) -> io::Result<()> {
        if let Some(ns) = worker_ns() {
            (self.worker_ns, self.packets) = (ns, status.packets);
        }
        Ok(())
    }
}

fn child(context: bool) {
    let options = Options { seed: Some(1), context, ..Options::default() };
    let mut sink = Watching::default();
    let stop = AtomicBool::new(false);
    let report = pipeline::read(&["-".into()], &options, None, &stop, &mut sink).unwrap();
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    println!("packets: {}", report.packets);
    println!("worker: {}", sink.worker_ns as f64 / sink.packets.max(1) as f64);
    println!("all: {}", user_ns());
    println!("peak: {}", peak.trim().strip_suffix(" kB").unwrap());
    println!("stated: {}", report.memory.total_bytes() / 1024);
}

/// Time on a processor of the worker.
fn worker_ns() -> Option<u64> {
    let is_worker = |task: &Path| {
        fs::read_to_string(task.join("comm")).is_ok_and(|name| name.trim() == "worker-0")
    };
    let mut tasks = fs::read_dir("/proc/self/task").ok()?.filter_map(Result::ok);
    let worker = tasks.find(|task| is_worker(&task.path()))?;
    let text = fs::read_to_string(worker.path().join("schedstat")).ok()?;
    text.split_whitespace().next()?.parse().ok()
}

/// User time of the whole process, in steps of 10 ms.
fn user_ns() -> u64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    // The 14th field of proc(5); the first after the name is the third.
    fields.split_whitespace().nth(11).unwrap().parse::<u64>().unwrap() * 10_000_000
}

const CHILD: &str = "CONTEXT_BENCH_CHILD";
