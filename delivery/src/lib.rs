//! Events out of the sensor: a bounded spool on disk, and sinks that empty it.
//!
//! The exporter writes each event once, to the spool; every sink reads it at its own pace and remembers how
//! far it is. So a collector that stands still, a full disk or a killed process delay events or cost the
//! oldest of them, which is counted; the packet path never waits.
#![forbid(unsafe_code)]

mod options;
mod status;

pub use options::{
    Compression, NdjsonOptions, Options, OtlpEncoding, OtlpOptions, SendOptions, SinkOptions,
    SpoolOptions, SyncPolicy, TlsOptions,
};
pub use status::{SinkStatus, SpoolStatus, Status};
