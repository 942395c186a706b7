//! R22 to R24: resets around a FIN, three of five in the wild, most of them harmless.

use flowtable::{Side, Ticks};

use crate::case::Case;
use crate::context::closed_silence;
use crate::rules::{Finding, handshake, stream, tls};
use crate::vocabulary::{Cause, Stage};

pub(super) fn cause(case: &Case<'_>) -> Option<Finding> {
    if case.stage != Stage::PostFin {
        return None;
    }
    if let Some(finding) = stream::turned_away(case) {
        return Some(finding);
    }
    match (case.from().has(Side::FIN), case.to().has(Side::FIN)) {
        (true, _) => Some(after_own_fin(case)),
        (false, true) => Some(after_other_fin(case)),
        (false, false) => None,
    }
}

/// The sender had closed.
fn after_own_fin(case: &Case<'_>) -> Finding {
    let (from, to, before) = (case.from(), case.to(), case.before());
    // Nothing advances after a FIN, so this is when it was sent.
    let closed = from.advanced;
    // By the order of packets where the clock is too coarse to tell.
    let late = to.packets > 0 && (to.last.since(closed) > Ticks(0) || case.receiver_spoke_last());
    let late_data = to.has(Side::DATA)
        && (to.advanced.since(closed) > Ticks(0) || (late && to.advanced == to.last));
    let answered = late && case.since(to).is_some_and(|span| span < answer_within(case));
    // A FIN alone is one number: anything more of it was data.
    let only_fin = before.unacknowledged(case.receiver) <= 1;
    // A bare reset bears the acknowledgment of what drew it: whether that had heard of the close.
    let crossing = if case.is_bare() {
        case.reset().seq != from.next
    } else {
        to.advanced.since(closed) <= heard_of_close(case)
    };
    if to.has(Side::FIN) && (only_fin || !late_data || crossing) {
        return Finding::new("R22", Cause::CloseRace, 0.95, Cause::DataAfterClose);
    }
    if tls::ended_by_alert(case) {
        return Finding::new("R25", Cause::TlsFailureAbort, 0.7, Cause::DataAfterClose);
    }
    if met_close(case) {
        return Finding::new("R23", Cause::DataAfterClose, 0.9, Cause::CloseRace);
    }
    let probed = before.unanswered_probes(case.receiver) > 0 && !late_data;
    if answered && (case.is_bare() || late_data) && !probed {
        return Finding::new("R23", Cause::DataAfterClose, 0.97, Cause::CloseRace);
    }
    if case.is_bare() && probed {
        return Finding::new("R17", Cause::StaleConnection, 0.8, Cause::DataAfterClose);
    }
    if case.is_bare() && late {
        return Finding::new("R23", Cause::DataAfterClose, 0.9, Cause::CloseRace);
    }
    if before.retransmissions(case.sender) >= 1 && !from.has(Side::FIN_ACKED) {
        return Finding::new("R20", Cause::RetransmissionTimeout, 0.85, Cause::CloseRace);
    }
    if case.idle_s() >= FIN_WAIT_S {
        return Finding::new("R23a", Cause::IdleTimeoutEndpoint, 0.75, Cause::CloseRace);
    }
    let since_close = case.reset().time.tick().since(closed);
    if since_close < AT_ONCE && !late_data {
        if handshake::gave_up_backend(case) {
            return Finding::new("R11", Cause::ProxiedBackendRefused, 0.6, Cause::AppAbort);
        }
        // The other side had its answer: nothing but the silence was there to make it close.
        let had_answer = before.ack_advanced(case.receiver).since(to.advanced) > Ticks(0);
        let is_long = closed_silence(case).is_some_and(|silence| silence.seconds() >= IDLE_S);
        if had_answer && is_long {
            return Finding::new("R21", Cause::IdleTimeoutEndpoint, 0.6, Cause::AppAbort)
                .with_caveat(
                    "one silence proves no timer: an application may also just give up then",
                );
        }
        return Finding::new("R27", Cause::AppAbort, 0.8, Cause::CloseRace).with_caveat(
            "closed with the other side's data unread, or closed twice: it looks alike",
        );
    }
    Finding::new("R23a", Cause::CloseRace, 0.8, Cause::AppAbort)
}

/// Data that passed the sensor just before the FIN of the sender reached it just after: the bare
/// reset answers that segment, whose number is older than the FIN. A socket that is closed with
/// data unread sends RST|ACK instead.
fn met_close(case: &Case<'_>) -> bool {
    let (from, to) = (case.from(), case.to());
    let is_answer = case.is_bare() && case.answers_receiver() && case.reset().seq != from.next;
    let under_way = from.advanced.since(to.advanced) <= to_sender_and_back(case);
    // Its FIN would have acknowledged what had reached it.
    let was_open = case.before().unacknowledged(case.receiver) > 0;
    is_answer && to.has(Side::DATA) && under_way && was_open
}

/// The other side had closed, the sender had not.
fn after_other_fin(case: &Case<'_>) -> Finding {
    let lost = case.before().unacknowledged(case.sender);
    if case.is_bare() && case.answers_receiver() && case.from().packets == 0 {
        return Finding::new("R17", Cause::StaleConnection, 0.7, Cause::CloseRace);
    }
    if case.idle_s() >= IDLE_S {
        return Finding::new("R21", Cause::IdleTimeoutEndpoint, 0.6, Cause::FastClose);
    }
    if !case.sender_is_client() {
        // Windows servers close this way by habit.
        return if lost == 0 {
            Finding::new("R24", Cause::CloseRace, 0.85, Cause::AppAbort)
        } else {
            Finding::new("R24", Cause::AppAbort, 0.7, Cause::CloseRace)
        };
    }
    if lost == 0 {
        Finding::new("R24", Cause::FastClose, 0.7, Cause::AppAbort)
    } else {
        Finding::new("R24", Cause::AppAbort, 0.7, Cause::FastClose)
    }
}

/// What the receiver sent up to so long after the close, it sent before it had heard of it.
fn heard_of_close(case: &Case<'_>) -> Ticks {
    let round_trip = case.before().round_trip(case.receiver).unwrap_or(Ticks(0));
    Ticks(round_trip.0.saturating_add(round_trip.0 / 4)).max(Ticks::from_ms(5))
}

/// Within this time of a segment passing the sensor, nothing that passes in return knows of it.
fn to_sender_and_back(case: &Case<'_>) -> Ticks {
    let round_trip = case.round_trip().map_or(Ticks(0), |round_trip| round_trip.span);
    Ticks(round_trip.0.saturating_add(round_trip.0 / 4)).max(Ticks::from_ms(5))
}

/// A host answers within this time of a segment passing the sensor.
fn answer_within(case: &Case<'_>) -> Ticks {
    let round_trip = case.round_trip().map_or(Ticks(0), |round_trip| round_trip.span);
    Ticks(round_trip.0.saturating_mul(2)).max(Ticks::from_ms(300))
}

/// Linux and Windows hold FIN-WAIT-2 for 60 and 120 s, small devices for 10 or 20.
const FIN_WAIT_S: f64 = 8.0;
const IDLE_S: f64 = 5.0;
/// FIN and reset by one call of close().
const AT_ONCE: Ticks = Ticks::from_ms(1_000);
