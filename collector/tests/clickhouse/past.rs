//! The same records in SQLite and in ClickHouse answer each question alike.

use bytes::Bytes;
use classifiers::Impact;
use collector::{Arrival, Ask, ClickHouse, Keep as _, Past, ServerOrder, ServerSummary, Store};
use events::{Agreement, Body, Event, EventStatus, Minute, RecordKind, UtcTime};
use serde_json::{Value, json};

use super::engine::Engine;
use super::store_support::alike::same;
use super::store_support::{DAY_S, NS, ask, event, evidence, line, minute, noon, options, put};

/// Minutes of four months, of two sensors, some servers of the younger family.
fn minutes(now_s: u64) -> Vec<(&'static str, Minute)> {
    let ago_min =
        [0, 1, 1, 59, 200, 1500, 2000, 3 * 1440, 9 * 1440, 20 * 1440, 20 * 1440 + 60, 120 * 1440];
    let made = ago_min.into_iter().zip(1_u64..).map(|(ago, seed)| {
        let mut minute = minute((now_s / 60 - ago) * 60, 5 + (seed % 4) as u32, seed);
        minute.losses = [("ring_full".to_owned(), seed)].into();
        minute.overflow = seed;
        minute.status.packets = seed;
        let younger = |server: &mut events::ServerRange, number: usize| {
            if number % 3 == 2 {
                server.ip = format!("2001:db8::{number}").parse().unwrap();
            }
        };
        for (number, row) in minute.rows.iter_mut().enumerate() {
            younger(&mut row.server, number);
            row.idle_timers = [(60, seed), (3600, 1)].into();
        }
        for (number, row) in minute.services.iter_mut().enumerate() {
            younger(&mut row.server, number);
        }
        (if seed.is_multiple_of(3) { "it's \\ b" } else { "a" }, minute)
    });
    made.collect()
}

/// Events of three days: some told twice, some provisional, in a burst, by a device, doubted by a log.
fn events(now_s: u64) -> Vec<Event> {
    let mut all = Vec::new();
    for number in 0..120 {
        let mut event = event(number, (now_s - number * 1900) * NS + number);
        event.verdict.effect = classifiers::Effect::ALL[number as usize % 3];
        event.idle_before_s = Some((number % 7 * 60) as f64);
        if number.is_multiple_of(10) {
            event.verdict.role = classifiers::Role::ALL[1];
        }
        if number.is_multiple_of(6) {
            event.status = EventStatus::Provisional;
        }
        let at = UtcTime(now_s * NS - 5);
        let context = match number % 8 {
            1 => {
                json!({"burst": {"id": 1, "kind": "restart", "first": at, "span_s": 0.5, "cuts": 9,
                "finished": 0, "refused": 1, "is_cut": true}})
            }
            2 | 5 => json!({"device": {"id": number % 8, "resets": 3, "both_ends": 1, "senders": 2,
                "victims": 3, "hops": number % 3, "side": "client", "id_line": false, "id_jumps": 0,
                "first": at, "last": at}}),
            _ => Value::Null,
        };
        event.context = serde_json::from_value(context).unwrap();
        if number.is_multiple_of(9) {
            event.corroboration = vec![disagreement(number)];
        }
        all.push(event.clone());
        if number.is_multiple_of(12) {
            event.status = EventStatus::Final;
            event.revision = 2;
            event.verdict.impact = Impact::Aborted;
            all.push(event);
        }
    }
    all
}

fn disagreement(number: u64) -> events::CorroborationItem {
    let item = json!({
        "agreement": if number.is_multiple_of(2) { Agreement::Contradicted } else { Agreement::Refined },
        "source": "fw-1", "product": "pan_os", "said": "tcp-rst-from-server", "rule": format!("rule {}", number % 4),
        "ts": UtcTime(NS), "matched": "original", "sentence": "it was not", "line": "a line",
    });
    serde_json::from_value(item).unwrap()
}

fn arrival(number: u64, kind: RecordKind, sensor: &str, json: &[u8]) -> Arrival {
    Arrival {
        session: 7,
        sequence: number,
        sensor: sensor.to_owned(),
        kind,
        is_test: false,
        json: Bytes::copy_from_slice(json),
    }
}

/// SQLite and ClickHouse with the same records.
struct Both {
    store: Store,
    clickhouse: ClickHouse,
    now_s: u64,
    _directory: tempfile::TempDir,
    _engine: Engine,
}

impl Both {
    /// Nothing where the engine cannot run.
    fn filled() -> Option<Self> {
        let engine = Engine::start()?;
        let clickhouse = ClickHouse::open(&engine.options).unwrap();
        let (directory, now_s) = (tempfile::tempdir().unwrap(), noon());
        let store = Store::open_at(&options(directory.path()), now_s).unwrap();
        fill(&store, &clickhouse, now_s);
        Some(Self { store, clickhouse, now_s, _directory: directory, _engine: engine })
    }

    fn parts(&self) -> (&dyn Past, &dyn Past, u64) {
        (&self.store, &self.clickhouse, self.now_s)
    }
}

