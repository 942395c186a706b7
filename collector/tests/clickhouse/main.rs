//! The store in ClickHouse, against the current engine (chdb, a Python package).
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(clippy::print_stderr, reason = "a test that is skipped says so")]

mod engine;
mod past;
#[path = "../../../delivery/tests/servers/mod.rs"]
mod servers;
#[path = "../store_support/mod.rs"]
mod store_support;

use bytes::Bytes;
use collector::{Arrival, ClickHouse, ClickHouseOptions, Keep as _};
use events::{
    Clients, Connections, Event, Minute, MinuteRow, RecordKind, ServerRange, ServiceRow, UtcTime,
};
use serde_json::{Value, json};

use engine::Engine;

fn arrival(kind: RecordKind, sequence: u64, body: Value) -> Arrival {
    Arrival {
        session: 7,
        sequence,
        sensor: "it's here".to_owned(),
        kind,
        is_test: false,
        json: Bytes::from(body.to_string()),
    }
}

fn event(number: u64, change: impl FnOnce(&mut Event)) -> Arrival {
    let text = include_str!("../../../delivery/src/test_event.json");
    let mut event: Event = serde_json::from_str(text).unwrap();
    event.id = format!("{number:016x}");
    event.ts = UtcTime(*NOW * 1_000_000_000 + number);
    change(&mut event);
    arrival(RecordKind::Event, number, serde_json::to_value(&event).unwrap())
}

fn minute(number: u64) -> Arrival {
    of_minute(number, *NOW + number * 60)
}

fn of_minute(number: u64, start_s: u64) -> Arrival {
    let server = ServerRange { ip: "10.0.0.1".parse().unwrap(), port: Some(443), prefix: None };
    let mut clients = Clients::default();
    for last in 0..50 {
        clients.add(format!("192.0.2.{}", (last + number) % 256).parse().unwrap());
    }
    let row = json!({
        "server": server, "origin": "server", "cause": "app_abort", "stage": "later", "impact": "aborted",
        "count": 100, "clients": clients, "top_clients": [{"ip": "192.0.2.1", "count": 9}],
        "confidence_sum": 90.0, "confidence_least": 0.7,
        "time_to_reset_s": {"count": 2, "sum": 3.0, "buckets": {"-3": 1, "4": 1}},
        "idle_before_s": {"count": 0, "sum": 0.0, "buckets": {}},
        "bytes_before": {"count": 0, "sum": 0.0, "buckets": {}},
        "idle_timers": {"60": 4}, "examples": ["00000000000000aa"],
    });
    let row: MinuteRow = serde_json::from_value(row).unwrap();
    let connections = Connections { opened: 1000, ..Connections::default() };
    let minute = Minute {
        schema: 1,
        id: format!("minute {number}"),
        start: UtcTime(start_s * 1_000_000_000),
        span_s: 60,
        rows: vec![row],
        services: vec![ServiceRow { server, connections }],
        connections,
        ..Minute::default()
    };
    arrival(RecordKind::Minute, 1000 + number, serde_json::to_value(&minute).unwrap())
}

#[test]
fn records_are_kept_once_and_rolled_up_once_however_often_they_come() {
    let Some(engine) = Engine::start() else { return };
    let store = ClickHouse::open(&engine.options).unwrap();
    let mut batch: Vec<Arrival> = (0..1000).map(|number| event(number, |_| {})).collect();
    batch.extend((0..5).map(minute));
    let kept = store.keep(&batch).unwrap();
    assert_eq!((kept.new, kept.repeated, kept.refused.len()), (1005, 0, 0));
    // The same again, cut otherwise and mixed with what is new, by another collector.
    let other = ClickHouse::open(&engine.options).unwrap();
    let mut again: Vec<Arrival> = (500..1500).map(|number| event(number, |_| {})).collect();
    again.extend((3..8).map(minute));
    again.push(minute(7));
    let kept = other.keep(&again).unwrap();
    assert_eq!(kept.repeated, 3);
    assert_eq!(engine.ask("SELECT count(), uniqExact(id) FROM events FINAL"), "1500\t1500");
    for table in ["rows_1m FINAL", "rows_10m FINAL", "rows_1h FINAL"] {
        assert_eq!(engine.ask(&format!("SELECT sum(count) FROM {table}")), "800", "{table}");
    }
    for table in ["minutes FINAL", "services_1m FINAL", "services_10m FINAL", "services_1h FINAL"] {
        assert_eq!(engine.ask(&format!("SELECT sum(opened) FROM {table}")), "8000", "{table}");
    }
    let timers = engine.ask("SELECT sumMap(idle_timers), sumMap(age_buckets) FROM rows_10m FINAL");
    assert_eq!(timers, "{60:32}\t{-3:8,4:8}");
    let mut all = Clients::default();
    for last in 0..57 {
        all.add(format!("192.0.2.{last}").parse().unwrap());
    }
    let registers = engine.ask("SELECT maxForEach(clients) FROM rows_1h FINAL");
    let registers: Vec<u8> = serde_json::from_str(&registers).unwrap();
    assert_eq!(Clients::of_registers(&registers), Some(all));
}

