//! What can go wrong when a lab is built or played.

use std::net::SocketAddr;
use std::path::PathBuf;

/// Why a lab could not be built, or a scenario not be played.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The process may not make network namespaces.
    #[error("make the network namespace {name}: {source} (the lab needs root or CAP_SYS_ADMIN)")]
    Namespace {
        /// Name of the host that was to live there.
        name: String,
        /// The kernel's answer.
        source: nix::Error,
    },
    /// A tool could not be started.
    #[error("start {program}: {source} (deploy/prepare.sh test installs all that the lab needs)")]
    ToolMissing {
        /// Name of the program.
        program: &'static str,
        /// Why it did not start.
        source: std::io::Error,
    },
    /// A tool ran and refused.
    #[error("{program} on {host} failed: {message}")]
    ToolFailed {
        /// Name of the program.
        program: &'static str,
        /// Host (namespace) it ran in.
        host: String,
        /// What it printed on standard error.
        message: String,
    },
    /// A kernel setting could not be written.
    #[error("write {value} to {path} on {host}: {source}")]
    Sysctl {
        /// File below `/proc/sys`.
        path: String,
        /// Value that was to be written.
        value: String,
        /// Host (namespace) concerned.
        host: String,
        /// The kernel's answer.
        source: std::io::Error,
    },
    /// An interface is not there.
    #[error("no interface {interface} on {host}")]
    NoInterface {
        /// Name of the interface.
        interface: String,
        /// Host (namespace) that was searched.
        host: String,
    },
    /// A system call on a socket failed.
    #[error("{attempt}: {source}")]
    Socket {
        /// What was attempted.
        attempt: String,
        /// The kernel's answer.
        source: std::io::Error,
    },
    /// A peer of a scenario did not do what the scenario needs.
    #[error("{scenario} between {client} and {server}: {what}")]
    Scenario {
        /// Name of the scenario.
        scenario: &'static str,
        /// The client of the flow.
        client: SocketAddr,
        /// The server of the flow.
        server: SocketAddr,
        /// What was expected and did not happen.
        what: String,
    },
    /// A file could not be written.
    #[error("write {path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// The kernel's answer.
        source: std::io::Error,
    },
    /// A file could not be read.
    #[error("read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: std::io::Error,
    },
    /// An option has a value that the lab cannot build.
    #[error("option {option} is {value}: {expected}")]
    Option {
        /// Name of the option.
        option: &'static str,
        /// The value given.
        value: String,
        /// What would do.
        expected: &'static str,
    },
}

impl Error {
    /// Wraps a failed socket call with what was attempted.
    pub(crate) fn socket(attempt: impl Into<String>, source: impl Into<std::io::Error>) -> Self {
        Self::Socket { attempt: attempt.into(), source: source.into() }
    }
}
