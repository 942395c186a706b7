//! A record as a message.

use serde::Deserialize;

use super::producer::Client;
use crate::error::Error;
use crate::kafka::options::{KafkaKey, KafkaOptions, KafkaSasl};
use crate::options::SinkOptions;
use crate::record::{Record, RecordKind, Uid};
use crate::sink::{Answer, Identity, Sink};

/// Publishes records, one a message.
pub(crate) struct KafkaSink {
    options: KafkaOptions,
    client: Client,
}

impl KafkaSink {
    pub(crate) fn new(options: &KafkaOptions, identity: &Identity) -> Result<Self, Error> {
        check(options)?;
        Ok(Self { options: options.clone(), client: Client::new(options, &identity.sensor) })
    }

    fn topic(&self, of: RecordKind) -> String {
        format!("{}.{}", self.options.topic, of.name())
    }

    fn message(&self, record: &Record) -> Message {
        Message {
            uid: record.uid,
            topic: self.topic(record.kind.of),
            key: key(self.options.key, record),
            headers: [
                ("uid", record.uid.to_string()),
                ("sensor", record.sensor.to_string()),
                ("record", record.kind.of.name().to_owned()),
            ],
            payload: record.wire(),
        }
    }
}

impl Sink for KafkaSink {
    fn send(&mut self, records: &[Record]) -> Answer {
        let messages: Vec<Message> = records.iter().map(|record| self.message(record)).collect();
        self.client.publish(&messages)
    }

    fn check(&mut self) -> Answer {
        let kinds = SinkOptions::Kafka(self.options.clone()).records();
        let topics: Vec<String> = kinds.into_iter().map(|kind| self.topic(kind)).collect();
        self.client.check(&topics)
    }
}

