//! The store keeps every record once and answers what a naive twin would.

mod store_support;

use std::collections::BTreeMap;
use std::net::IpAddr;

use collector::{Ask, ImpactCounts, Incoming, Store, StoreOptions};
use events::{
    Body, ClientCount, Clients, Event, EventStatus, Filter, Minute, RecordKind, ServerRange, Spread,
};
use proptest::prelude::*;
use store_support::{DAY_S, NS, ask, event, evidence, line, minute, noon, options, put};

fn event_lines(range: std::ops::Range<u64>, at_s: u64) -> Vec<Vec<u8>> {
    range.map(|n| line(1, n + 1, "a", Body::Event(event(n, at_s * NS + n * 1_000_000)))).collect()
}

#[test]
fn a_batch_that_comes_again_in_other_pieces_changes_nothing() {
    let (directory, now) = (tempfile::tempdir().unwrap(), noon());
    let options = options(directory.path());
    let lines: Vec<_> = event_lines(0..300, now)
        .into_iter()
        .chain([line(1, 301, "a", Body::Minute(minute(now - 60, 5, 1)))])
        .chain([line(1, 302, "a", Body::Evidence(evidence(&event(7, now * NS), 90)))])
        .collect();
    let whole = ask(now - 3600, now + 3600, &["role=primary"]);
    let store = Store::open_at(&options, now).unwrap();
    let first = put(&store, &lines, now);
    assert_eq!((first.new, first.repeated, first.refused.len()), (302, 0, 0));
    let (overview, history) = (store.overview(&whole).unwrap(), store.history(&whole).unwrap());
    assert_eq!((history.rows.len(), history.has_more), (300, false));
    for pieces in [7, 100, 400] {
        for piece in lines.chunks(pieces) {
            let again = put(&store, piece, now);
            assert_eq!((again.new, again.repeated), (0, piece.len() as u64));
        }
    }
    drop(store);
    let store = Store::open_at(&options, now).unwrap();
    let again = put(&store, &lines, now);
    assert_eq!((again.new, again.repeated), (0, 302), "known after a restart");
    assert_eq!(store.overview(&whole).unwrap(), overview);
    assert_eq!(store.history(&whole).unwrap(), history);
    let sensors = store.sensors().unwrap();
    assert_eq!((sensors[0].sensor.as_str(), sensors[0].missing), ("a", 0));
    assert_eq!((sensors[0].records, sensors[0].repeated), (302 * 5, 302 * 4));
}

#[test]
fn an_event_is_what_was_last_told_of_it() {
    let (directory, now) = (tempfile::tempdir().unwrap(), noon());
    let store = Store::open_at(&options(directory.path()), now).unwrap();
    let provisional = Event { status: EventStatus::Provisional, ..event(3, now * NS) };
    let mut told = event(3, now * NS);
    told.verdict.rule = "the final one".to_owned();
    put(&store, &[line(1, 1, "a", Body::Event(provisional.clone()))], now);
    put(&store, &[line(1, 2, "a", Body::Event(told.clone()))], now);
    put(&store, &[line(1, 3, "a", Body::Event(provisional))], now);
    assert_eq!(store.event(&told.id).unwrap().unwrap().event, told);
    let mut revised = Event { revision: 1, ..told.clone() };
    revised.verdict.rule = "revised".to_owned();
    assert!(store.revise("a", &revised).unwrap());
    assert!(!store.revise("a", &told).unwrap(), "an earlier revision changes nothing");
    let detail = store.event(&told.id).unwrap().unwrap();
    assert_eq!((detail.event, detail.sensor.as_str()), (revised, "a"));
    assert!(detail.sheet.lines().count() > 5);
    assert_eq!(store.history(&ask(now - 60, now + 60, &[])).unwrap().rows.len(), 1);
    assert!(store.event("0000000000000000").unwrap().is_none());
    assert!(store.event("no id").unwrap().is_none());
}

