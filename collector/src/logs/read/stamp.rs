//! Instants in log lines.

use chrono::{DateTime, Datelike as _, FixedOffset, NaiveDateTime};
use events::UtcTime;

/// By what a stamp without a zone or a year is understood.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Zone {
    /// Seconds by which the writer's clock is east of UTC.
    pub east_s: i32,
}

/// An instant that was written without a zone.
pub(crate) fn local(text: &str, format: &str, zone: Zone) -> Option<UtcTime> {
    utc_of(NaiveDateTime::parse_from_str(text, format).ok()?, zone)
}

/// An instant that was written with its offset from UTC.
pub(crate) fn zoned(text: &str, format: &str) -> Option<UtcTime> {
    instant(DateTime::parse_from_str(text, format).ok()?)
}

/// RFC 3339, as far logs follow it.
pub(crate) fn rfc3339(text: &str) -> Option<UtcTime> {
    instant(DateTime::parse_from_rfc3339(text).ok()?)
}

/// What a clock on the wall showed, as an instant.
pub(crate) fn utc_of(civil: NaiveDateTime, zone: Zone) -> Option<UtcTime> {
    let nanoseconds = civil.and_utc().timestamp_nanos_opt()?;
    let shift = i64::from(zone.east_s) * SECOND_NS as i64;
    u64::try_from(nanoseconds.checked_sub(shift)?).ok().map(UtcTime)
}

/// An instant with its offset as ours.
pub(crate) fn instant(time: DateTime<FixedOffset>) -> Option<UtcTime> {
    u64::try_from(time.timestamp_nanos_opt()?).ok().map(UtcTime)
}

/// Seconds since the epoch with decimals, as `1700000000.123`.
pub(crate) fn epoch(text: &str) -> Option<UtcTime> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let seconds: u64 = whole.parse().ok()?;
    if decimals.len() > 9 || !decimals.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let nanoseconds: u64 = format!("{decimals:0<9}").parse().ok()?;
    seconds.checked_mul(SECOND_NS)?.checked_add(nanoseconds).map(UtcTime)
}

/// The year of an instant.
pub(crate) fn year_of(time: UtcTime) -> i32 {
    i64::try_from(time.0).map_or(1970, |ns| DateTime::from_timestamp_nanos(ns).year())
}

/// That many seconds later; stays within what can be said.
pub(crate) fn later(time: UtcTime, seconds: u64) -> UtcTime {
    UtcTime(time.0.saturating_add(seconds.saturating_mul(SECOND_NS)))
}

/// That many seconds earlier.
pub(crate) fn earlier(time: UtcTime, seconds: u64) -> UtcTime {
    UtcTime(time.0.saturating_sub(seconds.saturating_mul(SECOND_NS)))
}

/// Nanoseconds of a second.
pub(crate) const SECOND_NS: u64 = 1_000_000_000;

/// Nanoseconds of a millisecond.
pub(crate) const MILLISECOND_NS: u64 = 1_000_000;

#[cfg(test)]
mod tests {
    use events::UtcTime;

    use super::{Zone, epoch, local, zoned};

    #[test]
    fn a_stamp_without_a_zone_is_understood_by_the_source() {
        let utc = local("2023/11/14 22:13:20", "%Y/%m/%d %H:%M:%S", Zone { east_s: 0 });
        assert_eq!(utc, Some(UtcTime(1_700_000_000_000_000_000)));
        let berlin = local("2023/11/14 23:13:20", "%Y/%m/%d %H:%M:%S", Zone { east_s: 3600 });
        assert_eq!(berlin, utc);
        assert_eq!(local("0001/01/01 00:00:00", "%Y/%m/%d %H:%M:%S", Zone { east_s: 0 }), None);
        assert_eq!(zoned("14/Nov/2023:23:13:20 +0100", "%d/%b/%Y:%H:%M:%S %z"), utc);
    }

    #[test]
    fn seconds_since_the_epoch_may_have_decimals() {
        assert_eq!(epoch("1700000000.5"), Some(UtcTime(1_700_000_000_500_000_000)));
        assert_eq!(epoch("1700000000"), Some(UtcTime(1_700_000_000_000_000_000)));
        for text in ["", "-1", "1.2.3", "1.1234567890", "99999999999999999999"] {
            assert_eq!(epoch(text), None, "{text}");
        }
    }
}
