//! Questions about single events, answered from the parts.

use std::collections::BTreeMap;
use std::path::PathBuf;

use events::{Event, Evidence, Filter, ServerRange, UtcTime};
use rusqlite::types::Value;
use rusqlite::{OptionalExtension as _, params_from_iter};

use super::by_events::of_server;
use super::error::StoreError;
use super::facts::{community_number, id_number};
use super::gathered::{Bursts, Devices, Disagreements, ROWS_MAX, WHOLE_EVENTS_MAX};
use super::library::Volume;
use super::part::{self, BLOCK_BYTES_MAX, PLACE_BITS};
use super::row::{self, COLUMNS, DAY_NS, Stored};
use super::shelf::{self, PartKey};
use super::{Reading, ring};
use crate::history::{
    Ask, BurstRow, DeviceRow, DisagreementRow, EventDetail, EventList, EventRow, RowList,
};

/// All events, whatever their verdict says.
pub(super) const ANY: i64 = 0;

/// The lines of a block that was read last: events beside each other share it.
#[derive(Default)]
struct Block {
    number: i64,
    lines: Vec<u8>,
}

impl Reading<'_> {
    /// # Errors
    /// The store cannot be read, or not in time.
    pub(super) fn history(&self, ask: &Ask) -> Result<EventList, StoreError> {
        ask.check_offset()?;
        let wanted = ask.offset + ask.limit.min(ROWS_MAX) + 1;
        let mut rows: Vec<EventRow> = Vec::new();
        let mut of_day: Option<u64> = None;
        let mut begun = 0;
        for (key, _) in self.parts(ask)?.into_iter().rev() {
            // Parts of one day overlap: only whole days are in order.
            if of_day != Some(key.0) {
                rows[begun..].sort_by(newest_first);
                if rows.len() >= wanted {
                    break;
                }
                (of_day, begun) = (Some(key.0), rows.len());
            }
            let mut room = wanted - begun;
            self.each_of(key, ask, ANY, |volume, event| {
                rows.push(event.listed(&volume.words, false));
                room -= 1;
                Ok(room > 0)
            })?;
        }
        rows[begun..].sort_by(newest_first);
        let has_more = rows.len() >= wanted;
        let mut rows: Vec<EventRow> =
            rows.into_iter().skip(ask.offset).take(ask.limit.min(ROWS_MAX)).collect();
        self.mark_evidence(&mut rows)?;
        Ok(EventList { rows, has_more })
    }

    /// # Errors
    /// The store cannot be read, or not in time.
    pub(super) fn events_of(
        &self,
        server: ServerRange,
        ask: &Ask,
    ) -> Result<Vec<EventRow>, StoreError> {
        let Some(ask) = of_server(ask, server) else { return Ok(Vec::new()) };
        let ask = Ask { limit: EVENTS_OF_SERVER, offset: 0, ..ask };
        Ok(self.history(&ask)?.rows)
    }

    /// # Errors
    /// The store cannot be read, or not in time.
    pub(super) fn event(&self, id: &str) -> Result<Option<EventDetail>, StoreError> {
        let Some(number) = id_number(id) else { return Ok(None) };
        for key in shelf::list(&self.library.directory)?.into_keys().rev() {
            self.deadline.check()?;
            let Some(volume) = self.volume(key)? else { continue };
            let found = one(&volume, key.0, "id = ?", number as i64);
            let found = found.map_err(volume.failed())?;
            let Some(stored) = found else {
                self.library.close(volume);
                continue;
            };
            let sensor = volume.words.sensor(stored.sensor).to_owned();
            let event: Option<Event> = self.json_of(&volume, &stored, &mut Block::default())?;
            self.library.close(volume);
            let Some(event) = event else { return Ok(None) };
            let sheet = events::explain::proof_sheet(&event, SHEET_WIDTH);
            let same_connection = self.same_connection(&event, key.0)?;
            let ladder = self.evidence(number)?.map_or_else(Vec::new, |evidence| evidence.ladder());
            return Ok(Some(EventDetail { sensor, sheet, ladder, same_connection, event }));
        }
        Ok(None)
    }

    /// Other resets of the same addresses and ports, of the day before to the day after.
    fn same_connection(&self, event: &Event, day: u64) -> Result<Vec<EventRow>, StoreError> {
        let Some(community) = community_number(&event.community_id) else { return Ok(Vec::new()) };
        let own = id_number(&event.id);
        let mut rows = Vec::new();
        let days = day.saturating_sub(1)..=day + 1;
        let parts = shelf::list(&self.library.directory)?;
        for key in parts.into_keys().filter(|key| days.contains(&key.0)) {
            self.deadline.check()?;
            let Some(volume) = self.volume(key)? else { continue };
            let failed = volume.failed();
            let sql = format!("SELECT {COLUMNS} FROM event WHERE community = ? LIMIT {SAME_MAX}");
            let found = volume.db.prepare_cached(&sql).and_then(|mut read| {
                let read = read
                    .query_map([community as i64], |row| Stored::read(row, key.0, &volume.words))?;
                read.collect::<rusqlite::Result<Vec<Stored>>>()
            });
            let found = found.map_err(failed)?;
            let others = found.iter().filter(|stored| Some(stored.id) != own);
            rows.extend(others.map(|stored| stored.listed(&volume.words, false)));
            self.library.close(volume);
        }
        rows.sort_by(newest_first);
        rows.truncate(SAME_MAX);
        self.mark_evidence(&mut rows)?;
        Ok(rows)
    }

    fn mark_evidence(&self, rows: &mut [EventRow]) -> Result<(), StoreError> {
        let Some(volume) = self.library.open(ring::FILE, &ring::SCHEMA)? else { return Ok(()) };
        for row in rows {
            let id = id_number(&row.id).unwrap_or_default();
            row.has_evidence = ring::has(&volume.db, id).map_err(volume.failed())?;
        }
        self.library.close(volume);
        Ok(())
    }

    /// # Errors
    /// The store cannot be read.
    pub(super) fn evidence(&self, event: u64) -> Result<Option<Evidence>, StoreError> {
        let Some(volume) = self.library.open(ring::FILE, &ring::SCHEMA)? else { return Ok(None) };
        let found = ring::find(&volume.db, event).map_err(volume.failed())?;
        self.library.close(volume);
        Ok(found)
    }

    /// # Errors
    /// The store cannot be read, or not in time.
    pub(super) fn bursts(&self, ask: &Ask) -> Result<RowList<BurstRow>, StoreError> {
        let mut bursts = Bursts::default();
        let is_cut =
            self.each_whole(ask, row::IN_BURST, |sensor, event| bursts.add(sensor, event))?;
        Ok(bursts.list(ask, is_cut))
    }

    /// # Errors
    /// The store cannot be read, or not in time.
    pub(super) fn devices(&self, ask: &Ask) -> Result<RowList<DeviceRow>, StoreError> {
        let mut devices = Devices::default();
        let is_cut =
            self.each_whole(ask, row::HAS_DEVICE, |sensor, event| devices.add(sensor, event))?;
        self.each_event(ask, ANY, |volume, event| {
            if event.origin.is_device() && !event.has_device {
                let sensor = volume.words.sensor(event.sensor);
                let id = format!("{:016x}", event.id);
                devices.add_nameless(sensor, event.named(), event.server, 1, event.ts, &id);
            }
            Ok(())
        })?;
        Ok(devices.list(ask, is_cut))
    }

    /// # Errors
    /// The store cannot be read, or not in time.
    pub(super) fn disagreements(&self, ask: &Ask) -> Result<RowList<DisagreementRow>, StoreError> {
        let mut disagreements = Disagreements::default();
        let is_cut = self.each_whole(ask, row::DISAGREES, |_, event| disagreements.add(event))?;
        Ok(disagreements.list(ask, is_cut))
    }

    /// Goes through events, newest part first, with all they say: [`WHOLE_EVENTS_MAX`] at most. Whether there
    /// are more.
    pub(super) fn each_whole(
        &self,
        ask: &Ask,
        mask: i64,
        mut each: impl FnMut(&str, &Event),
    ) -> Result<bool, StoreError> {
        let (mut left, mut is_cut) = (WHOLE_EVENTS_MAX, false);
        for (key, _) in self.parts(ask)?.into_iter().rev() {
            let mut block = Block::default();
            self.each_of(key, ask, mask, |volume, stored| {
                if left == 0 {
                    is_cut = true;
                    return Ok(false);
                }
                if let Some(event) = self.json_of::<Event>(volume, stored, &mut block)? {
                    each(volume.words.sensor(stored.sensor), &event);
                }
                left -= 1;
                Ok(true)
            })?;
            if is_cut {
                break;
            }
        }
        Ok(is_cut)
    }

    /// Goes through events that are asked for, newest part first.
    pub(super) fn each_event(
        &self,
        ask: &Ask,
        mask: i64,
        mut each: impl FnMut(&Volume, &Stored) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        for (key, _) in self.parts(ask)?.into_iter().rev() {
            self.each_of(key, ask, mask, |volume, stored| each(volume, stored).map(|()| true))?;
        }
        Ok(())
    }

    /// The parts that may hold what is asked for.
    fn parts(&self, ask: &Ask) -> Result<BTreeMap<PartKey, PathBuf>, StoreError> {
        let mut parts = shelf::list(&self.library.directory)?;
        let days = ask.from.0 / DAY_NS..=ask.to.0 / DAY_NS;
        parts.retain(|key, _| days.contains(&key.0));
        Ok(parts)
    }

    fn volume(&self, key: PartKey) -> Result<Option<Volume>, StoreError> {
        match self.library.open(&shelf::name_of(key), &part::SCHEMA) {
            // One damaged part must not hide all others; the writer sets it aside.
            Err(error) if error.is_damage() => {
                tracing::warn!("left out of an answer: {error}");
                Ok(None)
            }
            opened => opened,
        }
    }

    /// Goes through the events of a part, newest first, until `each` says that it is enough.
    fn each_of(
        &self,
        key: PartKey,
        ask: &Ask,
        mask: i64,
        mut each: impl FnMut(&Volume, &Stored) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        let Some(volume) = self.volume(key)? else { return Ok(()) };
        let failed = volume.failed();
        let begin = key.0 * DAY_NS;
        let of_day = |time: UtcTime| time.0.saturating_sub(begin).min(DAY_NS);
        let mut values = vec![
            Value::Integer((of_day(ask.from) << 16) as i64),
            Value::Integer((of_day(ask.to) << 16) as i64),
        ];
        let mut sql = format!("SELECT {COLUMNS} FROM event WHERE at >= ? AND at < ?");
        if mask != ANY {
            sql += " AND verdict & ? != 0";
            values.push(Value::Integer(mask));
        }
        let named = ask.filters.iter().find_map(Filter::servers_named);
        if let Some(servers) = named.filter(|servers| servers.len() <= SERVERS_IN_SQL_MAX) {
            let marks = vec!["?"; servers.len()].join(", ");
            sql += &format!(" AND server IN ({marks})");
            values.extend(
                servers.into_iter().map(|server| Value::Blob(super::bytes::endpoint_key(server))),
            );
        }
        sql += " ORDER BY at DESC";
        let mut read = volume.db.prepare_cached(&sql).map_err(&failed)?;
        let mut rows = read.query(params_from_iter(values)).map_err(&failed)?;
        let mut count = 0_u32;
        loop {
            let row = match rows.next() {
                Ok(Some(row)) => row,
                Ok(None) => break,
                Err(error) => {
                    let error = failed(error);
                    if error.is_damage() {
                        tracing::warn!("the rest is left out of an answer: {error}");
                        break;
                    }
                    return Err(error);
                }
            };
            count += 1;
            if count.is_multiple_of(256) {
                self.deadline.check()?;
            }
            let stored = Stored::read(row, key.0, &volume.words).map_err(&failed)?;
            if wants(ask, &volume, &stored) && !each(&volume, &stored)? {
                break;
            }
        }
        drop(rows);
        drop(read);
        self.library.close(volume);
        Ok(())
    }

    /// An event's JSON; `None` if it cannot be read by this program.
    fn json_of<T: serde::de::DeserializeOwned>(
        &self,
        volume: &Volume,
        stored: &Stored,
        block: &mut Block,
    ) -> Result<Option<T>, StoreError> {
        if block.number != stored.block {
            self.deadline.check()?;
            let body: Option<Vec<u8>> = volume
                .db
                .prepare_cached("SELECT body FROM block WHERE number = ?")
                .and_then(|mut read| read.query_row([stored.block], |row| row.get(0)).optional())
                .map_err(volume.failed())?;
            let lines = body.and_then(|body| zstd::bulk::decompress(&body, BLOCK_BYTES_MAX).ok());
            *block = Block { number: stored.block, lines: lines.unwrap_or_default() };
        }
        let (offset, len) = (
            (stored.place >> PLACE_BITS) as usize,
            (stored.place & ((1 << PLACE_BITS) - 1)) as usize,
        );
        let line = block.lines.get(offset..offset.saturating_add(len));
        let read = line.map(serde_json::from_slice);
        match read {
            Some(Ok(read)) => Ok(Some(read)),
            Some(Err(error)) => {
                tracing::warn!("event {:016x} cannot be read: {error}", stored.id);
                Ok(None)
            }
            None => {
                tracing::warn!("event {:016x} has lost its text", stored.id);
                Ok(None)
            }
        }
    }
}

