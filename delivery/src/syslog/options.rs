//! What may be chosen of a syslog sink.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::options::{SendOptions, TlsOptions};

/// A sink that writes events to a syslog receiver over TCP or TLS, each with its length before it (octet
/// counting). Syslog acknowledges nothing: what a receiver had in its buffers when it died can be lost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SyslogOptions {
    /// Its name: letters, digits, `-` and `_`.
    pub name: String,
    /// `tcp://host:601` or `tls://host:6514`.
    pub url: String,
    /// How an event is written.
    pub format: SyslogFormat,
    /// The facility, 0 to 23; 16 is local0.
    pub facility: u8,
    /// The private enterprise number in the name of the structured data, `rst@NUMBER`. 32473 is the one for
    /// documentation (RFC 5612): there is none for rstscope yet, so use your own organisation's if your
    /// receiver minds.
    pub enterprise_number: u32,
    /// Bytes of one message at most; what does not fit is left out, and the message says so (`cut`).
    pub message_bytes_max: usize,
    /// Seconds until an attempt is given up, and until bytes must be acknowledged by the receiver's kernel.
    pub timeout_s: f64,
    /// Certificates, for `tls://`.
    pub tls: TlsOptions,
    /// What it takes, and at what pace; events only.
    pub send: SendOptions,
}

impl Default for SyslogOptions {
    fn default() -> Self {
        Self {
            name: "syslog".to_owned(),
            url: "tcp://127.0.0.1:601".to_owned(),
            format: SyslogFormat::default(),
            facility: 16,
            enterprise_number: 32473,
            message_bytes_max: 8192,
            timeout_s: 10.0,
            tls: TlsOptions::default(),
            send: SendOptions::default(),
        }
    }
}

/// How an event is written to syslog.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SyslogFormat {
    /// RFC 5424 with structured data.
    #[default]
    Rfc5424,
    /// ArcSight's Common Event Format, version 0.
    Cef,
}
