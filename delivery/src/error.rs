//! What can go wrong before delivery runs; what goes wrong later is counted and told by the status.

use std::io;
use std::path::PathBuf;

/// Why delivery cannot start, or a sink cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An option cannot be as it is.
    #[error("{what}: {why}")]
    Option {
        /// Which.
        what: String,
        /// What is wrong with it, and what would be right.
        why: String,
    },
    /// A file or directory cannot be used.
    #[error("{attempt} {}: {source}", path.display())]
    File {
        /// What was attempted.
        attempt: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Somebody else has the spool.
    #[error(
        "open spool {}: process {holder} has it open; a spool is for one process: stop that one, or give \
         this one a directory of its own", path.display()
    )]
    Held {
        /// The directory.
        path: PathBuf,
        /// The process, as it wrote itself down.
        holder: String,
    },
    /// A sink did not take what was tried.
    #[error("sink {name}: {why}")]
    Sink {
        /// Its name.
        name: String,
        /// What happened.
        why: String,
    },
    /// A thread could not be started.
    #[error("start thread {name}: {source}")]
    Spawn {
        /// Its name.
        name: String,
        /// What the system said.
        source: io::Error,
    },
}

impl Error {
    /// For `map_err`: what was attempted on which file.
    pub(crate) fn file(
        attempt: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { attempt, path, source }
    }

    /// An option that cannot be as it is.
    pub(crate) fn option(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Option { what: what.into(), why: why.into() }
    }
}
