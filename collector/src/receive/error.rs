//! What can go wrong with receivers.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why records cannot be received.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// An option cannot be as it is.
    #[error("{0}")]
    Option(String),
    /// The address could not be bound.
    #[error(
        "listen on {address} for {what}: {source} (choose another address in section [collect], or \"off\")"
    )]
    Bind {
        /// Which receiver.
        what: &'static str,
        /// Where.
        address: SocketAddr,
        /// What the kernel said.
        source: io::Error,
    },
    /// A file could not be read.
    #[error("read {what} from {path}: {source}", path = .path.display())]
    File {
        /// What it holds.
        what: &'static str,
        /// Which file.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// A file does not hold what it should.
    #[error("{what} in {path}: {why}", path = .path.display())]
    Content {
        /// What it should hold.
        what: &'static str,
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The certificates cannot be used.
    #[error("section [collect.tls]: {0}")]
    Tls(#[from] crate::error::Error),
    /// A thread could not be started.
    #[error("start a thread of the receivers: {source}")]
    Thread {
        /// What the kernel said.
        source: io::Error,
    },
}
