//! One line into an [`Arrival`]: only what names the record is read, the rest is checked to be JSON.

use std::borrow::Cow;

use bytes::Bytes;
use events::{RecordKind, Uid};
use serde::Deserialize;

use super::keep::Arrival;

/// Why a record is refused: the label of a counter.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Reason {
    /// A log record of somebody else: it has no `rst.record`.
    Foreign,
    /// No JSON object, or a field that names the record is missing or of another type.
    Malformed,
    /// Its `uid` is no name, or does not end in its `sequence`.
    Name,
    /// Longer than a record may be.
    TooLong,
    /// The store does not take it: its body is not what `record` says.
    Store,
}

impl Reason {
    pub(crate) const ALL: [Self; 5] =
        [Self::Foreign, Self::Malformed, Self::Name, Self::TooLong, Self::Store];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Foreign => "foreign",
            Self::Malformed => "malformed",
            Self::Name => "name",
            Self::TooLong => "too_long",
            Self::Store => "store",
        }
    }

    /// In words, for whoever sent it.
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Foreign => {
                "no attribute rst.record: only records of rstscope sensors are taken, from sinks with canonical = true"
            }
            Self::Malformed => "no JSON object with uid, sequence, sensor and a known record",
            Self::Name => "uid must be 16 hexadecimal digits, '-' and the sequence, from 1",
            Self::TooLong => "longer than a record may be",
            Self::Store => "the store does not know such a record",
        }
    }
}

/// What names a record.
#[derive(Deserialize)]
struct Head<'l> {
    #[serde(borrow)]
    uid: Cow<'l, str>,
    sequence: u64,
    #[serde(borrow)]
    sensor: Cow<'l, str>,
    #[serde(borrow, default)]
    record: Option<Cow<'l, str>>,
    #[serde(default)]
    test: bool,
}

/// What names a record, checked.
pub(crate) struct Named<'l> {
    pub(crate) uid: Uid,
    pub(crate) sensor: Cow<'l, str>,
    pub(crate) kind: RecordKind,
    pub(crate) is_test: bool,
}

/// Reads what names a record.
///
/// # Errors
/// Why it is refused.
pub(crate) fn named(json: &[u8]) -> Result<Named<'_>, Reason> {
    if json.len() > LINE_BYTES_MAX {
        return Err(Reason::TooLong);
    }
    let head: Head<'_> = serde_json::from_slice(json).map_err(|_| Reason::Malformed)?;
    let kind = match head.record.as_deref() {
        None => RecordKind::Event,
        Some(word) => RecordKind::named(word).ok_or(Reason::Malformed)?,
    };
    let is_plain = !head.sensor.is_empty()
        && head.sensor.len() <= SENSOR_LEN_MAX
        && !head.sensor.chars().any(char::is_control);
    if !is_plain {
        return Err(Reason::Malformed);
    }
    let uid =
        Uid::read(&head.uid).filter(|uid| uid.sequence == head.sequence).ok_or(Reason::Name)?;
    Ok(Named { uid, sensor: head.sensor, kind, is_test: head.test })
}

/// The record of a line.
///
/// # Errors
/// Why it is refused.
pub(crate) fn arrival(json: Bytes) -> Result<Arrival, Reason> {
    let Named { uid, sensor, kind, is_test } = named(&json)?;
    let Uid { session, sequence } = uid;
    Ok(Arrival { session, sequence, sensor: sensor.into_owned(), kind, is_test, json })
}

/// The lines of a message, each with its bytes; empty ones are left out.
pub(crate) fn lines(body: &Bytes) -> impl Iterator<Item = Bytes> + '_ {
    body.split(|byte| *byte == b'\n')
        .map(<[u8]>::trim_ascii)
        .filter(|line| !line.is_empty())
        .map(|line| body.slice_ref(line))
}

/// A minute of 20,000 rows is the longest.
pub(crate) const LINE_BYTES_MAX: usize = 16 << 20;
/// What the store takes.
const SENSOR_LEN_MAX: usize = 128;

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use events::RecordKind;

    use super::{Reason, arrival, lines};

    fn read(text: &str) -> Result<(u64, u64, RecordKind), Reason> {
        let arrival = arrival(Bytes::copy_from_slice(text.as_bytes()))?;
        assert!(text.contains(&arrival.uid()) || arrival.uid().len() > 16);
        Ok((arrival.session, arrival.sequence, arrival.kind))
    }

    #[test]
    fn a_record_is_known_by_its_first_fields_whatever_follows() {
        let text =
            r#"{"uid":"00000000000000ff-7","sequence":7,"sensor":"a","record":"minute","x":[{}]}"#;
        assert_eq!(read(text), Ok((255, 7, RecordKind::Minute)));
        let text = r#"{"x":1,"sensor":"\u00e4","sequence":7,"uid":"00000000000000ff-7"}"#;
        assert_eq!(read(text), Ok((255, 7, RecordKind::Event)));
    }

    #[test]
    fn what_is_no_record_is_refused_by_reason() {
        let line = |uid: &str, sensor: &str, kind: &str| {
            format!(r#"{{"uid":"{uid}","sequence":7,"sensor":"{sensor}","record":"{kind}"}}"#)
        };
        for (text, reason) in [
            (String::new(), Reason::Malformed),
            ("[]".to_owned(), Reason::Malformed),
            (r#"{"uid":"00000000000000ff-7"}"#.to_owned(), Reason::Malformed),
            (line("00000000000000ff-7", "a", "flood"), Reason::Malformed),
            (line("00000000000000ff-7", "", "event"), Reason::Malformed),
            (line("00000000000000ff-7", "a\\n", "event"), Reason::Malformed),
            (line("00000000000000ff-8", "a", "event"), Reason::Name),
            (line("00000000000000ff-07", "a", "event"), Reason::Name),
            (line("00000000000000FF-7", "a", "event"), Reason::Name),
            (line("ff-7", "a", "event"), Reason::Name),
            (line("\u{e4}0000000000000ff-7", "a", "event"), Reason::Name),
            (format!("{}x", line("00000000000000ff-7", "a", "event")), Reason::Malformed),
        ] {
            assert_eq!(read(&text), Err(reason), "{text}");
        }
        let long = line("00000000000000ff-7", &"x".repeat(129), "event");
        assert_eq!(read(&long), Err(Reason::Malformed));
        for (sequence, is_taken) in [(0, false), (1, true), (1 << 63, false), (u64::MAX, false)] {
            let text = format!(
                r#"{{"uid":"00000000000000ff-{sequence}","sequence":{sequence},"sensor":"a"}}"#
            );
            assert_eq!(read(&text).is_ok(), is_taken, "{text}");
        }
    }

    #[test]
    fn lines_are_told_apart_and_empty_ones_left_out() {
        let body = Bytes::from_static(b"\n{\"a\":1}\r\n\n {} ");
        assert_eq!(lines(&body).collect::<Vec<_>>(), ["{\"a\":1}", "{}"]);
    }
}
