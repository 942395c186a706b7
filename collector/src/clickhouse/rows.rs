//! Records as rows, one JSON object a line (`JSONEachRow`).

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

use events::{
    Connections, Event, EventStatus, Evidence, Minute, MinuteRow, ServerRange, Spread, UtcTime,
};
use serde_json::{Map, Value, json};

use crate::receive::Arrival;

pub(super) fn event(arrival: &Arrival, event: &Event) -> String {
    let verdict = &event.verdict;
    let (origin, origin_confidence, cause, cause_confidence) = match &event.conclusion {
        Some(all) => (all.origin, all.origin_confidence, all.cause, all.cause_confidence),
        None => {
            (verdict.origin, verdict.origin_confidence, verdict.cause, verdict.cause_confidence)
        }
    };
    // The later revision, and final before provisional.
    let version = event.revision.saturating_mul(2) | u32::from(event.status == EventStatus::Final);
    line(json!({
        "id": event.id,
        "version": version,
        "sensor": arrival.sensor,
        "session": arrival.session,
        "sequence": arrival.sequence,
        "ts": nanoseconds(event.ts),
        "client_ip": v6(event.client.ip),
        "client_port": event.client.port,
        "server_ip": v6(event.server.ip),
        "server_port": event.server.port,
        "community_id": event.community_id,
        "origin": origin.name(),
        "origin_confidence": origin_confidence,
        "cause": cause.name(),
        "cause_confidence": cause_confidence,
        "impact": verdict.impact.name(),
        "stage": verdict.stage.name(),
        "effect": verdict.effect.name(),
        "role": verdict.role.name(),
        "agreement": event.agreement().and_then(|agreement| serde_json::to_value(agreement).ok()).unwrap_or_else(|| json!("")),
        "json": String::from_utf8_lossy(&arrival.json),
    }))
}

pub(super) fn evidence(arrival: &Arrival, evidence: &Evidence) -> String {
    line(json!({
        "event": evidence.event,
        "ts": nanoseconds(evidence.ts),
        "sensor": arrival.sensor,
        "json": String::from_utf8_lossy(&arrival.json),
    }))
}

/// The number of a record among those of its run.
pub(super) fn number(arrival: &Arrival) -> String {
    line(json!({
        "sensor": arrival.sensor, "session": arrival.session, "sequence": arrival.sequence,
    }))
}

pub(super) fn minute(arrival: &Arrival, minute: &Minute) -> String {
    let scans: BTreeMap<String, u64> =
        minute.scans.iter().map(|scan| (scan.client.to_string(), scan.resets)).collect();
    let mut row = Map::from_iter([
        ("sensor".to_owned(), json!(arrival.sensor)),
        ("id".to_owned(), json!(minute.id)),
        ("session".to_owned(), json!(arrival.session)),
        ("sequence".to_owned(), json!(arrival.sequence)),
        ("start".to_owned(), json!(seconds(minute.start))),
        ("span_s".to_owned(), json!(minute.span_s)),
        ("part".to_owned(), json!(minute.part)),
        ("overflow".to_owned(), json!(minute.overflow)),
        ("losses".to_owned(), json!(minute.losses)),
        ("scans".to_owned(), json!(scans)),
        ("status".to_owned(), json!(serde_json::to_string(&minute.status).unwrap_or_default())),
    ]);
    add_connections(&mut row, &minute.connections);
    line(Value::Object(row))
}

pub(super) fn minute_services(arrival: &Arrival, minute: &Minute, day: u16) -> String {
    let row = |(number, service): (usize, &events::ServiceRow)| {
        let mut row = place(arrival, minute, day, number, service.server);
        add_connections(&mut row, &service.connections);
        line(Value::Object(row))
    };
    minute.services.iter().enumerate().map(row).collect()
}

/// `day`: when it came, days since the Unix epoch.
pub(super) fn minute_rows(arrival: &Arrival, minute: &Minute, day: u16) -> String {
    let all = minute.rows.iter().enumerate();
    all.map(|(number, row)| minute_row(place(arrival, minute, day, number, row.server), row))
        .collect()
}

