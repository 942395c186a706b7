//! The section of minutes.

use pipeline::MinuteOptions;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Resets and connections counted by the minute.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct MinutesSection {
    /// Rows of resets in a minute, and as many of servers, 256 to 1000000; what is beyond is counted in rows of
    /// whole networks (/24, IPv6 /48).
    pub(crate) keys_max: usize,
}

impl Default for MinutesSection {
    fn default() -> Self {
        Self { keys_max: MinuteOptions::default().keys_max }
    }
}

impl MinutesSection {
    /// As the sensor takes it.
    pub(crate) const fn options(&self) -> MinuteOptions {
        MinuteOptions { keys_max: self.keys_max }
    }
}
