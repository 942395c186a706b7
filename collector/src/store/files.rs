//! Opening the store's files: pragmas, versions, and what is done with a damaged one.

use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use rusqlite::{Connection, OpenFlags};

use super::error::StoreError;
use super::options::StoreSync;

/// Tables of one kind of file: each step brings a file from its version to the next one.
pub(super) struct Schema {
    pub(super) steps: &'static [&'static str],
}

impl Schema {
    /// Whether files of the kind carry a list of words.
    pub(super) fn has_words(&self) -> bool {
        self.steps.iter().any(|step| step.contains("TABLE word"))
    }

    const fn version(&self) -> u32 {
        self.steps.len() as u32
    }
}

/// Opens a file to write to it, made or brought up to date where that is needed.
///
/// # Errors
/// It cannot be opened, is damaged, or was written by a newer version.
pub(super) fn open(
    path: &Path,
    schema: &Schema,
    sync: StoreSync,
    cache_kib: u32,
) -> Result<Connection, StoreError> {
    let failed = || StoreError::file("open", path);
    let mut db = Connection::open(path).map_err(failed())?;
    db.busy_timeout(BUSY).map_err(failed())?;
    let synchronous = match sync {
        StoreSync::Normal => "NORMAL",
        StoreSync::EachBatch => "FULL",
    };
    // Whatever mode a file was left in, it stays in: a sealed one is not to be given a log again.
    let version: u32 =
        db.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(failed())?;
    let journal = if version == 0 { "PRAGMA journal_mode = WAL;" } else { "" };
    db.execute_batch(&format!(
        "{journal} PRAGMA synchronous = {synchronous};
         PRAGMA cache_size = -{cache_kib}; PRAGMA temp_store = MEMORY;
         PRAGMA journal_size_limit = 67108864; PRAGMA wal_autocheckpoint = 4000;"
    ))
    .map_err(failed())?;
    db.set_prepared_statement_cache_capacity(64);
    migrate(&mut db, path, schema)?;
    Ok(db)
}

/// Opens a file to read it; other processes may be writing.
///
/// # Errors
/// It cannot be opened, or was written by a newer version.
pub(super) fn open_to_read(path: &Path, schema: &Schema) -> Result<Connection, StoreError> {
    let failed = || StoreError::file("open", path);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags).map_err(failed())?;
    db.busy_timeout(BUSY).map_err(failed())?;
    db.set_prepared_statement_cache_capacity(64);
    let found: u32 =
        db.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(failed())?;
    if found > schema.version() {
        return Err(StoreError::Newer { path: path.to_owned(), found, known: schema.version() });
    }
    Ok(db)
}

fn migrate(db: &mut Connection, path: &Path, schema: &Schema) -> Result<(), StoreError> {
    let failed = || StoreError::file("bring up to date", path);
    let found: u32 =
        db.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(failed())?;
    if found > schema.version() {
        return Err(StoreError::Newer { path: path.to_owned(), found, known: schema.version() });
    }
    for (index, step) in schema.steps.iter().enumerate().skip(found as usize) {
        let step_is_whole = db.transaction().map_err(failed())?;
        step_is_whole.execute_batch(step).map_err(failed())?;
        step_is_whole.pragma_update(None, "user_version", index as u32 + 1).map_err(failed())?;
        step_is_whole.commit().map_err(failed())?;
    }
    Ok(())
}

/// Whether every page of a file that ended unexpectedly is what it should be.
pub(super) fn is_whole(db: &Connection) -> bool {
    let said: rusqlite::Result<String> =
        db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0));
    matches!(said.as_deref(), Ok("ok"))
}

/// Moves a damaged file out of the way, beside its place: whoever wants to can still look into it.
///
/// # Errors
/// It cannot be moved.
pub(super) fn set_aside(path: &Path, now_s: u64) -> Result<PathBuf, StoreError> {
    let aside = with_end(path, &format!(".damaged-{now_s}"));
    fs::rename(path, &aside).map_err(StoreError::io("set aside", path))?;
    for end in ["-wal", "-shm", "-journal"] {
        // Most often there is none.
        drop(fs::rename(with_end(path, end), with_end(&aside, end)));
    }
    tracing::error!("{} is damaged and was set aside as {}", path.display(), aside.display());
    Ok(aside)
}

/// Deletes a file with what SQLite keeps beside it.
///
/// # Errors
/// It cannot be deleted.
pub(super) fn delete(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        // Somebody else did.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        done => done.map_err(StoreError::io("delete", path))?,
    }
    for end in ["-wal", "-shm", "-journal"] {
        drop(fs::remove_file(with_end(path, end)));
    }
    Ok(())
}

/// Bytes of a file with what SQLite keeps beside it.
pub(super) fn bytes(path: &Path) -> u64 {
    let len = |path: &Path| fs::metadata(path).map_or(0, |metadata| metadata.len());
    len(path) + len(&with_end(path, "-wal"))
}

fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// How long a reader and a writer of one file wait for each other.
const BUSY: Duration = Duration::from_secs(5);