#[test]
fn packets_are_a_ring() {
    let (directory, now) = (tempfile::tempdir().unwrap(), noon());
    let options = StoreOptions { evidence_bytes_max: 5_000, ..options(directory.path()) };
    let store = Store::open_at(&options, now).unwrap();
    for n in 0..100 {
        let kept = evidence(&event(n, now * NS), 600);
        put(&store, &[line(1, n + 1, "a", Body::Evidence(kept))], now);
    }
    let id = |n| event(n, now * NS).id;
    assert_eq!(store.evidence(&id(0)).unwrap(), None, "the oldest gave way");
    assert_eq!(store.evidence(&id(99)).unwrap(), Some(evidence(&event(99, now * NS), 600)));
    assert!(store.state().dropped_evidence > 0);
    put(&store, &[line(2, 1, "a", Body::Event(event(99, now * NS)))], now);
    let rows = store.history(&ask(now - 60, now + 60, &["role=primary"])).unwrap().rows;
    assert!(rows[0].has_evidence);
}

#[test]
fn what_is_too_old_goes_by_files_and_steps() {
    let (directory, now) = (tempfile::tempdir().unwrap(), noon());
    let options = StoreOptions { events_d: 3, minutes_h: 1, ..options(directory.path()) };
    let store = Store::open_at(&options, now).unwrap();
    let mut lines = event_lines(0..10, now);
    lines.push(line(1, 90, "a", Body::Minute(minute(now - 120, 5, 1))));
    put(&store, &lines, now);
    let later = now + 5 * DAY_S;
    put(&store, &[line(1, 91, "a", Body::Event(event(11, later * NS)))], later);
    put(&store, &[line(1, 92, "a", Body::Event(event(12, later * NS)))], later + 61);
    assert_eq!(store.state().event_files, 1, "the day of the first ones is deleted");
    let old = put(&store, &event_lines(20..21, now), later);
    assert_eq!(old.refused[0].1.0, "event older than what is kept");
    let future = put(&store, &event_lines(30..31, later + 3 * DAY_S), later);
    assert_eq!(future.refused[0].1.0, "event of the future");
}

#[test]
fn many_events_take_the_room_they_may() {
    let (directory, now) = (tempfile::tempdir().unwrap(), noon());
    let options = StoreOptions { events_bytes_max: 16 << 20, ..options(directory.path()) };
    let store = Store::open_at(&options, now).unwrap();
    let mut last = 0;
    for turn in 0..60 {
        let lines = event_lines(turn * 1000..(turn + 1) * 1000, now);
        assert_eq!(put(&store, &lines, now).new, 1000);
        last = last.max(store.state().event_bytes);
    }
    let state = store.state();
    assert!(last <= 18 << 20, "{last}");
    assert!(state.event_files > 3, "{state:?}");
    let newest = event(59_999, now * NS);
    assert!(store.event(&newest.id).unwrap().is_some());
    // Sealed parts know what they hold: nothing is taken twice.
    let kept =
        store.history(&Ask { limit: 1, ..ask(now - 60, now + 3600, &["role=primary"]) }).unwrap();
    let again = event(59_999, now * NS + 59_999_000_000);
    put(&store, &[line(2, 1, "a", Body::Event(again.clone()))], now);
    let list = store.history(&ask(now - 60, now + 3600, &[])).unwrap();
    assert!(list.rows.iter().filter(|row| row.id == again.id).count() <= 1);
    assert_eq!(kept.rows.len(), 1);
}

