//! The worker allocates nothing per packet and nothing per reset; a counting allocator watches.
//!
//! The only test of its file: it counts what the whole process allocates, and takes off its own
//! thread, which is the exporter's.
#![allow(clippy::unwrap_used, reason = "the lint knows test functions, not their helpers")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::{AtomicU64, Ordering};

use benches::{CaptureWriter, Mix, Traffic};
use events::Event;
use pipeline::{EvidenceOptions, Options, Sink};

struct Counting;

static ALL: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static OWN: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    ALL.fetch_add(1, Ordering::Relaxed);
    // Fails only while a thread is being torn down; then it is not the test's.
    let _ = OWN.try_with(|own| own.set(own.get() + 1));
}

// SAFETY: every call is passed to the system's allocator unchanged; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on; `pointer` came from `System`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's promise is passed on; `pointer` came from `System`.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

struct Told(u64);

impl Sink for Told {
    fn emit(&mut self, _: &Event) -> io::Result<()> {
        self.0 += 1;
        Ok(())
    }
}

/// Allocations of all other threads while a capture of this kind is read, and events told.
fn allocations(folder: &Path, packets: usize, mix: Mix, resets_per_mille: u64) -> (u64, u64) {
    keeping(EvidenceOptions::default(), folder, packets, mix, resets_per_mille)
}

/// The same with packets kept.
fn keeping(
    evidence: EvidenceOptions,
    folder: &Path,
    packets: usize,
    mix: Mix,
    resets_per_mille: u64,
) -> (u64, u64) {
    let path = folder.join("capture.pcap");
    let traffic = benches::Options { mix, resets_per_mille, flows: 5_000, ..Default::default() };
    let mut traffic = Traffic::new(&traffic);
    let file = io::BufWriter::new(std::fs::File::create(&path).unwrap());
    let mut capture = CaptureWriter::begin(file).unwrap();
    let mut frame = Vec::new();
    for _ in 0..packets {
        let time_ns = traffic.next_frame(&mut frame);
        capture.frame(time_ns, &frame).unwrap();
    }
    drop(capture.finish().unwrap());
    let options = Options {
        flows: 1 << 14,
        seed: Some(1),
        provisional: true,
        evidence,
        ..Default::default()
    };
    let others = || ALL.load(Ordering::Relaxed) - OWN.get();
    let (before, mut told) = (others(), Told(0));
    let report =
        pipeline::read(&[path], &options, None, &AtomicBool::new(false), &mut told).unwrap();
    assert_eq!(report.packets, packets as u64);
    (others() - before, told.0)
}

#[test]
fn the_worker_allocates_nothing_per_packet_and_nothing_per_reset() {
    let folder = tempfile::tempdir().unwrap();
    // Once, so that what is made only once does not count.
    allocations(folder.path(), 1_000, Mix::Small, 20);
    let (few, _) = allocations(folder.path(), 20_000, Mix::Small, 0);
    for mix in [Mix::Small, Mix::Imix, Mix::Churn, Mix::SynFlood, Mix::Vlan, Mix::Ipv6] {
        let (many, _) = allocations(folder.path(), 200_000, mix, 0);
        println!("{}: {few} for 20,000 packets, {many} for 200,000", mix.name());
        assert!(many <= few + SLACK, "{mix:?}: {many} allocations, not {few}");
    }
    let (many, told) = allocations(folder.path(), 400_000, Mix::Small, 50);
    println!("{many} for 400,000 packets and {told} events");
    assert!(told > 2_048 * 8, "several windows were exchanged");
    assert!(many <= few + SLACK, "{many} allocations for {told} events, not {few}");
    let evidence = EvidenceOptions { packets: 1 << 14, payload_bytes: 0 };
    let (few, _) = keeping(evidence, folder.path(), 20_000, Mix::Small, 0);
    let (many, told) = keeping(evidence, folder.path(), 400_000, Mix::Small, 50);
    println!("{many} for 400,000 packets and {told} events with packets kept");
    assert!(many <= few + SLACK, "{many} allocations for {told} events, not {few}");
}

/// Waiting in a channel may make a thread's own parking place, once.
const SLACK: u64 = 8;
