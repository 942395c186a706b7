//! Instants as users read them.

use std::borrow::Cow;
use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Nanoseconds since the Unix epoch; written as RFC 3339 in UTC with nine decimals.
///
/// A string, because nanoseconds since the epoch do not fit the 53 bits that JSON readers keep of a
/// number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct UtcTime(pub u64);

impl UtcTime {
    /// Seconds from `earlier` to `self`; 0 if the clock went backwards.
    #[must_use]
    pub fn seconds_since(self, earlier: Self) -> f64 {
        self.0.saturating_sub(earlier.0) as f64 / 1e9
    }
}

impl UtcTime {
    /// Date and time to the second, as people write them: `2026-11-23 08:03:13`.
    pub(crate) fn date_and_time(self) -> String {
        let instant = UNIX_EPOCH + Duration::from_nanos(self.0);
        let text = humantime::format_rfc3339_seconds(instant).to_string();
        text.trim_end_matches('Z').replace('T', " ")
    }

    /// Hours, minutes and seconds, as logs are searched by.
    pub(crate) fn time_of_day(self) -> String {
        let text = self.date_and_time();
        text.split_once(' ').map_or(text.clone(), |(_, time)| time.to_owned())
    }
}

impl fmt::Display for UtcTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // 2^64 ns end in the year 2554, well inside what RFC 3339 can write.
        let instant = UNIX_EPOCH + Duration::from_nanos(self.0);
        humantime::format_rfc3339_nanos(instant).fmt(f)
    }
}

impl JsonSchema for UtcTime {
    fn schema_name() -> Cow<'static, str> {
        "UtcTime".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "format": "date-time",
            "description": "An instant in UTC, RFC 3339 with nine decimals.",
        })
    }
}

impl Serialize for UtcTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for UtcTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let instant: SystemTime = humantime::parse_rfc3339(&text)
            .map_err(|error| D::Error::custom(format!("time {text:?}: {error}")))?;
        let since = instant
            .duration_since(UNIX_EPOCH)
            .map_err(|_| D::Error::custom(format!("time {text:?} lies before 1970")))?;
        u64::try_from(since.as_nanos())
            .map(Self)
            .map_err(|_| D::Error::custom(format!("time {text:?} lies after the year 2554")))
    }
}

#[cfg(test)]
mod tests {
    use super::UtcTime;

    #[test]
    fn a_time_survives_the_way_out_and_back() {
        for ns in [0, 1, 1_700_000_000_123_456_789, u64::MAX] {
            let json = serde_json::to_string(&UtcTime(ns)).unwrap();
            assert_eq!(serde_json::from_str::<UtcTime>(&json).unwrap(), UtcTime(ns), "{json}");
        }
        assert_eq!(
            UtcTime(1_700_000_000_000_000_001).to_string(),
            "2023-11-14T22:13:20.000000001Z"
        );
    }

    #[test]
    fn people_read_times_to_the_second() {
        let time = UtcTime(1_700_000_000_999_000_000);
        assert_eq!(time.date_and_time(), "2023-11-14 22:13:20");
        assert_eq!(time.time_of_day(), "22:13:20");
    }

    #[test]
    fn a_time_that_cannot_be_kept_is_refused() {
        for text in ["\"yesterday\"", "\"1969-12-31T23:59:59Z\"", "\"9000-01-01T00:00:00Z\""] {
            assert!(serde_json::from_str::<UtcTime>(text).is_err(), "{text}");
        }
    }
}
