//! A file of events: those of one UTC day, or a part of them when there are many.
//!
//! While it is written it has no indexes but its own order, time: random places of an index in a growing file
//! would cost more than the events. What is known of its identifiers is in memory; when the part is full or
//! its day is over it is *sealed*: indexed, and one plain file without a log beside it.
//!
//! Events lie in blocks of some hundred lines, which compress far better together. An event that is told anew
//! is written again, and its row points to the new place.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension as _, params};

use super::bytes::endpoint_key;
use super::error::StoreError;
use super::facts::EventFacts;
use super::files::{self, Schema};
use super::incoming::Unreadable;
use super::options::StoreSync;
use super::row;
use super::sieve::Sieve;
use super::words::Words;

/// Tables of a part, by version.
pub(super) const SCHEMA: Schema = Schema {
    steps: &["
    CREATE TABLE word(list INTEGER NOT NULL, code INTEGER NOT NULL,
        name TEXT NOT NULL, PRIMARY KEY(list, code)) WITHOUT ROWID;
    CREATE TABLE event(at INTEGER PRIMARY KEY, id INTEGER NOT NULL, sensor INTEGER NOT NULL,
        server BLOB NOT NULL, client BLOB NOT NULL, community INTEGER NOT NULL,
        verdict INTEGER NOT NULL, sure INTEGER NOT NULL, revision INTEGER NOT NULL,
        block INTEGER NOT NULL, place INTEGER NOT NULL);
    CREATE TABLE block(number INTEGER PRIMARY KEY, body BLOB NOT NULL);"],
};

const INDEXES: &str = "
    CREATE UNIQUE INDEX IF NOT EXISTS event_id ON event(id);
    CREATE INDEX IF NOT EXISTS event_server ON event(server);
    CREATE INDEX IF NOT EXISTS event_community ON event(community);";

/// A part that is being written.
pub(super) struct Part {
    pub(super) path: PathBuf,
    pub(super) day: u64,
    pub(super) number: u32,
    db: Connection,
    words: Words,
    /// Where each event is and which telling of it that is.
    known: HashMap<u64, Known>,
    block_next: i64,
    events: usize,
    /// Rough bytes of the file.
    pub(super) bytes: u64,
    pub(super) is_sealed: bool,
    waiting: Vec<u8>,
    /// Events whose lines wait for their block.
    pending: Vec<Pending>,
    compressor: zstd::bulk::Compressor<'static>,
}

/// Where an event is, and which telling of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Known {
    at: i64,
    rank: (u32, bool),
}

struct Pending {
    is_new: bool,
    facts: EventFacts,
    sensor: u16,
    offset: usize,
    len: usize,
}

/// What became of an event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kept {
    /// As a new event, or as a later telling of one.
    Yes,
    /// What is there is as good or better.
    Not,
    Never(Unreadable),
}

impl Part {
    /// Opens or makes a part.
    ///
    /// # Errors
    /// The file cannot be opened or is damaged.
    pub(super) fn open(
        path: &Path,
        day: u64,
        number: u32,
        sync: StoreSync,
    ) -> Result<Self, StoreError> {
        let db = files::open(path, &SCHEMA, sync, CACHE_KIB)?;
        let failed = || StoreError::file("read", path);
        let words = Words::load(&db, true).map_err(failed())?;
        let is_sealed = is_indexed(&db).map_err(failed())?;
        let known = if is_sealed { HashMap::new() } else { known_of(&db).map_err(failed())? };
        let events: i64 =
            db.query_row("SELECT count(*) FROM event", [], |row| row.get(0)).map_err(failed())?;
        let block_next: i64 = db
            .query_row("SELECT ifnull(max(number), 0) + 1 FROM block", [], |row| row.get(0))
            .map_err(failed())?;
        let compressor = zstd::bulk::Compressor::new(COMPRESSION)
            .map_err(StoreError::io("prepare compression for", path))?;
        Ok(Self {
            path: path.to_owned(),
            day,
            number,
            db,
            words,
            known,
            block_next,
            events: events as usize,
            bytes: files::bytes(path),
            is_sealed,
            waiting: Vec::new(),
            pending: Vec::new(),
            compressor,
        })
    }

    /// Begins a batch.
    pub(super) fn begin(&mut self) -> Result<(), StoreError> {
        self.db.execute_batch("BEGIN IMMEDIATE").map_err(StoreError::file("write to", &self.path))
    }

    /// Whether this event is in here, in whatever telling.
    pub(super) fn holds(&self, id: u64) -> rusqlite::Result<bool> {
        Ok(self.find(id)?.is_some())
    }

    fn find(&self, id: u64) -> rusqlite::Result<Option<Known>> {
        if let Some(known) = self.known.get(&id) {
            return Ok(Some(*known));
        }
        if !self.is_sealed {
            return Ok(None);
        }
        self.db
            .prepare_cached("SELECT at, revision, verdict FROM event WHERE id = ?")?
            .query_row([id as i64], |row| {
                let (revision, verdict): (u32, i64) = (row.get(1)?, row.get(2)?);
                Ok(Known { at: row.get(0)?, rank: (revision, row::is_final(verdict)) })
            })
            .optional()
    }

