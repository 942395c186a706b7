//! One row of a rollup but its key: clients, histograms, examples.

use std::collections::BTreeMap;

use events::{ClientCount, Clients, EXAMPLES, MinuteRow, TOP_CLIENTS};

use super::bytes::{In, Out};
use super::facts::id_number;
use super::group::Named;
use super::total::TIMERS_MAX;

/// The body of a row.
pub(super) fn write(row: &MinuteRow) -> Vec<u8> {
    let mut out = Out::default();
    out.byte(VERSION);
    out.number(row.count);
    out.float(row.confidence_sum);
    out.float(row.confidence_least);
    out.bytes(&row.clients.to_bytes());
    let top = &row.top_clients[..row.top_clients.len().min(TOP_CLIENTS)];
    out.number(top.len() as u64);
    for client in top {
        out.ip(client.ip);
        out.number(client.count);
    }
    out.spread(&row.time_to_reset_s);
    out.spread(&row.idle_before_s);
    out.spread(&row.bytes_before);
    out.number(row.idle_timers.len().min(TIMERS_MAX) as u64);
    for (timer, count) in row.idle_timers.iter().take(TIMERS_MAX) {
        out.number(u64::from(*timer));
        out.number(*count);
    }
    let examples = || row.examples.iter().filter_map(|id| id_number(id)).take(EXAMPLES);
    out.number(examples().count() as u64);
    for id in examples() {
        out.0.extend_from_slice(&id.to_be_bytes());
    }
    out.0
}

/// A row of what [`write`] gave.
pub(super) fn read(bytes: &[u8], server: events::ServerRange, named: Named) -> Option<MinuteRow> {
    let mut from = In(bytes);
    if from.byte()? != VERSION {
        return None;
    }
    let (count, confidence_sum, confidence_least) = (from.number()?, from.float()?, from.float()?);
    let clients = from.clients()?;
    let mut top_clients = Vec::new();
    for _ in 0..from.len()? {
        top_clients.push(ClientCount { ip: from.ip()?, count: from.number()? });
    }
    let (time_to_reset_s, idle_before_s, bytes_before) =
        (from.spread()?, from.spread()?, from.spread()?);
    let mut idle_timers = BTreeMap::new();
    for _ in 0..from.len()? {
        idle_timers.insert(u32::try_from(from.number()?).ok()?, from.number()?);
    }
    let mut examples = Vec::new();
    for _ in 0..from.len()? {
        let id = u64::from_be_bytes(from.take(8)?.try_into().ok()?);
        examples.push(format!("{id:016x}"));
    }
    Some(MinuteRow {
        server,
        origin: named.origin,
        cause: named.cause,
        stage: named.stage,
        impact: named.impact,
        count,
        clients,
        top_clients,
        confidence_sum,
        confidence_least,
        time_to_reset_s,
        idle_before_s,
        bytes_before,
        idle_timers,
        examples,
    })
}

/// Adds the clients of what [`write`] gave; nothing else of it is read.
pub(super) fn add_clients(bytes: &[u8], clients: &mut Clients) {
    let mut from = In(bytes);
    let is_known = from.byte() == Some(VERSION);
    let counts = from.number().and(from.float()).and(from.float());
    if let Some(bytes) = counts.and_then(|_| from.bytes()).filter(|_| is_known) {
        // A damaged body is left out, as by whoever reads all of it.
        let _is_added = clients.add_bytes(bytes);
    }
}

const VERSION: u8 = 1;
