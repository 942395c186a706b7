//! Why a run could not start, or had to end.

use crate::source::SourceError;

/// Why a run could not start, or had to end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No input was named.
    #[error("nothing to read: name at least one capture file, or - for standard input")]
    NoInput,
    /// No interface was named.
    #[error("nothing to watch: name at least one interface")]
    NoInterface,
    /// A link of two ports was to be watched in control mode.
    #[error(
        "watch {link} for control packets only: the driver counts what it takes of a connection port by          port, so it cannot take both directions of it after an end; capture all packets, or watch a          mirror of both directions on one port"
    )]
    ControlOfTwoPorts {
        /// The link.
        link: String,
    },
    /// An interface could not be opened.
    #[error(transparent)]
    Interface(#[from] xdp::Error),
    /// A thread could not be started.
    #[error("start worker {worker}: {source}")]
    Spawn {
        /// Its index.
        worker: usize,
        /// What the system said.
        source: std::io::Error,
    },
    /// The thread that attaches to interfaces could not be started.
    #[error("start the thread that attaches to interfaces: {0}")]
    SpawnKeeper(#[source] std::io::Error),
    /// That thread ended before it had opened anything.
    #[error(
        "the thread that attaches to interfaces stopped unexpectedly; this is a bug, please report it"
    )]
    KeeperGone,
    /// A source failed in the middle.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The output failed.
    #[error("write results: {0}")]
    Sink(#[source] std::io::Error),
    /// A worker ended without giving its last window.
    #[error("worker {worker} stopped unexpectedly; this is a bug, please report it")]
    WorkerGone {
        /// Its index.
        worker: usize,
    },
}
