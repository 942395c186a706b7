//! What came of an attempt to connect, as far as its reset tells: the common coin of the tables
//! that compare attempts.

use flowtable::{Endpoint, Side, Timestamp};
use wire::Address;

use crate::case::Case;
use crate::verdict::Ruling;
use crate::vocabulary::{Origin, Role, Shape, Stage};

/// Somebody tried something, and a reset was the end of it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Attempt {
    /// Who tried.
    pub(crate) prober: Address,
    /// What it tried.
    pub(crate) target: Endpoint,
    pub(crate) outcome: Outcome,
    pub(crate) time: Timestamp,
}

/// How it ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    /// The SYN was refused, by whomever.
    Refused,
    /// The prober reset the SYN/ACK.
    HalfOpen,
    /// The prober completed the handshake and reset without a byte.
    Touched,
    /// The target reset a lone segment without SYN.
    Stray,
}

impl Attempt {
    /// Whether its SYN was refused: there was no connection to learn from, no silence, no name, no
    /// number to guess.
    pub(crate) fn was_refused(&self) -> bool {
        self.outcome == Outcome::Refused
    }

    /// The attempt that ended with this reset; `None` if it was more than an attempt.
    pub(crate) fn of(case: &Case<'_>, ruling: &Ruling) -> Option<Self> {
        if ruling.role != Role::Primary {
            return None;
        }
        let watch = case.watch;
        let outcome = outcome(case, ruling)?;
        let by_prober = matches!(outcome, Outcome::HalfOpen | Outcome::Touched);
        let (prober, target) =
            if by_prober { (case.sender, case.receiver) } else { (case.receiver, case.sender) };
        Some(Self {
            prober: watch.key.sender(prober).address,
            target: watch.key.sender(target),
            outcome,
            time: watch.reset.time,
        })
    }
}

fn outcome(case: &Case<'_>, ruling: &Ruling) -> Option<Outcome> {
    let (from, to) = (case.from(), case.to());
    if from.packets == 0 && to.has(Side::SYN) {
        return (case.stage == Stage::PostSyn && !case.sender_is_client())
            .then_some(Outcome::Refused);
    }
    if from.packets == 0 {
        return is_answer_to_a_stray(case).then_some(Outcome::Stray);
    }
    let by_client = case.sender_is_client()
        && from.has(Side::SYN)
        && to.has(Side::SYN)
        && matches!(ruling.origin, Origin::Client | Origin::Unknown);
    if !by_client || case.carried_data() || case.stage == Stage::PostFin {
        return None;
    }
    if case.before().handshake_complete() {
        return Some(Outcome::Touched);
    }
    (to.acked == from.next).then_some(Outcome::HalfOpen)
}

/// A lone segment of nothing known drew the reset that a stack owes it.
pub(crate) fn is_answer_to_a_stray(case: &Case<'_>) -> bool {
    let (from, to) = (case.from(), case.to());
    let is_lone = from.packets == 0 && to.packets == 1;
    let is_answer = if case.is_bare() { case.answers_receiver() } else { answers_no_ack(case) };
    is_lone && !to.has(Side::SYN) && !to.has(Side::DATA) && is_answer && !case.before().is_over()
}

/// RST|ACK with number 0: the answer to a segment without ACK (RFC 9293, section 3.10.7.1). No
/// stack sends such a segment but for a SYN: FIN, NULL and Xmas probes are made by hand.
pub(crate) fn answers_no_ack(case: &Case<'_>) -> bool {
    case.shape == Shape::Refusal && case.reset().ack == case.to().next
}
