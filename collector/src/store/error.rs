//! What can go wrong with the store.

use std::io;
use std::path::{Path, PathBuf};

use crate::history::OFFSET_MAX;

/// Why the store could not be opened, written or asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The directory cannot be used.
    #[error(
        "use {path} as the store: {source} (choose another with directory in section [store] of the \
         configuration, or make it writable)", path = .path.display()
    )]
    Directory {
        /// Which.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// Another process writes there.
    #[error(
        "write to the store in {path}: another process does already; stop it, or choose another directory in \
         section [store] of the configuration", path = .path.display()
    )]
    Locked {
        /// Which.
        path: PathBuf,
    },
    /// There is none.
    #[error(
        "read the store in {path}: there is none; name the directory of section [store] of the \
         configuration", path = .path.display()
    )]
    Absent {
        /// Where.
        path: PathBuf,
    },
    /// Written by a newer version of this program.
    #[error(
        "open {path}: its tables are of version {found}, and this program knows up to {known}; install the \
         program that wrote it", path = .path.display()
    )]
    Newer {
        /// Which file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// Ours.
        known: u32,
    },
    /// A file said something else than it should.
    #[error("{what} {path}: {source}", path = .path.display())]
    File {
        /// What was attempted.
        what: &'static str,
        /// On which file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// A file could not be moved, made or measured.
    #[error("{what} {path}: {source}", path = .path.display())]
    Io {
        /// What was attempted.
        what: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// A question took too long.
    #[error(
        "answer within {seconds} s: too much to read; ask for a shorter time or one server, or raise \
         question_s_max in section [store] of the configuration"
    )]
    TooLong {
        /// Seconds.
        seconds: f64,
    },
    /// A page too far back.
    #[error("leave out {offset} rows: {OFFSET_MAX} at most; ask for a shorter time instead")]
    TooFar {
        /// Rows that were to be left out.
        offset: usize,
    },
    /// The store was opened only to be read.
    #[error("write to a store that was opened to be read")]
    ReadOnly,
}

impl StoreError {
    /// Whether the same batch may be taken later: nothing is wrong with its records.
    #[must_use]
    pub const fn is_later(&self) -> bool {
        matches!(self, Self::File { .. } | Self::Io { .. } | Self::Directory { .. })
    }

    /// Whether the file itself is damaged.
    pub(super) fn is_damage(&self) -> bool {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
        matches!(self, Self::File { source, .. }
            if matches!(source.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase)))
    }

    /// The file that it is about, if it is about one of SQLite's.
    pub(super) fn path(&self) -> Option<&Path> {
        match self {
            Self::File { path, .. } => Some(path),
            _ => None,
        }
    }

    pub(super) fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Io { what, path, source }
    }

    pub(super) fn file(
        what: &'static str,
        path: &Path,
    ) -> impl FnOnce(rusqlite::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::File { what, path, source }
    }
}
