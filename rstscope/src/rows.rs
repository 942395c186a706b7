//! CSV: one line a reset.
//!
//! The order of the columns is part of the contract; new ones are added at the end.

use std::io::{self, Write};

use events::{Event, EventStatus};

use crate::table::reason;

/// The columns, in order.
pub(crate) const COLUMNS: [&str; 34] = [
    "ts",
    "impact",
    "origin",
    "origin_confidence",
    "cause",
    "cause_confidence",
    "client_ip",
    "client_port",
    "server_ip",
    "server_port",
    "effect",
    "stage",
    "role",
    "status",
    "claimed",
    "terminator",
    "rule",
    "file",
    "frame",
    "interface",
    "queue",
    "community_id",
    "idle_before_s",
    "age_s",
    "rtt_client_ms",
    "rtt_server_ms",
    "packets_client",
    "packets_server",
    "bytes_client",
    "bytes_server",
    "bytes_unacked_client",
    "bytes_unacked_server",
    "id",
    "reason",
];

/// The header.
pub(crate) fn write_header(out: &mut impl Write) -> io::Result<()> {
    record(out, &COLUMNS.map(str::to_owned))
}

/// The line of `event`.
pub(crate) fn write(out: &mut impl Write, event: &Event) -> io::Result<()> {
    let verdict = &event.verdict;
    let status = match event.status {
        EventStatus::Provisional => "provisional",
        EventStatus::Final => "final",
    };
    let cells: [String; COLUMNS.len()] = [
        event.ts.to_string(),
        verdict.impact.name().to_owned(),
        verdict.origin.name().to_owned(),
        verdict.origin_confidence.to_string(),
        verdict.cause.name().to_owned(),
        verdict.cause_confidence.to_string(),
        event.client.ip.to_string(),
        event.client.port.to_string(),
        event.server.ip.to_string(),
        event.server.port.to_string(),
        verdict.effect.name().to_owned(),
        verdict.stage.name().to_owned(),
        verdict.role.name().to_owned(),
        status.to_owned(),
        event.claimed.name().to_owned(),
        verdict.terminator.name().to_owned(),
        verdict.rule.clone(),
        optional(event.file.as_ref()),
        optional(event.frame),
        optional(event.interface.as_ref()),
        optional(event.queue),
        event.community_id.clone(),
        optional(event.idle_before_s),
        optional(event.age_s),
        optional(event.rtt_ms.client),
        optional(event.rtt_ms.server),
        event.packets.client.to_string(),
        event.packets.server.to_string(),
        event.bytes.client.to_string(),
        event.bytes.server.to_string(),
        optional(verdict.bytes_unacked.client),
        optional(verdict.bytes_unacked.server),
        event.id.clone(),
        reason(event),
    ];
    record(out, &cells)
}

/// One record; buffered by `out`, so nothing is kept here.
fn record(out: &mut impl Write, cells: &[String]) -> io::Result<()> {
    let mut writer = csv::WriterBuilder::new().buffer_capacity(RECORD_LEN).from_writer(out);
    writer.write_record(cells)?;
    writer.flush()
}

fn optional<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

/// About the length of a record.
const RECORD_LEN: usize = 1 << 10;
