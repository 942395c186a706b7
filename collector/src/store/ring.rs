//! Packets that were kept as evidence: the newest of them, up to a number of bytes.

use std::mem;
use std::path::{Path, PathBuf};

use events::Evidence;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::error::StoreError;
use super::facts::id_number;
use super::files::{self, Schema};
use super::incoming::Unreadable;
use super::options::StoreOptions;

/// Name of the file.
pub(super) const FILE: &str = "evidence.sqlite";

/// Its tables, by version.
pub(super) const SCHEMA: Schema = Schema {
    steps: &["
    CREATE TABLE evidence(number INTEGER PRIMARY KEY, event INTEGER NOT NULL UNIQUE,
        len INTEGER NOT NULL, body BLOB NOT NULL);"],
};

/// Reads the packets of an event, and the number of its name.
///
/// # Errors
/// They are none, or too many.
pub(super) fn read(json: &[u8]) -> Result<(u64, Evidence), Unreadable> {
    if json.len() > EVIDENCE_BYTES_MAX {
        return Err(Unreadable("evidence longer than 1 MiB"));
    }
    let evidence: Evidence =
        serde_json::from_slice(json).map_err(|_| Unreadable("evidence without its fields"))?;
    let event = id_number(&evidence.event)
        .ok_or(Unreadable("evidence whose event is not 16 hex digits"))?;
    Ok((event, evidence))
}

/// The ring, as it is written.
pub(super) struct Ring {
    path: PathBuf,
    db: Connection,
    /// Bytes of all bodies.
    pub(super) bytes: u64,
    bytes_max: u64,
    has_begun: bool,
    /// Evidence that gave way to newer.
    pub(super) dropped: u64,
}

impl Ring {
    /// Opens or makes it.
    ///
    /// # Errors
    /// The file cannot be opened or is damaged.
    pub(super) fn open(directory: &Path, options: &StoreOptions) -> Result<Self, StoreError> {
        let path = directory.join(FILE);
        let db = files::open(&path, &SCHEMA, options.sync, CACHE_KIB)?;
        let bytes: i64 = db
            .query_row("SELECT ifnull(sum(len), 0) FROM evidence", [], |row| row.get(0))
            .map_err(StoreError::file("read", &path))?;
        let bytes_max = options.evidence_bytes_max;
        Ok(Self { path, db, bytes: bytes as u64, bytes_max, has_begun: false, dropped: 0 })
    }

    /// Begins anew if the file at `path`, which was found damaged, is this one; where the old one is then.
    ///
    /// # Errors
    /// The file could not be moved, or no new one made: at the next start it is tried again.
    pub(super) fn set_aside(
        &mut self,
        path: &Path,
        options: &StoreOptions,
        now_s: u64,
    ) -> Result<Option<PathBuf>, StoreError> {
        if path != self.path {
            return Ok(None);
        }
        let none = Connection::open_in_memory().map_err(StoreError::file("set aside", path))?;
        // Closed before it is moved: what SQLite deletes on closing it deletes by name.
        drop(mem::replace(&mut self.db, none));
        let aside = files::set_aside(path, now_s)?;
        let dropped = self.dropped;
        *self = Self { dropped, ..Self::open(&options.directory, options)? };
        Ok(Some(aside))
    }

    /// Takes the packets of an event; those of one event are taken once.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(super) fn take(&mut self, json: &[u8]) -> Result<Result<(), Unreadable>, StoreError> {
        let (event, evidence) = match read(json) {
            Ok(read) => read,
            Err(why) => return Ok(Err(why)),
        };
        let body = serde_json::to_vec(&evidence).unwrap_or_default();
        let body = zstd::bulk::compress(&body, COMPRESSION)
            .map_err(StoreError::io("compress evidence for", &self.path))?;
        self.write(event, &body).map_err(StoreError::file("write to", &self.path))?;
        Ok(Ok(()))
    }

    fn write(&mut self, event: u64, body: &[u8]) -> rusqlite::Result<()> {
        if !self.has_begun {
            self.db.execute_batch("BEGIN IMMEDIATE")?;
            self.has_begun = true;
        }
        let is_new = self
            .db
            .prepare_cached("INSERT OR IGNORE INTO evidence(event, len, body) VALUES(?, ?, ?)")?
            .execute(params![event as i64, body.len() as i64, body])?;
        if is_new == 0 {
            return Ok(());
        }
        self.bytes += body.len() as u64;
        while self.bytes > self.bytes_max {
            let oldest = self
                .db
                .prepare_cached(
                    "DELETE FROM evidence WHERE number = (SELECT min(number) FROM evidence) RETURNING len",
                )?
                .query_row([], |row| row.get::<_, i64>(0))
                .optional()?;
            let Some(len) = oldest else { break };
            self.bytes = self.bytes.saturating_sub(len as u64);
            self.dropped += 1;
        }
        Ok(())
    }

    /// Ends a batch.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(super) fn commit(&mut self) -> Result<(), StoreError> {
        if !self.has_begun {
            return Ok(());
        }
        self.db.execute_batch("COMMIT").map_err(StoreError::file("write to", &self.path))?;
        self.has_begun = false;
        Ok(())
    }

    /// Forgets the batch.
    pub(super) fn roll_back(&mut self) {
        if !self.has_begun {
            return;
        }
        self.has_begun = false;
        let sum = "SELECT ifnull(sum(len), 0) FROM evidence";
        let taken_back = self.db.is_autocommit() || self.db.execute_batch("ROLLBACK").is_ok();
        match self.db.query_row(sum, [], |row| row.get::<_, i64>(0)) {
            Ok(bytes) if taken_back => self.bytes = bytes as u64,
            _ => tracing::warn!("take back a batch in {}: it stands open", self.path.display()),
        }
    }
}

/// The packets of an event.
///
/// # Errors
/// The file cannot be read.
pub(super) fn find(db: &Connection, event: u64) -> rusqlite::Result<Option<Evidence>> {
    let body: Option<Vec<u8>> = db
        .prepare_cached("SELECT body FROM evidence WHERE event = ?")?
        .query_row([event as i64], |row| row.get(0))
        .optional()?;
    let json = body.and_then(|body| zstd::bulk::decompress(&body, 2 * EVIDENCE_BYTES_MAX).ok());
    Ok(json.and_then(|json| serde_json::from_slice(&json).ok()))
}

/// Whether packets of an event were kept.
///
/// # Errors
/// The file cannot be read.
pub(super) fn has(db: &Connection, event: u64) -> rusqlite::Result<bool> {
    db.prepare_cached("SELECT 1 FROM evidence WHERE event = ?")?.exists([event as i64])
}

const EVIDENCE_BYTES_MAX: usize = 1 << 20;
const COMPRESSION: i32 = 3;
const CACHE_KIB: u32 = 4096;
