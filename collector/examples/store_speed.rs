//! How fast the store takes events and minutes while it is asked: `cargo run --release -p collector --example
//! store_speed [-- EVENTS [DIRECTORY]]`. A directory is filled once and used again.
//!
//! Fills thirty days of counts: a minute every hour, every sixth one of 20,000 keys on 5,000 servers and the
//! others of 200. Then one thread puts events in batches of 2,000 and minutes of 20,000 keys, and another
//! one asks for overviews of an hour, a day and thirty days all the while. Processor time is that of the thread that
//! puts, from /proc/thread-self/schedstat: what else runs on the machine does not count. What an overview took is
//! told by the clock, as a person waits, and of a processor, for machines that do other work.
#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs)]

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use classifiers::{Cause, Impact, Origin, Stage};
use collector::{Ask, Incoming, Store, StoreOptions};
use events::{
    Body, Clients, Connections, Event, Minute, MinuteRow, Record, SCHEMA, ServerRange, ServiceRow,
    Spread, UtcTime,
};

const NS: u64 = 1_000_000_000;
const BATCH: usize = 2000;
const DAYS: u64 = 30;

fn main() {
    let events: u64 = std::env::args().nth(1).map_or(300_000, |text| text.parse().unwrap());
    let temporary = tempfile::tempdir().unwrap();
    let directory = std::env::args().nth(2).map_or_else(|| temporary.path().into(), PathBuf::from);
    let options = StoreOptions { directory, ..StoreOptions::default() };
    let store = Store::open(&options).unwrap();
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() / 60 * 60;
    let (large, small) = (template(5000), template(50));

    let begun = Instant::now();
    // Another run of a sensor: numbers and identifiers begin anew.
    let run = store.sensors().unwrap().first().map_or(0, |sensor| sensor.records);
    let mut sequence = run;
    if run == 0 {
        for hour in (1..=DAYS * 24).rev() {
            let text = if hour % 6 == 0 { &large } else { &small };
            sequence += 1;
            put_minute(&store, text, sequence, now_s - hour * 3600);
        }
        println!("filled with {} minutes in {:.0} s", DAYS * 24, begun.elapsed().as_secs_f64());
    }

    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| ask_until(&store, &is_over, now_s));
        let (mut event_ns, mut minute_ns, mut minutes) = (0, 0, 0);
        let mut lines = event_lines();
        let begun = Instant::now();
        for batch in 0..events / BATCH as u64 {
            renew(&mut lines, run + batch * BATCH as u64, now_s * NS);
            let before = cpu_ns();
            let incoming: Vec<Incoming<'_>> =
                lines.iter().map(|line| Incoming::read(line).unwrap()).collect();
            assert_eq!(store.put(&incoming).unwrap().new, BATCH as u64);
            event_ns += cpu_ns() - before;
            if batch % 50 == 25 {
                sequence += 1;
                minutes += 1;
                let before = cpu_ns();
                put_minute(&store, &large, sequence, now_s - 60 * minutes);
                minute_ns += cpu_ns() - before;
            }
        }
        let wall_s = begun.elapsed().as_secs_f64();
        is_over.store(true, Ordering::Relaxed);
        let took = asking.join().unwrap();
        let event_us = event_ns as f64 / events as f64 / 1e3;
        let minute_ms = minute_ns as f64 / f64::from(u32::try_from(minutes).unwrap().max(1)) / 1e6;
        println!("{events} events and {minutes} minutes in {wall_s:.1} s of wall time");
        println!("an event: {event_us:.2} us of one core, {:.0} a second", 1e6 / event_us);
        println!("a minute of 20,000 keys: {minute_ms:.0} ms of one core");
        let load = event_us * 50_000.0 / 1e6 + minute_ms / 60_000.0;
        println!(
            "50,000 events a second and 20,000 keys a minute: {:.0} % of one core (less than 100 is the goal)",
            load * 100.0
        );
        for (name, took) in took {
            let (mut wall, mut cpu): (Vec<f64>, Vec<f64>) = took.into_iter().unzip();
            wall.sort_by(f64::total_cmp);
            cpu.sort_by(f64::total_cmp);
            let at = |share: f64| ((wall.len() - 1) as f64 * share) as usize;
            println!(
                "overview of {name}: {} asked, p50 {:.0} ms, p95 {:.0} ms, p99 {:.0} ms; \
                 on a processor p50 {:.0} ms, p95 {:.0} ms",
                wall.len(),
                wall[at(0.5)],
                wall[at(0.95)],
                wall[at(0.99)],
                cpu[at(0.5)],
                cpu[at(0.95)]
            );
        }
    });
    println!("{:?}", store.state());
}

/// Milliseconds that each overview took: by the clock, and of a processor.
type Took = BTreeMap<&'static str, Vec<(f64, f64)>>;

