//! One event on its way.

use std::fmt;

use events::{Event, EventStatus};

/// An event as it lies in the spool.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Record {
    /// Names it for ever.
    pub(crate) uid: Uid,
    /// What sinks choose by.
    pub(crate) kind: EventKind,
    /// Whether it was made by `rstscope sink test`: no reset was seen.
    pub(crate) is_test: bool,
    /// When it was spooled, milliseconds since the Unix epoch.
    pub(crate) time_ms: u64,
    /// The event as one JSON object, without a line feed.
    pub(crate) json: Vec<u8>,
}

impl Record {
    /// The event's JSON with what names the record before its own fields, and a line feed.
    pub(crate) fn line(&self) -> Vec<u8> {
        let mark = if self.is_test { "\"test\":true," } else { "" };
        let head = format!("{{\"uid\":\"{}\",\"sequence\":{},{mark}", self.uid, self.uid.sequence);
        let fields = self.json.strip_prefix(b"{").unwrap_or(&self.json);
        [head.as_bytes(), fields, b"\n"].concat()
    }
}

/// The name of a record: the same however often it is sent, and never another one's.
///
/// `session` is drawn at random whenever the spool is opened, `sequence` counts on over restarts. A power
/// failure may take the newest records off the disk that a sink had sent already; their numbers may then
/// be given again, in another session.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Uid {
    /// The run of the spool.
    pub session: u64,
    /// Counts events from 1.
    pub sequence: u64,
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{}", self.session, self.sequence)
    }
}

/// What sinks choose events by.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct EventKind {
    /// Not final yet.
    pub(crate) provisional: bool,
    /// Aftermath of another reset, or captured twice.
    pub(crate) secondary: bool,
}

impl EventKind {
    /// Of an event.
    pub(crate) fn of(event: &Event) -> Self {
        Self {
            provisional: event.status == EventStatus::Provisional,
            secondary: !event.is_primary(),
        }
    }

    pub(crate) const fn to_byte(self) -> u8 {
        self.provisional as u8 | (self.secondary as u8) << 1
    }

    pub(crate) const fn from_byte(byte: u8) -> Self {
        Self { provisional: byte & 1 != 0, secondary: byte & 2 != 0 }
    }
}
