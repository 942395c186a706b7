//! What can be set: section `[logs]` of the configuration.

use std::net::SocketAddr;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::join::JoinOptions;
use super::read::Zone;
use crate::tls::ServerTlsOptions;

/// Logs of firewalls and servers, which are joined with resets: where they come from, how much waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LogOptions {
    /// Where syslog is listened for.
    pub listen: Vec<LogListen>,
    /// Files that are followed as they grow, over rotation and restart.
    pub file: Vec<LogFile>,
    /// Where it is kept how far files were read.
    pub directory: PathBuf,
    /// Events that logs may be joined with, some 6 KiB each, 1 to 1000000; the oldest gives way.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub events_kept: usize,
    /// Log lines that events may be joined with, some 2 KiB each, 1 to 1000000; the oldest gives way.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub sessions_kept: usize,
    /// Seconds that an event waits for logs, 60 to 86400.
    #[schemars(range(min = 60, max = 86_400))]
    pub event_wait_s: u64,
    /// Seconds that a log line waits for its event, 60 to 86400.
    #[schemars(range(min = 60, max = 86_400))]
    pub line_wait_s: u64,
    /// Senders that may be connected to all listeners together, 1 to 4096; more wait.
    #[schemars(range(min = 1, max = 4096))]
    pub connections: usize,
    /// Of those, how many one sender may have, 1 to 4096; more are closed. Of IPv6 a network of 64 bits is one.
    #[schemars(range(min = 1, max = 4096))]
    pub connections_per_sender: usize,
    /// Seconds in which a new connection must send its first line, 1 to 3600; otherwise it gives way to one that
    /// waits for a place. While nobody waits, senders may be silent for a day.
    #[schemars(range(min = 1, max = 3600))]
    pub first_line_s: u64,
}

impl Default for LogOptions {
    fn default() -> Self {
        let join = JoinOptions::default();
        Self {
            listen: Vec::new(),
            file: Vec::new(),
            directory: PathBuf::from("/var/lib/rstscope/logs"),
            events_kept: join.events,
            sessions_kept: join.sessions,
            event_wait_s: join.event_s,
            line_wait_s: join.session_s,
            connections: 64,
            connections_per_sender: 16,
            first_line_s: 60,
        }
    }
}

/// A shorter wait is no silence, s.
const ABSENT_S_MIN: u64 = 300;

impl LogOptions {
    /// Whether any log is wanted.
    #[must_use]
    pub const fn is_wanted(&self) -> bool {
        !self.listen.is_empty() || !self.file.is_empty()
    }

    pub(crate) fn join(&self) -> JoinOptions {
        JoinOptions {
            events: self.events_kept,
            sessions: self.sessions_kept,
            event_s: self.event_wait_s,
            session_s: self.line_wait_s,
            absent_s: match self.line_wait_s / 5 * 4 {
                // Firewalls tell of an end minutes later: where lines are forgotten so soon, silence is not told.
                ..ABSENT_S_MIN => JoinOptions::FOR_EVER_S,
                absent_s => absent_s,
            },
            ..JoinOptions::default()
        }
    }
}

/// A socket that syslog comes to: `[[logs.listen]]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LogListen {
    /// How: `udp`, `tcp` or `tls`.
    pub transport: Transport,
    /// Address and port, as 10.0.0.5:514.
    pub address: SocketAddr,
    /// Who may send: addresses or networks, as 10.0.0.0/24; what others send is dropped and counted. Without
    /// it everybody who reaches the socket may.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<String>,
    /// How far the senders' clocks are east of UTC, as +02:00, for stamps that name no zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<ZoneText>,
    /// Certificates, for `tls`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub tls: ServerTlsOptions,
}

/// A file that is followed: `[[logs.file]]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LogFile {
    /// Which.
    pub path: PathBuf,
    /// Whose it is, if its lines do not say; the file's name if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// How far its writer's clock is east of UTC, as +02:00, for stamps that name no zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<ZoneText>,
    /// Read it from its beginning when it is first seen, not from its end.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub from_beginning: bool,
}

/// Values of `transport`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// A message a datagram (RFC 5426).
    Udp,
    /// Octet-counted or ended by line feeds or NUL (RFC 6587); each sender's way is recognised.
    Tcp,
    /// The same inside TLS (RFC 5425).
    Tls,
}

impl Transport {
    /// The name in configuration and rows.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
        }
    }
}

/// An offset from UTC, as `+02:00`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct ZoneText(String, Zone);

impl ZoneText {
    /// What it says.
    #[must_use]
    pub const fn zone(&self) -> Zone {
        self.1
    }
}

impl TryFrom<String> for ZoneText {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let refused = || format!("timezone {text:?}: write it as +02:00, -05:30 or +00:00");
        let (sign, rest) = match text.as_bytes().first() {
            Some(b'+') => (1, &text[1..]),
            Some(b'-') => (-1, &text[1..]),
            _ => return Err(refused()),
        };
        let (hours, minutes) = rest.split_once(':').ok_or_else(refused)?;
        let number = |part: &str, most: i32| {
            let is_plain = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
            part.parse::<i32>().ok().filter(|number| is_plain && *number <= most)
        };
        let hours = number(hours, 14).ok_or_else(refused)?;
        let minutes = number(minutes, 59).ok_or_else(refused)?;
        let zone = Zone { east_s: sign * (hours * 3600 + minutes * 60) };
        Ok(Self(text, zone))
    }
}

impl From<ZoneText> for String {
    fn from(zone: ZoneText) -> Self {
        zone.0
    }
}

fn is_default(tls: &ServerTlsOptions) -> bool {
    *tls == ServerTlsOptions::default()
}

/// Zone of stamps if nothing is said.
pub(crate) fn zone_or_utc(zone: Option<&ZoneText>) -> Zone {
    zone.map_or(Zone { east_s: 0 }, ZoneText::zone)
}

#[cfg(test)]
mod tests {
    use super::{Transport, ZoneText};

    #[test]
    fn a_zone_is_an_offset_and_nothing_else() {
        let zone = |text: &str| ZoneText::try_from(text.to_owned()).map(|zone| zone.zone().east_s);
        assert_eq!(zone("+02:00"), Ok(7200));
        assert_eq!(zone("-05:30"), Ok(-19_800));
        for text in ["", "02:00", "+2:00", "+15:00", "+02:60", "Europe/Berlin", "+é:00", "++2:00"]
        {
            assert!(zone(text).is_err(), "{text}");
        }
        assert_eq!(serde_json::to_string(&Transport::Tls).unwrap(), "\"tls\"");
    }
}
