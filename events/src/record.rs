//! What a sensor sends to a collector, one JSON object each.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::Event;
use crate::evidence::Evidence;
use crate::minute::Minute;

/// An event, a minute or evidence, and whose it is.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Record {
    /// Names the record for ever, however often it is sent: keep each once.
    pub uid: String,
    /// Its place among the records of its sensor; a gap tells of a loss.
    pub sequence: u64,
    /// Name of the sensor.
    pub sensor: String,
    /// Whether it was made to try a sink: no reset was seen.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub test: bool,
    /// What it says; its fields stand beside those above.
    #[serde(flatten)]
    pub body: Body,
}

/// What a record says; told apart by the field `record`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "record", rename_all = "snake_case")]
#[allow(clippy::large_enum_variant, reason = "there are never many at a time")]
pub enum Body {
    /// One reset.
    Event(Event),
    /// One minute, counted.
    Minute(Minute),
    /// The packets of an event.
    Evidence(Evidence),
}

/// What a record is.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Debug,
    Default,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum RecordKind {
    /// One reset.
    #[default]
    Event,
    /// One minute, counted.
    Minute,
    /// The packets of an event.
    Evidence,
}

impl RecordKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Event, Self::Minute, Self::Evidence];

    /// As the field `record` says it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Minute => "minute",
            Self::Evidence => "evidence",
        }
    }

    /// The kind that [`name`](Self::name) gives this word.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == word)
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
    /// Counts records from 1.
    pub sequence: u64,
}

impl Uid {
    /// Reads what [`Display`](fmt::Display) writes, and nothing else; stores have signed numbers.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let (session, number) = text.split_at_checked(SESSION_LEN)?;
        let digits = number.strip_prefix('-')?;
        let is_hex = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
        let is_plain = session.bytes().all(is_hex)
            && digits.bytes().all(|c| c.is_ascii_digit())
            && !digits.starts_with('0');
        let uid = Self {
            session: u64::from_str_radix(session, 16).ok()?,
            sequence: digits.parse().ok()?,
        };
        (is_plain && i64::try_from(uid.sequence).is_ok()).then_some(uid)
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{}", self.session, self.sequence)
    }
}

/// Hexadecimal digits of a session.
const SESSION_LEN: usize = 16;

#[cfg(test)]
mod tests {
    use super::{RecordKind, Uid};

    #[test]
    fn a_name_is_read_as_it_is_written() {
        for uid in [
            Uid { session: 0, sequence: 1 },
            Uid { session: u64::MAX, sequence: i64::MAX.unsigned_abs() },
        ] {
            assert_eq!(Uid::read(&uid.to_string()), Some(uid));
        }
        for no in [
            "",
            "-1",
            "ff-7",
            "00000000000000ff",
            "00000000000000ff-",
            "00000000000000ff-0",
            "00000000000000ff-07",
            "00000000000000ff-+7",
            "+0000000000000ff-7",
            "00000000000000FF-7",
            "00000000000000ff-9223372036854775808",
            "00000000000000ff-99999999999999999999",
            "\u{e4}0000000000000ff-7",
        ] {
            assert_eq!(Uid::read(no), None, "{no}");
        }
    }

    #[test]
    fn every_kind_is_found_by_its_name() {
        for kind in RecordKind::ALL {
            assert_eq!(RecordKind::named(kind.name()), Some(kind));
        }
        assert_eq!(RecordKind::named("Event"), None);
    }
}
