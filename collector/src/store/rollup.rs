//! Minutes into sums: every minute is added once to each step that holds it.
//!
//! | table | a row |
//! |---|---|
//! | `minute` | a minute that was added: what makes a repeat do nothing |
//! | `total_STEP` | a step and sensor: [`Total`] |
//! | `matrix_STEP` | a step and sensor: [`Matrix`] |
//! | `rollup_STEP` | a step, sensor, server and kind of reset: [`detail`] |

use events::{Minute, MinuteRow, Spread};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::bytes::server_key;
use super::checks;
use super::detail;
use super::group::Group;
use super::incoming::Unreadable;
use super::levels::{Level, Reach, at};
use super::matrix::Matrix;
use super::options::StoreOptions;
use super::total::Total;
use super::words::Words;

/// The tables of all steps.
pub(super) const TABLES: &str = "
    CREATE TABLE minute(sensor INTEGER NOT NULL, id TEXT NOT NULL, start INTEGER NOT NULL,
        PRIMARY KEY(sensor, id)) WITHOUT ROWID;
    CREATE TABLE total_1m(at INTEGER PRIMARY KEY, body BLOB NOT NULL);
    CREATE TABLE total_10m(at INTEGER PRIMARY KEY, body BLOB NOT NULL);
    CREATE TABLE total_1h(at INTEGER PRIMARY KEY, body BLOB NOT NULL);
    CREATE TABLE total_1d(at INTEGER PRIMARY KEY, body BLOB NOT NULL);
    CREATE TABLE matrix_1m(at INTEGER PRIMARY KEY, body BLOB NOT NULL);
    CREATE TABLE matrix_10m(at INTEGER PRIMARY KEY, body BLOB NOT NULL);
    CREATE TABLE matrix_1h(at INTEGER PRIMARY KEY, body BLOB NOT NULL);
    CREATE TABLE matrix_1d(at INTEGER PRIMARY KEY, body BLOB NOT NULL);
    CREATE TABLE rollup_1m(at INTEGER NOT NULL, server BLOB NOT NULL, kind INTEGER NOT NULL,
        body BLOB NOT NULL, PRIMARY KEY(at, server, kind)) WITHOUT ROWID;
    CREATE TABLE rollup_10m(at INTEGER NOT NULL, server BLOB NOT NULL, kind INTEGER NOT NULL,
        body BLOB NOT NULL, PRIMARY KEY(at, server, kind)) WITHOUT ROWID;
    CREATE TABLE rollup_1h(at INTEGER NOT NULL, server BLOB NOT NULL, kind INTEGER NOT NULL,
        body BLOB NOT NULL, PRIMARY KEY(at, server, kind)) WITHOUT ROWID;
    CREATE TABLE rollup_1d(at INTEGER NOT NULL, server BLOB NOT NULL, kind INTEGER NOT NULL,
        body BLOB NOT NULL, PRIMARY KEY(at, server, kind)) WITHOUT ROWID;";

/// What became of a minute.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Added {
    Now,
    Before,
    Never(Unreadable),
}

/// Reads a minute's line and looks whether its numbers can be true.
///
/// # Errors
/// It is no minute, or one that nobody can have counted.
pub(super) fn read(json: &[u8]) -> Result<Minute, Unreadable> {
    if json.len() > MINUTE_BYTES_MAX {
        return Err(Unreadable("minute longer than 64 MiB"));
    }
    let minute: Minute =
        serde_json::from_slice(json).map_err(|_| Unreadable("minute without its fields"))?;
    let is_plain = minute.span_s == 60
        && minute.start.0.is_multiple_of(60_000_000_000)
        && (1..=ID_LEN_MAX).contains(&minute.id.len())
        && minute.rows.len() <= ROWS_MAX
        && minute.services.len() <= ROWS_MAX;
    let is_possible = is_plain && minute.rows.iter().all(is_possible) && {
        let all = minute.services.iter().map(|row| row.connections).chain([minute.connections]);
        let counts = all.flat_map(|all| {
            let ends = [all.closed_well, all.reset, all.timed_out, all.unanswered];
            ends.into_iter().chain([all.opened, all.midstream, all.established, all.still_open])
        });
        counts.chain([minute.overflow]).chain(minute.losses.values().copied()).all(is_count)
    };
    is_possible.then_some(minute).ok_or(Unreadable("minute with impossible numbers"))
}

