//! One run in a process of its own, so that its threads and its memory are its own.

use std::io;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc;

use benches::Mix;
use events::{Event, Report, Start};
use pipeline::{Options, Sharding, Sink};

use crate::queue::{Dealing, Queue};

/// What is run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    pub(crate) packets: u64,
    pub(crate) flows: usize,
    pub(crate) resets_per_mille: u64,
    /// Packets a second of packet time.
    pub(crate) rate: u64,
    pub(crate) workers: usize,
    /// Ordinary RSS and rings between the workers; else symmetric RSS and none.
    pub(crate) hands_over: bool,
}

/// What a run without callgrind says of itself.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Told {
    pub(crate) resets: f64,
    pub(crate) opened: f64,
    pub(crate) lost: f64,
    pub(crate) beyond: f64,
    pub(crate) ring_bytes: f64,
    pub(crate) workers_s: f64,
    pub(crate) exporter_s: f64,
}

impl Run {
    /// As the child's arguments.
    pub(crate) fn words(&self) -> String {
        let Self { packets, flows, resets_per_mille, rate, workers, hands_over } = *self;
        let numbers = [packets, flows as u64, resets_per_mille, rate, workers as u64];
        let numbers = numbers.map(|number| number.to_string()).join(" ");
        format!("{numbers} {}", u64::from(hands_over))
    }

    fn of_words(words: &str) -> Option<Self> {
        let numbers: Vec<u64> = words.split(' ').map_while(|word| word.parse().ok()).collect();
        let &[packets, flows, resets_per_mille, rate, workers, hands_over] = &numbers[..] else {
            return None;
        };
        let (flows, workers, hands_over) = (flows as usize, workers as usize, hands_over != 0);
        Some(Self { packets, flows, resets_per_mille, rate, workers, hands_over })
    }
}

/// Runs what the words of [`Run::words`] say, and prints what it was.
///
/// Frames are made on a thread of their own, the second one: the first is the exporter's, and what
/// it costs must not hold their making.
pub(crate) fn child(words: &str) {
    let run = Run::of_words(words).expect("the parent writes the words");
    let traffic = benches::Options {
        mix: Mix::Small,
        flows: run.flows,
        resets_per_mille: run.resets_per_mille,
        rate: run.rate,
        ..Default::default()
    };
    let (dealing, sharding) = if run.hands_over {
        (Dealing::Directions, Sharding::ByHash)
    } else {
        (Dealing::Connections, Sharding::ByQueue)
    };
    let (give, take) = mpsc::sync_channel(0);
    let (running, ended) = mpsc::channel::<()>();
    std::thread::spawn(move || {
        let _ = give.send(Queue::deal(&traffic, run.packets, run.workers, dealing));
        // Its number must not go to a worker.
        let _ = ended.recv();
    });
    let queues = take.recv().expect("frames are made");
    let least = queues.iter().map(Queue::len).min().unwrap_or(0) as u64;
    assert!(least * run.workers as u64 * 10 >= run.packets * 9, "queues are dealt evenly");
    let options = Options { flows: run.flows * 4, seed: Some(1), ..Options::default() };
    let stop = AtomicBool::new(false);
    let report =
        pipeline::replay_queues(queues, "memory", sharding, &options, &stop, &mut Nothing).unwrap();
    drop(running);
    assert_eq!(report.packets, run.packets);
    print(&report);
}

fn print(report: &Report) {
    let lost: u64 = report.losses.get("handover_ring_full").copied().unwrap_or(0);
    let beyond = report.losses.get("resets_beyond_context_budget").copied().unwrap_or(0);
    let resets = report.resets.primary + report.resets.secondary + report.resets.duplicate;
    println!("resets: {resets}");
    println!("opened: {}", report.connections.opened);
    println!("lost: {lost}");
    println!("beyond: {beyond}");
    println!("rings: {}", report.memory.total_bytes());
    println!("workers: {}", report.cpu.workers_s);
    println!("exporter: {}", report.cpu.exporter_s);
}

/// Reads what [`print`] wrote.
pub(crate) fn told(output: &str) -> Told {
    let number = |name: &str| -> f64 {
        let line = output.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name} in {output}")).trim().parse().unwrap()
    };
    Told {
        resets: number("resets:"),
        opened: number("opened:"),
        lost: number("lost:"),
        beyond: number("beyond:"),
        ring_bytes: number("rings:"),
        workers_s: number("workers:"),
        exporter_s: number("exporter:"),
    }
}

/// Wants no events: what they cost to write depends on who listens.
struct Nothing;

impl Sink for Nothing {
    fn wants_events(&self) -> bool {
        false
    }

    fn start(&mut self, _: &Start) -> io::Result<()> {
        Ok(())
    }

    fn emit(&mut self, _: &Event) -> io::Result<()> {
        Ok(())
    }
}
