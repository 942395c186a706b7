//! A record as it arrives: only its head is read here, its body where it is stored.

use std::borrow::Cow;
use std::fmt;

use events::{RecordKind, Uid};

use crate::receive::line;

/// A record of a sensor, on its way into the store.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Incoming<'l> {
    /// The run of the sensor's spool: the first half of the record's `uid`.
    pub session: u64,
    /// Its place among the records of the sensor: the second half.
    pub sequence: u64,
    /// Whose.
    pub sensor: Cow<'l, str>,
    /// What it says.
    pub kind: RecordKind,
    /// Whether it was made to try a sink: it is acknowledged and not kept.
    pub is_test: bool,
    /// The whole line, one JSON object, with or without a line feed.
    pub json: &'l [u8],
}

/// Why a line is no record.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Unreadable(pub &'static str);

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no record of a sensor: {}", self.0)
    }
}

impl std::error::Error for Unreadable {}

/// What became of a batch; its sum is the number of records in it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Put {
    /// Records that were not known before.
    pub new: u64,
    /// Records that were known, and changed nothing.
    pub repeated: u64,
    /// Records that were made to try a sink.
    pub tests: u64,
    /// Records that are not kept and never will be, by place in the batch: sending them again does not help.
    pub refused: Vec<(usize, Unreadable)>,
}

impl<'l> Incoming<'l> {
    /// Reads the head of a line: `uid`, `sequence`, `sensor`, `test` and `record`; without `record` it is an
    /// event.
    ///
    /// # Errors
    /// It has no such head, or is no JSON object.
    pub fn read(line: &'l [u8]) -> Result<Self, Unreadable> {
        let named = line::named(line).map_err(|reason| Unreadable(reason.text()))?;
        let line::Named { uid, sensor, kind, is_test } = named;
        let Uid { session, sequence } = uid;
        Ok(Self { session, sequence, sensor, kind, is_test, json: line })
    }
}

#[cfg(test)]
mod tests {
    use events::RecordKind;

    use super::Incoming;

    #[test]
    fn the_head_of_a_line_is_what_receivers_read() {
        let line = br#"{"uid":"00000000000000ff-7","sequence":7,"sensor":"a","record":"minute"}"#;
        let incoming = Incoming::read(line).unwrap();
        assert_eq!((incoming.session, incoming.sequence), (255, 7));
        assert_eq!((incoming.sensor.as_ref(), incoming.kind), ("a", RecordKind::Minute));
        assert_eq!(incoming.json, line);
        let error = Incoming::read(b"[]").unwrap_err().to_string();
        assert!(error.contains("no JSON object"), "{error}");
    }
}
