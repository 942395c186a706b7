//! The one who writes: batches into all files, so that a batch is in the store wholly or can be sent again.
//!
//! Files are committed one after the other: events, packets, then counts and the ledger. A process that is
//! killed between them has acknowledged nothing; when the batch comes again, events are known by their
//! identifier, packets by their event's, minutes by their name, and only the ledger counts them for the
//! first time.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use events::{Event, RecordKind};
use nix::fcntl::{Flock, FlockArg};
use rusqlite::Connection;

use super::checks;
use super::error::StoreError;
use super::facts::{self, EventFacts};
use super::files::{self, Schema};
use super::incoming::{Incoming, Put, Unreadable};
use super::ledger::{self, Ledger};
use super::levels;
use super::options::StoreOptions;
use super::part::Kept;
use super::ring::{self, Ring};
use super::rollup::{self, Added};
use super::shelf::Shelf;
use super::words::{WORD_TABLE, Words};

/// Name of the file with counts and ledger.
pub(super) const MAIN: &str = "main.sqlite";

/// Its tables, by version.
pub(super) const SCHEMA: Schema =
    Schema { steps: &[WORD_TABLE, rollup::TABLES, ledger::TABLES, levels::TABLE] };

/// Everything that is written to.
pub(super) struct Writer {
    directory: PathBuf,
    options: StoreOptions,
    main: Connection,
    words: Words,
    pub(super) ledger: Ledger,
    pub(super) shelf: Shelf,
    pub(super) ring: Ring,
    tidied_s: u64,
    /// Since the start.
    pub(super) taken: u64,
    pub(super) repeated: u64,
    pub(super) refused: BTreeMap<&'static str, u64>,
    pub(super) set_aside: Vec<PathBuf>,
    /// Held as long as this lives.
    _lock: Flock<File>,
}

impl Writer {
    /// Opens or makes all files.
    ///
    /// # Errors
    /// The directory cannot be written, or another process does.
    pub(super) fn open(options: &StoreOptions, now_s: u64) -> Result<Self, StoreError> {
        let directory = &options.directory;
        let unusable = |source| StoreError::Directory { path: directory.clone(), source };
        fs::create_dir_all(directory).map_err(unusable)?;
        let lock = File::create(directory.join("lock")).map_err(unusable)?;
        let lock = Flock::lock(lock, FlockArg::LockExclusiveNonblock)
            .map_err(|_| StoreError::Locked { path: directory.clone() })?;
        let mut set_aside = Vec::new();
        let was_damaged = directory.join(DAMAGED).exists();
        let mut whole = |name: &str, schema: &Schema| -> Result<(), StoreError> {
            if let Some(aside) =
                set_aside_if_damaged(&directory.join(name), schema, was_damaged, now_s)?
            {
                set_aside.push(aside);
            }
            Ok(())
        };
        whole(MAIN, &SCHEMA)?;
        whole(ring::FILE, &ring::SCHEMA)?;
        let path = directory.join(MAIN);
        let main = files::open(&path, &SCHEMA, options.sync, CACHE_KIB)?;
        let failed = || StoreError::file("read", &path);
        let mut writer = Self {
            directory: directory.clone(),
            options: options.clone(),
            words: Words::load(&main, true).map_err(failed())?,
            ledger: Ledger::load(&main).map_err(failed())?,
            main,
            shelf: Shelf::new(directory, options)?,
            ring: Ring::open(directory, options)?,
            tidied_s: 0,
            taken: 0,
            repeated: 0,
            refused: BTreeMap::new(),
            set_aside,
            _lock: lock,
        };
        while let Err(error) = writer.shelf.seal_old(now_s) {
            // Each time one file less.
            if !writer.roll_back(&error, now_s) {
                return Err(error);
            }
        }
        // Whatever was damaged is out of the way now.
        drop(fs::remove_file(directory.join(DAMAGED)));
        Ok(writer)
    }

