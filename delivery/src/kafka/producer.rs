//! A producer that keeps what it was given until the brokers have it.

use std::time::Duration;

use rdkafka::config::{ClientConfig, FromClientConfigAndContext as _, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer as _, ThreadedProducer};

use super::ledger::{Fate, Ledger, Page};
use super::sink::Message;
use crate::kafka::options::{KafkaCompression, KafkaOptions, KafkaSasl};
use crate::record::Uid;
use crate::sink::Answer;
use crate::tls::{NO_AUTHORITY, secret};

/// A client of one cluster.
pub(super) struct Client {
    options: KafkaOptions,
    id: String,
    timeout: Duration,
    /// Made anew when it is of no use any more: secrets and certificates may have been renewed.
    open: Option<ThreadedProducer<Ledger>>,
    /// What the last one, given up, had stored of a batch that will be asked for again.
    stored: Vec<Uid>,
}

impl Client {
    pub(super) fn new(options: &KafkaOptions, sensor: &str) -> Self {
        let id = format!("rstscope {sensor} {}", options.name);
        let timeout = Duration::from_secs_f64(options.timeout_s);
        Self { options: options.clone(), id, timeout, open: None, stored: Vec::new() }
    }

    /// Stores messages, or goes on waiting for those that are under way from an earlier attempt.
    pub(super) fn publish(&mut self, messages: &[Message]) -> Answer {
        let producer = match self.producer() {
            Ok(producer) => producer,
            Err(why) => return later(why),
        };
        let ledger = producer.context().clone();
        for message in messages {
            give(&producer, &mut ledger.lock(), message);
        }
        ledger.wait(messages.iter().map(|message| message.uid).collect(), self.timeout);
        let mut page = ledger.lock();
        let answer = self.settle(&mut page, messages);
        if is_spent(&page, &answer) {
            self.stored = page.stored().collect();
        } else {
            drop(page);
            self.open = Some(producer);
        }
        answer
    }

    /// What the ledger says of a batch; what the courier will not ask for again is crossed out.
    fn settle(&self, page: &mut Page, messages: &[Message]) -> Answer {
        let fate = |message: &Message| page.fates.get(&message.uid).copied();
        let failed = messages.iter().find_map(|message| match fate(message) {
            Some(Fate::Failed(code)) => Some((message, code)),
            _ => None,
        });
        let stored = messages.iter().filter(|m| fate(m) == Some(Fate::Stored)).count();
        let who = self.options.brokers.join(",");
        if stored == messages.len() {
            for message in messages {
                page.fates.remove(&message.uid);
            }
            let said = format!("{who} has stored it: {}", page.place);
            return Answer::Taken { refused: 0, said };
        }
        let trouble = page.trouble.as_ref().map_or(String::new(), |(_, why)| format!(": {why}"));
        if page.is_fatal && failed.is_none() {
            return later(format!("{who}: this producer cannot go on{trouble}; a new one is made"));
        }
        let Some((message, code)) = failed else {
            let (missing, all) = (messages.len() - stored, messages.len());
            let span_s = self.timeout.as_secs_f64();
            return later(format!(
                "{who}: {missing} of {all} records not acknowledged in {span_s} s{trouble}"
            ));
        };
        let bytes = message.payload.len();
        let why = format!("{who}: {}: {}{trouble}", message.topic, explain(code, bytes));
        // While others wait, one may be refused for those that share a request with it.
        let is_all_over = page.fates.values().all(|fate| *fate != Fate::UnderWay);
        if !speaks_of_records(code) || !is_all_over {
            return later(why);
        }
        if let [alone] = messages {
            // The courier is done with it.
            page.fates.remove(&alone.uid);
        }
        Answer::Never { why }
    }

