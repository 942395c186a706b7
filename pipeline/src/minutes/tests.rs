//! Minutes against a twin that keeps every reset and groups them at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use classifiers::{Cause, Impact, Origin, Stage};
use events::{Clients, Endpoint, LATE_PARTS, MinuteRow, Spread, UtcTime, idle_timer};
use proptest::prelude::*;

use super::fact::Example;
use super::row::{Key, Row};
use super::*;

fn minutes(options: MinuteOptions) -> Minutes {
    Minutes::new(options, &Names::Files(vec!["a.pcap".to_owned()]), "")
}

/// What is told at `now`.
fn due(minutes: &mut Minutes, now: Timestamp, snapshot: impl FnOnce() -> Snapshot) -> Vec<Minute> {
    let mut told = Vec::new();
    minutes
        .due(now, snapshot, &mut |minute| {
            told.push(minute.clone());
            Ok(())
        })
        .unwrap();
    told
}

fn rest(minutes: &mut Minutes, snapshot: &Snapshot) -> Vec<Minute> {
    let mut told = Vec::new();
    minutes
        .rest(snapshot, &mut |minute| {
            told.push(minute.clone());
            Ok(())
        })
        .unwrap();
    told
}

fn fact(time_ms: u64, server: u8, client: u32, frame: u64) -> Fact {
    Fact {
        time: Timestamp(time_ms * 1_000_000),
        client: IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + client)),
        server: Endpoint { ip: IpAddr::V4(Ipv4Addr::new(192, 0, 2, server)), port: 443 },
        origin: Origin::Server,
        cause: Cause::AppAbort,
        stage: Stage::Later,
        impact: Impact::Aborted,
        confidence_thousandths: 900,
        age_ns: Some(3_000_000_000),
        idle_ns: Some(60_100_000_000),
        bytes: 1_000,
        example: Example { receipt: [0, frame], time: Timestamp(time_ms * 1_000_000) },
    }
}

prop_compose! {
    fn any_fact()(
        time_ms in 0..240_000_u64, server in 1..4_u8, client in 0..40_u32, frame in any::<u64>(),
        origin in 0..3_usize, impact in 0..4_usize, confidence in 0..=1000_u16,
        age_ns in proptest::option::of(0..10_000_000_000_000_u64),
        idle_s in proptest::option::of(0..8_000_u64), bytes in 0..1_u64 << 40,
    ) -> Fact {
        Fact {
            origin: Origin::ALL[origin],
            impact: Impact::ALL[impact],
            confidence_thousandths: confidence,
            age_ns,
            idle_ns: idle_s.map(|seconds| seconds * 1_000_000_000 + 40_000_000),
            bytes,
            ..fact(time_ms, server, client, frame)
        }
    }
}

/// All rows of some minutes, those of each minute and key added up.
fn merged(told: &[Minute]) -> BTreeMap<(UtcTime, Key), MinuteRow> {
    let mut rows: BTreeMap<(UtcTime, Key), MinuteRow> = BTreeMap::new();
    for minute in told {
        for row in &minute.rows {
            let (server, origin, cause, stage, impact) = row.key();
            let key = (minute.start, Key { server, origin, cause, stage, impact });
            match rows.get_mut(&key) {
                Some(known) => known.merge(row),
                None => {
                    rows.insert(key, row.clone());
                }
            }
        }
    }
    rows
}

fn spread(values: impl Iterator<Item = u64>, unit: f64) -> Spread {
    let mut spread = Spread::default();
    values.for_each(|value| spread.add(value as f64 / unit));
    spread
}

fn is_alike(one: &Spread, other: &Spread) -> bool {
    (one.count, one.zeros, &one.buckets) == (other.count, other.zeros, &other.buckets)
        && (one.sum - other.sum).abs() <= 1e-6 * one.sum.abs().max(1.0)
}

