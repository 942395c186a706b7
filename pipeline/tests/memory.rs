//! Memory is what was said at the start, whatever is read: a child process reads endless input
//! from a pipe and tells its peak.
#![allow(clippy::unwrap_used, reason = "the lint knows test functions, not their helpers")]
#![allow(clippy::print_stdout, reason = "figures and modes are worth reading")]

mod support;

use std::io::{self, BufWriter};
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;

use benches::{CaptureWriter, Mix, Traffic};
use events::Event;
use pipeline::{Options, Sink};

const CHILD: &str = "MEMORY_TEST_CHILD";

/// Wants events, or only what is counted.
struct Nothing {
    events: bool,
}

impl Sink for Nothing {
    fn wants_events(&self) -> bool {
        self.events
    }

    fn emit(&mut self, _: &Event) -> io::Result<()> {
        Ok(())
    }
}

/// Not a test by itself: the child, whose standard input is a capture.
#[test]
fn child_that_reads_standard_input() {
    let Ok(wish) = std::env::var(CHILD) else { return };
    let events = wish == "events";
    let options = Options { seed: Some(1), provisional: events, ..Options::default() };
    let mut sink = Nothing { events };
    let report =
        pipeline::read(&["-".into()], &options, None, &AtomicBool::new(false), &mut sink).unwrap();
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    println!("\npackets: {}", report.packets);
    println!("stated: {}", report.memory.total_bytes() / 1024);
    println!("peak: {}", peak.trim().strip_suffix(" kB").unwrap());
}

/// What a child needs for such a capture, and what it stated, in KiB.
#[derive(Debug)]
struct Need {
    peak: u64,
    stated: u64,
}

fn need(packets: u64, mix: Mix, resets_per_mille: u64) -> Need {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_that_reads_standard_input", "--nocapture"])
        .env(CHILD, if mix == Mix::Scan { "summary" } else { "events" })
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let pipe = BufWriter::with_capacity(1 << 16, child.stdin.take().unwrap());
    let mut capture = CaptureWriter::begin(pipe).unwrap();
    let options = benches::Options { mix, resets_per_mille, rate: 200_000, ..Default::default() };
    let (mut traffic, mut frame) = (Traffic::new(&options), Vec::new());
    for _ in 0..packets {
        let time_ns = traffic.next_frame(&mut frame);
        capture.frame(time_ns, &frame).unwrap();
    }
    drop(capture.finish().unwrap());
    let output = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    let number = |name: &str| {
        let line = output.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name} in {output}")).trim().parse::<u64>().unwrap()
    };
    assert_eq!(number("packets:"), packets);
    let need = Need { peak: number("peak:"), stated: number("stated:") };
    println!("{packets} packets of {}, {resets_per_mille} per mille resets: {need:?}", mix.name());
    need
}

#[test]
fn many_times_the_packets_and_a_flood_need_no_more_memory() {
    // Enough resets to have touched every window, watch and group once.
    let few = need(300_000, Mix::Small, 50);
    let many = need(2_000_000, Mix::Small, 50);
    let flood = need(2_000_000, Mix::SynFlood, 0);
    for other in [&many, &flood] {
        // Tables of cross-flow context fill as they are needed, within what was stated.
        let limit = few.peak.max(few.stated) + SLACK_KIB;
        assert!(other.peak < limit, "{other:?} against {few:?}");
        assert_eq!(other.stated, few.stated);
    }
    // The process itself and its libraries are not in the sum.
    assert!(many.peak < many.stated + 4 * SLACK_KIB, "more than was stated: {many:?}");
}

#[test]
fn a_scan_of_three_times_the_targets_needs_no_more_memory() {
    let (one, three) = (need(2_000_000, Mix::Scan, 0), need(6_000_000, Mix::Scan, 0));
    assert!(three.peak <= one.peak + one.peak / 50, "{three:?} against {one:?}");
    assert!(three.peak < three.stated + 4 * SLACK_KIB, "more than was stated: {three:?}");
}

/// Every packet opens a connection, the most that a file can hold.
#[test]
fn a_small_file_takes_little_memory_and_loses_no_connection() {
    const PACKETS: usize = 20_000;
    let folder = tempfile::tempdir().unwrap();
    let path = [folder.path().join("syns.pcap")];
    let file = std::fs::File::create(&path[0]).unwrap();
    let mut capture = CaptureWriter::begin(BufWriter::new(file)).unwrap();
    let mix = benches::Options { mix: Mix::SynFlood, ..Default::default() };
    let (mut traffic, mut frame) = (Traffic::new(&mix), Vec::new());
    for _ in 0..PACKETS {
        let time_ns = traffic.next_frame(&mut frame);
        capture.frame(time_ns, &frame).unwrap();
    }
    drop(capture.finish().unwrap());
    for seed in 1..=8 {
        let options = Options { seed: Some(seed), ..Options::default() };
        let (mut sink, stop) = (Nothing { events: false }, AtomicBool::new(false));
        let report = pipeline::read(&path, &options, None, &stop, &mut sink).unwrap();
        assert_eq!(report.connections.opened, PACKETS as u64, "all are different");
        assert!(report.losses.is_empty(), "{:?}", report.losses);
        let table = report.memory.items.iter().find(|item| item.name.starts_with("flow table"));
        let (table, whole) = (table.unwrap().bytes, options.flows as u64 * 132);
        assert!(table < whole / 4, "{table} of {whole}");
    }
}

/// Heaps of the exporter's events, stacks, and what the allocator keeps.
const SLACK_KIB: u64 = 6 * 1024;
