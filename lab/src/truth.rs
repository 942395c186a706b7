//! What was really done: the label of a flow.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use crate::Error;

/// Who really sent the first reset of a flow; `none` where no reset was made.
pub const ORIGINS: [&str; 7] = [
    "client",
    "server",
    "middlebox_to_client",
    "middlebox_to_server",
    "middlebox_both",
    "blind_attacker",
    "none",
];

/// What really happened to one flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Truth {
    /// Name of the scenario.
    pub scenario: &'static str,
    /// The side that opened the connection.
    pub client: SocketAddr,
    /// The side that was called.
    pub server: SocketAddr,
    /// Who sent the first reset: one of [`ORIGINS`].
    pub origin: &'static str,
    /// Why: an identifier of the taxonomy of causes, or `none`.
    pub cause: &'static str,
    /// Why the kernel of the sending endpoint says it did (`SK_RST_REASON_*` without the prefix, Linux 6.12
    /// `include/net/rstreason.h`); `None` for a reset that no endpoint sent.
    pub kernel_reason: Option<String>,
    /// The kernel's trace point could be read. If false, `kernel_reason` is missing for want of a witness.
    pub kernel_heard: bool,
    /// The rule or the device that made the reset, if it was no endpoint.
    pub rule: Option<String>,
    /// The idle timer that this flow met or survived, if there is one on its path.
    pub timer: Option<Duration>,
    /// What was really done, in one sentence.
    pub description: String,
}

/// First line of a file of truths.
const COLUMNS: [&str; 12] = [
    "file",
    "frame",
    "scenario",
    "client",
    "server",
    "origin",
    "cause",
    "kernel_reason",
    "kernel_heard",
    "rule",
    "description",
    "timer_s",
];

/// A truth with its place in a capture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The flow.
    pub truth: Truth,
    /// Number of the first reset of the flow in the capture, counted from 1; `None` if there is none.
    pub frame: Option<usize>,
}

/// Writes truths as CSV, one line a flow, beside the capture `file`.
pub(crate) fn write_csv(path: &Path, file: &str, rows: &[Placed]) -> Result<(), Error> {
    let failed = |source| Error::File { path: path.to_owned(), source };
    let mut writer = csv::Writer::from_path(path).map_err(|error| failed(error.into()))?;
    writer.write_record(COLUMNS).map_err(|error| failed(error.into()))?;
    for Placed { truth, frame } in rows {
        let frame = frame.map_or(String::new(), |number| number.to_string());
        let record = [
            file,
            &frame,
            truth.scenario,
            &truth.client.to_string(),
            &truth.server.to_string(),
            truth.origin,
            truth.cause,
            truth.kernel_reason.as_deref().unwrap_or(""),
            if truth.kernel_heard { "true" } else { "false" },
            truth.rule.as_deref().unwrap_or(""),
            &truth.description,
            &truth.timer.map_or_else(String::new, |timer| timer.as_secs_f64().to_string()),
        ];
        writer.write_record(record).map_err(|error| failed(error.into()))?;
    }
    writer.flush().map_err(failed)
}
