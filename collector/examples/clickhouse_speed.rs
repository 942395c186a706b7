//! What it costs a collector to keep in ClickHouse, and how soon overviews are answered: `cargo run --release -p
//! collector --example clickhouse_speed [-- EVENTS]`. The engine is the one of the tests (chdb behind a server with
//! one thread), so what it takes for itself is no measure of a server; the collector's own processor time is, and
//! how overviews over different times compare.
//!
//! Fills thirty days of counts: a minute every hour, every sixth one of 5,000 keys and the others of 50. Then puts
//! events in batches of 2,000, and at last asks. Processor time is that of the thread that puts, from
//! /proc/thread-self/schedstat: from lines as they come from a receiver to the reply of the server.
#![allow(clippy::print_stderr, clippy::print_stdout, clippy::unwrap_used, missing_docs)]

#[path = "../tests/clickhouse/engine.rs"]
mod engine;
#[path = "../../delivery/tests/servers/mod.rs"]
mod servers;
#[path = "../tests/store_support/mod.rs"]
mod store_support;

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use collector::{Arrival, ClickHouse, Keep, Past};
use engine::Engine;
use events::{Body, RecordKind};
use store_support::{DAY_S, NS, ask, event, line, minute};

fn main() {
    let events: u64 = std::env::args().nth(1).map_or(100_000, |text| text.parse().unwrap());
    let Some(engine) = Engine::start() else { return };
    let store = ClickHouse::open(&engine.options).unwrap();
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() / 60 * 60;

    let (mut cpu, mut keys, begun) = (0, 0, Instant::now());
    let hours: Vec<u64> = (1..=DAYS * 24).rev().collect();
    for some in hours.chunks(24) {
        let batch: Vec<Arrival> = some
            .iter()
            .map(|hour| {
                let servers = if hour % 6 == 0 { 5000 } else { 50 };
                keys += u64::from(servers);
                let minute = minute(now_s - hour * 3600, servers, *hour);
                arrival(*hour, RecordKind::Minute, Body::Minute(minute))
            })
            .collect();
        cpu += put(&store, &batch);
    }
    println!(
        "{} minutes of {keys} keys in {:.0} s; a key: {:.1} us of one core of the collector",
        DAYS * 24,
        begun.elapsed().as_secs_f64(),
        cpu as f64 / keys as f64 / 1e3
    );

    let (mut cpu, begun) = (0, Instant::now());
    for first in (0..events).step_by(BATCH) {
        let batch: Vec<Arrival> = (first..first + BATCH as u64)
            .map(|n| {
                let event = event(n, (now_s - 3600) * NS + n * 20_000);
                arrival(DAYS * 24 + 1 + n, RecordKind::Event, Body::Event(event))
            })
            .collect();
        cpu += put(&store, &batch);
    }
    let event_us = cpu as f64 / events as f64 / 1e3;
    println!(
        "{events} events in {:.0} s; an event: {event_us:.1} us of one core of the collector, {:.0} a second",
        begun.elapsed().as_secs_f64(),
        1e6 / event_us
    );

    for (name, days) in [("an hour", 0), ("a day", 1), ("12 days", 12), ("30 days", DAYS)] {
        let asked = ask(now_s - (days * DAY_S).max(3600), now_s, &[]);
        let mut took: Vec<f64> = (0..ASKED)
            .map(|_| {
                let begun = Instant::now();
                assert!(Past::overview(&store, &asked).is_ok());
                begun.elapsed().as_secs_f64() * 1e3
            })
            .collect();
        took.sort_by(f64::total_cmp);
        let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize];
        println!("overview of {name}: p50 {:.0} ms, p95 {:.0} ms", at(0.5), at(0.95));
    }
}

fn arrival(sequence: u64, kind: RecordKind, body: Body) -> Arrival {
    let json = line(1, sequence, "tap-1", body).into();
    Arrival { session: 1, sequence, sensor: "tap-1".to_owned(), kind, is_test: false, json }
}

/// Nanoseconds that this thread was on a processor for it.
fn put(store: &ClickHouse, batch: &[Arrival]) -> u64 {
    let before = cpu_ns();
    let kept = store.keep(batch).unwrap();
    assert_eq!(kept.new, batch.len() as u64, "{:?}", kept.refused.first());
    cpu_ns() - before
}

fn cpu_ns() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    stat.split(' ').next().unwrap().parse().unwrap()
}

const BATCH: usize = 2000;
const DAYS: u64 = 30;
/// Each overview.
const ASKED: usize = 40;