    /// Whether the topics are there; nothing is published.
    pub(super) fn check(&mut self, topics: &[String]) -> Answer {
        let who = self.options.brokers.join(",");
        let asked = self.producer().and_then(|producer| {
            let mut found = Vec::new();
            for topic in topics {
                let asked = producer.client().fetch_metadata(Some(topic), self.timeout);
                let metadata = asked.map_err(|error| {
                    let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail);
                    let page = producer.context().lock();
                    let told = page.trouble.as_ref().map(|(_, why)| why.clone());
                    told.unwrap_or_else(|| explain(code, 0))
                })?;
                let told = metadata.topics().iter().find(|told| told.name() == topic);
                if let Some(error) = told.and_then(|told| told.error()) {
                    return Err(format!("{topic}: {}", explain(error.into(), 0)));
                }
                let partitions = told.map_or(0, |told| told.partitions().len());
                found.push(format!("{topic} ({partitions} partitions)"));
            }
            Ok(found.join(", "))
        });
        match asked {
            Ok(said) => Answer::Taken { refused: 0, said: format!("{who} has {said}") },
            Err(why) => later(format!("{who}: {why}")),
        }
    }

    /// The one that is open, or a new one; files are read now.
    fn producer(&mut self) -> Result<ThreadedProducer<Ledger>, String> {
        if let Some(producer) = self.open.take() {
            return Ok(producer);
        }
        let config = self.config()?;
        let ledger = Ledger::going_on(std::mem::take(&mut self.stored));
        ThreadedProducer::from_config_and_context(&config, ledger)
            .map_err(|error| format!("start a Kafka producer: {error}"))
    }

    fn config(&self) -> Result<ClientConfig, String> {
        let options = &self.options;
        let is_tls = options.brokers.iter().any(|broker| broker.starts_with("tls://"));
        let mut config = ClientConfig::new();
        let mut set = |name: &str, value: &str| {
            config.set(name, value);
        };
        let address = |broker: &String| broker.trim_start_matches("tls://").to_owned();
        let addresses: Vec<String> = options.brokers.iter().map(address).collect();
        set("bootstrap.servers", &addresses.join(","));
        set("client.id", &self.id);
        let protocol = match (is_tls, options.sasl.is_some()) {
            (false, false) => "plaintext",
            (true, false) => "ssl",
            (false, true) => "sasl_plaintext",
            (true, true) => "sasl_ssl",
        };
        set("security.protocol", protocol);
        if is_tls {
            let authority = options.tls.ca_path().ok_or(NO_AUTHORITY)?;
            set("ssl.ca.location", &authority.to_string_lossy());
            if let Some((certificate, key)) = options.tls.own_paths()? {
                set("ssl.certificate.location", &certificate.to_string_lossy());
                set("ssl.key.location", &key.to_string_lossy());
            }
        }
        if let (Some(sasl), Some(path)) = (options.sasl, &options.user_file) {
            let text = secret("user and password", path)?;
            let (user, password) = text
                .split_once(':')
                .ok_or_else(|| format!("read {}: USER:PASSWORD is expected", path.display()))?;
            set("sasl.mechanisms", mechanism(sasl));
            set("sasl.username", user);
            set("sasl.password", password);
        }
        self.set_pace(&mut config);
        Ok(config)
    }

    /// How messages are sent, and sent again.
    fn set_pace(&self, config: &mut ClientConfig) {
        let options = &self.options;
        let ms = |span_s: f64| ((span_s * 1e3) as u64).to_string();
        let bytes_max = options.message_bytes_max;
        let compression = match options.compression {
            KafkaCompression::Zstd => "zstd",
            KafkaCompression::Lz4 => "lz4",
            KafkaCompression::None => "none",
        };
        config
            .set("enable.idempotence", "true")
            .set("acks", "all")
            // A message never gives up: the courier decides, and asks for the same again.
            .set("message.timeout.ms", "0")
            .set("compression.type", compression)
            .set("partitioner", "murmur2_random")
            .set("message.max.bytes", bytes_max.to_string())
            .set("batch.size", bytes_max.to_string())
            .set("queue.buffering.max.kbytes", QUEUE_KIB_MAX.to_string())
            .set("socket.timeout.ms", ms(options.timeout_s.max(1.0)))
            .set("socket.connection.setup.timeout.ms", ms(options.timeout_s.max(1.0)))
            .set("socket.keepalive.enable", "true")
            // How long a topic that is not there may still be on its way.
            .set("topic.metadata.propagation.max.ms", ms(options.timeout_s / 2.0))
            .set("reconnect.backoff.ms", "50")
            .set("reconnect.backoff.max.ms", ms(options.send.retry_s_max.max(0.05)))
            .set_log_level(RDKafkaLogLevel::Warning);
    }
}