fn is_possible(row: &MinuteRow) -> bool {
    let spreads = [&row.time_to_reset_s, &row.idle_before_s, &row.bytes_before];
    is_count(row.count)
        && row.confidence_sum.is_finite()
        && row.confidence_least.is_finite()
        && row.top_clients.iter().all(|client| is_count(client.count))
        && row.idle_timers.values().copied().all(is_count)
        && spreads.into_iter().all(is_possible_spread)
}

fn is_possible_spread(spread: &Spread) -> bool {
    spread.sum.is_finite()
        && spread.buckets.len() <= BUCKETS_MAX
        && spread.buckets.values().copied().chain([spread.count, spread.zeros]).all(is_count)
}

/// No minute counts more, and no sum of minutes overflows.
const fn is_count(count: u64) -> bool {
    count <= 1 << 40
}

/// Adds a minute, unless it was added before or is too old.
pub(super) fn add(
    db: &Connection,
    words: &Words,
    sensor: u16,
    minute: &Minute,
    now_s: u64,
    options: &StoreOptions,
) -> rusqlite::Result<Added> {
    let start_s = minute.start.0 / 1_000_000_000;
    if let Err(why) = checks::minute_time(minute, now_s, Level::Day.kept_s(options)) {
        return Ok(Added::Never(why));
    }
    let is_new = db
        .prepare_cached("INSERT OR IGNORE INTO minute VALUES(?, ?, ?)")?
        .execute(params![sensor, minute.id, start_s as i64])?;
    if is_new == 0 {
        return Ok(Added::Before);
    }
    let (total, matrix) = (Total::of(minute, words), Matrix::of(minute, words));
    let rows = rows_by_key(minute, words);
    for level in Level::ALL {
        if start_s.saturating_add(level.kept_s(options)) < now_s {
            continue;
        }
        let key = at(level.start(start_s), sensor);
        add_total(db, level, key, &total)?;
        add_matrix(db, level, key, &matrix)?;
        add_rows(db, words, level, key, &rows)?;
    }
    Ok(Added::Now)
}

/// Rows in the order of their table; rows of the same key become one.
fn rows_by_key(minute: &Minute, words: &Words) -> Vec<(Vec<u8>, Group, MinuteRow)> {
    let key = |row: &MinuteRow| (server_key(row.server), Group::of(row, words));
    let mut rows: Vec<_> = minute.rows.iter().map(|row| (key(row), row)).collect();
    rows.sort_by(|left, right| left.0.cmp(&right.0));
    let mut merged: Vec<(Vec<u8>, Group, MinuteRow)> = Vec::with_capacity(rows.len());
    for ((server, group), row) in rows {
        match merged.last_mut() {
            Some(last) if last.0 == server && last.1 == group => last.2.merge(row),
            _ => merged.push((server, group, row.clone())),
        }
    }
    merged
}

fn add_total(db: &Connection, level: Level, key: i64, more: &Total) -> rusqlite::Result<()> {
    let table = format!("total_{}", level.name());
    let mut total =
        body(db, &table, key)?.and_then(|bytes| Total::read(&bytes)).unwrap_or_default();
    total.merge(more);
    replace(db, &table, key, &total.write())
}

fn add_matrix(db: &Connection, level: Level, key: i64, more: &Matrix) -> rusqlite::Result<()> {
    let table = format!("matrix_{}", level.name());
    match body(db, &table, key)?.and_then(|bytes| Matrix::read(&bytes)) {
        None => replace(db, &table, key, &more.write()),
        Some(mut matrix) => {
            matrix.merge(more);
            replace(db, &table, key, &matrix.write())
        }
    }
}