#[test]
fn a_collector_that_died_between_two_inserts_is_made_good_by_the_next() {
    let Some(engine) = Engine::start() else { return };
    let store = ClickHouse::open(&engine.options).unwrap();
    store.keep(&[minute(0)]).unwrap();
    // As if it had died before each of the tables was written, the minute itself always the last.
    for lost in ["minutes", "rows_1h", "services_10m", "rows_10m", "services_1m"] {
        engine.ask("TRUNCATE TABLE minutes");
        engine.ask(&format!("TRUNCATE TABLE {lost}"));
        let kept = store.keep(&[minute(0)]).unwrap();
        assert_eq!(kept.repeated, 0);
        for table in ["rows_1m", "rows_10m", "rows_1h"] {
            let sum = engine.ask(&format!("SELECT sum(count) FROM {table} FINAL"));
            assert_eq!(sum, "100", "{table} after {lost}");
        }
        for table in ["services_1m", "services_10m", "services_1h"] {
            let sum = engine.ask(&format!("SELECT sum(opened) FROM {table} FINAL"));
            assert_eq!(sum, "1000", "{table} after {lost}");
        }
        assert_eq!(engine.ask("SELECT count() FROM minutes FINAL"), "1");
    }
}

#[test]
fn sums_of_minutes_whose_rows_are_gone_stay_when_others_of_their_step_come_late() {
    let Some(engine) = Engine::start() else { return };
    let store = ClickHouse::open(&engine.options).unwrap();
    store.keep(&[minute(0), minute(1)]).unwrap();
    // As if they had come three days ago: of rows of minutes nothing is left.
    for table in ["rows_10m", "rows_1h", "services_10m", "services_1h"] {
        engine.ask(&format!("CREATE TABLE old AS {table}"));
        engine
            .ask(&format!("INSERT INTO old SELECT * REPLACE (day - 3 AS day) FROM {table} FINAL"));
        engine.ask(&format!("TRUNCATE TABLE {table}"));
        engine.ask(&format!("INSERT INTO {table} SELECT * FROM old"));
        engine.ask("DROP TABLE old");
    }
    engine.ask("TRUNCATE TABLE rows_1m");
    engine.ask("TRUNCATE TABLE services_1m");
    for late in [2, 3, 3] {
        store.keep(&[minute(late)]).unwrap();
    }
    for table in ["rows_10m", "rows_1h"] {
        assert_eq!(engine.ask(&format!("SELECT sum(count) FROM {table} FINAL")), "400", "{table}");
    }
    for table in ["services_10m", "services_1h"] {
        assert_eq!(
            engine.ask(&format!("SELECT sum(opened) FROM {table} FINAL")),
            "4000",
            "{table}"
        );
    }
}

#[test]
fn minutes_of_many_days_come_in_one_batch() {
    let Some(engine) = Engine::start() else { return };
    let store = ClickHouse::open(&engine.options).unwrap();
    // A partition each; each an hour of its own.
    let many: Vec<Arrival> = (0..250).map(|day| of_minute(day, *NOW - day * 86_400)).collect();
    assert_eq!(store.keep(&many).unwrap().new, 250);
    assert_eq!(store.keep(&many).unwrap().repeated, 250);
    assert_eq!(engine.ask("SELECT sum(count), count() FROM rows_1h FINAL"), "25000\t250");
}

