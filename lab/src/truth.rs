//! What was really done: the label of a flow.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use crate::Error;

/// Who really sent a reset; `none` where no reset was made.
pub const ORIGINS: [&str; 7] = [
    "client",
    "server",
    "middlebox_to_client",
    "middlebox_to_server",
    "middlebox_both",
    "blind_attacker",
    "none",
];

/// The cause of a reset that only follows from an earlier one of its flow.
pub(crate) const SECONDARY: &str = "secondary_rst";

/// What really happened: one reset that is nobody's echo, or a flow without any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Truth {
    /// Name of the scenario.
    pub scenario: &'static str,
    /// The side that opened the connection.
    pub client: SocketAddr,
    /// The side that was called.
    pub server: SocketAddr,
    /// Not before this time since the epoch; `None` for the first reset of the flow. Only where the same two
    /// addresses and ports have several resets that are no echoes of each other.
    pub since: Option<Duration>,
    /// Who sent the reset: one of [`ORIGINS`]; empty for echoes, which nobody witnessed one by one.
    pub origin: &'static str,
    /// Why: an identifier of the taxonomy of causes, or `none`.
    pub cause: &'static str,
    /// Why the kernel of the sending endpoint says it did (`SK_RST_REASON_*` without the prefix, Linux 6.12
    /// `include/net/rstreason.h`); `None` for a reset that no endpoint sent.
    pub kernel_reason: Option<String>,
    /// The kernel's trace point could be read. If false, `kernel_reason` is missing for want of a witness.
    pub kernel_heard: bool,
    /// What fired: the rule of the firewall or the device that made the reset, or the setting of the kernel
    /// without which it would not have been sent.
    pub rule: Option<String>,
    /// The idle timer that this flow met or survived, if there is one on its path.
    pub timer: Option<Duration>,
    /// The endpoint that sent the reset is a TCP of our own on a raw socket: no kernel speaks of it.
    pub by_hand: bool,
    /// What was really done, in one sentence.
    pub description: String,
}

impl Truth {
    /// Names the rule, the device or the setting that fired.
    pub(crate) fn by_rule(mut self, rule: impl Into<String>) -> Self {
        self.rule = Some(rule.into());
        self
    }

    /// Means the first reset of the flow at or after `since`.
    pub(crate) fn not_before(mut self, since: Duration) -> Self {
        self.since = Some(since);
        self
    }

    /// Strikes out what the kernel's reason excludes where the recipe could not know how the close went: with
    /// data unread (`TCP_ABORT_ON_CLOSE`), or before the data came (`TCP_ABORT_ON_DATA`, Linux 6.12
    /// `net/ipv4/tcp.c`, `tcp_input.c`). The wire tells them apart: the one is a segment of its own with ACK, the
    /// other a bare answer.
    pub(crate) fn narrow_by_kernel(&mut self) {
        self.cause = match (self.cause, self.kernel_reason.as_deref()) {
            ("app_abort|data_after_close", Some("TCP_ABORT_ON_CLOSE")) => "app_abort",
            ("app_abort|data_after_close", Some("TCP_ABORT_ON_DATA")) => "data_after_close",
            ("connection_limit|app_abort|data_after_close", Some("TCP_ABORT_ON_CLOSE")) => {
                "connection_limit|app_abort"
            }
            ("connection_limit|app_abort|data_after_close", Some("TCP_ABORT_ON_DATA")) => {
                "connection_limit|data_after_close"
            }
            (cause, _) => cause,
        };
    }

    /// The reset comes from a TCP of our own that plays an endpoint.
    pub(crate) fn by_hand(mut self, stack: impl Into<String>) -> Self {
        self.by_hand = true;
        self.by_rule(stack)
    }

    /// The label of another reset of the same flow: an echo, or more of the same attack. Who sent an echo nobody
    /// witnessed; who guesses goes on guessing.
    pub(crate) fn secondary(&self) -> Self {
        Self {
            origin: if self.origin == "blind_attacker" { self.origin } else { "" },
            cause: SECONDARY,
            since: None,
            kernel_reason: None,
            rule: None,
            description: format!("belongs to an earlier reset of this flow: {}", self.cause),
            ..self.clone()
        }
    }
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
    /// Number of the reset in the capture, counted from 1; `None` if there is none.
    pub frame: Option<usize>,
}

/// Writes truths as CSV, one line a reset, beside the capture `file`.
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Truth;

    fn said(cause: &'static str, reason: Option<&str>) -> &'static str {
        let mut truth = Truth {
            scenario: "ssh_max_startups",
            client: ([192, 0, 2, 1], 4000).into(),
            server: ([192, 0, 2, 2], 22).into(),
            since: None,
            origin: "server",
            cause,
            kernel_reason: reason.map(str::to_owned),
            kernel_heard: reason.is_some(),
            rule: None,
            by_hand: false,
            timer: None::<Duration>,
            description: String::new(),
        };
        truth.narrow_by_kernel();
        truth.cause
    }

    #[test]
    fn the_kernel_strikes_out_what_was_not() {
        let joint = "connection_limit|app_abort|data_after_close";
        assert_eq!(said(joint, Some("TCP_ABORT_ON_CLOSE")), "connection_limit|app_abort");
        assert_eq!(said(joint, Some("TCP_ABORT_ON_DATA")), "connection_limit|data_after_close");
        assert_eq!(said(joint, None), joint);
        assert_eq!(said("app_abort|data_after_close", Some("TCP_ABORT_ON_CLOSE")), "app_abort");
        assert_eq!(said("close_race", Some("TCP_ABORT_ON_CLOSE")), "close_race");
    }
}