fn minute_row(mut columns: Map<String, Value>, row: &MinuteRow) -> String {
    let top: BTreeMap<String, u64> =
        row.top_clients.iter().map(|client| (client.ip.to_string(), client.count)).collect();
    columns.extend([
        ("origin".to_owned(), json!(row.origin.name())),
        ("cause".to_owned(), json!(row.cause.name())),
        ("stage".to_owned(), json!(row.stage.name())),
        ("impact".to_owned(), json!(row.impact.name())),
        ("count".to_owned(), json!(row.count)),
        ("clients".to_owned(), json!(row.clients.registers())),
        ("top_clients".to_owned(), json!(top)),
        ("confidence_sum".to_owned(), json!(row.confidence_sum)),
        ("confidence_least".to_owned(), json!(row.confidence_least)),
        ("idle_timers".to_owned(), json!(row.idle_timers)),
        ("example".to_owned(), json!(row.examples.first().map_or("", String::as_str))),
    ]);
    columns.extend(spread("age", &row.time_to_reset_s));
    columns.extend(spread("idle", &row.idle_before_s));
    columns.extend(spread("bytes", &row.bytes_before));
    line(Value::Object(columns))
}

/// Which row of which minute, and of which server; 0 means "many" and "all" as in no port and no prefix.
fn place(
    arrival: &Arrival,
    minute: &Minute,
    day: u16,
    number: usize,
    server: ServerRange,
) -> Map<String, Value> {
    Map::from_iter([
        ("sensor".to_owned(), json!(arrival.sensor)),
        ("minute".to_owned(), json!(minute.id)),
        ("day".to_owned(), json!(day)),
        ("row".to_owned(), json!(number)),
        ("start".to_owned(), json!(seconds(minute.start))),
        ("server_ip".to_owned(), json!(v6(server.ip))),
        ("server_port".to_owned(), json!(server.port.unwrap_or(0))),
        ("server_prefix".to_owned(), json!(server.prefix.unwrap_or(0))),
    ])
}

/// What became of connections, by the names of the columns.
pub(super) fn connections(connections: &Connections) -> [(&'static str, u64); 8] {
    let [opened, midstream, established, closed_well, reset, timed_out, unanswered] =
        connections.named();
    let still_open = ("still_open", connections.still_open);
    [opened, midstream, established, closed_well, reset, timed_out, unanswered, still_open]
}

fn add_connections(row: &mut Map<String, Value>, these: &Connections) {
    row.extend(connections(these).map(|(name, count)| (name.to_owned(), json!(count))));
}

fn spread(name: &str, spread: &Spread) -> [(String, Value); 4] {
    [
        (format!("{name}_count"), json!(spread.count)),
        (format!("{name}_sum"), json!(spread.sum)),
        (format!("{name}_zeros"), json!(spread.zeros)),
        (format!("{name}_buckets"), json!(spread.buckets)),
    ]
}

/// One column for both families.
pub(super) fn v6(ip: IpAddr) -> Ipv6Addr {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    }
}

/// The same way back; 0 where there are many, or no prefix. No server has the unspecified address: it is that of all
/// of its family together.
pub(super) fn server_of(ip: Ipv6Addr, port: u16, prefix: u8) -> ServerRange {
    let ip = ip.to_canonical();
    ServerRange {
        ip,
        port: (port != 0).then_some(port),
        prefix: (prefix != 0 || ip.is_unspecified()).then_some(prefix),
    }
}

fn seconds(time: UtcTime) -> u64 {
    time.0 / 1_000_000_000
}

/// Seconds with nine digits behind the point, which `DateTime64` reads as they are.
fn nanoseconds(time: UtcTime) -> String {
    format!("{}.{:09}", time.0 / 1_000_000_000, time.0 % 1_000_000_000)
}

fn line(row: Value) -> String {
    row.to_string() + "\n"
}
