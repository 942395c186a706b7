//! Spans and instants as people write them: `90s`, `24h`, `2026-11-23T08:03:13Z`.

use events::UtcTime;

/// Seconds of a span, up to ten years.
///
/// # Errors
/// It is none; says how to write one.
pub fn read_span_s(text: &str) -> Result<u64, String> {
    let bad = || format!("{text:?} is no span; write for example 90s, 15m, 24h or 7d");
    let unit = match text.as_bytes().last() {
        Some(b's') => 1,
        Some(b'm') => 60,
        Some(b'h') => 3600,
        Some(b'd') => 86_400,
        _ => return Err(bad()),
    };
    if !text.starts_with(|first: char| ('1'..='9').contains(&first)) {
        return Err(bad());
    }
    let count: u64 = text[..text.len() - 1].parse().map_err(|_| bad())?;
    let span_s = count.checked_mul(unit).filter(|span_s| (1..=SPAN_S_MAX).contains(span_s));
    span_s.ok_or_else(|| format!("{text:?} is not from 1s to 3660d"))
}

/// An instant in RFC 3339.
///
/// # Errors
/// It is none; says how to write one.
pub fn read_instant(text: &str) -> Result<UtcTime, String> {
    serde_json::from_value(serde_json::Value::String(text.to_owned()))
        .map_err(|_| format!("{text:?} is no time; write it in UTC, as 2026-11-23T08:03:13Z"))
}

const SPAN_S_MAX: u64 = 3660 * 86_400;
