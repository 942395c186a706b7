//! What is kept of the past, in SQLite: counts, events, packets, and what has come.
//!
//! ```text
//! DIR/main.sqlite                  counts by minute, ten minutes, hour, day; what has come of each sensor
//! DIR/events-2026-11-23.0.sqlite   events of one UTC day; more parts where there are many
//! DIR/evidence.sqlite              packets, a ring
//! DIR/lock                         held by the one process that writes
//! ```
//!
//! **Once.** A record that comes again changes nothing: its number is in the ledger (`ledger.rs`), and were it
//! not, an event is known by its identifier, packets by their event's, a minute by its name.
//!
//! **Durable.** [`Store::put`] returns after the commit: a killed process loses nothing that was acknowledged.
//! With `sync = "normal"` a power failure may take the last seconds off the disk, and leaves files whole.
//!
//! **Readers never wait for the writer**, nor he for them: write-ahead logs, one snapshot a question, an end to
//! each ([`StoreOptions::question_s_max`]).
//!
//! | file | what |
//! |---|---|
//! | `options.rs`, `error.rs` | what can be chosen, what goes wrong |
//! | `incoming.rs`, `facts.rs` | a record as it comes; what must be known of an event |
//! | `checks.rs` | which records can be kept, here or in ClickHouse |
//! | `writer.rs`, `keep.rs` | batches into all files, from receivers too |
//! | `rollup.rs`, `total.rs`, `matrix.rs`, `detail.rs`, `group.rs`, `levels.rs` | minutes and what becomes of them |
//! | `ledger.rs` | what has come, what is missing |
//! | `shelf.rs`, `part.rs`, `row.rs`, `sieve.rs`, `sealed.rs` | events: all parts, one of them, its columns; which part holds one |
//! | `ring.rs` | packets |
//! | `library.rs`, `sums.rs`, `kinds.rs`, `places.rs`, `tally.rs`, `profile.rs` | questions: open files, counts |
//! | `search.rs`, `by_events.rs`, `gathered.rs` | questions: events, and counts of them |
//! | `files.rs`, `words.rs`, `bytes.rs` | SQLite files, words as numbers, numbers as bytes |
//! | `backup.rs` | a copy while it is written |

mod backup;
mod by_events;
pub(crate) mod bytes;
pub(crate) mod checks;
mod detail;
mod error;
pub(crate) mod facts;
mod files;
pub(crate) mod gathered;
pub(crate) mod group;
mod incoming;
mod keep;
mod kinds;
mod ledger;
pub(crate) mod levels;
mod library;
mod matrix;
mod options;
mod part;
mod places;
pub(crate) mod profile;
mod ring;
mod rollup;
mod row;
mod sealed;
mod search;
mod shelf;
mod sieve;
mod sums;
pub(crate) mod tally;
mod total;
mod words;
mod writer;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use events::{Event, Evidence, ServerRange, UtcTime};
use serde::{Deserialize, Serialize};

pub use backup::BackupReport;
pub use error::StoreError;
pub use incoming::{Incoming, Put, Unreadable};
pub use options::{StoreKind, StoreOptions, StoreSync};

use crate::history::{
    Ask, BurstRow, DeviceRow, DisagreementRow, EventDetail, EventList, IdleHistogram, Overview,
    RowList, SensorRow, ServerDetail, ServerList,
};
use crate::order::ServerOrder;
use library::{Deadline, Library};
use writer::Writer;

/// The store. All methods block on the disk; share it behind an `Arc`.
pub struct Store {
    options: StoreOptions,
    /// Absent where it is only read.
    writer: Option<Mutex<Writer>>,
    library: Library,
}

/// How the store does.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct StoreState {
    /// Bytes of counts and ledger.
    pub main_bytes: u64,
    /// Bytes of events.
    pub event_bytes: u64,
    /// Files that they are in.
    pub event_files: u64,
    /// Bytes of packets.
    pub evidence_bytes: u64,
    /// Records that were taken since the start.
    pub taken: u64,
    /// Records that had come before.
    pub repeated: u64,
    /// Records that were refused for good, by reason.
    pub refused: BTreeMap<String, u64>,
    /// Files of events that were deleted since the start because there was no room.
    pub dropped_event_files: u64,
    /// Bytes in them.
    pub dropped_event_bytes: u64,
    /// Packets of events that gave way to newer ones since the start.
    pub dropped_evidence: u64,
    /// Damaged files that were set aside since the start.
    pub set_aside: Vec<PathBuf>,
}

