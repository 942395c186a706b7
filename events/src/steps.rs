//! Which observations would prove a verdict wrong, and which steps fit this event.

use classifiers::{Cause, Clue, Impact, Origin, Terminator};

use crate::advice::{Advice, When};
use crate::context::TimerFields;
use crate::event::Event;
use crate::fill::fill;
use crate::sentence::{capitalised, uncapitalised};

/// What would prove the sender and the cause wrong.
pub(crate) fn disproofs(event: &Event, advice: &Advice) -> Vec<String> {
    let mut paragraphs = Vec::new();
    let named = event.claimed.name();
    if is_forged(event.verdict.origin) {
        paragraphs.push(format!(
            "The sender: by a capture on the {named} {} that shows it sending this reset.",
            event.claimed_endpoint().ip
        ));
    } else if event.verdict.origin != Origin::Unknown {
        paragraphs.push(format!(
            "The sender: by a capture on the {named} {} that lacks this reset.",
            event.claimed_endpoint().ip
        ));
    }
    paragraphs.push(match event.verdict.cause {
        Cause::Unknown => fill(advice.disproof, event),
        _ => format!("The cause: by {}", uncapitalised(&fill(advice.disproof, event))),
    });
    paragraphs
}

/// What to do next, the most telling first.
pub(crate) fn steps(event: &Event, advice: &Advice) -> Vec<String> {
    // What many connections show comes before what one lets guess.
    let shown = timer(event).map(|timer| format!("{}.", capitalised(&timer.step())));
    let of_the_cause = advice.steps.iter().filter(|(when, _)| applies(*when, event));
    let of_the_cause = of_the_cause.map(|(_, step)| capitalised(&fill(step, event)));
    let mut steps: Vec<String> = shown.into_iter().chain(of_the_cause).collect();
    if is_forged(event.verdict.origin) {
        steps.push(format!(
            "Do not look for the fault at the {}: a log that names it as the sender only repeats \
             the packet's source address.",
            event.claimed.name()
        ));
    }
    steps
}

/// Whether another than the named endpoint sent it.
pub(crate) const fn is_forged(origin: Origin) -> bool {
    matches!(
        origin,
        Origin::MiddleboxToClient
            | Origin::MiddleboxToServer
            | Origin::MiddleboxBoth
            | Origin::BlindAttacker
    )
}

fn applies(when: When, event: &Event) -> bool {
    let verdict = &event.verdict;
    let is_benign = verdict.impact == Impact::Benign;
    let late_s = event.late_after_close_s;
    match when {
        When::Always => true,
        When::Idle => event.idle_before_s.is_some_and(|idle_s| idle_s >= IDLE_S),
        When::BackendPort => BACKEND_PORTS.contains(&event.server.port),
        When::ServerSilent => event.bytes.server == 0 && event.bytes.client > 0,
        When::Fronted => verdict.terminator != Terminator::None,
        When::Benign => is_benign && unacked(event) == Some(0),
        When::BenignUnacked => is_benign && unacked(event).is_none_or(|bytes| bytes > 0),
        When::Forged => is_forged(verdict.origin),
        When::ServerRoundTrip => event.rtt_ms.server.is_some(),
        When::BothEnds => event.other_side_rst,
        When::KeepAliveRace => {
            late_s.is_some_and(|late_s| late_s < CROSSING_S)
                && event.longest_silence_s.is_some_and(|silence_s| silence_s >= 2)
        }
        When::TimerUnknown => timer(event).is_none(),
        When::Placed => event.peer.is_some(),
        When::LastWordUnread => verdict.unread_possible == Some(true),
    }
}

/// The idle timer that other connections show for this reset.
fn timer(event: &Event) -> Option<&TimerFields> {
    event.context.as_ref()?.timer.as_ref()
}

/// Whether a clue says that it came sooner than the named endpoint can answer.
pub(crate) fn is_too_soon(event: &Event) -> bool {
    let evidence = &event.verdict.evidence;
    evidence.iter().any(|item| item.clue == Clue::Causality && item.decibans < 0.0)
}

/// Payload bytes of both sides that nobody acknowledged; `None` if that is not known of one.
fn unacked(event: &Event) -> Option<u64> {
    let bytes = &event.verdict.bytes_unacked;
    Some(u64::from(bytes.client?) + u64::from(bytes.server?))
}

/// Silence from which a timer is suspected (classification.md, rule 16).
const IDLE_S: f64 = 30.0;

/// What comes so soon after a close was on its way, or its sender had not heard of it.
const CROSSING_S: f64 = 1.0;

/// Ports whose connections are usually pooled: SQL Server, Oracle, MySQL, PostgreSQL, AMQP, Redis,
/// Cassandra, Kafka, Elasticsearch, Memcached, MongoDB, LDAP.
const BACKEND_PORTS: [u16; 13] =
    [389, 636, 1433, 1521, 3306, 5432, 5672, 6379, 9042, 9092, 9200, 11211, 27017];
