//! Sealed parts that are asked whether they hold an event, which nearly always they do not.

use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::error::StoreError;
use super::files;
use super::part;

/// Parts that are open to be asked; the last one was opened last.
#[derive(Default)]
pub(super) struct Sealed {
    open: Vec<(PathBuf, Connection)>,
}

impl Sealed {
    /// Whether an event is in the part at `path`.
    ///
    /// # Errors
    /// It cannot be opened or read.
    pub(super) fn holds(&mut self, path: &Path, id: u64) -> Result<bool, StoreError> {
        let place = match self.open.iter().position(|(open, _)| open == path) {
            Some(place) => place,
            // Somebody deleted it.
            None if !path.exists() => return Ok(false),
            None => self.open(path)?,
        };
        let db = &self.open[place].1;
        db.prepare_cached("SELECT 1 FROM event WHERE id = ?")
            .and_then(|mut read| read.exists([id as i64]))
            .map_err(StoreError::file("read", path))
    }

    fn open(&mut self, path: &Path) -> Result<usize, StoreError> {
        if self.open.len() >= OPEN_MAX {
            self.open.remove(0);
        }
        let db = files::open_to_read(path, &part::SCHEMA)?;
        // A look-up reads some four pages.
        db.pragma_update(None, "cache_size", -CACHE_KIB).map_err(StoreError::file("open", path))?;
        self.open.push((path.to_owned(), db));
        Ok(self.open.len() - 1)
    }

    /// Closes a part that goes.
    pub(super) fn close(&mut self, path: &Path) {
        self.open.retain(|(open, _)| open != path);
    }
}

/// With the largest store that is the default there are about so many of a day.
const OPEN_MAX: usize = 192;
const CACHE_KIB: i64 = 128;