/// One question, while it is answered.
struct Reading<'r> {
    library: &'r Library,
    options: &'r StoreOptions,
    now_s: u64,
    deadline: Deadline,
}

impl Store {
    /// Opens or makes a store, to write to it and to ask it.
    ///
    /// # Errors
    /// The directory cannot be written, another process writes there, or a newer program did.
    pub fn open(options: &StoreOptions) -> Result<Self, StoreError> {
        Self::open_at(options, now_s())
    }

    /// The same at another time than now.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_at(options: &StoreOptions, now_s: u64) -> Result<Self, StoreError> {
        let writer = Writer::open(options, now_s)?;
        Ok(Self {
            options: options.clone(),
            writer: Some(Mutex::new(writer)),
            library: Library::new(&options.directory),
        })
    }

    /// Opens a store only to ask it; another process may be writing.
    ///
    /// # Errors
    /// There is none.
    pub fn open_to_read(directory: &Path) -> Result<Self, StoreError> {
        if !directory.join(writer::MAIN).exists() {
            return Err(StoreError::Absent { path: directory.to_owned() });
        }
        let options = StoreOptions { directory: directory.to_owned(), ..StoreOptions::default() };
        Ok(Self { options, writer: None, library: Library::new(directory) })
    }

    /// Takes a batch; after `Ok` a killed process loses none of it.
    ///
    /// # Errors
    /// It could not be written: nothing is acknowledged, and the same batch may come again.
    pub fn put(&self, batch: &[Incoming<'_>]) -> Result<Put, StoreError> {
        self.put_at(batch, now_s())
    }

    /// The same at another time than now.
    ///
    /// # Errors
    /// As [`Store::put`].
    pub fn put_at(&self, batch: &[Incoming<'_>], now_s: u64) -> Result<Put, StoreError> {
        self.writer()?.put(batch, now_s)
    }

    /// Takes an event that was told anew, because logs had more to say; whether it was later than what is kept.
    ///
    /// # Errors
    /// It could not be written.
    pub fn revise(&self, sensor: &str, event: &Event) -> Result<bool, StoreError> {
        self.writer()?.revise(sensor, event, now_s())
    }

    /// What happened, the denominator beside it.
    ///
    /// # Errors
    /// The store cannot be read, or not in time; as all questions.
    pub fn overview(&self, ask: &Ask) -> Result<Overview, StoreError> {
        self.reading().overview(ask)
    }

    /// Servers, most harmful resets first.
    ///
    /// # Errors
    /// As [`Store::overview`].
    pub fn servers(&self, ask: &Ask) -> Result<ServerList, StoreError> {
        self.servers_by(ask, &ServerOrder::default())
    }

    /// Servers in an order of one's own.
    ///
    /// # Errors
    /// As [`Store::overview`].
    pub fn servers_by(&self, ask: &Ask, order: &ServerOrder) -> Result<ServerList, StoreError> {
        self.reading().servers(ask, order)
    }

    /// One server, whole; `None` if nothing is known of it in that time.
    ///
    /// # Errors
    /// As [`Store::overview`].
    pub fn server(
        &self,
        server: ServerRange,
        ask: &Ask,
    ) -> Result<Option<ServerDetail>, StoreError> {
        self.reading().server(server, ask)
    }

    /// Silences before resets, and the timers they point to.
    ///
    /// # Errors
    /// As [`Store::overview`].
    pub fn idle(&self, ask: &Ask) -> Result<IdleHistogram, StoreError> {
        self.reading().idle(ask)
    }

    /// Events, newest first; primary resets unless a filter speaks of roles.
    ///
    /// # Errors
    /// As [`Store::overview`].
    pub fn history(&self, ask: &Ask) -> Result<EventList, StoreError> {
        self.reading().history(ask)
    }

    /// Events that [`Store::whole_events`] goes through at a time.
    pub const WHOLE_EVENTS_MAX: usize = gathered::WHOLE_EVENTS_MAX as usize;

    /// Goes through the events that are asked for with all they say, [`Store::WHOLE_EVENTS_MAX`] at most:
    /// whoever is given so many asks for a shorter time.
    ///
    /// # Errors
    /// As [`Store::overview`].
    pub fn whole_events(
        &self,
        ask: &Ask,
        each: impl FnMut(&str, &Event),
    ) -> Result<(), StoreError> {
        self.reading().each_whole(ask, search::ANY, each).map(drop)
    }

    /// How many events there are of those asked for.
    ///
    /// # Errors
    /// As [`Store::overview`].
    pub fn count_events(&self, ask: &Ask) -> Result<u64, StoreError> {
        let mut count = 0;
        self.reading().each_event(ask, search::ANY, |_, _| {
            count += 1;
            Ok(())
        })?;
        Ok(count)
    }

    /// One event, whole.
    ///
    /// # Errors
    /// As [`Store::overview`].
    pub fn event(&self, id: &str) -> Result<Option<EventDetail>, StoreError> {
        self.reading().event(id)
    }

    /// The packets of an event.
    ///
    /// # Errors
    /// As [`Store::overview`].
    pub fn evidence(&self, id: &str) -> Result<Option<Evidence>, StoreError> {
        facts::id_number(id).map_or(Ok(None), |number| self.reading().evidence(number))
    }

    /// Many connections of one server cut together, newest first.
    ///
    /// # Errors
    /// As [`Store::overview`].
    pub fn bursts(&self, ask: &Ask) -> Result<RowList<BurstRow>, StoreError> {
        self.reading().bursts(ask)
    }

    /// Boxes in the path that sent resets, most harmful first.
    ///
    /// # Errors
    /// As [`Store::overview`].
    pub fn devices(&self, ask: &Ask) -> Result<RowList<DeviceRow>, StoreError> {
        self.reading().devices(ask)
    }

    /// Sessions whose logged culprit is wrong, by rule, most frequent first.
    ///
    /// # Errors
    /// As [`Store::overview`].
    pub fn disagreements(&self, ask: &Ask) -> Result<RowList<DisagreementRow>, StoreError> {
        self.reading().disagreements(ask)
    }

    /// Who sends, and how each does.
    ///
    /// # Errors
    /// As [`Store::overview`].
    pub fn sensors(&self) -> Result<Vec<SensorRow>, StoreError> {
        let Some(main) = self.library.open(writer::MAIN, &writer::SCHEMA)? else {
            return Ok(Vec::new());
        };
        let ledger = ledger::Ledger::load(&main.db).map_err(main.failed())?;
        let mut rows: Vec<SensorRow> = ledger
            .accounts()
            .map(|(sensor, account)| SensorRow {
                sensor: main.words.sensor(sensor).to_owned(),
                last: UtcTime(account.last_s.saturating_mul(1_000_000_000)),
                status: serde_json::from_str(&account.status).unwrap_or_default(),
                records: account.records,
                repeated: account.repeated,
                missing: account.missing(),
            })
            .collect();
        self.library.close(main);
        rows.sort_by(|left, right| left.sensor.cmp(&right.sensor));
        Ok(rows)
    }

    /// Copies the store into a new directory, while it is written; the copy is a store.
    ///
    /// # Errors
    /// The directory exists, or a file cannot be copied.
    pub fn backup(&self, to: &Path) -> Result<BackupReport, StoreError> {
        backup::copy(&self.library.directory, to)
    }

    /// How the store does; only sizes where it is only read.
    #[must_use]
    pub fn state(&self) -> StoreState {
        let main_bytes = files::bytes(&self.library.directory.join(writer::MAIN));
        let evidence_bytes = files::bytes(&self.library.directory.join(ring::FILE));
        let Ok(writer) = self.writer() else {
            return StoreState { main_bytes, evidence_bytes, ..StoreState::default() };
        };
        let refused = writer.refused.iter();
        StoreState {
            main_bytes,
            event_bytes: writer.shelf.bytes(),
            event_files: writer.shelf.count() as u64,
            evidence_bytes,
            taken: writer.taken,
            repeated: writer.repeated,
            refused: refused.map(|(reason, count)| ((*reason).to_owned(), *count)).collect(),
            dropped_event_files: writer.shelf.dropped.parts,
            dropped_event_bytes: writer.shelf.dropped.bytes,
            dropped_evidence: writer.ring.dropped,
            set_aside: writer.set_aside.iter().chain(&writer.shelf.set_aside).cloned().collect(),
        }
    }

    fn writer(&self) -> Result<MutexGuard<'_, Writer>, StoreError> {
        let writer = self.writer.as_ref().ok_or(StoreError::ReadOnly)?;
        Ok(writer.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn reading(&self) -> Reading<'_> {
        Reading {
            library: &self.library,
            options: &self.options,
            now_s: now_s(),
            deadline: Deadline::after(self.options.question_s_max),
        }
    }
}

/// Seconds since the Unix epoch.
fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