    /// Takes a batch, wholly.
    ///
    /// # Errors
    /// Something could not be written: nothing is acknowledged, and the batch may come again.
    pub(super) fn put(&mut self, batch: &[Incoming<'_>], now_s: u64) -> Result<Put, StoreError> {
        let done = self.try_put(batch, now_s);
        match done {
            Ok(put) => {
                self.count(&put);
                Ok(put)
            }
            Err(error) => {
                self.roll_back(&error, now_s);
                Err(error)
            }
        }
    }

    fn try_put(&mut self, batch: &[Incoming<'_>], now_s: u64) -> Result<Put, StoreError> {
        self.tidy_now_and_then(now_s)?;
        self.on_main("write to", |main, _| main.execute_batch("BEGIN IMMEDIATE"))?;
        let mut put = Put::default();
        for (place, record) in batch.iter().enumerate() {
            if record.is_test {
                put.tests += 1;
                continue;
            }
            let named =
                self.on_main("write to", |main, words| words.sensor_or_new(main, &record.sensor))?;
            let sensor = match named {
                Ok(sensor) => sensor,
                Err(why) => {
                    put.refused.push((place, why));
                    continue;
                }
            };
            if self.ledger.is_repeated(sensor, record.session, record.sequence) {
                put.repeated += 1;
                continue;
            }
            match self.take(record, sensor, now_s)? {
                Ok(()) => put.new += 1,
                Err(why) => put.refused.push((place, why)),
            }
        }
        self.shelf.commit()?;
        self.ring.commit()?;
        let ledger = &mut self.ledger;
        let written = ledger.write(&self.main).and_then(|()| self.main.execute_batch("COMMIT"));
        written.map_err(StoreError::file("write to", &self.directory.join(MAIN)))?;
        self.ledger.commit();
        Ok(put)
    }

    /// Takes one record that has not come before.
    fn take(
        &mut self,
        record: &Incoming<'_>,
        sensor: u16,
        now_s: u64,
    ) -> Result<Result<(), Unreadable>, StoreError> {
        match record.kind {
            RecordKind::Event => {
                let read = facts::checked(record.json).and_then(|json| {
                    let facts = EventFacts::read(json)?;
                    let days = self.options.events_d;
                    checks::event_time(facts.ts, now_s, days).map(|()| (json, facts))
                });
                let (json, facts) = match read {
                    Ok(read) => read,
                    Err(why) => return Ok(Err(why)),
                };
                Ok(match self.shelf.take(&facts, &record.sensor, json, now_s)? {
                    Kept::Yes | Kept::Not => Ok(()),
                    Kept::Never(why) => Err(why),
                })
            }
            RecordKind::Evidence => self.ring.take(record.json),
            RecordKind::Minute => {
                let minute = match rollup::read(record.json) {
                    Ok(minute) => minute,
                    Err(why) => return Ok(Err(why)),
                };
                let options = self.options.clone();
                let added = self.on_main("write to", |main, words| {
                    rollup::add(main, words, sensor, &minute, now_s, &options)
                })?;
                if added == Added::Now {
                    self.ledger.tell(sensor, minute.start.0 / 1_000_000_000, &minute.status);
                }
                Ok(match added {
                    Added::Never(why) => Err(why),
                    Added::Now | Added::Before => Ok(()),
                })
            }
        }
    }

    /// Takes the later revision of an event; whether it was later than what is there.
    ///
    /// # Errors
    /// It could not be written.
    pub(super) fn revise(
        &mut self,
        sensor: &str,
        event: &Event,
        now_s: u64,
    ) -> Result<bool, StoreError> {
        let line = facts::line_of(sensor, event).unwrap_or_default();
        let Ok(facts) = EventFacts::read(&line) else { return Ok(false) };
        if checks::event_time(facts.ts, now_s, self.options.events_d).is_err() {
            return Ok(false);
        }
        let kept = self.shelf.take(&facts, sensor, &line, now_s);
        let kept = kept.and_then(|kept| self.shelf.commit().map(|()| kept));
        if let Err(error) = &kept {
            self.roll_back(error, now_s);
        }
        Ok(kept? == Kept::Yes)
    }

    fn tidy_now_and_then(&mut self, now_s: u64) -> Result<(), StoreError> {
        self.shelf.tidy(now_s)?;
        if now_s.abs_diff(self.tidied_s) < TIDY_S {
            return Ok(());
        }
        let is_hourly = now_s / 3600 != self.tidied_s / 3600;
        let options = self.options.clone();
        self.on_main("delete old counts from", |main, _| {
            let whole = main.unchecked_transaction()?;
            rollup::forget(&whole, now_s, &options)?;
            if is_hourly {
                rollup::forget_minutes(&whole, now_s, &options)?;
            }
            whole.commit()
        })?;
        self.tidied_s = now_s;
        Ok(())
    }

    fn on_main<T>(
        &mut self,
        what: &'static str,
        work: impl FnOnce(&Connection, &mut Words) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        work(&self.main, &mut self.words).map_err(|source| StoreError::File {
            what,
            path: self.directory.join(MAIN),
            source,
        })
    }

    /// Takes back what was begun. A damaged file is set aside, so that the batch can be taken when it comes
    /// again; whether one was.
    fn roll_back(&mut self, error: &StoreError, now_s: u64) -> bool {
        self.shelf.roll_back();
        self.ledger.roll_back();
        if !self.main.is_autocommit()
            && let Err(error) = self.main.execute_batch("ROLLBACK")
        {
            tracing::warn!("take back a batch in {}: {error}", self.directory.display());
        }
        self.ring.roll_back();
        if let Ok(words) = Words::load(&self.main, false) {
            self.words = words;
        }
        let Some(path) = error.path().filter(|_| error.is_damage()) else { return false };
        match self.set_aside(path, now_s) {
            Ok(true) => return true,
            Ok(false) => {
                tracing::error!("{error}; the file will be looked through at the next start");
            }
            Err(why) => tracing::error!("{error}; {why}; it is tried again at the next start"),
        }
        drop(File::create(self.directory.join(DAMAGED)));
        false
    }

    /// Moves a damaged file out of the way; whether it could do without: counts and ledger cannot.
    fn set_aside(&mut self, path: &Path, now_s: u64) -> Result<bool, StoreError> {
        if let Some(aside) = self.ring.set_aside(path, &self.options, now_s)? {
            self.set_aside.push(aside);
            return Ok(true);
        }
        self.shelf.set_aside(path, now_s)
    }

    fn count(&mut self, put: &Put) {
        self.taken += put.new;
        self.repeated += put.repeated;
        for (_, why) in &put.refused {
            *self.refused.entry(why.0).or_default() += 1;
        }
    }
}

fn set_aside_if_damaged(
    path: &Path,
    schema: &Schema,
    was_damaged: bool,
    now_s: u64,
) -> Result<Option<PathBuf>, StoreError> {
    if !path.exists() {
        return Ok(None);
    }
    let is_whole = match files::open(path, schema, super::options::StoreSync::Normal, CACHE_KIB) {
        // Looking through a large file takes minutes: only when there is a reason.
        Ok(db) => {
            let is_small = files::bytes(path) <= CHECKED_BYTES_MAX;
            !(was_damaged || is_small) || files::is_whole(&db)
        }
        Err(error) if error.is_damage() => false,
        Err(error) => return Err(error),
    };
    if is_whole { Ok(None) } else { files::set_aside(path, now_s).map(Some) }
}

/// Left behind when SQLite found a file damaged while it was written.
const DAMAGED: &str = "damaged";

const CACHE_KIB: u32 = 32_768;
const TIDY_S: u64 = 60;
const CHECKED_BYTES_MAX: u64 = 64 << 20;
