//! From an open minute to what is told of it.

use std::collections::BTreeMap;
use std::io;

use events::{
    Connections, LATE_PARTS, Minute, MinuteRow, SCHEMA, ServerRange, ServiceRow, UtcTime, event_id,
    minute_id,
};

use super::fact::Example;
use super::open::Open;
use super::row::{Key, Row};
use super::{MINUTE_NS, MINUTE_S, Snapshot, Tell};
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
    ///
    /// # Errors
    /// What `tell` said.
    pub(super) fn tell(
        &mut self,
        number: u64,
        mut open: Open,
        now: &Snapshot,
        tell: Tell<'_>,
    ) -> io::Result<()> {
        let is_late = self.latest.is_some_and(|latest| number <= latest);
        self.latest = self.latest.max(Some(number));
        let (status, losses) = match open.end.take() {
            Some(end) => (end.snapshot.status, end.losses),
            None => (now.status.clone(), BTreeMap::new()),
        };
        let blank = Minute {
            schema: SCHEMA,
            start: UtcTime(number * MINUTE_NS),
            span_s: MINUTE_S,
            status,
            ..Minute::default()
        };
        let first = Minute {
            scans: open.scans.told(),
            connections: open.connections,
            overflow: open.overflow,
            losses,
            ..blank.clone()
        };
        let number = if is_late { None } else { Some(0) };
        let mut parts = Parts { telling: self, tell, blank, part: first, bytes: 0, number };
        for service in sorted(open.services) {
            parts.make_room(SERVICE_BYTES)?;
            parts.part.services.push(service);
        }
        let mut rows: Vec<(Key, Row)> = open.rows.into_iter().collect();
        rows.sort_unstable_by_key(|(key, _)| *key);
        for (key, row) in rows {
            parts.make_room(row.told_bytes())?;
            let row = parts.telling.row(&key, &row);
            parts.part.rows.push(row);
        }
        parts.end()
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

/// The parts of one minute, one after the other.
struct Parts<'p> {
    telling: &'p mut Telling,
    tell: Tell<'p>,
    /// What every part begins with.
    blank: Minute,
    part: Minute,
    /// Of `part`, about.
    bytes: usize,
    /// Of `part`, if the minute is not late.
    number: Option<u32>,
}

impl Parts<'_> {
    fn make_room(&mut self, more: usize) -> io::Result<()> {
        if self.bytes > 0 && self.bytes + more > PART_BYTES {
            self.end()?;
            self.part = self.blank.clone();
            self.bytes = 0;
        }
        self.bytes += more;
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        self.part.part = match &mut self.number {
            Some(number) => {
                *number += 1;
                *number - 1
            }
            None => self.telling.late_part(),
        };
        self.part.id = minute_id(&self.telling.run, self.part.start, self.part.part);
        (self.tell)(&self.part)
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
