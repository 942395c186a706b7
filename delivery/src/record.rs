//! One record on its way.

use std::sync::Arc;

use events::{Body, Event, EventStatus};
pub use events::{RecordKind, Uid};

/// An event, a minute or evidence, as it lies in the spool.
#[derive(Clone, PartialEq, Debug)]
pub struct Record {
    /// Names it for ever.
    pub uid: Uid,
    /// What sinks choose by.
    pub kind: Kind,
    /// Name of the sensor.
    pub sensor: Arc<str>,
    /// Whether it was made by `rstscope sink test`: no reset was seen.
    pub is_test: bool,
    /// When it was spooled, milliseconds since the Unix epoch.
    pub time_ms: u64,
    /// What it says as one JSON object, without a line feed.
    pub json: Vec<u8>,
}

impl Record {
    /// The record as one JSON object: what names it, then what it says; see [`events::Record`].
    #[must_use]
    pub fn wire(&self) -> Vec<u8> {
        let sensor = serde_json::Value::from(&*self.sensor);
        let mark = if self.is_test { "\"test\":true," } else { "" };
        let head = format!(
            "{{\"uid\":\"{}\",\"sequence\":{},\"sensor\":{sensor},\"record\":\"{}\",{mark}",
            self.uid,
            self.uid.sequence,
            self.kind.of.name()
        );
        let fields = self.json.strip_prefix(b"{").unwrap_or(&self.json);
        [head.as_bytes(), fields].concat()
    }

    /// The same and a line feed.
    pub(crate) fn line(&self) -> Vec<u8> {
        let mut line = self.wire();
        line.push(b'\n');
        line
    }

    /// What it says.
    ///
    /// # Errors
    /// Another version wrote it, with fields that this one does not know.
    pub fn body(&self) -> Result<Body, serde_json::Error> {
        Ok(match self.kind.of {
            RecordKind::Event => Body::Event(serde_json::from_slice(&self.json)?),
            RecordKind::Minute => Body::Minute(serde_json::from_slice(&self.json)?),
            RecordKind::Evidence => Body::Evidence(serde_json::from_slice(&self.json)?),
        })
    }
}

/// What sinks choose records by.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Kind {
    /// What it is.
    pub of: RecordKind,
    /// An event that is not final yet.
    pub provisional: bool,
    /// An event that is aftermath of another reset, or captured twice.
    pub secondary: bool,
}

impl Kind {
    /// Of an event.
    pub(crate) fn of_event(event: &Event) -> Self {
        Self {
            of: RecordKind::Event,
            provisional: event.status == EventStatus::Provisional,
            secondary: !event.is_primary(),
        }
    }

    /// Of what is no event.
    pub(crate) const fn of(of: RecordKind) -> Self {
        Self { of, provisional: false, secondary: false }
    }

    pub(crate) const fn to_byte(self) -> u8 {
        self.provisional as u8 | (self.secondary as u8) << 1 | (self.of as u8) << 2
    }

    /// Nothing if a later version wrote it.
    pub(crate) const fn from_byte(byte: u8) -> Option<Self> {
        let of = match byte >> 2 {
            0 => RecordKind::Event,
            1 => RecordKind::Minute,
            2 => RecordKind::Evidence,
            _ => return None,
        };
        Some(Self { of, provisional: byte & 1 != 0, secondary: byte & 2 != 0 })
    }
}

#[cfg(test)]
mod tests {
    use events::{Body, Event, Evidence, Minute};

    use super::{Kind, Record, RecordKind, Uid};

    fn record(of: RecordKind, json: Vec<u8>) -> Record {
        let uid = Uid { session: 7, sequence: 5 };
        let sensor = "tap \"east\"".into();
        Record { uid, kind: Kind::of(of), sensor, is_test: true, time_ms: 0, json }
    }

    #[test]
    fn what_is_sent_is_what_a_collector_reads() {
        let event: Event = serde_json::from_str(include_str!("test_event.json")).unwrap();
        let evidence = Evidence {
            schema: 1,
            event: event.id.clone(),
            ts: event.ts,
            client: event.client,
            server: event.server,
            interface: None,
            packets: Vec::new(),
            omitted: None,
        };
        let bodies =
            [Body::Event(event), Body::Minute(Minute::default()), Body::Evidence(evidence)];
        for (of, body) in RecordKind::ALL.into_iter().zip(bodies) {
            let json = match &body {
                Body::Event(event) => serde_json::to_vec(event),
                Body::Minute(minute) => serde_json::to_vec(minute),
                Body::Evidence(evidence) => serde_json::to_vec(evidence),
            };
            let record = record(of, json.unwrap());
            let read: events::Record = serde_json::from_slice(&record.wire()).unwrap();
            assert_eq!((read.uid.as_str(), read.sequence), ("0000000000000007-5", 5));
            assert_eq!((read.sensor.as_str(), read.test), ("tap \"east\"", true));
            assert_eq!(read.body, body);
            assert_eq!(record.body().unwrap(), body);
            assert_eq!(Kind::from_byte(record.kind.to_byte()), Some(record.kind));
            assert_eq!(Uid::read(&read.uid), Some(record.uid));
        }
        assert_eq!(Kind::from_byte(12), None);
    }
}
