//! R03 to R12: resets before any byte of the connection was answered.

use flowtable::{PayloadClass, Side, Stack, Ticks};

use crate::case::Case;
use crate::context::closed_silence;
use crate::rules::Finding;
use crate::vocabulary::{Cause, Shape, Stage};

pub(super) fn cause(case: &Case<'_>) -> Option<Finding> {
    if matches!(case.stage, Stage::PostFin | Stage::Later | Stage::None) {
        return None;
    }
    if case.sender_is_client() { by_client(case) } else { by_server(case) }
}

fn by_server(case: &Case<'_>) -> Option<Finding> {
    let (from, to) = (case.from(), case.to());
    if from.packets == 0 && to.has(Side::SYN) {
        return Some(refused(case));
    }
    if from.has(Side::DATA) {
        return None;
    }
    let prompt = case.idle() < PROMPT;
    if crate::context::is_overflow(case) && prompt {
        return Some(
            Finding::new("R10", Cause::AcceptQueueOverflow, 0.45, Cause::UnacceptableSegment)
                .with_caveat(
                    "a full accept queue, a failed SYN cookie and a vanished listener reset alike",
                ),
        );
    }
    if met_second_syn(case) {
        return Some(Finding::new("R12", Cause::UnacceptableSegment, 0.85, Cause::StaleConnection));
    }
    let beyond = case.reset().seq.distance_from(from.next) > 0 && !case.before().has_gap();
    if case.shape == Shape::Reply && case.answers_receiver() && beyond && from.has(Side::SYN) {
        return Some(Finding::new("R12", Cause::UnacceptableSegment, 0.85, Cause::StaleConnection));
    }
    if case.before().first_payload(case.receiver) == PayloadClass::TlsClientHello {
        return Some(Finding::new("R25", Cause::TlsFailureAbort, 0.6, Cause::AppAbort));
    }
    if case.shape == Shape::Active && case.before().handshake_complete() {
        return Some(accepted_then_dropped(case));
    }
    None
}

/// The SYN/ACK was acknowledged, and yet the handshake did not end: by a SYN, which a host in
/// SYN-RECEIVED does not take (RFC 9293, section 3.10.7.4).
fn met_second_syn(case: &Case<'_>) -> bool {
    let (from, to) = (case.from(), case.to());
    case.stage == Stage::PostSyn
        && case.is_bare()
        && case.receiver_spoke_last()
        && from.has(Side::SYN)
        && to.has(Side::SYN)
        && to.packets >= 2
        && case.reset().seq == from.next
        && to.acked == from.next
}

/// A front end that had tried its backend again after one or more whole seconds, and then hangs up
/// with FIN and reset at once (HAProxy waits 1 s before each retry; `option nolinger`).
pub(super) fn gave_up_backend(case: &Case<'_>) -> bool {
    let Some(waited) = closed_silence(case) else { return false };
    let waited_s = waited.seconds();
    let at_timer = CONNECT_TIMEOUTS_S.iter().any(|&timer| (waited_s - timer).abs() < 0.1);
    !case.sender_is_client()
        && case.shape == Shape::Active
        && case.before().handshake_complete()
        && !case.from().has(Side::DATA)
        && at_timer
}

/// A SYN refused. A packet filter at the same distance answers the same way.
fn refused(case: &Case<'_>) -> Finding {
    let finding = if accepted_recently(case) {
        Finding::new("R03a", Cause::ServiceUnavailable, 0.9, Cause::PolicyResetSyn)
    } else {
        Finding::new("R03", Cause::PortClosed, 0.97, Cause::PolicyResetSyn)
    };
    as_far_as_proved(case, finding)
}

/// A refusal that a packet filter may have written too is said with less.
pub(super) fn as_far_as_proved(case: &Case<'_>, finding: Finding) -> Finding {
    let reflects = case.before().traffic_class(case.receiver) & 0xfc != 0
        && case.reset().traffic_class & 0xfc == case.before().traffic_class(case.receiver) & 0xfc;
    let has_label = case.is_v6() && case.reset().flow_label != 0;
    if reflects || has_label {
        return finding;
    }
    Finding { base: 0.7, ..finding }
        .with_caveat("a packet filter on the server, or at its distance, refuses the same way")
}

/// The same port of the same server accepted a connection not long ago.
fn accepted_recently(case: &Case<'_>) -> bool {
    let now_s = case.reset().time.seconds();
    case.watch.accepted_s.is_some_and(|then_s| now_s.saturating_sub(then_s) < RECENT_S)
}

/// The handshake was completed, and then the server's side hung up without a byte.
fn accepted_then_dropped(case: &Case<'_>) -> Finding {
    let silence = case.since(case.to()).unwrap_or(Ticks(0));
    let round_trip = case.round_trip().map_or(Ticks(0), |round_trip| round_trip.span);
    let front = case.before().syn_window(case.sender) == 0 || crate::clues::is_split(case);
    let at_timer = CONNECT_TIMEOUTS_S.iter().any(|&timer| (case.idle_s() - timer).abs() < 0.05);
    let waited = silence > Ticks(round_trip.0.saturating_mul(2));
    if waited && (front || (at_timer && !case.carried_data())) {
        return Finding::new("R11", Cause::ProxiedBackendRefused, 0.65, Cause::AppAbort);
    }
    if case.idle_s() >= IDLE_S {
        return Finding::new("R21", Cause::IdleTimeoutEndpoint, 0.55, Cause::AppAbort);
    }
    Finding::new("R27", Cause::AppAbort, 0.8, Cause::ProxiedBackendRefused)
}

fn by_client(case: &Case<'_>) -> Option<Finding> {
    let (from, to, before) = (case.from(), case.to(), case.before());
    let is_answer = case.is_bare() && case.answers_receiver();
    if before.syn_was_echoed_wrongly() && is_answer && !before.handshake_complete() {
        return Some(Finding::new(
            "R12",
            Cause::UnacceptableSegment,
            0.85,
            Cause::ConnectCancelled,
        ));
    }
    if before.syn_was_answered_oddly() && is_answer {
        return Some(
            Finding::new("R06", Cause::TimewaitCollision, 0.85, Cause::UnacceptableSegment)
                .with_caveat("SYN-flood protection provokes the same reset"),
        );
    }
    let wrong_ack = to.has(Side::SYN) && to.acked != from.next && !from.has(Side::DATA);
    if wrong_ack && case.is_bare() && case.answers_receiver() {
        return Some(Finding::new("R12", Cause::UnacceptableSegment, 0.8, Cause::SynAuthReset));
    }
    if from.has(Side::DATA) {
        return None;
    }
    if before.handshake_complete() {
        return None;
    }
    let is_bare_syn = before.stack(case.sender) == Stack::Bare;
    if to.has(Side::SYN) && is_bare_syn && case.is_bare() {
        return Some(Finding::new("R07", Cause::SynScan, 0.85, Cause::HealthCheck));
    }
    Some(Finding::new("R09", Cause::ConnectCancelled, 0.85, Cause::SynScan))
}

/// A reset so soon after the last segment answers it.
const PROMPT: Ticks = Ticks::from_ms(3_000);
/// A service that accepted so recently is down, not absent.
const RECENT_S: u32 = 600;
/// Silence that an idle timer may have measured.
const IDLE_S: f64 = 5.0;
/// Usual connect timeouts of front ends towards their backends.
const CONNECT_TIMEOUTS_S: [f64; 6] = [1.0, 2.0, 3.0, 5.0, 10.0, 30.0];