/// A record as Kafka has it.
pub(super) struct Message {
    pub(super) uid: Uid,
    pub(super) topic: String,
    pub(super) key: String,
    pub(super) headers: [(&'static str, String); 3],
    pub(super) payload: Vec<u8>,
}

fn key(choice: KafkaKey, record: &Record) -> String {
    /// What events and evidence have in common.
    #[derive(Deserialize)]
    struct Served {
        server: events::Endpoint,
    }
    let has_server = choice == KafkaKey::Server && record.kind.of != RecordKind::Minute;
    let served = || serde_json::from_slice::<Served>(&record.json).ok();
    match has_server.then(served).flatten() {
        Some(served) => served.server.to_string(),
        None => record.sensor.to_string(),
    }
}

/// What can be said without asking anybody.
fn check(options: &KafkaOptions) -> Result<(), Error> {
    let what = |option: &str| format!("sink {}: {option}", options.name);
    if !(options.timeout_s >= 0.1 && options.timeout_s <= 300.0) {
        return Err(Error::option(what("timeout_s"), "must be from 0.1 to 300"));
    }
    if !(MESSAGE_BYTES_LEAST..=MESSAGE_BYTES_MOST).contains(&options.message_bytes_max) {
        let why = format!("must be from {MESSAGE_BYTES_LEAST} to {MESSAGE_BYTES_MOST}");
        return Err(Error::option(what("message_bytes_max"), why));
    }
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if options.topic.is_empty()
        || options.topic.len() > TOPIC_LEN_MAX
        || !options.topic.chars().all(is_plain)
    {
        let why = format!("must be 1 to {TOPIC_LEN_MAX} letters, digits, '.', '_' or '-'");
        return Err(Error::option(what("topic"), why));
    }
    if options.brokers.is_empty() {
        return Err(Error::option(what("brokers"), "must name a broker, host:9092"));
    }
    let is_tls = |broker: &String| broker.starts_with("tls://");
    if options.brokers.iter().any(is_tls) != options.brokers.iter().all(is_tls) {
        let why = "either all begin with tls:// or none: a cluster is asked one way";
        return Err(Error::option(what("brokers"), why));
    }
    if let Some(odd) = options.brokers.iter().find(|broker| !is_address(broker)) {
        let why = "must be host:port, or tls://host:port";
        return Err(Error::option(what(&format!("brokers: {odd:?}")), why));
    }
    if options.sasl.is_some() != options.user_file.is_some() {
        return Err(Error::option(what("sasl"), "sasl and user_file belong together"));
    }
    if options.sasl == Some(KafkaSasl::Plain) && !options.brokers.iter().all(is_tls) {
        let why = "plain shows the password to whoever listens: use tls://, or scram_sha_256";
        return Err(Error::option(what("sasl"), why));
    }
    options.tls.own_paths().map(|_| ()).map_err(|why| Error::option(what("tls"), why))
}

fn is_address(broker: &str) -> bool {
    let address = broker.strip_prefix("tls://").unwrap_or(broker);
    address.rsplit_once(':').is_some_and(|(host, port)| {
        let is_host = |c: char| c.is_ascii_alphanumeric() || ".-_[]:%".contains(c);
        !host.is_empty() && host.chars().all(is_host) && port.parse::<u16>().is_ok_and(|p| p > 0)
    })
}

/// Kafka's names have 249 letters at most, and ours go on with the kind.
const TOPIC_LEN_MAX: usize = 200;

/// The least that librdkafka takes.
const MESSAGE_BYTES_LEAST: u32 = 1000;

/// Sixteen times what brokers take unless told otherwise.
const MESSAGE_BYTES_MOST: u32 = 16 << 20;

#[cfg(test)]
mod tests {
    use super::{KafkaSink, key};
    use crate::kafka::options::{KafkaKey, KafkaOptions};
    use crate::record::{Kind, Record, RecordKind, Uid};
    use crate::sink::Identity;

    fn record(of: RecordKind, json: &str) -> Record {
        let (uid, sensor) = (Uid { session: 1, sequence: 2 }, "tap".into());
        let json = json.as_bytes().to_vec();
        Record { uid, kind: Kind::of(of), sensor, is_test: false, time_ms: 0, json }
    }

    #[test]
    fn records_of_a_server_go_one_way_and_those_of_many_with_the_sensor() {
        let told = |of, json| key(KafkaKey::Server, &record(of, json));
        let event = r#"{"id":"x","server":{"ip":"192.0.2.1","port":443}}"#;
        assert_eq!(told(RecordKind::Event, event), "192.0.2.1:443");
        let evidence = r#"{"server":{"ip":"2001:db8::1","port":80}}"#;
        assert_eq!(told(RecordKind::Evidence, evidence), "[2001:db8::1]:80");
        assert_eq!(told(RecordKind::Minute, event), "tap");
        assert_eq!(told(RecordKind::Event, "{}"), "tap", "another version wrote it");
        assert_eq!(key(KafkaKey::Sensor, &record(RecordKind::Event, event)), "tap");
    }

    #[test]
    fn options_that_cannot_be_are_refused_with_the_reason() {
        for (text, part) in [
            (r#"{"brokers": []}"#, "must name a broker"),
            (r#"{"brokers": ["h:9092", "tls://g:9093"]}"#, "a cluster is asked one way"),
            (r#"{"brokers": ["http://h:9092"]}"#, "must be host:port"),
            (r#"{"brokers": ["h"]}"#, "must be host:port"),
            (r#"{"brokers": ["h:9092,g:9092"]}"#, "must be host:port"),
            (r#"{"topic": "a b"}"#, "letters, digits"),
            (r#"{"timeout_s": 0}"#, "from 0.1 to 300"),
            (r#"{"message_bytes_max": 10}"#, "from 1000"),
            (r#"{"sasl": "scram_sha_256"}"#, "belong together"),
            (r#"{"sasl": "plain", "user_file": "/u"}"#, "shows the password"),
            (r#"{"tls": {"key_file": "/k"}}"#, "belong together"),
        ] {
            let options: KafkaOptions = serde_json::from_str(text).unwrap();
            let refused = KafkaSink::new(&options, &Identity::of_this_machine("1"));
            let why = refused.err().expect(text).to_string();
            assert!(why.contains(part) && why.starts_with("sink kafka: "), "{why}");
        }
    }
}