/// What a row must say of these resets, whatever order they came in.
fn check(row: &MinuteRow, facts: &[Fact]) {
    assert_eq!(row.count, facts.len() as u64);
    let mut clients = Clients::default();
    facts.iter().for_each(|fact| clients.add(fact.client));
    assert_eq!(row.clients, clients);
    let confidences = facts.iter().map(|fact| u64::from(fact.confidence_thousandths));
    let sum = confidences.clone().sum::<u64>() as f64 / 1e3;
    assert!((row.confidence_sum - sum).abs() < 1e-6, "{} {sum}", row.confidence_sum);
    assert_eq!(row.confidence_least, confidences.min().unwrap_or(0) as f64 / 1e3);
    let ages = facts.iter().filter_map(|fact| fact.age_ns);
    assert!(is_alike(&row.time_to_reset_s, &spread(ages, 1e9)));
    let idles = facts.iter().filter_map(|fact| fact.idle_ns);
    assert!(is_alike(&row.idle_before_s, &spread(idles.clone(), 1e9)));
    assert!(is_alike(&row.bytes_before, &spread(facts.iter().map(|fact| fact.bytes), 1.0)));
    let mut timers = BTreeMap::new();
    for timer in idles.filter_map(|idle_ns| idle_timer(idle_ns as f64 / 1e9)) {
        *timers.entry(timer).or_default() += 1;
    }
    assert_eq!(row.idle_timers, timers);
    let counts = |ip: IpAddr| facts.iter().filter(|fact| fact.client == ip).count() as u64;
    for client in &row.top_clients {
        assert!(client.count >= counts(client.ip), "never too low for who is named");
    }
    assert!(row.top_clients.is_sorted_by(|one, other| one.count >= other.count));
    assert_eq!(row.examples.len().min(3), facts.len().min(3));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn minutes_say_what_the_resets_of_each_say_together(
        // Each with how late it is told after its time.
        facts in proptest::collection::vec((any_fact(), 0..90_000_u64), 0..300),
    ) {
        let mut in_order = facts.clone();
        in_order.sort_by_key(|(fact, late_ms)| fact.time.0 / 1_000_000 + late_ms);
        let (mut minutes, mut told) = (minutes(MinuteOptions::default()), Vec::new());
        for (fact, late_ms) in &in_order {
            told.extend(due(&mut minutes, fact.time.plus_ns(late_ms * 1_000_000), Snapshot::default));
            minutes.add(fact);
        }
        told.extend(rest(&mut minutes, &Snapshot::default()));
        prop_assert!(minutes.open.is_empty());
        prop_assert_eq!(minutes.cells, 0);

        let mut twin: BTreeMap<(UtcTime, Key), Vec<Fact>> = BTreeMap::new();
        for (fact, _) in &facts {
            let start = UtcTime(fact.time.0 / 60_000_000_000 * 60_000_000_000);
            let key = (start, Key::of(fact, fact.server.into()));
            twin.entry(key).or_default().push(*fact);
        }
        let rows = merged(&told);
        prop_assert!(rows.keys().eq(twin.keys()));
        for (key, facts) in &twin {
            check(&rows[key], facts);
        }
        let ids: BTreeSet<&str> = told.iter().map(|minute| minute.id.as_str()).collect();
        prop_assert_eq!(ids.len(), told.len(), "each has a name of its own");
    }
}

#[test]
fn a_minute_is_told_once_nothing_more_can_come_and_what_is_late_is_a_part_of_it() {
    let mut minutes = minutes(MinuteOptions::default());
    let at = |seconds: u64| Timestamp(seconds * 1_000_000_000);
    minutes.hold(at(59));
    minutes.add(&fact(10_000, 1, 1, 1));
    assert!(due(&mut minutes, at(75), Snapshot::default).is_empty(), "a finding of it is on hold");
    minutes.release(at(59));
    minutes.add(&fact(59_000, 1, 2, 2));
    let told = due(&mut minutes, at(96), Snapshot::default);
    assert_eq!((told.len(), told[0].rows[0].count, told[0].part), (1, 2, 0));
    minutes.add(&fact(20_000, 1, 3, 3));
    let late = due(&mut minutes, at(97), Snapshot::default);
    assert_eq!((late.len(), late[0].rows[0].count, late[0].part), (1, 1, LATE_PARTS));
    assert_ne!(late[0].id, told[0].id);
}

#[test]
fn what_was_lost_and_what_expired_in_the_only_minute_belongs_to_it() {
    let mut minutes = minutes(MinuteOptions::default());
    let losses = BTreeMap::from([("names_not_read".to_owned(), 10)]);
    let connections =
        Connections { timed_out: 1, unanswered: 2, still_open: 7, ..Default::default() };
    let status = Status { losses: losses.clone(), ..Status::default() };
    let end = Snapshot { status, connections };
    assert!(due(&mut minutes, Timestamp(1), || end.clone()).is_empty());
    let told = rest(&mut minutes, &end);
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].connections, &told[0].losses), (connections, &losses));
}

