//! Time of each stage of the packet path and of the exporter, for a batch after another of each mix.
#![allow(missing_docs, reason = "criterion's macros make public functions")]
#![allow(clippy::unwrap_used, reason = "a bench that cannot go on stops")]

use std::hint::black_box;

use benches::{Mix, Options, Resets, Start, Traffic};
use classifiers::{Context, Setting, decide, judge};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use flowtable::{
    Direction, FlowHash, FlowKey, FlowTable, KeyScope, Segment, TableOptions, TapPort, Timeouts,
    Timestamp, Watch, WatchPool,
};
use wire::{LinkType, Packet, parse};

/// Frames measured at a time, a quarter of them handshakes: more than fit the second-level cache.
const FRAMES: usize = 60_000;

fn frames(mix: Mix) -> Vec<(Timestamp, Vec<u8>)> {
    let (resets, start) = (Resets::AllKinds, Start::Handshakes);
    let options = Options { mix, flows: 5_000, resets, start, ..Options::default() };
    let mut traffic = Traffic::new(&options);
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
        group.finish();
        resets(criterion, mix, &watches(&mut table, &known), &known);
    }
}

/// What becomes of a reset, in the worker and in the exporter.
fn resets(criterion: &mut Criterion, mix: Mix, watches: &[Watch], known: &[Known]) {
    if watches.is_empty() {
        return;
    }
    let mut group = criterion.benchmark_group("resets");
    group.throughput(Throughput::Elements(watches.len() as u64));
    let of = |stage: &str| BenchmarkId::new(stage, mix.name());
    for (stage, is_final) in [("decide at once", false), ("decide for good", true)] {
        group.bench_function(of(stage), |bench| {
            bench.iter(|| {
                for watch in watches {
                    black_box(decide(watch, is_final, &Setting::NONE));
                }
            });
        });
    }
    group.bench_function(of("judge, with its proof"), |bench| {
        bench.iter(|| {
            for watch in watches {
                black_box(judge(watch, true, &Setting::NONE));
            }
        });
    });
    let mut table = table();
    known.iter().for_each(|known| observe(&mut table, known));
    let mut pool = WatchPool::new(watches.len());
    group.bench_function(of("watch: start, observe, end"), |bench| {
        bench.iter(|| {
            for watch in watches {
                let hash = table.hash(&watch.key);
                let place = table.find(hash);
                pool.start(watch, place.map(|slot| (slot, &mut table)));
                if let Some(record) = place.map(|slot| table.record(slot)) {
                    pool.observe(record, watch.direction, &watch.reset);
                }
            }
            pool.expire_all(&mut table, |watch| {
                black_box(watch);
            });
        });
    });
    let rulings: Vec<_> =
        watches.iter().map(|watch| (watch, decide(watch, true, &Setting::NONE))).collect();
    let mut context = Context::new();
    group.bench_function(of("context: learn"), |bench| {
        bench.iter(|| {
            for (watch, ruling) in &rulings {
                black_box(context.learn(watch, ruling));
            }
        });
    });
    group.bench_function(of("context: ask"), |bench| {
        bench.iter(|| {
            for (watch, ruling) in &rulings {
                black_box(context.setting(watch, ruling, false));
            }
        });
    });
    group.finish();
}

criterion_group!(benches, stages);
criterion_main!(benches);