fn wants(ask: &Ask, volume: &Volume, stored: &Stored) -> bool {
    let is_in_time = (ask.from..ask.to).contains(&stored.ts);
    let is_of_sensor =
        ask.sensor.as_ref().is_none_or(|sensor| volume.words.sensor(stored.sensor) == sensor);
    let has_role =
        stored.role == classifiers::Role::Primary || ask.filters.iter().any(Filter::is_about_role);
    let facts = stored.facts();
    is_in_time
        && is_of_sensor
        && has_role
        && ask.filters.iter().all(|filter| filter.passes_facts(&facts) == Some(true))
}

fn one(volume: &Volume, day: u64, condition: &str, value: i64) -> rusqlite::Result<Option<Stored>> {
    volume
        .db
        .prepare_cached(&format!("SELECT {COLUMNS} FROM event WHERE {condition}"))?
        .query_row([value], |row| Stored::read(row, day, &volume.words))
        .optional()
}

fn newest_first(left: &EventRow, right: &EventRow) -> std::cmp::Ordering {
    (right.ts, &right.id).cmp(&(left.ts, &left.id))
}

const EVENTS_OF_SERVER: usize = 20;
const SAME_MAX: usize = 20;
const SERVERS_IN_SQL_MAX: usize = 32;
const SHEET_WIDTH: usize = 80;
