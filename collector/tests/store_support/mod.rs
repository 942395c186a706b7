//! Records for the store: events, minutes and packets that nobody saw.
#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "each test uses its part; all of it is about tests"
)]

pub(crate) mod alike;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use classifiers::{Cause, Impact, Origin, Stage};
use collector::{Ask, Incoming, Put, Store, StoreOptions};
use events::{
    Body, ClientCount, Clients, Connections, Endpoint, Event, EventStatus, Evidence,
    EvidencePacket, Minute, MinuteRow, Record, SCHEMA, ServerRange, ServiceRow, Side, Spread,
    UtcTime, community_id,
};

pub(crate) const NS: u64 = 1_000_000_000;
pub(crate) const DAY_S: u64 = 86_400;

/// Seconds since the Unix epoch: noon of a day, the last one before now.
pub(crate) fn noon() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    (now - 12 * 3600) / DAY_S * DAY_S + 12 * 3600
}

pub(crate) fn options(directory: &Path) -> StoreOptions {
    StoreOptions { directory: directory.to_owned(), ..StoreOptions::default() }
}

/// Everything from the first second on, before the second one.
pub(crate) fn ask(from_s: u64, to_s: u64, filters: &[&str]) -> Ask {
    Ask {
        from: UtcTime(from_s * NS),
        to: UtcTime(to_s * NS),
        filters: filters.iter().map(|filter| filter.parse().unwrap()).collect(),
        sensor: None,
        limit: 1000,
        offset: 0,
    }
}

pub(crate) fn line(session: u64, sequence: u64, sensor: &str, body: Body) -> Vec<u8> {
    let uid = format!("{session:016x}-{sequence}");
    serde_json::to_vec(&Record { uid, sequence, sensor: sensor.to_owned(), test: false, body })
        .unwrap()
}

pub(crate) fn put(store: &Store, lines: &[Vec<u8>], now_s: u64) -> Put {
    let batch: Vec<Incoming<'_>> =
        lines.iter().map(|line| Incoming::read(line).expect("a record")).collect();
    store.put_at(&batch, now_s).expect("the disk takes it")
}

/// The event with this number: all its fields follow from it.
pub(crate) fn event(number: u64, ts: u64) -> Event {
    let mut event: Event =
        serde_json::from_str(include_str!("../../../delivery/src/test_event.json")).unwrap();
    event.id = format!("{:016x}", (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    event.ts = UtcTime(ts);
    event.client =
        Endpoint { ip: Ipv4Addr::from(0x0a00_0000 + number as u32 % 50).into(), port: 40_000 };
    event.server =
        Endpoint { ip: Ipv4Addr::from(0xc0a8_0000 + number as u32 % 7).into(), port: 443 };
    event.community_id = community_id(event.client, event.server, 0);
    event.verdict.impact = Impact::ALL[number as usize % Impact::ALL.len()];
    event.verdict.origin = Origin::ALL[number as usize % Origin::ALL.len()];
    event.verdict.cause = Cause::ALL[number as usize % Cause::ALL.len()];
    event.verdict.stage = Stage::ALL[number as usize % Stage::ALL.len()];
    event.status = EventStatus::Final;
    event
}

pub(crate) fn evidence(event: &Event, len: usize) -> Evidence {
    Evidence {
        schema: SCHEMA,
        event: event.id.clone(),
        ts: event.ts,
        client: event.client,
        server: event.server,
        interface: None,
        packets: vec![EvidencePacket {
            ts: event.ts,
            from: Side::Client,
            len: len as u32,
            bytes: (0..len).map(|place| (place * 31 % 251) as u8).collect(),
            is_judged: true,
        }],
        omitted: None,
    }
}

/// A minute of so many servers with one kind of resets each.
pub(crate) fn minute(start_s: u64, servers: u32, seed: u64) -> Minute {
    let mut rows = Vec::new();
    let mut services = Vec::new();
    for number in 0..servers {
        let draw = (seed + 1).wrapping_mul(u64::from(number) + 7).wrapping_mul(0x9e37_79b9) >> 7;
        let mut server = ServerRange {
            ip: Ipv4Addr::from(0xc0a8_0000 + number).into(),
            port: (!draw.is_multiple_of(11)).then_some(443),
            prefix: draw.is_multiple_of(11).then_some(24),
        };
        if number == 4 {
            // All that found no place.
            server = ServerRange { ip: Ipv4Addr::UNSPECIFIED.into(), port: None, prefix: Some(0) };
        }
        rows.push(row(server, draw));
        services.push(ServiceRow {
            server,
            connections: Connections {
                opened: 100 + draw % 10,
                reset: draw % 5,
                ..Default::default()
            },
        });
    }
    Minute {
        schema: SCHEMA,
        id: format!("run-{start_s}-{seed}"),
        start: UtcTime(start_s * NS),
        span_s: 60,
        connections: Connections { opened: 1000 + seed, closed_well: 900, ..Default::default() },
        overflow: seed % 3,
        losses: BTreeMap::from([("ring_full".to_owned(), seed % 2)]),
        rows,
        services,
        ..Minute::default()
    }
}

fn row(server: ServerRange, draw: u64) -> MinuteRow {
    let count = 1 + draw % 4;
    let mut clients = Clients::default();
    let mut idle = Spread::default();
    let client = IpAddr::from(Ipv4Addr::from(0x0a00_0000 + (draw % 97) as u32));
    clients.add(client);
    for turn in 0..count {
        idle.add((draw % 400 + turn) as f64);
    }
    MinuteRow {
        server,
        origin: Origin::ALL[draw as usize % Origin::ALL.len()],
        cause: Cause::ALL[draw as usize % Cause::ALL.len()],
        stage: Stage::ALL[draw as usize % Stage::ALL.len()],
        impact: Impact::ALL[draw as usize % Impact::ALL.len()],
        count,
        clients,
        top_clients: vec![ClientCount { ip: client, count }],
        confidence_sum: 0.9,
        confidence_least: 0.9,
        time_to_reset_s: idle.clone(),
        idle_before_s: idle.clone(),
        bytes_before: idle,
        idle_timers: BTreeMap::from([(60, draw % 2)]),
        examples: vec![format!("{draw:016x}")],
    }
}
