//! How delivery goes, for metrics, health and people.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The spool and every sink. Counts of the spool are since the start; those of sinks go on over restarts.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Status {
    /// The spool.
    pub spool: SpoolStatus,
    /// The sinks, in the order of the configuration.
    pub sinks: Vec<SinkStatus>,
    /// What sinks had lost before the start, named as [`Status::losses`] names it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub losses_before: BTreeMap<String, u64>,
}

impl Status {
    /// What was lost on the way to the sinks since [`Delivery::start`], by name; nothing here means nothing
    /// was lost. Without losses of earlier starts, which the counts of sinks include. What the spool dropped
    /// while a sink stood still, and the sink had not come to when it was stopped, is counted once more.
    ///
    /// [`Delivery::start`]: crate::Delivery::start
    #[must_use]
    pub fn losses(&self) -> BTreeMap<String, u64> {
        let sum = |of: fn(&SinkStatus) -> u64| self.sinks.iter().map(of).sum();
        let (dropped, damaged) = (sum(|sink| sink.dropped), sum(|sink| sink.damaged));
        let mut losses =
            named_losses(self.spool.not_spooled, dropped, damaged, sum(|sink| sink.refused));
        for (name, before) in &self.losses_before {
            losses.entry(name.clone()).and_modify(|count| *count = count.saturating_sub(*before));
        }
        losses.retain(|_, count| *count > 0);
        losses
    }
}

/// Losses by name; those that did not happen have none.
pub(crate) fn named_losses(
    not_spooled: u64,
    dropped: u64,
    damaged: u64,
    refused: u64,
) -> BTreeMap<String, u64> {
    [
        ("events_not_spooled", not_spooled),
        ("events_dropped_from_spool", dropped),
        ("events_damaged_in_spool", damaged),
        ("events_refused_by_sink", refused),
    ]
    .into_iter()
    .filter(|(_, count)| *count > 0)
    .map(|(name, count)| (name.to_owned(), count))
    .collect()
}

/// The spool.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct SpoolStatus {
    /// Bytes on disk.
    pub bytes: u64,
    /// Bytes that it may have on disk.
    pub bytes_max: u64,
    /// Events on disk and in memory, delivered or not.
    pub events: u64,
    /// Age of the oldest segment's first event, seconds; 0 if there is none.
    pub oldest_s: f64,
    /// Bytes that wait in memory because the disk takes none.
    pub memory_bytes: u64,
    /// Events that were taken in.
    pub spooled: u64,
    /// Events that were not: the spool's thread could not keep up.
    pub not_spooled: u64,
    /// Bytes that were cut from the end of the newest segment at the start: what a killed process or a
    /// power failure left behind.
    pub torn_bytes: u64,
    /// Why the disk takes nothing, if so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// One sink. Every event that the sink takes ends in one of sent, refused, dropped or damaged.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct SinkStatus {
    /// Its name.
    pub name: String,
    /// Its kind: `ndjson`, `otlp`.
    pub kind: String,
    /// Where it sends.
    pub target: String,
    /// Events that the receiver acknowledged.
    pub sent: u64,
    /// Attempts that failed and were made again.
    pub retried: u64,
    /// Events that the receiver refused for good; the newest are in `NAME.refused.ndjson`.
    pub refused: u64,
    /// Events that the spool dropped at its limit before they were sent.
    pub dropped: u64,
    /// Events that were unreadable in the spool.
    pub damaged: u64,
    /// Events that wait.
    pub lag_events: u64,
    /// How long the oldest of them waits, seconds.
    pub lag_s: f64,
    /// What went wrong at the last attempt; absent after one that went well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
}
