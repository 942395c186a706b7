//! Time of each stage of the packet path, for a batch after another of each mix.
#![allow(missing_docs, reason = "criterion's macros make public functions")]
#![allow(clippy::unwrap_used, reason = "a bench that cannot go on stops")]

use std::hint::black_box;

use benches::{Mix, Options, Traffic};
use classifiers::{Setting, judge};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use flowtable::{
    Direction, FlowHash, FlowKey, FlowTable, KeyScope, Segment, TableOptions, TapPort, Timeouts,
    Timestamp, Watch,
};
use wire::{LinkType, Packet, parse};

/// Frames measured at a time: more than fit the second-level cache, as on a tap.
const FRAMES: usize = 20_000;

fn frames(mix: Mix) -> Vec<(Timestamp, Vec<u8>)> {
    let mut traffic = Traffic::new(&Options { mix, flows: 5_000, ..Options::default() });
    let mut frame = Vec::new();
    let mut next = || (Timestamp(traffic.next_frame(&mut frame)), frame.clone());
    (0..FRAMES).map(|_| next()).collect()
}

fn packets(frames: &[(Timestamp, Vec<u8>)]) -> impl Iterator<Item = (Timestamp, Packet<'_>)> {
    frames.iter().map(|(time, bytes)| (*time, parse(LinkType::Ethernet, bytes).unwrap()))
}

/// A segment and whose it is.
#[derive(Clone, Copy)]
struct Known {
    key: FlowKey,
    hash: FlowHash,
    direction: Direction,
    segment: Segment,
}

fn table() -> FlowTable {
    let timeouts = Timeouts::default();
    FlowTable::new(&TableOptions { flows: 1 << 17, hosts: 1 << 12, seed: 1, timeouts })
}

fn known(table: &FlowTable, frames: &[(Timestamp, Vec<u8>)]) -> Vec<Known> {
    let known = |(time, packet): (Timestamp, Packet<'_>)| {
        let (key, direction) = FlowKey::of(&packet, KeyScope::default());
        let segment = Segment::of(&packet, time, TapPort(0));
        Known { key, hash: table.hash(&key), direction, segment }
    };
    packets(frames).map(known).collect()
}

fn observe(table: &mut FlowTable, known: &Known) {
    let Some(slot) = table.place(known.hash, None, known.segment.time) else { return };
    let ports = [known.key.low.port, known.key.high.port];
    let change = table.record_mut(slot).observe(known.direction, &known.segment, ports);
    black_box(change);
    table.refresh(slot, known.segment.time);
}

/// The resets among the frames, each with its flow as it was.
fn watches(table: &mut FlowTable, known: &[Known]) -> Vec<Watch> {
    let mut watches = Vec::new();
    for known in known {
        if let (true, Some(slot)) = (known.segment.flags.rst(), table.find(known.hash)) {
            let before = *table.record(slot);
            watches.push(Watch::new(known.key, known.direction, known.segment, before));
        }
        observe(table, known);
    }
    watches
}

fn stages(criterion: &mut Criterion) {
    for mix in Mix::ALL {
        let frames = frames(mix);
        let mut table = table();
        let known = known(&table, &frames);
        let mut group = criterion.benchmark_group("stages");
        group.throughput(Throughput::Elements(FRAMES as u64));
        let of = |stage: &str| BenchmarkId::new(stage, mix.name());
        group.bench_function(of("parse"), |bench| {
            bench.iter(|| packets(&frames).fold(0, |sum, (_, packet)| sum ^ packet.tcp.seq.0));
        });
        group.bench_function(of("parse, segment"), |bench| {
            bench.iter(|| {
                for (time, packet) in packets(&frames) {
                    black_box(Segment::of(&packet, time, TapPort(0)));
                }
            });
        });
        group.bench_function(of("hash, place"), |bench| {
            bench.iter(|| {
                for known in &known {
                    let hash = table.hash(black_box(&known.key));
                    black_box(table.place(hash, None, known.segment.time));
                }
            });
        });
        group.bench_function(of("place, observe"), |bench| {
            bench.iter(|| known.iter().for_each(|known| observe(&mut table, known)));
        });
        let watches = watches(&mut table, &known);
        if !watches.is_empty() {
            group.throughput(Throughput::Elements(watches.len() as u64));
            group.bench_function(of("judge"), |bench| {
                bench.iter(|| {
                    for watch in &watches {
                        black_box(judge(watch, true, &Setting::NONE));
                    }
                });
            });
        }
        group.finish();
    }
}

criterion_group!(benches, stages);
criterion_main!(benches);
