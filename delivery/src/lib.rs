//! Records out of the sensor: a bounded spool on disk, and sinks that empty it.
//!
//! The exporter hands each event, minute and evidence over once; the spool's thread writes it; every sink reads the spool at its
//! own pace and remembers how far it is. So a collector that stands still, a full disk or a killed process
//! delay records or cost the oldest of them, which is counted; the packet path never waits.
//!
//! ```text
//! exporter -> Delivery::emit ~channel~> Store -> segments on disk -> Reader -> Courier -> Sink
//!                                          \--> memory, while the disk is full --^   \--> Cursor
//! ```
//!
//! | file | what |
//! |---|---|
//! | `delivery.rs` | [`Delivery`]: all threads, and how it goes |
//! | `options.rs`, `status.rs`, `error.rs` | what may be chosen, what is told, what goes wrong |
//! | `record.rs`, `block.rs` | a record on its way; some of them, compressed and sealed |
//! | `index.rs` | what the spool holds now |
//! | `store.rs`, `recover.rs` | its writing side, and what it finds when it is opened |
//! | `reader.rs`, `cursor.rs` | a sink's way through it, and how far that sink is |
//! | `courier.rs` | a sink's thread: batches, retries, refusals |
//! | `sink.rs`, `plan.rs` | what a sink is; all sinks of a run |
//! | `own.rs` | a sink that the program brings along |
//! | `ndjson.rs`, `otlp/`, `nats/`, `kafka/`, `syslog/` | the sinks; `stdout.rs` is the first one's standard output |
//! | `tls.rs` | certificates and secrets from files |
//! | `refused.rs` | what a receiver refused for good |
//! | `trial.rs` | a sink tried without the spool; what a spool's directory tells |
//!
//! **Told once.** Every record has a [`Uid`] that never changes and never comes again. It is sent until it
//! is acknowledged, so that a receiver may get it twice after a failure, and keeps it once by its uid.
//!
//! **Nothing is lost silently.** Every record that a sink wants ends as sent, refused, dropped or damaged,
//! and each of these is counted by sink, over restarts too. What the exporter could not even hand over is
//! `not_spooled`.
//!
//! **Invariant:** [`Delivery::emit`] neither waits nor takes a lock that a thread holds while it waits.
#![forbid(unsafe_code)]

mod block;
mod courier;
mod cursor;
mod delivery;
mod error;
mod index;
mod kafka;
mod nats;
mod ndjson;
mod options;
mod otlp;
mod own;
mod plan;
mod reader;
mod record;
mod recover;
mod refused;
mod sink;
mod status;
mod stdout;
mod store;
mod syslog;
mod tls;
mod trial;

pub use delivery::Delivery;
pub use error::Error;
pub use kafka::options::{KafkaCompression, KafkaKey, KafkaOptions, KafkaSasl};
pub use options::{
    Compression, NatsCompression, NatsOptions, NdjsonOptions, Options, OtlpEncoding, OtlpOptions,
    OtlpProtocol, SendOptions, SinkOptions, SpoolOptions, SyncPolicy, TlsOptions,
};
pub use own::OwnSink;
pub use record::{Kind, Record, RecordKind, Uid};
pub use sink::{Answer, Identity, Sink};
pub use status::{SinkStatus, SpoolStatus, Status};
pub use syslog::{SyslogFormat, SyslogOptions};
pub use trial::{check, inspect, test};