fn body(db: &Connection, table: &str, key: i64) -> rusqlite::Result<Option<Vec<u8>>> {
    db.prepare_cached(&format!("SELECT body FROM {table} WHERE at = ?"))?
        .query_row([key], |row| row.get(0))
        .optional()
}

fn replace(db: &Connection, table: &str, key: i64, body: &[u8]) -> rusqlite::Result<()> {
    db.prepare_cached(&format!("INSERT OR REPLACE INTO {table} VALUES(?, ?)"))?
        .execute(params![key, body])
        .map(drop)
}

fn add_rows(
    db: &Connection,
    words: &Words,
    level: Level,
    key: i64,
    rows: &[(Vec<u8>, Group, MinuteRow)],
) -> rusqlite::Result<()> {
    let name = level.name();
    let mut find = db.prepare_cached(&format!(
        "SELECT body FROM rollup_{name} WHERE at = ? AND server = ? AND kind = ?"
    ))?;
    let mut put =
        db.prepare_cached(&format!("INSERT OR REPLACE INTO rollup_{name} VALUES(?, ?, ?, ?)"))?;
    let is_first = db
        .prepare_cached(&format!("SELECT 1 FROM rollup_{name} WHERE at = ? LIMIT 1"))?
        .query_row([key], |_| Ok(()))
        .optional()?
        .is_none();
    for (server, group, row) in rows {
        let kind = group.to_number() as i64;
        let known = if is_first {
            None
        } else {
            let read = |row: &rusqlite::Row<'_>| row.get::<_, Vec<u8>>(0);
            find.query_row(params![key, server, kind], read).optional()?
        };
        let known = known.and_then(|bytes| detail::read(&bytes, row.server, group.named(words)));
        let body = match known {
            None => detail::write(row),
            Some(mut sum) => {
                sum.merge(row);
                detail::write(&sum)
            }
        };
        put.execute(params![key, server, kind, body])?;
    }
    Ok(())
}

/// Deletes what is older than it is to be kept, so many steps of each table at most; whether there is more.
pub(super) fn forget(
    db: &Connection,
    now_s: u64,
    options: &StoreOptions,
) -> rusqlite::Result<bool> {
    let mut has_more = false;
    let reach = Reach::of(options, now_s);
    reach.write(db, now_s)?;
    for level in Level::ALL {
        let name = level.name();
        let end = at(reach.oldest_s(level), 0);
        for table in ["rollup", "matrix", "total"] {
            for _ in 0..STEPS_FORGOTTEN_AT_ONCE {
                let first: Option<i64> = db
                    .prepare_cached(&format!("SELECT min(at) FROM {table}_{name}"))?
                    .query_row([], |row| row.get(0))?;
                let Some(first) = first.filter(|first| *first < end) else { break };
                db.prepare_cached(&format!("DELETE FROM {table}_{name} WHERE at = ?"))?
                    .execute([first])?;
            }
            let rest: Option<i64> = db
                .prepare_cached(&format!("SELECT min(at) FROM {table}_{name}"))?
                .query_row([], |row| row.get(0))?;
            has_more |= rest.is_some_and(|first| first < end);
        }
    }
    Ok(has_more)
}

/// Deletes the names of minutes that would be refused as too old.
pub(super) fn forget_minutes(
    db: &Connection,
    now_s: u64,
    options: &StoreOptions,
) -> rusqlite::Result<usize> {
    let oldest_s = now_s.saturating_sub(Level::Day.kept_s(options));
    db.execute("DELETE FROM minute WHERE start < ?", [oldest_s as i64])
}

const MINUTE_BYTES_MAX: usize = 64 << 20;
const ID_LEN_MAX: usize = 64;
const ROWS_MAX: usize = 1 << 16;
/// Thrice what covers a microsecond to a year.
const BUCKETS_MAX: usize = 512;
/// With two hundred sensors, some minutes' worth.
const STEPS_FORGOTTEN_AT_ONCE: usize = 512;
