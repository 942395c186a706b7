//! `ExportLogsServiceRequest` as Protocol Buffers: only the attribute `rst.record` of each log record is looked
//! for, in place. A general decoder makes a hundred bytes of memory of two on the wire.

use bytes::Bytes;

use super::Found;

/// The texts of `rst.record`, each a piece of `body`.
///
/// # Errors
/// What is wrong with the body; then nothing of it is to be taken.
pub(crate) fn records(body: &Bytes) -> Result<Found, String> {
    let mut found = Found::default();
    for resource in messages(body, RESOURCE_LOGS) {
        for scope in messages(resource?, SCOPE_LOGS) {
            for record in messages(scope?, LOG_RECORD) {
                let text = record_text(record?)?;
                found.push(text.map(|text| body.slice_ref(text)))?;
            }
        }
    }
    Ok(found)
}

/// The text of the attribute, if the log record has it.
fn record_text(record: &[u8]) -> Result<Option<&[u8]>, String> {
    let mut found = None;
    for attribute in messages(record, ATTRIBUTE) {
        let attribute = attribute?;
        let (mut is_ours, mut text) = (false, None);
        for field in Fields(attribute) {
            match field? {
                (KEY, Value::Bytes(key)) => is_ours = key == super::ATTRIBUTE.as_bytes(),
                (VALUE, Value::Bytes(value)) => text = last(messages(value, STRING_VALUE))?,
                _ => {}
            }
        }
        if is_ours {
            found = text;
        }
    }
    Ok(found)
}

fn last<'b>(
    values: impl Iterator<Item = Result<&'b [u8], String>>,
) -> Result<Option<&'b [u8]>, String> {
    values.last().transpose()
}

/// All fields of this number that hold bytes.
fn messages(message: &[u8], number: u64) -> impl Iterator<Item = Result<&[u8], String>> {
    Fields(message).filter_map(move |field| match field {
        Ok((found, Value::Bytes(bytes))) if found == number => Some(Ok(bytes)),
        Ok(_) => None,
        Err(error) => Some(Err(error)),
    })
}

/// The fields of a message; ends after the first error.
struct Fields<'b>(&'b [u8]);

enum Value<'b> {
    Bytes(&'b [u8]),
    Other,
}

impl<'b> Iterator for Fields<'b> {
    type Item = Result<(u64, Value<'b>), String>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_none() {
            self.0 = &[];
        }
        Some(field.ok_or_else(|| "no logs of OTLP: a field is cut or of no known type".to_owned()))
    }
}

impl<'b> Fields<'b> {
    fn field(&mut self) -> Option<(u64, Value<'b>)> {
        let key = self.varint()?;
        let number = key >> 3;
        if number == 0 {
            return None;
        }
        let value = match key & 7 {
            0 => self.varint().map(|_| Value::Other)?,
            1 => self.take(8).map(|_| Value::Other)?,
            2 => {
                let len = self.varint()?;
                Value::Bytes(self.take(usize::try_from(len).ok()?)?)
            }
            5 => self.take(4).map(|_| Value::Other)?,
            // Groups left the language before OTLP came.
            _ => return None,
        };
        Some((number, value))
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for index in 0..10 {
            let (&byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    fn take(&mut self, len: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }
}

/// Numbers of fields: `opentelemetry/proto/{collector/logs,logs,common}/v1`.
const RESOURCE_LOGS: u64 = 1;
const SCOPE_LOGS: u64 = 2;
const LOG_RECORD: u64 = 2;
const ATTRIBUTE: u64 = 6;
const KEY: u64 = 1;
const VALUE: u64 = 2;
const STRING_VALUE: u64 = 1;