#[test]
fn the_last_telling_of_an_event_holds_and_what_is_none_is_refused() {
    let Some(engine) = Engine::start() else { return };
    let store = ClickHouse::open(&engine.options).unwrap();
    let revised = event(1, |event| event.revision = 1);
    let provisional = event(1, |event| event.status = events::EventStatus::Provisional);
    let broken = arrival(RecordKind::Event, 9, json!({"id": "x"}));
    let unnamed = event(2, |event| event.id = "no name".to_owned());
    let no_minute = arrival(RecordKind::Minute, 10, json!([]));
    let batch = [event(1, |_| {}), revised, broken, provisional, unnamed, no_minute];
    let kept = store.keep(&batch).unwrap();
    assert_eq!(kept.new, 3);
    let mut places: Vec<usize> = kept.refused.iter().map(|(place, _)| *place).collect();
    places.sort_unstable();
    assert_eq!(places, [2, 4, 5]);
    let kept = engine
        .ask("SELECT version, JSONExtractUInt(json, 'revision'), server_port FROM events FINAL");
    assert_eq!(kept, "3\t1\t443");
    let at = engine.ask("SELECT toUnixTimestamp64Nano(ts) FROM events FINAL");
    assert_eq!(at, (*NOW * 1_000_000_000 + 1).to_string());
}

#[test]
fn what_the_tables_cannot_take_is_refused_and_holds_up_nobody() {
    let Some(engine) = Engine::start() else { return };
    let store = ClickHouse::open(&engine.options).unwrap();
    let packets = |event: &str, ts: u64| {
        let body = json!({
            "schema": 1, "event": event, "ts": UtcTime(ts), "packets": [],
            "client": {"ip": "192.0.2.1", "port": 1}, "server": {"ip": "192.0.2.2", "port": 2},
        });
        arrival(RecordKind::Evidence, 50, body)
    };
    let mut named = minute(1);
    let mut body: Value = serde_json::from_slice(&named.json).unwrap();
    body["id"] = json!("x".repeat(65));
    named.json = Bytes::from(body.to_string());
    let mut batch = vec![
        event(1, |_| {}),
        packets("\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}", *NOW * 1_000_000_000),
        packets("00000000000000aa", 1),
        named,
    ];
    // A day each, far from now: more partitions than an insert may make.
    batch.extend(
        (0..150).map(|day| event(100 + day, |event| event.ts = UtcTime(day * 86_400_000_000_000))),
    );
    batch.push(event(2, |event| event.ts = UtcTime(u64::MAX)));
    let kept = store.keep(&batch).unwrap();
    assert_eq!((kept.new, kept.refused.len()), (1, 154), "{:?}", kept.refused);
    assert_eq!(engine.ask("SELECT count() FROM events FINAL"), "1");
    // Names of many minutes are looked for.
    let many: Vec<Arrival> = (0..3).map(minute).collect();
    assert_eq!(store.keep(&many).unwrap().new, 3);
}

#[test]
fn trouble_is_told_with_its_place() {
    let nobody = ClickHouseOptions { url: "http://127.0.0.1:9".to_owned(), ..Default::default() };
    let error = ClickHouse::open(&nobody).err().unwrap().to_string();
    assert!(error.contains("http://127.0.0.1:9"), "{error}");
    let Some(engine) = Engine::start() else { return };
    let store = ClickHouse::open(&engine.options).unwrap();
    engine.ask("DROP TABLE events");
    let error = store.keep(&[event(1, |_| {})]).unwrap_err().to_string();
    assert!(error.contains("insert into events") && error.contains("UNKNOWN_TABLE"), "{error}");
    engine.ask("INSERT INTO schema_version VALUES (99, now())");
    let error = ClickHouse::open(&engine.options).err().unwrap().to_string();
    assert!(error.contains("version 99"), "{error}");
}

/// A whole hour that rows of two days' retention still hold.
static NOW: std::sync::LazyLock<u64> = std::sync::LazyLock::new(|| {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    since.as_secs() / 3600 * 3600
});
