//! How delivery goes, as metrics and the screen show it; told by whoever delivers.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The spool and the sinks behind it.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct DeliveryState {
    /// What waits on disk; absent where nothing is delivered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spool: Option<SpoolState>,
    /// In the order of the configuration.
    pub sinks: Vec<SinkState>,
}

/// Events that wait on disk.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct SpoolState {
    /// Events on disk and in memory before it.
    pub events: u64,
    /// Bytes on disk.
    pub bytes: u64,
    /// Bytes that may be on disk.
    pub bytes_max: u64,
    /// Age of the oldest, seconds.
    pub oldest_s: f64,
    /// Events that found no way into the spool since the start.
    pub not_spooled: u64,
    /// Why the disk takes nothing, if so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// One sink.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct SinkState {
    /// Its name in the configuration.
    pub name: String,
    /// Its kind: `ndjson`, `otlp`.
    pub kind: String,
    /// Events by what became of them: `sent`, `refused`, `dropped`, `damaged`.
    pub events: BTreeMap<String, u64>,
    /// Attempts that failed and were made again.
    pub retried: u64,
    /// Events that wait for it.
    pub waiting: u64,
    /// How long the oldest of them waits, seconds.
    pub lag_s: f64,
    /// What went wrong at the last attempt; absent after one that went well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}
