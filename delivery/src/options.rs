//! What may be chosen: the sections `[spool]` and `[[sink]]` of the configuration.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kafka::options::KafkaOptions;
use crate::record::RecordKind;
use crate::syslog::SyslogOptions;

/// Where events are kept until they are delivered, and to whom. The default has no sink: then nothing is
/// spooled, and no directory is made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// The spool on disk.
    pub spool: SpoolOptions,
    /// The sinks; each has its own place in the spool and its own pace.
    #[serde(rename = "sink")]
    pub sinks: Vec<SinkOptions>,
}

/// The spool: what is not delivered yet waits here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SpoolOptions {
    /// Its directory, for one process at a time.
    pub directory: PathBuf,
    /// Bytes on disk at most; beyond them the oldest segment is dropped, and each sink that still wanted
    /// it counts its events. At least two segments.
    pub bytes_max: u64,
    /// Bytes of one segment file, the unit that is dropped or freed; at least 4096.
    pub segment_bytes: u64,
    /// Percent of the file system that are left free for others. Below that nothing is written: events
    /// wait in memory.
    pub free_percent_min: f64,
    /// Bytes of compressed events that wait in memory while the disk takes none; beyond them the oldest
    /// is dropped and counted.
    pub memory_bytes_max: usize,
    /// Events that wait for the spool's thread; beyond them new ones are counted as not spooled.
    pub queue_events_max: usize,
    /// When what was written is forced onto the disk.
    pub sync: SyncPolicy,
}

impl Default for SpoolOptions {
    fn default() -> Self {
        Self {
            directory: PathBuf::from("/var/lib/rstscope/spool"),
            bytes_max: 1 << 30,
            segment_bytes: 8 << 20,
            free_percent_min: 5.0,
            memory_bytes_max: 16 << 20,
            queue_events_max: 8192,
            sync: SyncPolicy::default(),
        }
    }
}

/// When the spool is forced onto the disk. A killed process loses nothing that was written, whatever is
/// chosen; this is about power failures and crashes of the kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SyncPolicy {
    /// When the kernel sees fit: up to about 30 s may be lost.
    Never,
    /// Once a second while there is something new: at most that second is lost.
    #[default]
    EachSecond,
    /// After every write, before any sink is given it.
    EachWrite,
}

/// One sink.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum SinkOptions {
    /// One JSON object a line, in files that rotate by themselves, or on standard output.
    Ndjson(NdjsonOptions),
    /// OpenTelemetry logs and metrics, over HTTP or gRPC.
    Otlp(OtlpOptions),
    /// NATS JetStream, for collectors that share the work.
    Nats(NatsOptions),
    /// Kafka, in programs that were built with it.
    Kafka(KafkaOptions),
    /// Syslog over TCP or TLS, as RFC 5424 or CEF.
    Syslog(SyslogOptions),
}

impl SinkOptions {
    /// Its name in counters, in the spool and on the command line.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Ndjson(options) => &options.name,
            Self::Otlp(options) => &options.name,
            Self::Nats(options) => &options.name,
            Self::Kafka(options) => &options.name,
            Self::Syslog(options) => &options.name,
        }
    }

    /// Which kind it is, as the configuration says it.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Ndjson(_) => "ndjson",
            Self::Otlp(_) => "otlp",
            Self::Nats(_) => "nats",
            Self::Kafka(_) => "kafka",
            Self::Syslog(_) => "syslog",
        }
    }

    /// Where it sends, for people.
    #[must_use]
    pub fn target(&self) -> String {
        match self {
            Self::Ndjson(options) => match &options.directory {
                Some(directory) => directory.display().to_string(),
                None => "standard output".to_owned(),
            },
            Self::Otlp(options) => options.url.clone(),
            Self::Syslog(options) => options.url.clone(),
            Self::Nats(options) => format!("{} {}", options.urls.join(","), options.subject),
            Self::Kafka(options) => format!("{} {}", options.brokers.join(","), options.topic),
        }
    }

    /// What it takes, and how.
    #[must_use]
    pub const fn send(&self) -> &SendOptions {
        match self {
            Self::Ndjson(options) => &options.send,
            Self::Otlp(options) => &options.send,
            Self::Nats(options) => &options.send,
            Self::Kafka(options) => &options.send,
            Self::Syslog(options) => &options.send,
        }
    }

    /// Which records it takes.
    pub(crate) fn records(&self) -> Vec<RecordKind> {
        let usual = match self {
            Self::Ndjson(_) | Self::Nats(_) | Self::Kafka(_) => {
                vec![RecordKind::Event, RecordKind::Minute]
            }
            Self::Otlp(options) if options.has_minutes() => {
                vec![RecordKind::Event, RecordKind::Minute]
            }
            Self::Otlp(_) | Self::Syslog(_) => vec![RecordKind::Event],
        };
        self.send().records.clone().unwrap_or(usual)
    }
}