fn ask_until(store: &Store, is_over: &AtomicBool, now_s: u64) -> Took {
    let mut took = Took::new();
    while !is_over.load(Ordering::Relaxed) {
        for (name, hours) in [("1 hour", 1), ("1 day", 24), ("30 days", 24 * DAYS)] {
            let ask = Ask {
                from: UtcTime((now_s - hours * 3600) * NS),
                to: UtcTime(now_s * NS),
                filters: Vec::new(),
                sensor: None,
                limit: 10,
                offset: 0,
            };
            let (begun, before) = (Instant::now(), cpu_ns());
            let overview = store.overview(&ask).unwrap();
            let took_ms = (begun.elapsed().as_secs_f64() * 1e3, (cpu_ns() - before) as f64 / 1e6);
            took.entry(name).or_default().push(took_ms);
            assert!(overview.connections.opened > 0 || hours == 1);
        }
        // A page that is open asks about as often.
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    took
}

fn put_minute(store: &Store, text: &str, sequence: u64, start_s: u64) {
    let start = UtcTime(start_s * NS).to_string();
    let line = text
        .replacen("0000000000000001-1", &format!("0000000000000001-{sequence}"), 1)
        .replacen("\"sequence\":1,", &format!("\"sequence\":{sequence},"), 1)
        .replacen("the name", &format!("run-{start_s}-{sequence}"), 1)
        .replacen("2001-01-01T00:00:00.000000000Z", &start, 1);
    let put = store.put(&[Incoming::read(line.as_bytes()).unwrap()]).unwrap();
    assert_eq!(put.new, 1, "{:?}", put.refused);
}

/// A minute of four keys a server, as a line.
fn template(servers: u32) -> String {
    let mut minute = Minute {
        schema: SCHEMA,
        id: "the name".to_owned(),
        start: UtcTime(978_307_200 * NS),
        span_s: 60,
        connections: Connections { opened: 1_000_000, established: 990_000, ..Default::default() },
        ..Minute::default()
    };
    for number in 0..servers {
        let server = ServerRange {
            ip: Ipv4Addr::from(0x0a00_0000 + number).into(),
            port: Some(443),
            prefix: None,
        };
        let connections =
            Connections { opened: 200, established: 190, reset: 12, ..Default::default() };
        minute.services.push(ServiceRow { server, connections });
        for kind in 0..4 {
            let mut row = row(server, number as usize * 4 + kind);
            row.count = 1 + (number as u64 * 7 + kind as u64) % 9;
            minute.rows.push(row);
        }
    }
    let body = Body::Minute(minute);
    line(&Record { uid: uid(1), sequence: 1, sensor: "tap-1".into(), test: false, body })
}

fn row(server: ServerRange, draw: usize) -> MinuteRow {
    let mut clients = Clients::default();
    let mut spread = Spread::default();
    for turn in 0..4 {
        clients.add(Ipv4Addr::from(0xac10_0000 + (draw * 13 + turn * 7919) as u32 % 5000).into());
        spread.add((draw % 400 + turn * 10) as f64 / 7.0);
    }
    MinuteRow {
        server,
        origin: Origin::ALL[draw % Origin::ALL.len()],
        cause: Cause::ALL[draw / 3 % Cause::ALL.len()],
        stage: Stage::ALL[draw / 5 % Stage::ALL.len()],
        impact: Impact::ALL[draw % Impact::ALL.len()],
        count: 4,
        clients,
        top_clients: Vec::new(),
        confidence_sum: 3.7,
        confidence_least: 0.9,
        time_to_reset_s: spread.clone(),
        idle_before_s: spread.clone(),
        bytes_before: spread,
        idle_timers: BTreeMap::from([(60, 1)]),
        examples: vec![format!("{draw:016x}")],
    }
}

fn uid(session: u64) -> String {
    format!("{session:016x}-1")
}

fn line(record: &Record) -> String {
    serde_json::to_string(record).unwrap()
}

/// Lines of real events, with marks where [`renew`] writes.
fn event_lines() -> Vec<Vec<u8>> {
    let sample: Event =
        serde_json::from_str(include_str!("../../delivery/src/test_event.json")).unwrap();
    let lines = (0..BATCH).map(|number| {
        let mut event = sample.clone();
        event.server.ip = Ipv4Addr::from(0x0a00_0000 + number as u32 % 5000).into();
        event.verdict.impact = Impact::ALL[number % Impact::ALL.len()];
        event.verdict.cause = Cause::ALL[number % Cause::ALL.len()];
        event.id = "i".repeat(16);
        line(&Record {
            uid: format!("{:016x}-{FIRST}", 2),
            sequence: FIRST,
            sensor: "tap-1".into(),
            test: false,
            body: Body::Event(event),
        })
    });
    lines.map(String::into_bytes).collect()
}

/// Numbers of events begin here, so that all are as long.
const FIRST: u64 = 100_000_000_000;

/// Gives every line another number, identifier and time, in place.
fn renew(lines: &mut [Vec<u8>], before: u64, now_ns: u64) {
    for (number, line) in lines.iter_mut().enumerate() {
        let turn = before + number as u64 + 1;
        let digits = (FIRST + turn).to_string();
        for place in [find(line, b"\"uid\":\"") + 17, find(line, b"\"sequence\":")] {
            line[place..place + digits.len()].copy_from_slice(digits.as_bytes());
        }
        let id = find(line, b"\"id\":\"");
        let name = format!("{:016x}", turn.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        line[id..id + 16].copy_from_slice(name.as_bytes());
        let ts = find(line, b"\"ts\":\"");
        let time = UtcTime(now_ns + turn * 20_000).to_string();
        line[ts..ts + time.len()].copy_from_slice(time.as_bytes());
    }
}

fn find(line: &[u8], mark: &[u8]) -> usize {
    line.windows(mark.len()).position(|part| part == mark).unwrap() + mark.len()
}

/// Nanoseconds that this thread was on a processor.
fn cpu_ns() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    stat.split(' ').next().unwrap().parse().unwrap()
}
