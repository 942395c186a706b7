//! A copy of the store, taken while it is written.

use std::fs;
use std::path::Path;
use std::time::Duration;

use rusqlite::backup::Backup;
use rusqlite::{Connection, OpenFlags};
use serde::{Deserialize, Serialize};

use super::error::StoreError;
use super::{ring, shelf, writer};

/// What was copied.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct BackupReport {
    /// Files.
    pub files: u64,
    /// Bytes in them.
    pub bytes: u64,
}

/// Copies all files by SQLite's backup interface: each is whole, as of one moment, whatever is written
/// meanwhile. Counts and ledger come first: what is in the other files and not in them is only counted for the
/// first time when it comes again.
///
/// # Errors
/// The copy exists already, or a file cannot be read or written.
pub(super) fn copy(from: &Path, to: &Path) -> Result<BackupReport, StoreError> {
    fs::create_dir(to).map_err(StoreError::io("make the new directory", to))?;
    let mut names = vec![writer::MAIN.to_owned(), ring::FILE.to_owned()];
    names.extend(shelf::list(from)?.into_keys().map(shelf::name_of));
    let mut report = BackupReport::default();
    for name in names {
        let (source, target) = (from.join(&name), to.join(&name));
        // A part may have been deleted since it was listed.
        if !source.exists() {
            continue;
        }
        copy_file(&source, &target).map_err(StoreError::file("copy", &source))?;
        report.files += 1;
        report.bytes += fs::metadata(&target).map_or(0, |metadata| metadata.len());
    }
    Ok(report)
}

fn copy_file(source: &Path, target: &Path) -> rusqlite::Result<()> {
    let source = Connection::open_with_flags(source, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    source.busy_timeout(PATIENCE)?;
    // Held until the end: all pages are of one moment, and the writer is not in the way.
    source.execute_batch("BEGIN; SELECT count(*) FROM sqlite_master;")?;
    let mut target = Connection::open(target)?;
    Backup::new(&source, &mut target)?.run_to_completion(PAGES, Duration::ZERO, None)
}

const PATIENCE: Duration = Duration::from_secs(10);
/// Pages of one step; steps only keep the work divisible.
const PAGES: std::ffi::c_int = 4096;
