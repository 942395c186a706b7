//! Where events arrive: what is known of late, and who asks for it.
//!
//! ```text
//! exporter's thread --> Recent <-- API's thread <-- HTTP: the page, /api/v1/..., /metrics, /healthz, /readyz
//! ```
//!
//! Knows events and reports, not how they came about: the sensor embeds it, and so may anybody else.
//!
//! | file | what |
//! |---|---|
//! | `options.rs` | [`Options`]: where to listen, how much to keep |
//! | `recent/` | [`Recent`]: events, counts, servers, seconds and histograms in bounded memory |
//! | `impacts.rs` | [`ImpactCounts`]: a count for each impact |
//! | `answers.rs` | what the API answers, as types that clients read too |
//! | `history.rs` | what the store answers, as types that clients read too |
//! | `order.rs` | [`ServerOrder`]: in which order servers are listed |
//! | `past.rs` | [`Past`]: what is asked of a store, whichever it is |
//! | `logs/` | [`logs`]: what firewalls and servers log, joined with resets |
//! | `archive/` | [`Archive`]: events of an hour in a Parquet file |
//! | `clickhouse/` | [`ClickHouse`]: the store of a fleet |
//! | `receive/` | [`Receivers`]: records of other sensors, by OTLP and NATS |
//! | `health.rs` | [`Health`]: alive, ready, and why not |
//! | `delivery_state.rs` | [`DeliveryState`]: how delivery goes, told by whoever delivers |
//! | `metrics/` | the same for Prometheus |
//! | `store/` | [`Store`]: what is kept of the past, in SQLite, and its questions |
//! | `accept.rs` | connections as they come |
//! | `secret.rs` | tokens and passwords out of files, compared |
//! | `network.rs` | peers that are meant by their networks |
//! | `tls.rs` | [`ServerTls`]: certificates of whoever listens |
//! | `server/` | [`serve`]: HTTP with limits on everything |
//!
//! **Invariant:** what feeds [`Recent`] never waits for a client: nothing is encoded, sent or searched
//! while its lock is held.
#![forbid(unsafe_code)]

mod accept;
mod answers;
mod archive;
mod clickhouse;
mod delivery_state;
mod error;
#[cfg(any(test, feature = "fuzz"))]
pub mod fuzz;
mod health;
mod history;
mod impacts;
pub mod logs;
mod metrics;
mod network;
mod options;
mod order;
mod past;
mod receive;
mod recent;
mod secret;
mod server;
mod store;
mod tls;

pub use answers::{
    CountedFrom, EventPage, EventSheet, FlowPage, NameRow, Numbered, Refusal, Second, ServerRow,
    Snapshot, StatusPage, VersionPage, Vocabulary, Word,
};
pub use archive::{Archive, ArchiveError};
pub use clickhouse::{ClickHouse, ClickHouseError, ClickHouseOptions, Revisions};
pub use delivery_state::{DeliveryState, SinkState, SpoolState};
pub use error::Error;
pub use health::Health;
pub use history::{
    Ask, BurstRow, DeviceRow, DisagreementRow, EventDetail, EventList, EventRow, IdleHistogram,
    IdleTimer, LadderRung, LogList, LogSourceRow, Overview, RowList, SensorRow, ServerDetail,
    ServerList, ServerSummary, Step,
};
pub use impacts::ImpactCounts;
pub use options::{Listen, Options, ProxyOptions};
pub use order::{Ranked, ServerOrder};
pub use past::{NoAnswer, Past};
pub use receive::{
    Arrival, Gather, Keep, KeepError, Kept, NatsOptions, ReceiveError, ReceiveOptions,
    ReceiveState, ReceiverState, Receivers, RecordCount,
};
pub use recent::{Question, Recent, Sensor};
pub use server::{
    LiveStatus, LogRows, Offer, Proof, Role, Server, SessionPage, openapi, read_instant,
    read_server, read_span_s, serve,
};
pub use store::{
    BackupReport, Incoming, Put, Store, StoreError, StoreKind, StoreOptions, StoreState, StoreSync,
    Unreadable,
};
pub use tls::{ServerTls, ServerTlsOptions};