#[test]
fn hostile_records_are_refused_one_by_one() {
    let (directory, now) = (tempfile::tempdir().unwrap(), noon());
    let store = Store::open_at(&options(directory.path()), now).unwrap();
    let mut good = minute(now - 60, 2, 1);
    let text = |minute: &Minute| line(5, 9, "a", Body::Minute(minute.clone()));
    good.rows[0].count = u64::MAX;
    let impossible = text(&good);
    good.rows[0].count = 1;
    good.span_s = 7;
    let deep = format!(r#"{{"sensor":"a","id":{}}}"#, "[".repeat(100_000)).into_bytes();
    // Their heads were read by whoever handed them over; nobody has looked at the rest.
    let lines: [(RecordKind, Vec<u8>); 8] = [
        (RecordKind::Event, br#"{"sensor":"a"}"#.to_vec()),
        (RecordKind::Minute, br#"{"sensor":"a","id":"x"}"#.to_vec()),
        (RecordKind::Minute, deep),
        (RecordKind::Evidence, br#"{"sensor":"a","event":"zz"}"#.to_vec()),
        (RecordKind::Event, br#"{"sensor":"a","id":"#.to_vec()),
        (RecordKind::Minute, impossible),
        (RecordKind::Minute, text(&good)),
        (RecordKind::Event, line(5, 8, "a", Body::Event(event(1, now * NS)))),
    ];
    let batch: Vec<Incoming<'_>> = (1..)
        .zip(&lines)
        .map(|(sequence, (kind, json))| {
            let (session, sensor) = (5, "a".into());
            Incoming { session, sequence, sensor, kind: *kind, is_test: false, json }
        })
        .collect();
    let done = store.put_at(&batch, now).unwrap();
    assert_eq!((done.new, done.refused.len()), (1, 7), "{:?}", done.refused);
    assert_eq!(
        done.refused.iter().map(|(place, _)| *place).collect::<Vec<_>>(),
        (0..7).collect::<Vec<_>>()
    );
    assert_eq!(store.state().refused.values().sum::<u64>(), 7);
}

/// What a question about minutes must answer, one row after the other.
#[derive(Default, PartialEq, Debug)]
struct Naive {
    opened: u64,
    resets: ImpactCounts,
    overflow: u64,
    clients: BTreeMap<ServerRange, Clients>,
    servers: BTreeMap<ServerRange, (u64, ImpactCounts)>,
    idle: Spread,
}

fn naive(minutes: &[(String, Minute)], ask: &Ask) -> Naive {
    let mut twin = Naive::default();
    let about = ask.filters.iter().any(Filter::is_about_server);
    for (sensor, minute) in minutes {
        if ask.sensor.as_ref().is_some_and(|wanted| wanted != sensor)
            || !(ask.from..ask.to).contains(&minute.start)
        {
            continue;
        }
        let passes = |server: ServerRange, row: Option<&events::MinuteRow>| {
            let facts = events::Facts {
                impact: row.map_or(classifiers::Impact::Unknown, |row| row.impact),
                origin: row.map_or(classifiers::Origin::Unknown, |row| row.origin),
                cause: row.map_or(classifiers::Cause::Unknown, |row| row.cause),
                stage: row.map_or(classifiers::Stage::Later, |row| row.stage),
                server,
                client: None,
                effect: None,
                role: None,
            };
            let meant = |filter: &&Filter| row.is_some() || filter.is_about_server();
            ask.filters.iter().filter(meant).all(|filter| filter.passes_facts(&facts) == Some(true))
        };
        twin.overflow += minute.overflow;
        if !about {
            twin.opened += minute.connections.opened;
        }
        for row in &minute.services {
            if passes(row.server, None) {
                twin.servers.entry(row.server).or_default().0 += row.connections.opened;
                twin.opened += if about { row.connections.opened } else { 0 };
            }
        }
        for row in &minute.rows {
            if passes(row.server, Some(row)) {
                twin.resets.add(row.impact, row.count);
                twin.servers.entry(row.server).or_default().1.add(row.impact, row.count);
                twin.clients.entry(row.server).or_default().merge(&row.clients);
                twin.idle.merge(&row.idle_before_s);
            }
        }
    }
    twin.servers.retain(|_, (_, resets)| resets.total() > 0);
    twin
}

const FILTERS: [&[&str]; 6] = [
    &[],
    &["impact=aborted,refused"],
    &["server=192.168.0.3:443"],
    &["server=192.168.0.0/30", "origin!=client"],
    &["port=443"],
    &["cause=port_closed,app_abort", "stage=later"],
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn counts_are_those_of_a_naive_twin(
        picks in prop::collection::vec((0_u64..3000, 1_u32..9, 0_u64..9, prop::bool::ANY, prop::bool::ANY), 1..40),
        spans in prop::collection::vec((0_u64..3000, 1_u64..3000), 4),
    ) {
        let (directory, now) = (tempfile::tempdir().unwrap(), noon());
        let store = Store::open_at(&options(directory.path()), now).unwrap();
        let mut told: Vec<(String, Minute)> = Vec::new();
        let mut lines = Vec::new();
        for (turn, (ago_min, servers, seed, is_b, is_twice)) in picks.iter().enumerate() {
            let sensor = if *is_b { "b" } else { "a" };
            let minute = minute((now / 60 - ago_min) * 60, *servers, *seed);
            let sequence = turn as u64 + 1;
            lines.push(line(1, sequence, sensor, Body::Minute(minute.clone())));
            if *is_twice {
                // The same minute under another number: its own name tells that it was added.
                lines.push(line(2, sequence, sensor, Body::Minute(minute.clone())));
            }
            let is_new = !told.iter().any(|(known, other)| known == sensor && other.id == minute.id);
            if is_new {
                told.push((sensor.to_owned(), minute));
            }
        }
        for piece in lines.chunks(7) {
            put(&store, piece, now);
        }
        for (turn, (ago_min, len_min)) in spans.iter().enumerate() {
            let from_s = (now / 60 - ago_min) * 60;
            let mut asked = ask(from_s, (from_s + len_min * 60).min(now + 60), FILTERS[turn % FILTERS.len()]);
            asked.sensor = (turn % 3 == 2).then(|| "b".to_owned());
            for filters in FILTERS {
                asked.filters = filters.iter().map(|filter| filter.parse().unwrap()).collect();
                let overview = store.overview(&asked).unwrap();
                let whole = Ask { from: overview.from, to: overview.to, ..asked.clone() };
                prop_assert!(overview.from <= asked.from && overview.to >= asked.to);
                let twin = naive(&told, &whole);
                prop_assert_eq!(overview.connections.opened, twin.opened);
                prop_assert_eq!(overview.resets, twin.resets);
                prop_assert_eq!(overview.overflow, twin.overflow);
                let mut sum = ImpactCounts::default();
                let mut opened = 0;
                for step in &overview.series {
                    sum.merge(&step.resets);
                    opened += step.connections.opened;
                }
                prop_assert_eq!((sum, opened), (twin.resets, twin.opened));
                let list = store.servers(&whole).unwrap();
                prop_assert_eq!(list.total as usize, twin.servers.len());
                for row in &list.rows {
                    prop_assert_eq!((row.connections.opened, row.resets), twin.servers[&row.server]);
                    prop_assert_eq!(row.clients, twin.clients[&row.server].count());
                }
                prop_assert!(list.rows.is_sorted_by_key(|row| std::cmp::Reverse(row.resets.harmful())));
                let idle = store.idle(&whole).unwrap();
                prop_assert_eq!(&idle.spread.buckets, &twin.idle.buckets);
                if let Some(row) = list.rows.first() {
                    let detail = store.server(row.server, &whole).unwrap().unwrap();
                    prop_assert_eq!(&detail.summary, row);
                    prop_assert_eq!(detail.idle.spread.count, detail.time_to_reset_s.count);
                }
            }
        }
    }

    #[test]
    fn lists_of_events_are_those_of_a_naive_twin(
        picks in prop::collection::vec((0_u64..400, 0_u64..200_000), 1..120),
        pages in prop::collection::vec((0_u64..200_000, 0_u64..200_000, 1_usize..20, 0_usize..30), 4),
    ) {
        let (directory, now) = (tempfile::tempdir().unwrap(), noon());
        let options = StoreOptions { events_bytes_max: 16 << 20, ..options(directory.path()) };
        let store = Store::open_at(&options, now).unwrap();
        let mut told: BTreeMap<u64, Event> = BTreeMap::new();
        let mut lines = Vec::new();
        for (turn, (number, ago_s)) in picks.iter().enumerate() {
            if !told.contains_key(number) {
                let event = event(*number, (now - ago_s) * NS + number);
                lines.push(line(1, turn as u64 + 1, "a", Body::Event(event.clone())));
                told.insert(*number, event);
            }
        }
        for piece in lines.chunks(40) {
            put(&store, piece, now);
        }
        for (one, other, limit, offset) in pages {
            let (from_s, to_s) = (now - one.max(other), now - one.min(other) + 1);
            for filters in [&["role=primary"][..], &["client=10.0.0.0/28"], &["server=192.168.0.2:443"],
                &["effect=unobservable", "impact!=benign"]] {
                let asked = Ask { limit, offset, ..ask(from_s, to_s, filters) };
                let mut twin: Vec<&Event> = told.values().filter(|event| {
                    (asked.from..asked.to).contains(&event.ts)
                        && asked.filters.iter().all(|filter| filter.passes(event))
                }).collect();
                twin.sort_by(|left, right| (right.ts, &right.id).cmp(&(left.ts, &left.id)));
                let list = store.history(&asked).unwrap();
                prop_assert_eq!(list.has_more, twin.len() > offset + limit);
                let ids: Vec<&String> = twin.iter().skip(offset).take(limit).map(|event| &event.id).collect();
                prop_assert_eq!(list.rows.iter().map(|row| &row.id).collect::<Vec<_>>(), ids);
                let counted = store.overview(&Ask { filters: asked.filters.clone(), ..ask(from_s, to_s, &["client=10.0.0.0/8"]) }).unwrap();
                if filters != ["server=192.168.0.2:443"] {
                    let whole = |event: &&&Event| (counted.from..counted.to).contains(&event.ts);
                    let all: Vec<&Event> = told.values().filter(|event| {
                        whole(&event) && asked.filters.iter().all(|filter| filter.passes(event))
                    }).collect();
                    prop_assert_eq!(counted.resets.total(), all.len() as u64);
                }
            }
        }
        let nothing = store.history(&ask(0, 1, &[])).unwrap();
        prop_assert!(nothing.rows.is_empty());
    }
}

#[test]
fn what_minutes_cannot_tell_is_counted_from_the_events() {
    let (directory, now) = (tempfile::tempdir().unwrap(), noon());
    let store = Store::open_at(&options(directory.path()), now).unwrap();
    let mut lines = vec![line(1, 1, "a", Body::Minute(minute(now - 60, 5, 1)))];
    for number in 0..100 {
        let mut event = event(number, now * NS + number);
        event.idle_before_s = Some(60.0);
        if number == 53 {
            event.status = EventStatus::Provisional;
        }
        lines.push(line(1, number + 2, "a", Body::Event(event)));
    }
    put(&store, &lines, now);
    // Events 3 and 53 are of that client; the second one is not told to the end.
    let asked = ask(now - 600, now + 60, &["client=10.0.0.3"]);
    let list = store.servers(&asked).unwrap();
    assert_eq!((list.total, list.rows.len()), (1, 1));
    let row = &list.rows[0];
    assert_eq!((row.resets.total(), row.clients, row.causes.len()), (1, 1, 1));
    assert_eq!(row.server.ip, IpAddr::from([192, 168, 0, 3]));
    let detail = store.server(row.server, &asked).unwrap().unwrap();
    assert_eq!(&detail.summary, row);
    assert_eq!(detail.top_clients, [ClientCount { ip: [10, 0, 0, 3].into(), count: 1 }]);
    let resets: u64 = detail.series.iter().map(|step| step.resets.total()).sum();
    let opened: u64 = detail.series.iter().map(|step| step.connections.opened).sum();
    assert_eq!((resets, opened), (1, row.connections.opened));
    for idle in [detail.idle, store.idle(&asked).unwrap()] {
        assert_eq!((idle.spread.count, idle.timers[0].seconds, idle.timers[0].count), (1, 60, 1));
    }
}

/// A small event in a burst, by a device that has a name, whose logged culprit is wrong.
fn full_event(number: u64, ts: u64) -> Event {
    let mut event = event(number, ts);
    event.verdict.evidence.clear();
    event.verdict.alternatives.clear();
    let at = events::UtcTime(ts);
    let context = serde_json::json!({
        "burst": {"id": 1, "kind": "restart", "first": at, "span_s": 0.5, "cuts": 9, "finished": 0, "refused": 1,
            "is_cut": true},
        "device": {"id": 3, "resets": 3, "both_ends": 1, "senders": 2, "victims": 3, "hops": 2, "side": "client",
            "id_line": false, "id_jumps": 0, "first": at, "last": at},
    });
    event.context = serde_json::from_value(context).expect("a context");
    let item = serde_json::json!({
        "agreement": "contradicted", "source": "fw-1", "product": "pan_os", "said": "tcp-rst-from-server",
        "ts": at, "matched": "original", "sentence": "it was not", "line": "a line",
    });
    event.corroboration = vec![serde_json::from_value(item).expect("an item")];
    event.idle_before_s = Some(60.0);
    event.server.ip = [192, 168, 0, 1].into();
    event
}

#[test]
fn answers_made_of_the_newest_events_only_say_so() {
    const READ_MAX: u64 = 20_000;
    let (directory, now) = (tempfile::tempdir().unwrap(), noon());
    let store = Store::open_at(&options(directory.path()), now).unwrap();
    let lines: Vec<Vec<u8>> = (0..=READ_MAX)
        .map(|n| line(1, n + 1, "a", Body::Event(full_event(n, now * NS + n * 1_000_000))))
        .collect();
    for batch in lines.chunks(5000) {
        assert_eq!(put(&store, batch, now).new, batch.len() as u64);
    }
    // Of clients, servers and silences only events tell.
    let all = |filters: &[&str]| ask(now - 60, now + 60, filters);
    let of_events = all(&["client=10.0.0.0/8"]);
    let server: ServerRange = collector::read_server("192.168.0.1:443").unwrap();
    // The first one is left out: then all that are meant are read.
    let mut rest = all(&[]);
    rest.from.0 = now * NS + 500_000;
    for (is_cut, question) in [(true, all(&[])), (false, rest)] {
        let what = format!("{} are {}", question.from, if is_cut { "too many" } else { "read" });
        let bursts = store.bursts(&question).unwrap();
        assert_eq!((bursts.is_cut, bursts.rows.len() > 1), (is_cut, true), "bursts, {what}");
        let devices = store.devices(&question).unwrap();
        assert_eq!((devices.is_cut, devices.rows.len() > 1), (is_cut, true), "devices, {what}");
        let disagreements = store.disagreements(&question).unwrap();
        let count: u64 = disagreements.rows.iter().map(|row| row.count).sum();
        assert_eq!((disagreements.is_cut, count), (is_cut, READ_MAX), "disagreements, {what}");
    }
    // The steps of counts are whole: here the newest are taken and there is no way to leave out one.
    assert!(store.idle(&of_events).unwrap().is_cut);
    assert!(store.server(server, &of_events).unwrap().unwrap().idle.is_cut);
    let one = all(&["client=10.0.0.7"]);
    assert!(!store.idle(&one).unwrap().is_cut);
    assert!(!store.server(server, &one).unwrap().unwrap().idle.is_cut);
    // Counts of all are not made of events' texts.
    assert!(!store.idle(&all(&[])).unwrap().is_cut);
}