    /// Takes an event, or the later telling of one; within a batch.
    pub(super) fn take(
        &mut self,
        facts: &EventFacts,
        sensor: &str,
        json: &[u8],
    ) -> rusqlite::Result<Kept> {
        let known = self.find(facts.id)?;
        if known.is_some_and(|known| known.rank >= facts.rank()) {
            return Ok(Kept::Not);
        }
        let sensor = match self.words.sensor_or_new(&self.db, sensor)? {
            Ok(sensor) => sensor,
            Err(why) => return Ok(Kept::Never(why)),
        };
        let at = known.map_or_else(|| row::at_of(facts.ts.0, facts.id), |known| known.at);
        self.known.insert(facts.id, Known { at, rank: facts.rank() });
        let offset = self.waiting.len();
        self.waiting.extend_from_slice(json);
        let is_new = known.is_none();
        self.events += usize::from(is_new);
        self.pending.push(Pending { is_new, facts: *facts, sensor, offset, len: json.len() });
        if self.waiting.len() >= BLOCK_BYTES {
            self.write_block()?;
        }
        Ok(Kept::Yes)
    }

    fn write_block(&mut self) -> rusqlite::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let body = self
            .compressor
            .compress(&self.waiting)
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
        let block = self.block_next;
        self.db.prepare_cached("INSERT INTO block VALUES(?, ?)")?.execute(params![block, body])?;
        let mut put = self.db.prepare_cached(PUT)?;
        for event in &self.pending {
            let Pending { is_new, facts, sensor, offset, len } = event;
            let place = (offset << PLACE_BITS | len) as i64;
            let known = self.known.get_mut(&facts.id).expect("what is taken is known");
            let mut tries = 0;
            // An event that is told anew takes the place it had. Two new ones want the same one only if they
            // share the nanosecond and a quarter of their identifiers.
            while *is_new && is_taken(&self.db, known.at)? && tries < TRIES {
                tries += 1;
                known.at = row::at_beside(facts.ts.0, facts.id, tries);
            }
            put.execute(params![
                known.at,
                facts.id as i64,
                sensor,
                endpoint_key(facts.server),
                endpoint_key(facts.client),
                facts.community as i64,
                row::verdict_of(facts, &self.words),
                row::sure_of(facts),
                facts.revision,
                block,
                place,
            ])?;
        }
        self.bytes += body.len() as u64 + ROW_BYTES * self.pending.len() as u64;
        self.block_next += 1;
        self.pending.clear();
        self.waiting.clear();
        Ok(())
    }

    /// Ends a batch: what was taken stays, whatever happens to the process.
    pub(super) fn commit(&mut self) -> Result<(), StoreError> {
        let failed = StoreError::file("write to", &self.path);
        self.write_block().and_then(|()| self.db.execute_batch("COMMIT")).map_err(failed)
    }

    /// What tells which events are not in here.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(super) fn sieve(&self) -> Result<Sieve, StoreError> {
        if !self.is_sealed {
            return Ok(Sieve::of(self.known.keys().copied()));
        }
        let failed = || StoreError::file("read", &self.path);
        let mut read = self.db.prepare("SELECT id FROM event").map_err(failed())?;
        let ids = read.query_map([], |row| row.get::<_, i64>(0)).map_err(failed())?;
        let ids: Vec<i64> = ids.collect::<rusqlite::Result<_>>().map_err(failed())?;
        Ok(Sieve::of(ids.into_iter().map(|id| id as u64)))
    }

    /// Whether another one should be begun.
    pub(super) fn is_full(&self, bytes_max: u64) -> bool {
        self.bytes >= bytes_max || self.events >= EVENTS_MAX
    }

    /// Indexes it and makes it one plain file.
    pub(super) fn seal(&mut self) -> Result<(), StoreError> {
        let failed = || StoreError::file("seal", &self.path);
        self.db.execute_batch(INDEXES).map_err(failed())?;
        // Readers may hold the log open: then it stays until the next start.
        if let Err(error) = self.db.pragma_update(None, "journal_mode", "DELETE") {
            tracing::debug!("{} keeps its log for now: {error}", self.path.display());
        }
        self.is_sealed = true;
        self.known = HashMap::new();
        self.bytes = files::bytes(&self.path);
        Ok(())
    }
}

fn is_taken(db: &Connection, at: i64) -> rusqlite::Result<bool> {
    db.prepare_cached("SELECT 1 FROM event WHERE at = ?")?.exists([at])
}

fn is_indexed(db: &Connection) -> rusqlite::Result<bool> {
    db.query_row("SELECT count(*) FROM sqlite_master WHERE name = 'event_community'", [], |row| {
        row.get::<_, u32>(0).map(|count| count == 1)
    })
}

fn known_of(db: &Connection) -> rusqlite::Result<HashMap<u64, Known>> {
    let mut known = HashMap::new();
    let mut read = db.prepare("SELECT id, at, revision, verdict FROM event")?;
    let mut rows = read.query([])?;
    while let Some(row) = rows.next()? {
        let rank = (row.get(2)?, row::is_final(row.get(3)?));
        known.insert(row.get::<_, i64>(0)? as u64, Known { at: row.get(1)?, rank });
    }
    Ok(known)
}

const PUT: &str =
    "INSERT OR REPLACE INTO event(at, id, sensor, server, client, community, verdict, sure,
    revision, block, place) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

/// Other places that are tried for an event; that all are taken does not happen.
const TRIES: u64 = 32;

/// Where a line begins and ends in its block: offset above, length below.
pub(super) const PLACE_BITS: u32 = 24;

/// Bytes of lines that are compressed together.
const BLOCK_BYTES: usize = 256 << 10;

/// A block may be this long: the last line began before [`BLOCK_BYTES`].
pub(super) const BLOCK_BYTES_MAX: usize = BLOCK_BYTES + (256 << 10);

/// At 300 MB/s and a core, as little as zstd can do.
const COMPRESSION: i32 = 1;

/// Events of a part: their identifiers are in memory until it is sealed, about 10 MiB.
const EVENTS_MAX: usize = 250_000;

/// What a row takes besides its JSON, indexes included.
const ROW_BYTES: u64 = 130;

const CACHE_KIB: u32 = 8192;
