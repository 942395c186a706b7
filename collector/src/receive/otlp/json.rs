//! `ExportLogsServiceRequest` as JSON: only the attribute `rst.record` of each log record is kept.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use serde::Deserialize;
use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};

use super::Found;

/// The texts of `rst.record`.
///
/// # Errors
/// What is wrong with the body; then nothing of it is to be taken.
pub(crate) fn records(body: &[u8]) -> Result<Found, String> {
    let mut found = Found::default();
    let mut reader = serde_json::Deserializer::from_slice(body);
    Level { depth: 0, found: &mut found }
        .deserialize(&mut reader)
        .and_then(|()| reader.end())
        .map_err(|error| format!("no logs of OTLP as JSON: {error}"))?;
    Ok(found)
}

/// An object that lists objects, down to log records: nothing of what lies between is built.
struct Level<'f> {
    depth: usize,
    found: &'f mut Found,
}

/// The list of each depth, in the JSON of Protocol Buffers, which knows both spellings.
const LISTS: [[&str; 2]; 4] = [
    ["resourceLogs", "resource_logs"],
    ["scopeLogs", "scope_logs"],
    ["logRecords", "log_records"],
    ["attributes", "attributes"],
];
/// Depth of a log record.
const RECORD: usize = 3;

impl<'de> DeserializeSeed<'de> for Level<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Level<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object with {}", LISTS[self.depth][0])
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut text = None;
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            if !LISTS[self.depth].contains(&key.as_ref()) {
                map.next_value::<IgnoredAny>()?;
            } else if self.depth == RECORD {
                text = map.next_value_seed(Attributes)?;
            } else {
                map.next_value_seed(List { depth: self.depth + 1, found: self.found })?;
            }
        }
        if self.depth == RECORD {
            self.found.push(text.map(Bytes::from)).map_err(A::Error::custom)?;
        }
        Ok(())
    }
}

/// A list of objects of one depth.
struct List<'f> {
    depth: usize,
    found: &'f mut Found,
}

impl<'de> DeserializeSeed<'de> for List<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for List<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(Level { depth: self.depth, found: self.found })?.is_some() {}
        Ok(())
    }
}

/// The attributes of a log record, of which one counts.
struct Attributes;

#[derive(Deserialize)]
struct Attribute<'l> {
    #[serde(borrow, default)]
    key: Cow<'l, str>,
    #[serde(default)]
    value: Text,
}

#[derive(Deserialize, Default)]
struct Text {
    #[serde(default, rename = "stringValue", alias = "string_value")]
    text: Option<String>,
}

impl<'de> DeserializeSeed<'de> for Attributes {
    type Value = Option<String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Attributes {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of attributes")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(attribute) = list.next_element::<Attribute<'de>>()? {
            if attribute.key == super::ATTRIBUTE {
                found = attribute.value.text;
            }
        }
        Ok(found)
    }
}