/// What a sink takes, and at what pace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SendOptions {
    /// Which records it takes: `event`, `minute`, `evidence`. If absent: events, and minutes where the
    /// receiver has a form for them.
    pub records: Option<Vec<RecordKind>>,
    /// Provisional verdicts too; each is a record of its own beside the final one of the same event.
    pub provisional: bool,
    /// Secondary resets and duplicates too: the aftermath of a reset that was told already.
    pub secondary: bool,
    /// Bytes of one batch at most, before compression. One event may be larger: it goes alone.
    pub batch_bytes_max: usize,
    /// Seconds that a batch waits for more events at most.
    pub batch_wait_s: f64,
    /// Seconds between two attempts at most; they begin at half a second and double, and each is cut by
    /// a random part of up to a half.
    pub retry_s_max: f64,
    /// Bytes of events that the receiver refused for good, kept in the spool's directory as
    /// `NAME.refused.ndjson`; the oldest half gives way.
    pub refused_bytes_max: u64,
}

impl Default for SendOptions {
    fn default() -> Self {
        Self {
            records: None,
            provisional: false,
            secondary: false,
            batch_bytes_max: 512_000,
            batch_wait_s: 1.0,
            retry_s_max: 60.0,
            refused_bytes_max: 1 << 20,
        }
    }
}

/// A sink that writes one JSON object a line: the event, with `uid` and `sequence` before its own fields.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NdjsonOptions {
    /// Its name: letters, digits, `-` and `_`.
    pub name: String,
    /// Where files `events-YYYYMMDDTHHMM-N.ndjson` are written; standard output if absent.
    pub directory: Option<PathBuf>,
    /// Bytes of one file; then the next is begun.
    pub file_bytes_max: u64,
    /// Seconds that one file is written to; then the next is begun.
    pub file_age_s_max: u64,
    /// Files that are kept; the oldest is removed when there are more.
    pub files_max: usize,
    /// What it takes, and at what pace.
    pub send: SendOptions,
}

impl Default for NdjsonOptions {
    fn default() -> Self {
        Self {
            name: "file".to_owned(),
            directory: None,
            file_bytes_max: 64 << 20,
            file_age_s_max: 86_400,
            files_max: 16,
            send: SendOptions::default(),
        }
    }
}

/// A sink that sends to any OpenTelemetry collector (OTLP): events as logs, minutes as metrics.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OtlpOptions {
    /// Its name: letters, digits, `-` and `_`.
    pub name: String,
    /// `http://` or `https://`, host and port, usually 4318 for HTTP and 4317 for gRPC. HTTP adds
    /// `/v1/logs` and `/v1/metrics` where no path is given; gRPC has no path.
    pub url: String,
    /// Where minutes go over HTTP, if `url` does not tell.
    pub metrics_url: Option<String>,
    /// HTTP or gRPC.
    pub protocol: OtlpProtocol,
    /// For rstscope's own collector: every record is a log that bears it whole, as the attribute
    /// `rst.record`; minutes and evidence too.
    pub canonical: bool,
    /// How the body is written; gRPC has Protocol Buffers only.
    pub encoding: OtlpEncoding,
    /// How the body is compressed.
    pub compression: Compression,
    /// Seconds until an attempt is given up.
    pub timeout_s: f64,
    /// HTTP headers or gRPC metadata beside the usual ones. The configuration is shown to whoever asks for it: secrets
    /// belong into `token_file`.
    pub headers: BTreeMap<String, String>,
    /// File with a bearer token, read anew for every attempt.
    pub token_file: Option<PathBuf>,
    /// Resource attributes beside `service.name`, `service.version`, `service.instance.id` and
    /// `host.name`, or in place of them.
    pub resource: BTreeMap<String, String>,
    /// Certificates.
    pub tls: TlsOptions,
    /// What it takes, and at what pace.
    pub send: SendOptions,
}

impl Default for OtlpOptions {
    fn default() -> Self {
        Self {
            name: "otlp".to_owned(),
            url: "http://127.0.0.1:4318".to_owned(),
            metrics_url: None,
            protocol: OtlpProtocol::default(),
            canonical: false,
            encoding: OtlpEncoding::default(),
            compression: Compression::default(),
            timeout_s: 10.0,
            headers: BTreeMap::new(),
            token_file: None,
            resource: BTreeMap::new(),
            tls: TlsOptions::default(),
            send: SendOptions::default(),
        }
    }
}

impl OtlpOptions {
    /// Whether minutes have somewhere to go.
    fn has_minutes(&self) -> bool {
        let path = self.url.split_once("://").and_then(|(_, rest)| rest.split_once('/'));
        let is_usual = path.is_none_or(|(_, path)| path.is_empty() || path.ends_with("v1/logs"));
        self.canonical
            || self.metrics_url.is_some()
            || self.protocol == OtlpProtocol::Grpc
            || is_usual
    }
}

