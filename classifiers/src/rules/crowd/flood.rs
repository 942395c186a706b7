//! R01, R05: floods, and what protects from them.

use flowtable::{Side, Stack};

use crate::case::Case;
use crate::rules::Finding;
use crate::vocabulary::{Cause, Shape, Stage};

pub(super) fn cause(case: &Case<'_>) -> Option<Finding> {
    let flood = case.setting.flood?;
    if meets_wrong_ack(case) {
        // One in two let in at once: protection keeps its word, an accident does not.
        let base = if flood.let_in_percent.is_some_and(|share| share >= 50) { 0.85 } else { 0.7 };
        return flood.tests_clients().then_some(Finding::new(
            "R05",
            Cause::SynAuthReset,
            base,
            Cause::UnacceptableSegment,
        ));
    }
    let never_spoke = case.from().packets == 0;
    let answers_syn_ack = case.to().has(Side::SYN) && case.sender_is_client();
    if flood.is_spoofed() && never_spoke && (answers_syn_ack || case.shape == Shape::Refusal) {
        return Some(
            Finding::new("R01", Cause::SynFloodBackscatter, 0.85, Cause::PortClosed)
                .with_caveat("a capture that misses one direction would look the same"),
        );
    }
    // A raw SYN among those of a flood: its kernel knows nothing of it, nor does its owner.
    let is_raw = case.stack() == Stack::Bare && answers_syn_ack && case.stage == Stage::PostSyn;
    (flood.is_spoofed() && is_raw && case.setting.scan.is_none()).then_some(
        Finding::new("R01", Cause::SynFloodBackscatter, 0.7, Cause::SynScan)
            .with_caveat("a scanner among the victims of a flood would look the same"),
    )
}

/// The client resets an answer to its SYN that acknowledges something else: SYN-flood protection
/// asks that way, remains of an old connection answer that way, and so do broken hosts.
pub(crate) fn meets_wrong_ack(case: &Case<'_>) -> bool {
    let (from, to) = (case.from(), case.to());
    let is_odd = case.before().syn_was_answered_oddly();
    let is_wrong = to.has(Side::SYN) && to.acked != from.next && !from.has(Side::DATA);
    case.sender_is_client()
        && case.stage == Stage::PostSyn
        && from.has(Side::SYN)
        && case.is_bare()
        && case.answers_receiver()
        && (is_odd || is_wrong)
}
