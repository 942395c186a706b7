//! All events of an hour in one Parquet file, for whoever asks questions that nobody thought of.
//!
//! ```text
//! DIR/parquet/events-2026-11-23T10.parquet      UTC, zstd; the columns of what people filter by, and the JSON
//! ```
//!
//! A file is made from the store and takes its name when it is whole; it holds every event of its hour once,
//! because the store does. It is made when the hour is over and what comes late has had its time, and made anew
//! when the store has got more events of that hour since. So nothing is lost or repeated over restarts. What the
//! store has dropped for want of room stays in the file.
//!
//! | file | what |
//! |---|---|
//! | `mod.rs` | [`Archive`]: which hours are due |
//! | `columns.rs` | one file: events into columns |

mod columns;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use events::UtcTime;
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader as _, SerializedFileReader};

use crate::history::Ask;
use crate::store::{Store, StoreError};
use columns::HourFile;

/// Makes the files.
pub struct Archive {
    store: Arc<Store>,
    directory: PathBuf,
    days: u32,
}

/// Why a file could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The store could not be read.
    #[error("read events for {path}: {source}", path = .path.display())]
    Store {
        /// For which file.
        path: PathBuf,
        /// What the store said.
        source: Box<StoreError>,
    },
    /// The file could not be written.
    #[error("write {path}: {source} (see directory in section [store])", path = .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What was said.
        source: ParquetError,
    },
    /// More events came in a millisecond than are read at a time.
    #[error("write {path}: too many events within a millisecond", path = .path.display())]
    Crowded {
        /// Which.
        path: PathBuf,
    },
}

impl Archive {
    /// Files go beside the store's own, and stay as many days as its events.
    #[must_use]
    pub fn new(store: Arc<Store>, directory: &Path, days: u32) -> Self {
        Self { store, directory: directory.join("parquet"), days }
    }

    /// Makes the files that are due; gives how many.
    ///
    /// # Errors
    /// One could not be made, the last of them if there are several; all others are.
    pub fn catch_up(&self, now: UtcTime) -> Result<u64, ArchiveError> {
        let this_hour = now.0.saturating_sub(LATE_S * NS) / HOUR_NS;
        let mut made = Ok(0);
        for hour in this_hour.saturating_sub(HOURS_BACK)..this_hour {
            match self.make_if_due(hour) {
                Ok(is_made) => made = made.map(|made| made + u64::from(is_made)),
                Err(error) => made = Err(error),
            }
        }
        self.forget(now);
        made
    }

    fn make_if_due(&self, hour: u64) -> Result<bool, ArchiveError> {
        let path = self.path(hour);
        let failed = |source| ArchiveError::Store { path: path.clone(), source: Box::new(source) };
        let (from, to) = (hour * HOUR_NS, (hour + 1) * HOUR_NS);
        let wanted = self.store.count_events(&ask(from, to)).map_err(failed)?;
        // A file that cannot be read is made anew.
        let there = rows(&path).unwrap_or(0);
        // With more in it than the store still has, it is the only place where they are.
        if wanted == 0 || there >= wanted {
            return Ok(false);
        }
        self.make(&path, from, to)?;
        Ok(true)
    }

    fn make(&self, path: &Path, from: u64, to: u64) -> Result<(), ArchiveError> {
        let failed = |source| ArchiveError::File { path: path.to_owned(), source };
        std::fs::create_dir_all(&self.directory).map_err(|error| failed(error.into()))?;
        let unfinished = path.with_extension("unfinished");
        let mut file = HourFile::begin(&unfinished).map_err(failed)?;
        let mut at = from;
        let mut step = STEP_NS;
        while at < to {
            let end = (at + step).min(to);
            let mut events = Vec::new();
            let store =
                |source| ArchiveError::Store { path: path.to_owned(), source: Box::new(source) };
            let slice = ask(at, end);
            let keep = |sensor: &str, event: &events::Event| {
                events.push((sensor.to_owned(), event.clone()));
            };
            self.store.whole_events(&slice, keep).map_err(store)?;
            if events.len() >= Store::WHOLE_EVENTS_MAX {
                // Perhaps not all: a shorter time.
                if step <= STEP_NS_LEAST {
                    return Err(ArchiveError::Crowded { path: path.to_owned() });
                }
                step /= 2;
                continue;
            }
            events.sort_by(|(_, left), (_, right)| (left.ts, &left.id).cmp(&(right.ts, &right.id)));
            file.add(events).map_err(failed)?;
            (at, step) = (end, (step * 2).min(STEP_NS));
        }
        file.finish().map_err(failed)?;
        std::fs::rename(&unfinished, path).map_err(|error| failed(error.into()))
    }

    /// Removes files that are older than the store's events may be.
    fn forget(&self, now: UtcTime) {
        let oldest = (now.0 / HOUR_NS).saturating_sub(u64::from(self.days) * 24);
        let oldest = self.path(oldest);
        let Ok(entries) = std::fs::read_dir(&self.directory) else { return };
        for path in entries.flatten().map(|entry| entry.path()) {
            let is_ours = path.extension().is_some_and(|extension| extension == "parquet");
            // Names sort as their times do.
            if is_ours && path < oldest {
                let _ = std::fs::remove_file(path);
            }
        }
    }

    fn path(&self, hour: u64) -> PathBuf {
        let text = UtcTime(hour * HOUR_NS).to_string();
        self.directory.join(format!("events-{text:.13}.parquet"))
    }
}

/// Rows of a file.
fn rows(path: &Path) -> Option<u64> {
    let file = std::fs::File::open(path).ok()?;
    let reader = SerializedFileReader::new(file).ok()?;
    u64::try_from(reader.metadata().file_metadata().num_rows()).ok()
}

/// All events of a time, whatever their role.
fn ask(from: u64, to: u64) -> Ask {
    let roles = "role=primary,secondary,duplicate".parse().expect("roles have these names");
    let (from, to) = (UtcTime(from), UtcTime(to));
    Ask { from, to, filters: vec![roles], sensor: None, limit: usize::MAX, offset: 0 }
}

const NS: u64 = 1_000_000_000;
const HOUR_NS: u64 = 3600 * NS;
/// What comes later than this after its hour makes the file be written once more.
const LATE_S: u64 = 300;
/// Hours that are looked at again for what came later still.
const HOURS_BACK: u64 = 48;
/// Events are read so much time at once.
const STEP_NS: u64 = 60 * NS;
const STEP_NS_LEAST: u64 = 1_000_000;