#[test]
fn what_was_lost_and_what_expired_belongs_to_the_minute_in_which_it_did() {
    let mut minutes = minutes(MinuteOptions::default());
    let at = |seconds: u64| Timestamp(seconds * 1_000_000_000);
    let snapshot = |timed_out: u64| {
        let losses = BTreeMap::from([("names_not_read".to_owned(), 10 * timed_out)]);
        let connections = Connections { timed_out, still_open: 7, ..Connections::default() };
        Snapshot { status: Status { losses, ..Status::default() }, connections }
    };
    assert!(due(&mut minutes, at(1), || snapshot(1)).is_empty());
    assert!(due(&mut minutes, at(61), || snapshot(3)).is_empty());
    let mut told = due(&mut minutes, at(121), || snapshot(3));
    told.extend(rest(&mut minutes, &snapshot(4)));
    let said: Vec<_> = told
        .iter()
        .map(|minute| (minute.start.0 / MINUTE_NS, minute.connections.timed_out))
        .collect();
    assert_eq!(said, [(0, 3), (2, 1)], "the second was empty, and this is a capture");
    assert_eq!(told[0].losses["names_not_read"], 30);
    assert_eq!(told[0].connections.still_open, 7);
}

#[test]
fn a_live_run_tells_empty_minutes_too() {
    let names = Names::Interfaces(vec!["eth1".to_owned()]);
    let mut minutes = Minutes::new(MinuteOptions::default(), &names, "run");
    let at = |seconds: u64| Timestamp(seconds * 1_000_000_000);
    let told: usize =
        (0..600).map(|second| due(&mut minutes, at(second), Snapshot::default).len()).sum();
    assert_eq!(told, 9);
}

#[test]
fn a_scan_of_a_million_keys_stays_within_the_guard_and_pushes_no_server_out() {
    let options = MinuteOptions { keys_max: 20_000 };
    let mut minutes = minutes(options);
    for tried in 0..1_000_000_u32 {
        let [_, a, b, c] = tried.to_be_bytes();
        let server = Endpoint { ip: IpAddr::V4(Ipv4Addr::new(10, a, b, c)), port: tried as u16 };
        let stage = Stage::PostSyn;
        minutes.add(&Fact { server, stage, ..fact(1_000, 1, 77, u64::from(tried)) });
        let real = if tried % 1_000 == 0 { tried / 1_000 } else { continue };
        let ip = IpAddr::V4(Ipv4Addr::new(172, 16, (real >> 8) as u8, real as u8));
        let server = Endpoint { ip, port: 443 };
        minutes.add(&Fact { server, ..fact(1_000, 1, 78, u64::from(tried)) });
    }
    let rows: usize = minutes.open.values().map(Open::len).sum();
    assert!(rows <= options.keys_max + 2, "{rows} rows");
    let cells_max = CELLS_MAX + CELLS_OVER + rows * Row::CELLS_LEAST;
    assert!(minutes.cells <= cells_max, "{} cells", minutes.cells);
    let told = rest(&mut minutes, &Snapshot::default());
    let all = || told.iter().flat_map(|minute| &minute.rows);
    assert_eq!(all().map(|row| row.count).sum::<u64>(), 1_001_000, "none is lost");
    let is_real = |row: &&MinuteRow| row.stage == Stage::Later && row.server.prefix.is_none();
    assert_eq!(all().filter(is_real).count(), 1_000, "each has a row of its own");
    let overflow = told[0].overflow;
    assert!((990_000..991_000).contains(&overflow), "{overflow}");
    let scanner = &told[0].scans[0];
    assert_eq!((scanner.client, scanner.resets), ("10.0.0.77".parse().unwrap(), overflow));
    assert!(told.len() > 10, "large minutes come in parts");
    for part in &told {
        let bytes = serde_json::to_vec(part).unwrap().len();
        assert!(bytes < 512 << 10, "{bytes}");
    }
}

#[test]
fn a_minute_of_rows_that_are_all_different_inside_is_bounded_too() {
    let options = MinuteOptions { keys_max: 20_000 };
    let mut minutes = minutes(options);
    let mut random = 1_u64;
    for number in 0..2_000_000_u64 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let ip = IpAddr::V4(Ipv4Addr::from_bits(0xac10_0000 + (random >> 50) as u32));
        minutes.add(&Fact {
            server: Endpoint { ip, port: 443 },
            age_ns: Some(random >> (random & 31)),
            idle_ns: Some(random >> (random >> 8 & 31)),
            bytes: random >> (random >> 16 & 63),
            ..fact(1_000, 1, (random >> 36) as u32, number)
        });
    }
    let rows: usize = minutes.open.values().map(Open::len).sum();
    let cells_max = CELLS_MAX + CELLS_OVER + rows * Row::CELLS_LEAST;
    assert!(minutes.cells <= cells_max, "{} cells", minutes.cells);
    let told = rest(&mut minutes, &Snapshot::default());
    let sum: u64 = told.iter().flat_map(|minute| &minute.rows).map(|row| row.count).sum();
    assert_eq!(sum, 2_000_000);
}
