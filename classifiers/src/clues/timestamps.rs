//! E03: the timestamps option, which kernels write into their own resets but not into replies.

use flowtable::{Side, Stack};
use wire::Timestamps;

use crate::case::Case;
use crate::verdict::{Evidence, Value};
use crate::weights::Row;

pub(super) fn weigh(case: &Case<'_>) -> Option<Evidence> {
    let in_use = case.from().has(Side::TIMESTAMPS) && case.to().has(Side::TIMESTAMPS);
    let (row, observed, expected, says) = match (case.reset().timestamps, case.is_bare()) {
        (Some(_), true) => {
            (Row::TimestampsOnReply, "present", "absent", "a bare reset with timestamps")
        }
        (Some(option), false) if in_use => match is_plausible(case, option) {
            Some(true) => (Row::TimestampsFresh, "fresh", "fresh", FRESH),
            Some(false) => (Row::TimestampsOff, "off", "fresh", "not on the sender's clock"),
            None => {
                let says = "on a clock of up to 1 MHz, if the sender has one";
                (Row::TimestampsFarAhead, "far ahead", "fresh", says)
            }
        },
        (None, false) if in_use && case.stack() == Stack::Linux => {
            let says = "no timestamps, which Linux always writes here";
            (Row::TimestampsAbsentLinux, "absent", "fresh", says)
        }
        _ => return None,
    };
    Some(Evidence::of(row, Value::Word(observed), Value::Word(expected), says))
}

/// TSval within what a clock of up to 1 kHz can have gained, TSecr not from the future.
///
/// `None` for clocks of up to 1 MHz, which some stacks have: their TSval proves nothing here.
fn is_plausible(case: &Case<'_>, option: Timestamps) -> Option<bool> {
    let before = case.before();
    let silence_ms = |side: &Side| case.since(side).map_or(0, |span| span.ns() / 1_000_000);
    let gained = option.value.wrapping_sub(before.timestamp_value(case.sender));
    let gain_max = silence_ms(case.from()).saturating_mul(2).saturating_add(SLACK_MS);
    // The latest packet it echoes may have been missed.
    let missed_max = silence_ms(case.to()).saturating_mul(2).saturating_add(SLACK_MS);
    let ahead = option.echo.wrapping_sub(before.timestamp_value(case.receiver)) as i32;
    if i64::from(ahead) > missed_max as i64 {
        return Some(false);
    }
    if u64::from(gained) <= gain_max {
        return Some(true);
    }
    let is_fast_clock = u64::from(gained) <= gain_max.saturating_mul(1_000);
    if is_fast_clock { None } else { Some(false) }
}

const FRESH: &str = "on the sender's clock, echoing the other side's latest";
/// Clocks tick in steps of up to 500 ms on old stacks.
const SLACK_MS: u64 = 1_000;