/// How OTLP requests are sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OtlpProtocol {
    /// HTTP/1.1, usually port 4318.
    #[default]
    Http,
    /// gRPC, usually port 4317.
    Grpc,
}

/// How the body of an OTLP request is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OtlpEncoding {
    /// Protocol Buffers: what every receiver takes.
    #[default]
    Protobuf,
    /// JSON, for receivers and people that read it.
    Json,
}

/// How a request is compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Compression {
    /// What every receiver takes.
    #[default]
    Gzip,
    /// Smaller and quicker; many receivers take it.
    Zstd,
    /// Not at all.
    None,
}

/// A sink that publishes to NATS JetStream: batches of lines as `ndjson` writes them, to the subjects
/// `SUBJECT.SENSOR.event`, `.minute` and `.evidence`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NatsOptions {
    /// Its name: letters, digits, `-` and `_`.
    pub name: String,
    /// The servers of one cluster: `nats://host:4222`, or `tls://host:4222`.
    pub urls: Vec<String>,
    /// The stream.
    pub stream: String,
    /// What its subjects begin with.
    pub subject: String,
    /// Whether the stream is made if it is not there. Usually whoever runs the servers makes it.
    pub create_stream: bool,
    /// Bytes of a stream that we make at most; full, it refuses what is new, which waits in the spool.
    pub stream_bytes_max: u64,
    /// Seconds that a stream that we make keeps a message at most; 0 is for ever.
    pub stream_age_s_max: u64,
    /// How a batch is compressed.
    pub compression: NatsCompression,
    /// Seconds until an attempt is given up.
    pub timeout_s: f64,
    /// File with USER:PASSWORD. This and the other secrets are read anew for every connection.
    pub user_file: Option<PathBuf>,
    /// File with a token.
    pub token_file: Option<PathBuf>,
    /// File with the seed of an nkey.
    pub nkey_file: Option<PathBuf>,
    /// File with credentials: a JWT and the seed of its nkey, as `nsc` writes it.
    pub creds_file: Option<PathBuf>,
    /// Certificates, for `tls://`.
    pub tls: TlsOptions,
    /// What it takes, and at what pace.
    pub send: SendOptions,
}

impl Default for NatsOptions {
    fn default() -> Self {
        Self {
            name: "nats".to_owned(),
            urls: vec!["nats://127.0.0.1:4222".to_owned()],
            stream: "RSTSCOPE".to_owned(),
            subject: "rstscope".to_owned(),
            create_stream: false,
            stream_bytes_max: 8 << 30,
            stream_age_s_max: 7 * 86_400,
            compression: NatsCompression::default(),
            timeout_s: 10.0,
            user_file: None,
            token_file: None,
            nkey_file: None,
            creds_file: None,
            tls: TlsOptions::default(),
            send: SendOptions::default(),
        }
    }
}

/// How a batch to NATS is compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NatsCompression {
    /// With the header `Content-Encoding: zstd`.
    #[default]
    Zstd,
    /// Not at all.
    None,
}

/// Certificates, as PEM files.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TlsOptions {
    /// Who may vouch for the receiver. If absent: /etc/ssl/certs/ca-certificates.crt, or Mozilla's list
    /// where that file is missing.
    pub ca_file: Option<PathBuf>,
    /// Our own certificate, with its chain, for receivers that ask for one.
    pub certificate_file: Option<PathBuf>,
    /// Its private key.
    pub key_file: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::{Options, SinkOptions};

    #[test]
    fn a_sink_is_told_by_its_kind_and_the_rest_has_defaults() {
        let text = r#"{"sink": [
            {"kind": "otlp", "name": "central", "url": "https://c:4318"},
            {"kind": "ndjson", "name": "disk", "send": {"secondary": true}}]}"#;
        let options: Options = serde_json::from_str(text).unwrap();
        assert_eq!(options.spool.bytes_max, 1 << 30);
        assert_eq!(options.sinks[0].target(), "https://c:4318");
        assert_eq!((options.sinks[1].kind(), options.sinks[1].name()), ("ndjson", "disk"));
        assert!(options.sinks[1].send().secondary);
        let again = serde_json::to_value(&options).unwrap();
        assert_eq!(serde_json::from_value::<Options>(again).unwrap(), options);
    }

    #[test]
    fn a_misspelt_option_is_refused() {
        for text in [
            r#"{"kind": "otlp", "adress": "x"}"#,
            r#"{"kind": "otlp", "send": {"batch": 1}}"#,
            r#"{"kind": "carrier pigeon"}"#,
            r#"{"name": "x"}"#,
        ] {
            assert!(serde_json::from_str::<SinkOptions>(text).is_err(), "{text}");
        }
    }
}
