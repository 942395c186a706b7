//! From an open minute to what is told of it.

use events::{
    Connections, LATE_PARTS, Minute, MinuteRow, SCHEMA, ServerRange, ServiceRow, UtcTime, event_id,
    minute_id,
};

use super::fact::Example;
use super::open::Open;
use super::row::{Key, Row};
use super::{MINUTE_NS, MINUTE_S, Snapshot};
use crate::window::unpack;

/// Who tells: what identifiers are made of.
#[derive(Debug)]
pub(super) struct Telling {
    run: String,
    /// Names of capture files: events out of them are named by them.
    files: Vec<String>,
    /// The latest minute told.
    latest: Option<u64>,
    /// The next part of minutes that were told before.
    late: u32,
}

impl Telling {
    pub(super) const fn new(run: String, files: Vec<String>) -> Self {
        Self { run, files, latest: None, late: LATE_PARTS }
    }

    /// Tells a minute in as many parts as keep each below [`PART_BYTES`] or so.
    pub(super) fn tell(
        &mut self,
        number: u64,
        mut open: Open,
        now: &Snapshot,
        told: &mut Vec<Minute>,
    ) {
        let is_late = self.latest.is_some_and(|latest| number <= latest);
        self.latest = self.latest.max(Some(number));
        let start = UtcTime(number * MINUTE_NS);
        let end = open.end.take();
        let (status, losses) = match end {
            Some(end) => (end.snapshot.status, end.losses),
            None => (now.status.clone(), Default::default()),
        };
        let mut part = Minute {
            schema: SCHEMA,
            start,
            span_s: MINUTE_S,
            scans: open.scans.told(),
            connections: open.connections,
            overflow: open.overflow,
            losses,
            status: status.clone(),
            ..Minute::default()
        };
        let (mut bytes, mut parts) = (0, Vec::new());
        let mut make_room = |part: &mut Minute, more: usize| {
            bytes += more;
            if bytes > PART_BYTES {
                bytes = more;
                let next = Minute {
                    schema: SCHEMA,
                    start,
                    span_s: MINUTE_S,
                    status: status.clone(),
                    ..Minute::default()
                };
                parts.push(std::mem::replace(part, next));
            }
        };
        for service in sorted(open.services) {
            make_room(&mut part, SERVICE_BYTES);
            part.services.push(service);
        }
        let mut rows: Vec<(Key, Row)> = open.rows.into_iter().collect();
        rows.sort_unstable_by_key(|(key, _)| *key);
        for (key, row) in rows {
            make_room(&mut part, row.told_bytes());
            part.rows.push(self.row(&key, &row));
        }
        parts.push(part);
        for (index, mut part) in (0..).zip(parts) {
            part.part = if is_late { self.late_part() } else { index };
            part.id = minute_id(&self.run, start, part.part);
            told.push(part);
        }
    }

    fn late_part(&mut self) -> u32 {
        let part = self.late;
        self.late = part.saturating_add(1);
        part
    }

    fn row(&self, key: &Key, row: &Row) -> MinuteRow {
        row.told(key, |example: &Example| {
            let receipt = unpack(example.receipt);
            let file = self.files.get(usize::from(receipt.input));
            let run = file.map_or(self.run.as_str(), String::as_str);
            event_id(run, receipt.queue, receipt.frame, UtcTime(example.time.0))
        })
    }
}

fn sorted(services: impl IntoIterator<Item = (ServerRange, Connections)>) -> Vec<ServiceRow> {
    let row = |(server, connections)| ServiceRow { server, connections };
    let mut rows: Vec<ServiceRow> = services.into_iter().map(row).collect();
    rows.sort_unstable_by_key(|row| row.server);
    rows
}

/// JSON of a part, about: receivers take a megabyte a message (NATS), batches are half of that.
const PART_BYTES: usize = 256 << 10;
/// JSON of the counts of a server, about.
const SERVICE_BYTES: usize = 190;
