//! Sink: NATS JetStream, the tier between many sensors and many collectors.
//!
//! ```text
//! subject  rstscope.SENSOR.KIND                one message is a batch of lines, one record each
//! headers  Nats-Msg-Id: FIRST..LAST            the same batch again is stored once
//!          Content-Encoding: zstd              if so compressed
//!          Rstscope-Sink, Rstscope-Done: UID   all records that this sink sends up to UID are stored
//! ```
//!
//! A batch of several kinds is several messages, one after the other; only the last one says `Rstscope-Done`,
//! once the ones before it are stored. So the stream itself knows how far this sink is, and a restart sends
//! nothing again that is there. What is acknowledged is on the disk of a server with `sync_interval: always`
//! (`deploy/config/nats-server.conf`); without that a power failure may take up to two minutes of it.

mod client;
mod server;

use std::sync::Arc;

use crate::error::Error;
use crate::options::{NatsCompression, NatsOptions, SinkOptions};
use crate::record::{Record, RecordKind, Uid};
use crate::sink::{Answer, Identity, Sink};
use client::{Client, Message};

/// Publishes batches to a stream.
pub(crate) struct NatsSink {
    options: NatsOptions,
    sensor: Arc<str>,
    client: Client,
}

impl NatsSink {
    pub(crate) fn new(options: &NatsOptions, identity: &Identity) -> Result<Self, Error> {
        Ok(Self {
            options: options.clone(),
            sensor: identity.sensor.as_str().into(),
            client: Client::new(options)?,
        })
    }

    fn subject(&self, kind: RecordKind) -> String {
        format!("{}.{}.{}", self.options.subject, token(&self.sensor), kind.name())
    }

    /// The messages that say a batch: one a kind, the kind of its last record last.
    fn messages(&self, records: &[Record]) -> Vec<Message> {
        let Some(last) = records.last() else { return Vec::new() };
        let mut kinds = RecordKind::ALL;
        kinds.sort_by_key(|kind| *kind == last.kind.of);
        let mut messages = Vec::new();
        for kind in kinds {
            let of_kind = || records.iter().filter(|record| record.kind.of == kind);
            let (Some(first), Some(end)) = (of_kind().next(), of_kind().next_back()) else {
                continue;
            };
            let lines: Vec<u8> = of_kind().flat_map(Record::line).collect();
            let is_zstd = self.options.compression == NatsCompression::Zstd;
            let payload = match is_zstd {
                true => zstd::bulk::compress(&lines, 1).expect("memory can be compressed"),
                false => lines,
            };
            let done = (kind == last.kind.of).then(|| last.uid.to_string());
            let mut headers = vec![
                ("Nats-Msg-Id", format!("{}..{}", first.uid, end.uid)),
                (SINK_HEADER, self.options.name.clone()),
            ];
            headers.extend(is_zstd.then(|| ("Content-Encoding", "zstd".to_owned())));
            headers.extend(done.map(|uid| (DONE_HEADER, uid)));
            messages.push(Message { subject: self.subject(kind), headers, payload });
        }
        messages
    }
}

impl Sink for NatsSink {
    fn newest(&mut self) -> Option<Uid> {
        let subjects = RecordKind::ALL.map(|kind| self.subject(kind));
        let found = self.client.done(&subjects);
        match found {
            // Of several sessions the newest is the one that counts, and its numbers are the highest.
            Ok(found) => found.into_iter().max_by_key(|uid| uid.sequence),
            Err(why) => {
                // What is there is sent again, and known by its name.
                tracing::warn!("sink {}: ask how far the stream is: {why}", self.options.name);
                None
            }
        }
    }

    fn send(&mut self, records: &[Record]) -> Answer {
        let messages = self.messages(records);
        self.client.publish(&messages)
    }

    fn test(&mut self, record: &Record) -> Answer {
        // The test becomes the newest message, and must say of the records what the one before it said.
        let done = self.newest();
        let mut messages = self.messages(std::slice::from_ref(record));
        for message in &mut messages {
            message.headers.retain(|(name, _)| *name != DONE_HEADER);
            message.headers.extend(done.map(|uid| (DONE_HEADER, uid.to_string())));
        }
        self.client.publish(&messages)
    }

    fn check(&mut self) -> Answer {
        let kinds = SinkOptions::Nats(self.options.clone()).records();
        let subjects: Vec<String> = kinds.into_iter().map(|kind| self.subject(kind)).collect();
        self.client.check(&subjects)
    }
}

/// A sensor's name as one token of a subject.
fn token(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '_' };
    let token: String = name.chars().map(plain).collect();
    if token.is_empty() { "_".to_owned() } else { token }
}

/// Whose message it is: two sinks may publish to one subject.
const SINK_HEADER: &str = "Rstscope-Sink";

/// Up to where all is stored.
const DONE_HEADER: &str = "Rstscope-Done";

#[cfg(test)]
mod tests {
    use super::{DONE_HEADER, NatsSink, token};
    use crate::options::{NatsCompression, NatsOptions};
    use crate::record::{Kind, Record, RecordKind, Uid};
    use crate::sink::Identity;

    #[test]
    fn a_name_is_one_token_of_a_subject() {
        assert_eq!(token("tap-1.example"), "tap-1_example");
        assert_eq!(token("a > b.*"), "a___b__");
        assert_eq!(token(""), "_");
    }

    #[test]
    fn only_the_last_message_of_a_batch_says_how_far_it_came() {
        let options = NatsOptions { compression: NatsCompression::None, ..NatsOptions::default() };
        let sink = NatsSink::new(&options, &Identity::of_this_machine("1")).unwrap();
        let record = |sequence, of| {
            let (uid, sensor) = (Uid { session: 1, sequence }, "s".into());
            let json = b"{}".to_vec();
            Record { uid, kind: Kind::of(of), sensor, is_test: false, time_ms: 0, json }
        };
        let batch = [
            record(1, RecordKind::Event),
            record(2, RecordKind::Evidence),
            record(3, RecordKind::Event),
            record(4, RecordKind::Evidence),
        ];
        let messages = sink.messages(&batch);
        let header = |n: usize, name: &str| {
            let found = messages[n].headers.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| value.as_str())
        };
        assert_eq!(messages.len(), 2);
        assert!(messages[0].subject.ends_with(".event"));
        assert_eq!(header(0, "Nats-Msg-Id"), Some("0000000000000001-1..0000000000000001-3"));
        assert_eq!(header(0, DONE_HEADER), None);
        assert!(messages[1].subject.ends_with(".evidence"));
        assert_eq!(header(1, DONE_HEADER), Some("0000000000000001-4"));
        assert_eq!(messages[0].payload.iter().filter(|byte| **byte == b'\n').count(), 2);
    }
}
