//! What may be chosen of a Kafka sink. The words are known to every build, so that each reads the same files.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::options::{SendOptions, TlsOptions};

/// A sink that publishes to Kafka: one message a record, a line as `ndjson` writes it, to the topics
/// `TOPIC.event`, `TOPIC.minute` and `TOPIC.evidence`. Only in programs built with `--features kafka`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct KafkaOptions {
    /// Its name: letters, digits, `-` and `_`.
    pub name: String,
    /// Some brokers of one cluster, which name the others: `host:9092`, or `tls://host:9093` for all of them.
    pub brokers: Vec<String>,
    /// What its topics begin with; whoever runs the cluster makes them.
    pub topic: String,
    /// What decides which partition a record goes to; order holds within one.
    pub key: KafkaKey,
    /// How batches are compressed.
    pub compression: KafkaCompression,
    /// Bytes of one record at most, as `max.message.bytes` of the topics; a longer one is refused for good.
    pub message_bytes_max: u32,
    /// Seconds that the acknowledgment of a batch is waited for; then the sink says so and waits on.
    pub timeout_s: f64,
    /// How we say who we are, if not by a certificate.
    pub sasl: Option<KafkaSasl>,
    /// File with USER:PASSWORD, for `sasl`; read anew for every connection after a failure.
    pub user_file: Option<PathBuf>,
    /// Certificates, for `tls://`.
    pub tls: TlsOptions,
    /// What it takes, and at what pace.
    pub send: SendOptions,
}

impl Default for KafkaOptions {
    fn default() -> Self {
        Self {
            name: "kafka".to_owned(),
            brokers: vec!["127.0.0.1:9092".to_owned()],
            topic: "rstscope".to_owned(),
            key: KafkaKey::default(),
            compression: KafkaCompression::default(),
            message_bytes_max: 1_000_000,
            timeout_s: 10.0,
            sasl: None,
            user_file: None,
            tls: TlsOptions::default(),
            send: SendOptions::default(),
        }
    }
}

/// What the key of a message is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KafkaKey {
    /// The server's address and port; of a minute, which is about many, the sensor's name.
    #[default]
    Server,
    /// The sensor's name: all that it tells stays in order.
    Sensor,
}

/// How batches to Kafka are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KafkaCompression {
    /// Smallest; brokers from 2.1 on.
    #[default]
    Zstd,
    /// For brokers and readers without zstd.
    Lz4,
    /// Not at all.
    None,
}

/// How a client says who it is (SASL).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KafkaSasl {
    /// User and password as they are: over `tls://` only.
    Plain,
    /// A proof of the password, by SHA-256.
    #[serde(rename = "scram_sha_256")]
    ScramSha256,
    /// A proof of the password, by SHA-512.
    #[serde(rename = "scram_sha_512")]
    ScramSha512,
}