/// Hands a message over, unless it is under way or stored already.
fn give(producer: &ThreadedProducer<Ledger>, page: &mut Page, message: &Message) {
    if matches!(page.fates.get(&message.uid), Some(Fate::UnderWay | Fate::Stored)) {
        return;
    }
    let headers = message.headers.iter().fold(OwnedHeaders::new(), |headers, (key, value)| {
        headers.insert(Header { key, value: Some(value.as_str()) })
    });
    let record: BaseRecord<'_, str, [u8], Box<Uid>> =
        BaseRecord::with_opaque_to(&message.topic, Box::new(message.uid))
            .key(message.key.as_str())
            .payload(message.payload.as_slice())
            .headers(headers);
    let fate = match producer.send(record) {
        Ok(()) => Fate::UnderWay,
        Err((error, _)) => failed(&error),
    };
    page.fates.insert(message.uid, fate);
}

fn failed(error: &KafkaError) -> Fate {
    Fate::Failed(error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail))
}

/// Whether a new producer must be made: this one cannot go on, or is not let in as it is.
fn is_spent(page: &Page, answer: &Answer) -> bool {
    page.is_fatal || (page.is_locked_out && matches!(answer, Answer::Later { .. }))
}

/// Whether other records may be taken where these were not.
fn speaks_of_records(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::MessageSizeTooLarge
            | RDKafkaErrorCode::MessageBatchTooLarge
            | RDKafkaErrorCode::InvalidMessageSize
            | RDKafkaErrorCode::InvalidRecord
    )
}

fn explain(code: RDKafkaErrorCode, bytes: usize) -> String {
    match code {
        RDKafkaErrorCode::MessageSizeTooLarge => format!(
            "{code}: {bytes} bytes; see message_bytes_max here and max.message.bytes of the topic"
        ),
        RDKafkaErrorCode::UnknownTopic | RDKafkaErrorCode::UnknownTopicOrPartition => format!(
            "{code}: make the topic (kafka-topics.sh --create), or let brokers make it \
             (auto.create.topics.enable)"
        ),
        RDKafkaErrorCode::TopicAuthorizationFailed => {
            format!("{code}: allow us to Describe and Write the topic")
        }
        RDKafkaErrorCode::ClusterAuthorizationFailed => {
            format!(
                "{code}: allow us IdempotentWrite on the cluster (brokers before 2.8 ask for it)"
            )
        }
        RDKafkaErrorCode::SaslAuthenticationFailed => {
            format!("{code}: see user_file and sasl")
        }
        RDKafkaErrorCode::PolicyViolation => {
            format!("{code}: a policy of the brokers refuses the record; see their log")
        }
        code => code.to_string(),
    }
}

fn later(why: String) -> Answer {
    Answer::Later { why, after: None }
}

const fn mechanism(sasl: KafkaSasl) -> &'static str {
    match sasl {
        KafkaSasl::Plain => "PLAIN",
        KafkaSasl::ScramSha256 => "SCRAM-SHA-256",
        KafkaSasl::ScramSha512 => "SCRAM-SHA-512",
    }
}

/// What a producer may hold at most, KiB; a batch of records is smaller.
const QUEUE_KIB_MAX: u32 = 128 << 10;
