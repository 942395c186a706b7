//! Which records can be kept, whichever store it is: read, possible, and of a time that is kept.

use events::{Event, Evidence, Minute, UtcTime};

use super::facts::{self, EventFacts};
use super::incoming::Unreadable;
use super::{ring, rollup};

/// Reads an event.
///
/// # Errors
/// It is none, or not of a time that is kept.
pub(crate) fn event(json: &[u8], now_s: u64, days: u32) -> Result<Event, Unreadable> {
    let facts = EventFacts::read(facts::checked(json)?)?;
    event_time(facts.ts, now_s, days)?;
    serde_json::from_slice(json).map_err(|_| Unreadable("event without its fields"))
}

/// Reads the packets of an event.
///
/// # Errors
/// They are none, or not of a time that is kept.
pub(crate) fn evidence(json: &[u8], now_s: u64, days: u32) -> Result<Evidence, Unreadable> {
    let (_, evidence) = ring::read(json)?;
    event_time(evidence.ts, now_s, days)?;
    Ok(evidence)
}

/// Reads a minute.
///
/// # Errors
/// It is none, or not of a time that is kept.
pub(crate) fn minute(json: &[u8], now_s: u64, kept_s: u64) -> Result<Minute, Unreadable> {
    let minute = rollup::read(json)?;
    minute_time(&minute, now_s, kept_s)?;
    Ok(minute)
}

/// Whether events of this time are kept for so many days.
pub(super) fn event_time(ts: UtcTime, now_s: u64, days: u32) -> Result<(), Unreadable> {
    let (day, today) = (ts.0 / super::row::DAY_NS, now_s / 86_400);
    if day > today + 1 {
        return Err(Unreadable("event of the future"));
    }
    if day + u64::from(days) < today {
        return Err(Unreadable("event older than what is kept"));
    }
    Ok(())
}

/// Whether minutes of this time are kept for so many seconds.
pub(super) fn minute_time(minute: &Minute, now_s: u64, kept_s: u64) -> Result<(), Unreadable> {
    let start_s = minute.start.0 / 1_000_000_000;
    if start_s > now_s.saturating_add(MINUTE_AHEAD_S_MAX) {
        return Err(Unreadable("minute of the future"));
    }
    if start_s.saturating_add(kept_s) < now_s {
        return Err(Unreadable("minute older than what is kept"));
    }
    Ok(())
}

/// Minutes whose clock is ahead by more are refused.
const MINUTE_AHEAD_S_MAX: u64 = 86_400;
