//! The readers' side: connections that are used again, and an end to every question.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::error::StoreError;
use super::files::{self, Schema};
use super::words::Words;

/// Files that are open to be read.
pub(super) struct Library {
    pub(super) directory: PathBuf,
    idle: Mutex<Vec<Volume>>,
}

/// A file that is open to be read.
pub(super) struct Volume {
    path: PathBuf,
    /// A file of the same name may be another one by now.
    inode: u64,
    pub(super) db: Connection,
    pub(super) words: Words,
}

impl Library {
    pub(super) fn new(directory: &Path) -> Self {
        Self { directory: directory.to_owned(), idle: Mutex::new(Vec::new()) }
    }

    /// Opens a file, or takes one that is open; `None` if there is none of that name.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn open(&self, name: &str, schema: &Schema) -> Result<Option<Volume>, StoreError> {
        let path = self.directory.join(name);
        let Ok(metadata) = fs::metadata(&path) else { return Ok(None) };
        let inode = metadata.ino();
        let idle = {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            let place =
                idle.iter().rposition(|volume| volume.path == path && volume.inode == inode);
            place.map(|place| idle.remove(place))
        };
        let db = match idle {
            Some(volume) => volume.db,
            None => files::open_to_read(&path, schema)?,
        };
        let words = if schema.has_words() {
            Words::load(&db, false).map_err(StoreError::file("read", &path))?
        } else {
            Words::default()
        };
        Ok(Some(Volume { path, inode, db, words }))
    }

    /// Takes a file back. Those that are gone by now are let go of: as long as one is open, a deleted file takes
    /// its room on the disk.
    pub(super) fn close(&self, volume: Volume) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(Volume::is_there);
        if !volume.is_there() {
            return;
        }
        if idle.len() >= IDLE_MAX {
            idle.remove(0);
        }
        idle.push(volume);
    }
}

impl Volume {
    /// Whether its name still means the same file.
    fn is_there(&self) -> bool {
        fs::metadata(&self.path).is_ok_and(|metadata| metadata.ino() == self.inode)
    }

    pub(super) fn failed(&self) -> impl Fn(rusqlite::Error) -> StoreError + use<> {
        let path = self.path.clone();
        move |source| StoreError::File { what: "read", path: path.clone(), source }
    }
}

/// When a question has to be answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline {
    end: Instant,
    seconds: f64,
}

impl Deadline {
    pub(super) fn after(seconds: f64) -> Self {
        let seconds = seconds.clamp(0.1, 600.0);
        Self { end: Instant::now() + Duration::from_secs_f64(seconds), seconds }
    }

    /// # Errors
    /// It is over.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        if Instant::now() < self.end {
            Ok(())
        } else {
            Err(StoreError::TooLong { seconds: self.seconds })
        }
    }
}

const IDLE_MAX: usize = 48;
