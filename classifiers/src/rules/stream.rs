//! R16 to R27: resets by an endpoint in the middle of a connection.

use flowtable::{PayloadClass, Side, Stack, Ticks};

use crate::case::Case;
use crate::rules::{Finding, tls};
use crate::vocabulary::{Cause, Shape};

pub(super) fn cause(case: &Case<'_>) -> Option<Finding> {
    match case.shape {
        Shape::Reply if answers(case) => Some(reply(case)),
        _ => Some(own_accord(case)),
    }
}

/// A bare reset that answers a segment, not one that a stack sends of its own accord.
fn answers(case: &Case<'_>) -> bool {
    let apple_abort = case.stack() == Stack::Apple
        && case.reset().seq == case.from().next
        && case.since(case.to()).is_some_and(|span| span > Ticks::from_ms(1_000));
    (case.receiver_spoke_last() || case.answers_receiver()) && !apple_abort
}

/// The host no longer knows the connection.
fn reply(case: &Case<'_>) -> Finding {
    let before = case.before();
    if case.idle_before_provocation().seconds() >= LATE_S && case.receiver_spoke_last() {
        return Finding::new("R17", Cause::IdleExpiredLatePacket, 0.7, Cause::StaleConnection)
            .with_caveat("the host, or a device right in front of it, had forgotten the session");
    }
    if before.retransmissions(case.sender) >= 2 {
        return Finding::new("R20", Cause::RetransmissionTimeout, 0.7, Cause::StaleConnection)
            .with_caveat("Linux gives up in silence: the reset answers the next late packet");
    }
    let base =
        if before.retransmissions(case.receiver) > 0 || before.is_midstream() { 0.7 } else { 0.6 };
    Finding::new("R17", Cause::StaleConnection, base, Cause::SessionlessReset).with_caveat(
        "the host lost the connection, or a device at its distance answers for it; \
         or the host was reset by a packet that did not pass the sensor",
    )
}

/// The host reset of its own accord.
fn own_accord(case: &Case<'_>) -> Finding {
    let before = case.before();
    let idle_s = case.idle_s();
    if let Some(finding) = turned_away(case) {
        return finding;
    }
    if gave_up_probing(case) {
        return Finding::new("R19", Cause::KeepaliveTimeout, 0.97, Cause::IdleTimeoutEndpoint);
    }
    if before.retransmissions(case.sender) >= 2 || lonely_retransmission(case) {
        return Finding::new("R20", Cause::RetransmissionTimeout, 0.9, Cause::AppAbort);
    }
    if let Some(finding) = tls::cause(case) {
        return finding;
    }
    // Servers live by timers; people's clients also just lose patience.
    let is_timed = is_known_timer(idle_s) || is_whole_seconds(case);
    let by_timer = is_timed || !case.sender_is_client();
    if idle_s >= LONG_IDLE_S || (idle_s >= IDLE_S && by_timer) {
        let base = if is_timed { 0.7 } else { 0.55 };
        return Finding::new("R21", Cause::IdleTimeoutEndpoint, base, Cause::AppAbort)
            .with_caveat("one silence proves no timer: an application may also just give up then");
    }
    by_choice(case)
}

/// The server said, instead of its greeting, that it serves too many already.
pub(super) fn turned_away(case: &Case<'_>) -> Option<Finding> {
    let said_so = case.before().last_payload(case.sender) == PayloadClass::TurnedAway;
    (said_so && !case.sender_is_client()).then_some(Finding::new(
        "R04b",
        Cause::ConnectionLimit,
        0.9,
        Cause::AppAbort,
    ))
}

/// The host had no reason but its own will.
pub(super) fn by_choice(case: &Case<'_>) -> Finding {
    if is_complete_exchange(case) {
        return Finding::new("R26", Cause::FastClose, 0.8, Cause::AppAbort);
    }
    Finding::new("R27", Cause::AppAbort, 0.85, Cause::FastClose).with_caveat(
        "the process gave up the connection; a deliberate abort, a crash and a kill look the same",
    )
}

/// Several probes, or one that has had all the time it needs.
fn gave_up_probing(case: &Case<'_>) -> bool {
    let probes = case.before().unanswered_probes(case.sender);
    let round_trip = case.before().round_trip(case.receiver).unwrap_or(Ticks(0));
    let waited = Ticks(round_trip.0.saturating_mul(2)).max(Ticks::from_ms(200));
    probes >= 2 || (probes == 1 && case.since(case.from()).is_some_and(|span| span > waited))
}

/// One retransmission, and then a silence longer than any acknowledgment takes.
fn lonely_retransmission(case: &Case<'_>) -> bool {
    case.before().retransmissions(case.sender) == 1
        && case.before().unacknowledged(case.sender) > 0
        && case.idle_s() >= 1.0
}

/// The server has answered, everything is acknowledged, nothing more is under way, and one side
/// hangs up.
fn is_complete_exchange(case: &Case<'_>) -> bool {
    let before = case.before();
    let (client, server) = (before.client(), before.client().opposite());
    let answered = before.side(server).has(Side::DATA);
    // What still comes in afterwards was under way: the exchange was not complete.
    let more_came = case.watch.aftermath.receiver_packets > 0;
    let all_acked =
        before.unacknowledged(case.sender) == 0 && before.unacknowledged(case.receiver) == 0;
    let span = before.side(server).advanced.since(before.side(client).advanced);
    let told_so =
        [before.last_payload(case.sender), before.last_payload(case.receiver)].iter().any(
            |class| matches!(class, PayloadClass::TlsCloseNotify | PayloadClass::TlsEncryptedAlert),
        );
    let waited = case.idle() > round_trips(case);
    answered && !more_came && all_acked && (told_so || (span > Ticks(0) && waited))
}

/// From end to end: time in which the next part of an answer would have come.
fn round_trips(case: &Case<'_>) -> Ticks {
    let before = case.before();
    let of = |direction| before.round_trip(direction).unwrap_or(Ticks(0)).0;
    Ticks(of(case.sender).saturating_add(of(case.receiver)))
}

/// Within 1 % or a second of a timer that products ship with.
fn is_known_timer(idle_s: f64) -> bool {
    KNOWN_TIMERS_S.iter().any(|&timer| idle_s >= timer - 0.1 && idle_s <= timer * 1.01 + 0.5)
}

/// The sender had been silent for a whole number of seconds, as people set their timers: chance does
/// that once in fifty times.
fn is_whole_seconds(case: &Case<'_>) -> bool {
    let silence_s = case.since(case.from()).map_or(0.0, Ticks::seconds);
    let rest_s = silence_s - silence_s.round();
    silence_s >= IDLE_S && (-0.002..=0.018).contains(&rest_s)
}

/// Silence after which a packet counts as late.
const LATE_S: f64 = 30.0;
/// Silence that an idle timer may have measured, if products ship with that timer.
pub(super) const IDLE_S: f64 = 4.9;
/// Silence that no user's impatience explains.
const LONG_IDLE_S: f64 = 20.0;
/// product.md, section 3.2.
const KNOWN_TIMERS_S: [f64; 16] = [
    5.0, 10.0, 15.0, 20.0, 30.0, 60.0, 65.0, 72.0, 75.0, 120.0, 180.0, 240.0, 300.0, 350.0, 600.0,
    3600.0,
];
