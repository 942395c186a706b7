//! E06: a reset that answers bytes which passed here less than a round trip ago cannot be their
//! receiver's.
//!
//! The strongest test there is, and the most delicate: it needs a round trip that is a true lower
//! bound, and a number in the reset that the sender could not have known otherwise.

use flowtable::{Side, Stack, Ticks};

use crate::case::{Case, RoundTrip};
use crate::verdict::{Evidence, Value};
use crate::weights::Row;

pub(super) fn weigh(case: &Case<'_>) -> Option<Evidence> {
    let (row, says, measured) = measure(case)?;
    let expected = Value::Nanoseconds(measured.round_trip.span.ns());
    Some(Evidence::of(row, Value::Nanoseconds(measured.span.ns()), expected, says))
}

/// The time in which it answered, if its named sender cannot have answered so soon.
pub(crate) fn answered_too_soon(case: &Case<'_>) -> Option<Ticks> {
    measure(case)
        .filter(|(row, ..)| row.weight().decibans < 0.0)
        .map(|(_, _, measured)| measured.span)
}

fn measure(case: &Case<'_>) -> Option<(Row, &'static str, Measured)> {
    let round_trip = case.round_trip().filter(|known| known.span >= ROUND_TRIP_MIN)?;
    if is_at_sensor(case) {
        return None;
    }
    let (span, is_strict) = since_provocation(case)?;
    let measured = Measured { span, round_trip, step: case.watch.clock_step };
    let (row, says) = outcome(&measured, is_strict, case.has_ack())?;
    Some((row, says, measured))
}

/// What the clock says, and how far it may be off: a stamp by up to a step, so a span, too.
struct Measured {
    span: Ticks,
    round_trip: RoundTrip,
    step: Ticks,
}

fn outcome(measured: &Measured, is_strict: bool, has_ack: bool) -> Option<(Row, &'static str)> {
    let Measured { span, round_trip, step } = measured;
    let at_most = u64::from(span.0) + u64::from(step.0);
    let whole = u64::from(round_trip.span.0);
    let at_least = whole.saturating_sub(u64::from(step.0));
    // Reordering inside a mirror: half a round trip leaves room for it.
    if at_most * 2 < at_least {
        // Delayed acknowledgments make all but handshake samples too long, and samples taken while
        // queues were full are up to five times too long.
        let is_far_below = round_trip.has_handshake && at_most * 5 < at_least;
        let row = match (round_trip.is_firm, is_strict) {
            (true, true) if is_far_below => Row::CausalityProved,
            // One sample may be long for reasons of its own, but not seven times too long.
            (false, true) if is_far_below && at_most * 7 < at_least => Row::CausalityOneSample,
            (true, false) if is_far_below => Row::CausalityLenient,
            _ => Row::CausalitySooner,
        };
        return Some((row, "answers sooner than a packet can reach the sender and return"));
    }
    // A bare reset may answer a later segment than the first that bore its number: being late
    // says nothing then.
    (u64::from(span.0) * 10 >= whole * 9 && is_strict && has_ack)
        .then_some((Row::CausalityRoundTrip, "answers no sooner than a round trip to the sender"))
}

/// Time since the bytes passed that the reset knows of, and whether it can have known them only
/// by receiving them.
fn since_provocation(case: &Case<'_>) -> Option<(Ticks, bool)> {
    let (reset, to, before) = (case.reset(), case.to(), case.before());
    let now = reset.time.tick();
    if to.packets == 0 {
        return None;
    }
    // Merged captures and handed-over batches: what lies in the future provoked nothing.
    let ack_advanced = before.ack_advanced(case.receiver);
    if to.advanced.since(now) > Ticks(0) || ack_advanced.since(now) > Ticks(0) {
        return None;
    }
    if case.has_ack() {
        return (reset.ack == to.next && before.retransmissions(case.receiver) == 0)
            .then(|| (now.since(to.advanced), true));
    }
    // A bare reset that answers: its number came with the other side's acknowledgment. A stack
    // that resets of its own accord with a bare RST knows its own next number anyway; Linux never
    // does that, and nobody does for a number that is not its own next.
    let only_by_answering = case.stack() == Stack::Linux
        || case.from().packets == 0
        || (reset.seq != case.from().next && !case.from().has(Side::FIN));
    (case.answers_receiver())
        .then(|| (now.since(before.ack_advanced(case.receiver)), only_by_answering))
}

/// The sensor sits on the host itself, or right before it: nothing to measure.
fn is_at_sensor(case: &Case<'_>) -> bool {
    let from = case.from();
    from.packets > 0 && crate::case::hops(from.hop_limit) == 0 && !case.sender_is_client()
}

/// Below 5 ms capture jitter is as large as the signal.
const ROUND_TRIP_MIN: Ticks = Ticks::from_ms(5);
