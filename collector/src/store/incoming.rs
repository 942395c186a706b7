//! A record as it arrives: only its head is read here, its body where it is stored.

use std::borrow::Cow;
use std::fmt;

use serde::Deserializer as _;
use serde::de::{MapAccess, Visitor};

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

/// What a record says.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum RecordKind {
    /// One reset.
    Event,
    /// One minute, counted.
    Minute,
    /// The packets of an event.
    Evidence,
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
    /// Reads the head of a line: `uid`, `sequence`, `sensor`, `test` and `record` stand before all other
    /// fields; without `record` it is an event.
    ///
    /// # Errors
    /// It has no such head.
    pub fn read(line: &'l [u8]) -> Result<Self, Unreadable> {
        let mut head = Head::default();
        let mut json = serde_json::Deserializer::from_slice(line);
        // The visitor stops at the first field of the body, which ends in an error of its own.
        let whole = json.deserialize_map(HeadVisitor(&mut head));
        if whole.is_err() && !head.is_over {
            return Err(Unreadable("no JSON object"));
        }
        let uid = head.uid.ok_or(Unreadable("no uid before its other fields"))?;
        let (session, sequence) = parse_uid(&uid).ok_or(Unreadable("uid is not SESSION-NUMBER"))?;
        let sensor = head.sensor.ok_or(Unreadable("no sensor before its other fields"))?;
        if sensor.is_empty()
            || sensor.len() > SENSOR_LEN_MAX
            || sensor.chars().any(char::is_control)
        {
            return Err(Unreadable("sensor is empty, too long or no text"));
        }
        let kind = match head.record.as_deref() {
            None | Some("event") => RecordKind::Event,
            Some("minute") => RecordKind::Minute,
            Some("evidence") => RecordKind::Evidence,
            Some(_) => return Err(Unreadable("record is none of event, minute, evidence")),
        };
        Ok(Self { session, sequence, sensor, kind, is_test: head.is_test, json: line })
    }
}

fn parse_uid(uid: &str) -> Option<(u64, u64)> {
    let (session, sequence) = uid.split_once('-')?;
    let is_plain = session.len() == 16 && sequence.bytes().all(|byte| byte.is_ascii_digit());
    let sequence =
        sequence.parse().ok().filter(|sequence| (1..=i64::MAX as u64).contains(sequence))?;
    is_plain.then(|| u64::from_str_radix(session, 16).ok())?.map(|session| (session, sequence))
}

#[derive(Default)]
struct Head<'l> {
    uid: Option<Cow<'l, str>>,
    sensor: Option<Cow<'l, str>>,
    record: Option<Cow<'l, str>>,
    is_test: bool,
    /// Whether the first field of the body was met.
    is_over: bool,
}

struct HeadVisitor<'h, 'l>(&'h mut Head<'l>);

impl<'l> Visitor<'l> for HeadVisitor<'_, 'l> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record")
    }

    fn visit_map<A: MapAccess<'l>>(self, mut map: A) -> Result<(), A::Error> {
        let head = self.0;
        while let Some(key) = map.next_key::<Text<'l>>()? {
            match key.0.as_ref() {
                "uid" => head.uid = Some(map.next_value::<Text<'l>>()?.0),
                "sensor" => head.sensor = Some(map.next_value::<Text<'l>>()?.0),
                "record" => head.record = Some(map.next_value::<Text<'l>>()?.0),
                "sequence" => drop(map.next_value::<u64>()?),
                "test" => head.is_test = map.next_value()?,
                _ => {
                    head.is_over = true;
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

/// Text that is borrowed where it can be.
#[derive(serde::Deserialize)]
pub(super) struct Text<'t>(#[serde(borrow)] pub(super) Cow<'t, str>);

/// Longer names of sensors are refused, bytes.
const SENSOR_LEN_MAX: usize = 128;

#[cfg(test)]
mod tests {
    use super::{Incoming, RecordKind};

    #[test]
    fn the_head_of_a_line_is_enough() {
        let line =
            br#"{"uid":"00000000000000ff-7","sequence":7,"sensor":"a","record":"minute","id":{{{"#;
        let incoming = Incoming::read(line).unwrap();
        assert_eq!((incoming.session, incoming.sequence), (255, 7));
        assert_eq!((incoming.sensor.as_ref(), incoming.kind), ("a", RecordKind::Minute));
        let line = br#"{"uid":"00000000000000ff-7","sequence":7,"sensor":"a\u0041","test":true}"#;
        let incoming = Incoming::read(line).unwrap();
        assert!(incoming.is_test && incoming.sensor == "aA" && incoming.kind == RecordKind::Event);
    }

    #[test]
    fn what_is_no_record_is_refused_with_a_reason() {
        let long =
            format!(r#"{{"uid":"00000000000000ff-7","sensor":"{}","id":1}}"#, "x".repeat(129));
        for (line, reason) in [
            ("", "no JSON object"),
            ("[]", "no JSON object"),
            (r#"{"uid":7}"#, "no JSON object"),
            (r#"{"id":"x","uid":"00000000000000ff-7"}"#, "no uid"),
            (r#"{"uid":"ff-7","sensor":"a"}"#, "SESSION-NUMBER"),
            (r#"{"uid":"00000000000000ff-+7","sensor":"a"}"#, "SESSION-NUMBER"),
            (r#"{"uid":"00000000000000ff-99999999999999999999","sensor":"a"}"#, "SESSION-NUMBER"),
            (r#"{"uid":"00000000000000ff-0","sensor":"a"}"#, "SESSION-NUMBER"),
            (r#"{"uid":"00000000000000ff-7","id":"x"}"#, "no sensor"),
            (r#"{"uid":"00000000000000ff-7","sensor":"a\n"}"#, "sensor is"),
            (r#"{"uid":"00000000000000ff-7","sensor":"a","record":"x"}"#, "none of"),
            (&long, "too long"),
        ] {
            let error = Incoming::read(line.as_bytes()).unwrap_err();
            assert!(error.to_string().contains(reason), "{line}: {error}");
        }
    }
}
