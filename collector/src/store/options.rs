//! What can be chosen of the store.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clickhouse::ClickHouseOptions;

/// What is kept of the past, and how long. Section `[store]` of the configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct StoreOptions {
    /// Whether anything is kept.
    pub enabled: bool,
    /// What keeps it: files of this machine, or ClickHouse for a fleet (`rstscope collect` only).
    pub kind: StoreKind,
    /// The server, where `kind` is "clickhouse"; what follows then says nothing.
    pub clickhouse: ClickHouseOptions,
    /// Where it is kept. One process at a time writes there; others may read.
    pub directory: PathBuf,
    /// Whether all events are written to Parquet files as well, one an hour, beside the store's own files.
    pub parquet: bool,
    /// Hours for which counts are kept minute by minute.
    #[schemars(range(min = 1, max = 8784))]
    pub minutes_h: u32,
    /// Days for which counts are kept in steps of ten minutes.
    #[schemars(range(min = 1, max = 366))]
    pub tens_d: u32,
    /// Days for which counts are kept by hour and by day.
    #[schemars(range(min = 1, max = 3660))]
    pub hours_d: u32,
    /// Days for which events are kept; one file a day at least, which is deleted as a whole.
    #[schemars(range(min = 1, max = 3660))]
    pub events_d: u32,
    /// Bytes that events may take; beyond it the oldest file goes.
    #[schemars(range(min = 16_777_216))]
    pub events_bytes_max: u64,
    /// Bytes of packets that are kept as evidence; beyond it the oldest go.
    #[schemars(range(min = 1_048_576))]
    pub evidence_bytes_max: u64,
    /// Seconds of work after which a question is given up.
    #[schemars(range(min = 0.1, max = 600.0))]
    pub question_s_max: f64,
    /// When written data is forced to the disk. A killed process loses nothing, whatever is chosen.
    pub sync: StoreSync,
}

/// What keeps the past.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StoreKind {
    /// Files in `directory`: nothing else to install.
    #[default]
    Sqlite,
    /// A ClickHouse that any number of collectors share.
    Clickhouse,
}

/// When written data is forced to the disk: about power failures and crashes of the kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StoreSync {
    /// Now and then: a power failure may take the last batches, and the files stay whole.
    #[default]
    Normal,
    /// Before a batch is acknowledged: a power failure takes nothing that was.
    EachBatch,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            enabled: true,
            kind: StoreKind::Sqlite,
            clickhouse: ClickHouseOptions::default(),
            directory: PathBuf::from("/var/lib/rstscope/store"),
            parquet: false,
            minutes_h: 48,
            tens_d: 14,
            hours_d: 400,
            events_d: 90,
            events_bytes_max: 8 << 30,
            evidence_bytes_max: 1 << 30,
            question_s_max: 5.0,
            sync: StoreSync::Normal,
        }
    }
}
