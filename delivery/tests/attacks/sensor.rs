//! A stand-in for the sensor: numbered events, and options that fit a test.

use std::path::Path;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use delivery::{
    Delivery, Identity, NdjsonOptions, Options, OtlpOptions, SendOptions, SinkOptions,
    SpoolOptions, Status,
};
use events::{Clients, Connections, Event, Minute, MinuteRow, ServiceRow, Spread, UtcTime};

/// Event number `n`; its id is the number.
pub fn event(n: u64) -> Event {
    static TEMPLATE: LazyLock<Event> = LazyLock::new(|| {
        let mut event: Event = serde_json::from_str(EVENT).unwrap();
        event.verdict.evidence.truncate(1);
        event
    });
    let mut event = TEMPLATE.clone();
    event.id = format!("{n:016}");
    event
}

/// A minute with one row, of event number 1.
pub fn minute() -> Minute {
    let event = event(1);
    let mut idle_before_s = Spread::default();
    idle_before_s.add(350.0);
    let row = MinuteRow {
        server: event.server.into(),
        origin: event.verdict.origin,
        cause: event.verdict.cause,
        stage: event.verdict.stage,
        impact: event.verdict.impact,
        count: 1,
        clients: Clients::default(),
        top_clients: Vec::new(),
        confidence_sum: 0.9,
        confidence_least: 0.9,
        time_to_reset_s: Spread::default(),
        idle_before_s,
        bytes_before: Spread::default(),
        idle_timers: [(350, 1)].into(),
        examples: vec![event.id],
    };
    let connections = Connections { opened: 3, reset: 1, ..Connections::default() };
    let services = vec![ServiceRow { server: row.server, connections }];
    Minute {
        id: "m".to_owned(),
        start: UtcTime(event.ts.0 / 60_000_000_000 * 60_000_000_000),
        span_s: 60,
        rows: vec![row],
        services,
        connections,
        ..Minute::default()
    }
}

/// A spool of small segments.
pub fn spool(directory: &Path) -> SpoolOptions {
    SpoolOptions {
        directory: directory.join("spool"),
        segment_bytes: 64 << 10,
        free_percent_min: 0.0,
        ..SpoolOptions::default()
    }
}

/// Quick pace.
pub fn send() -> SendOptions {
    SendOptions { batch_wait_s: 0.01, retry_s_max: 0.05, ..SendOptions::default() }
}

pub fn otlp(url: String) -> OtlpOptions {
    OtlpOptions { url, timeout_s: 2.0, send: send(), ..OtlpOptions::default() }
}

pub fn ndjson(directory: &Path) -> SinkOptions {
    SinkOptions::Ndjson(NdjsonOptions {
        directory: Some(directory.join("files")),
        file_bytes_max: 64 << 20,
        send: send(),
        ..NdjsonOptions::default()
    })
}

pub fn start(options: &Options) -> Delivery {
    Delivery::start(options, &Identity::of_this_machine("test"), &[]).unwrap()
}

/// Emits so many events, from the next number on, and waits until they are in the spool.
pub fn emit(delivery: &Delivery, count: u64) {
    emit_all(delivery, count, event);
}

/// The same with a kilobyte in each that cannot be compressed by much.
pub fn emit_noisy(delivery: &Delivery, count: u64) {
    emit_all(delivery, count, |n| {
        let mut event = event(n);
        event.rst.payload_text = Some((0..1000).map(|_| fastrand::alphanumeric()).collect());
        event
    });
}

fn emit_all(delivery: &Delivery, count: u64, event: impl Fn(u64) -> Event) {
    let first = delivery.next_sequence();
    for n in first..first + count {
        // Never more on the way than the channel holds: this sensor can wait.
        while n - delivery.next_sequence() > 1000 {
            std::thread::yield_now();
        }
        delivery.emit(&event(n));
    }
    while delivery.next_sequence() < first + count {
        std::thread::yield_now();
    }
}

/// Waits until the status is as `is_so` says.
pub fn wait(delivery: &Delivery, what: &str, is_so: impl Fn(&Status) -> bool) -> Status {
    let begun = Instant::now();
    loop {
        let status = delivery.status();
        if is_so(&status) {
            return status;
        }
        assert!(begun.elapsed() < PATIENCE, "{what}: {status:#?}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The sequences in the files of the NDJSON sink, in their order.
pub fn lines(directory: &Path) -> Vec<u64> {
    let mut files: Vec<_> =
        std::fs::read_dir(directory.join("files")).unwrap().map(|f| f.unwrap().path()).collect();
    let number = |path: &Path| -> u64 {
        let stem = path.file_stem().unwrap().to_str().unwrap();
        stem.rsplit_once('-').unwrap().1.parse().unwrap()
    };
    files.sort_by_key(|path| number(path));
    let mut sequences = Vec::new();
    for path in files {
        for line in std::fs::read_to_string(path).unwrap().lines() {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            sequences.push(line["sequence"].as_u64().unwrap());
        }
    }
    sequences
}

const EVENT: &str = include_str!("../../src/test_event.json");

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(60);
