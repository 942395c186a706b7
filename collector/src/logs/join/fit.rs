//! Whether a log line and a reset can speak of the same connection, by their times.

use events::{Event, UtcTime};

use super::clock::Offset;
use crate::logs::session::{End, Kind, LogSession};

/// The instants of an event that logs know too, nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Instants {
    /// When the reset came.
    pub(super) reset: i64,
    /// When the connection's first packet came, if that was seen.
    pub(super) begun: Option<i64>,
    /// When something last came before the reset.
    pub(super) last: i64,
}

impl Instants {
    pub(super) fn of(event: &Event) -> Self {
        let reset = nanoseconds(event.ts);
        let before = |seconds: f64| reset.saturating_sub((seconds * 1e9) as i64);
        let is_beginning_seen = !event.capture.midstream && !event.capture.control_only;
        let begun = event.age_s.filter(|_| is_beginning_seen).map(before);
        Self { reset, begun, last: event.idle_before_s.map_or(reset, before) }
    }
}

/// How far apart log and reset are, nanoseconds; nothing if they cannot be of one connection.
///
/// A session may be logged up to 35 s after its reset: stamps have whole seconds, a firewall that cannot
/// verify a reset keeps the session for 30 s more. A session that was forgotten after a silence ends before
/// the reset, within that silence.
pub(super) fn distance(session: &LogSession, event: Instants, offset: Offset) -> Option<u64> {
    let resolution = session.resolution_ns.cast_signed();
    let ours = |time: UtcTime| nanoseconds(time) - offset.ahead_ns;
    let tolerance = offset.tolerance_ns;
    let ended = ours(session.ended);
    let (earliest, latest) = match (session.kind, session.end) {
        (Kind::Moment, _) => (ended - MOMENT, ended + MOMENT),
        (Kind::Session, End::IdleTimeout) => {
            // What the reset answers came in the silence or after it.
            let fits = event.last <= ended + resolution + tolerance
                && ended <= event.reset + AFTER_END + tolerance;
            return (fits && begins_fit(session, event, offset))
                .then(|| event.reset.min(ended).abs_diff(event.last));
        }
        (Kind::Session, _) => {
            let begun = session.begun.map_or(ended - MOMENT, ours);
            // A connection that lived on for long did not end by this reset.
            (begun.max(ended - AFTER_END) - BEFORE_BEGIN, ended + AFTER_END)
        }
    };
    let is_inside = event.reset >= earliest.saturating_sub(tolerance)
        && event.reset <= latest.saturating_add(resolution).saturating_add(tolerance);
    (is_inside && begins_fit(session, event, offset))
        .then(|| event.reset.abs_diff(ended.saturating_add(resolution / 2)))
}

/// Whether both know when the connection began, so that a tuple that was used twice does not mislead.
pub(super) fn is_exact(session: &LogSession, event: Instants) -> bool {
    session.is_begun_exact && session.begun.is_some() && event.begun.is_some()
}

/// Whether both say that the connection began at one time, as far as both know it.
fn begins_fit(session: &LogSession, event: Instants, offset: Offset) -> bool {
    let logged = session.begun.filter(|_| session.is_begun_exact);
    let (Some(logged), Some(seen)) = (logged, event.begun) else { return true };
    let logged = nanoseconds(logged) - offset.ahead_ns;
    logged.abs_diff(seen) <= (BEGIN_APART + offset.tolerance_ns).unsigned_abs()
}

/// By how much a log's stamps are ahead of ours, by one pair; nothing where they mark no common instant.
pub(super) fn ahead_ns(session: &LogSession, event: Instants) -> Option<i64> {
    let half = (session.resolution_ns / 2).cast_signed();
    let stamped = |time: UtcTime| nanoseconds(time) + half;
    let begun = session.begun.filter(|_| session.is_begun_exact).zip(event.begun);
    let ahead = match (begun, session.end) {
        (Some((logged, seen)), _) => stamped(logged).saturating_sub(seen),
        // Its end may be long before or after the reset.
        (None, End::IdleTimeout | End::Finished | End::Other | End::HandshakeTimeout) => {
            return None;
        }
        (None, _) => stamped(session.ended).saturating_sub(event.reset),
    };
    (ahead.saturating_abs() <= AHEAD_MAX).then_some(ahead)
}

/// Far enough from what a number can hold that seconds may be added; what is later is as late as the year 2160.
fn nanoseconds(time: UtcTime) -> i64 {
    time.0.min(6_000_000_000_000_000_000).cast_signed()
}

const SECOND: i64 = 1_000_000_000;

/// Log stamps of the begin are cut to seconds.
const BEFORE_BEGIN: i64 = 2 * SECOND;

/// One second of the stamp, 30 s in which a reset waits to be verified, and some.
const AFTER_END: i64 = 35 * SECOND;

/// Around what happened at a moment.
const MOMENT: i64 = 5 * SECOND;

/// A stamp and a duration of whole seconds each, and the way between two observers.
const BEGIN_APART: i64 = 2 * SECOND;

/// No zone is farther off, a day more for whoever got the date wrong.
const AHEAD_MAX: i64 = 38 * 3600 * SECOND;