/// Puts the same into both; some of it twice, and two numbers never.
fn fill(store: &Store, other: &ClickHouse, now_s: u64) {
    let mut number = 0;
    let mut lines: Vec<(RecordKind, &str, u64, Vec<u8>)> = Vec::new();
    let mut add = |kind, sensor, body: Body| {
        number += if number == 40 { 3 } else { 1 };
        lines.push((kind, sensor, number, line(7, number, sensor, body)));
    };
    for (sensor, minute) in minutes(now_s) {
        add(RecordKind::Minute, sensor, Body::Minute(minute));
    }
    for event in events(now_s) {
        add(RecordKind::Event, "a", Body::Event(event.clone()));
        if event.client.port.is_multiple_of(2) && event.status == EventStatus::Final {
            add(RecordKind::Evidence, "a", Body::Evidence(evidence(&event, 60)));
        }
    }
    for some in lines.chunks(60) {
        let plain: Vec<Vec<u8>> = some.iter().map(|(.., line)| line.clone()).collect();
        let batch: Vec<Arrival> = some
            .iter()
            .map(|(kind, sensor, number, line)| arrival(*number, *kind, sensor, line))
            .collect();
        assert_eq!(put(store, &plain, now_s).refused, []);
        assert_eq!(other.keep(&batch).unwrap().refused, []);
        // A reply that was lost: the last ones come again.
        put(store, &plain[50.min(plain.len())..], now_s);
        other.keep(&batch[50.min(batch.len())..]).unwrap();
    }
}

const FILTERS: [&[&str]; 15] = [
    &[],
    &["server=0.0.0.0/8"],
    &["server=0.0.0.0/0"],
    &["impact=aborted,refused"],
    &["impact!=benign", "origin=middlebox"],
    &["server=192.168.0.3:443"],
    &["server=192.168.0.0/24", "origin!=client"],
    &["server=192.168.0.0/30,2001:db8::/64"],
    &["server!=::/0"],
    &["port=443"],
    &["cause=port_closed,app_abort", "stage=later"],
    &["client=10.0.0.0/28"],
    &["client!=10.0.0.3:40000", "port=443"],
    &["role!=primary"],
    &["effect=accepted,unobservable", "server=192.168.0.2"],
];

#[test]
fn the_same_records_answer_each_question_as_sqlite_does() {
    let Some(both) = Both::filled() else { return };
    let (one, other, now_s) = both.parts();
    let spans = [(3600, 60), (DAY_S, 60), (12 * DAY_S, 600), (25 * DAY_S, 0), (300 * DAY_S, DAY_S)];
    for (turn, filters) in FILTERS.iter().enumerate() {
        let is_of_minutes = !filters
            .iter()
            .any(|filter| ["client", "role", "effect"].iter().any(|key| filter.starts_with(key)));
        // With filters SQLite tells the last reset of a server whatever its kind, and of events the two count
        // clients each in their own way.
        let without: &[&str] = match (filters.is_empty(), is_of_minutes) {
            (true, _) => &[],
            (_, true) => &["last"],
            (_, false) => &["clients"],
        };
        // All of them without filters; each filter with two of them.
        for (_, (ago_s, ahead_s)) in spans.iter().enumerate().filter(|(place, _)| {
            turn == 0 || [turn % spans.len(), (turn + 2) % spans.len()].contains(place)
        }) {
            let mut asked: Ask = ask(now_s - ago_s, now_s + ahead_s, filters);
            asked.sensor = (turn % 4 == 3).then(|| "it's \\ b".to_owned());
            let what = |view: &str| format!("{view} of {filters:?} over {ago_s} s");
            same(&what("overview"), without, one.overview(&asked), other.overview(&asked));
            same(&what("idle"), without, one.idle(&asked), other.idle(&asked));
            same(&what("events"), without, one.events(&asked), other.events(&asked));
            same(&what("bursts"), without, one.bursts(&asked), other.bursts(&asked));
            same(&what("devices"), without, one.devices(&asked), other.devices(&asked));
            let (left, right) = (one.disagreements(&asked), other.disagreements(&asked));
            same(&what("disagreements"), without, left, right);
            let order = ServerOrder::default();
            let servers = one.servers(&asked, &order).unwrap();
            same(&what("servers"), without, Ok(servers.clone()), other.servers(&asked, &order));
            for ServerSummary { server, .. } in servers.rows.iter().step_by(3) {
                let (left, right) = (one.server(*server, &asked), other.server(*server, &asked));
                same(&what(&format!("server {server:?}")), without, left, right);
            }
        }
    }
}

#[test]
fn pages_orders_and_single_events_are_those_of_sqlite() {
    let Some(both) = Both::filled() else { return };
    let (one, other, now_s) = both.parts();
    let whole = ask(now_s - 25 * DAY_S, now_s, &[]);
    for column in ["harmful", "server", "connections", "share", "aborted", "refused", "last"] {
        for (sign, search) in [("", None), ("-", None), ("-", Some("168.0")), ("", Some("]:443"))] {
            let order =
                ServerOrder::read(Some(&format!("{sign}{column}")), search.map(str::to_owned));
            let order = order.unwrap();
            for (limit, offset) in [(3, 0), (3, 3), (1000, 0), (2, 500)] {
                let asked = Ask { limit, offset, ..whole.clone() };
                let what = format!("servers by {sign}{column}, {search:?}, {limit} from {offset}");
                same(&what, &[], one.servers(&asked, &order), other.servers(&asked, &order));
            }
        }
    }
    for (limit, offset) in [(7, 0), (7, 7), (7, 100), (7, 1000)] {
        let asked = Ask { limit, offset, ..whole.clone() };
        same("a page of events", &[], one.events(&asked), other.events(&asked));
    }
    let rows = one.events(&whole).unwrap().rows;
    assert!(rows.iter().any(|row| row.has_evidence) && !rows.iter().all(|row| row.has_evidence));
    for id in rows.iter().map(|row| row.id.as_str()).chain(["0000000000000000", "no '\\ id"]) {
        same(&format!("event {id}"), &[], one.event(id), other.event(id));
        same(&format!("packets of {id}"), &[], one.evidence(id), other.evidence(id));
    }
    assert!(one.devices(&whole).unwrap().rows.len() > 2);
    assert!(!one.bursts(&whole).unwrap().rows.is_empty());
    assert!(!one.disagreements(&whole).unwrap().rows.is_empty());
    same("sensors", &[], one.sensors(), other.sensors());
}
