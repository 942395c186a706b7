//! The only place that reads a clock for packets.

use std::time::{SystemTime, UNIX_EPOCH};

use flowtable::Timestamp;

/// The time now; read once a batch.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}
