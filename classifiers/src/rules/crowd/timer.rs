//! R16 to R18, R21, R23 with a timer that other connections show.
//!
//! One silence proves no timer; a cluster of them does, and the lack of one tells against it.

use flowtable::Ticks;

use crate::case::Case;
use crate::context::{Relation, TimerFacts, TimerKind, TimerOwner, closed_silence};
use crate::rules::{Finding, stream};
use crate::verdict::{Evidence, Value};
use crate::vocabulary::{Cause, Clue};

pub(super) fn if_endpoint(case: &Case<'_>) -> Option<Finding> {
    let timer = at(case)?;
    match timer.kind {
        TimerKind::Ends if closed_silence(case).is_some() => after_close(case, &timer),
        TimerKind::Ends if timer.owner == TimerOwner::Device => None,
        TimerKind::Ends => {
            Some(Finding::new("R21", Cause::IdleTimeoutEndpoint, 0.85, Cause::AppAbort))
        }
        TimerKind::Forgets => Some(
            Finding::new("R17", Cause::IdleExpiredLatePacket, 0.85, Cause::StaleConnection)
                .with_caveat(
                    "the host, or a device right in front of it, had forgotten the session",
                ),
        ),
    }
}

/// The sender had closed at its timer, and now resets.
fn after_close(case: &Case<'_>, timer: &TimerFacts) -> Option<Finding> {
    if !timer.by_fin {
        return None;
    }
    let news = case.to().advanced.since(case.from().advanced);
    if case.is_bare() && news > Ticks(0) {
        let finding = Finding::new("R23", Cause::DataAfterClose, 0.97, Cause::CloseRace);
        return Some(finding.with_caveat(
            "a keep-alive race: the sender had closed at its idle timer, which the other side had \
             not heard of or did not heed",
        ));
    }
    // FIN and reset in one go: the other side had no say in it.
    let since_close = case.reset().time.tick().since(case.from().advanced);
    (!case.is_bare() && news == Ticks(0) && since_close < AT_ONCE).then_some(Finding::new(
        "R21",
        Cause::IdleTimeoutEndpoint,
        0.85,
        Cause::CloseRace,
    ))
}

pub(super) fn if_device(case: &Case<'_>) -> Option<Finding> {
    let timer = at(case)?;
    match timer.kind {
        TimerKind::Ends if timer.owner == TimerOwner::Device => {
            Some(Finding::new("R18", Cause::IdleTimeoutMiddlebox, 0.9, Cause::PolicyResetMidstream))
        }
        TimerKind::Ends => None,
        TimerKind::Forgets => {
            Some(Finding::new("R16", Cause::IdleExpiredLatePacket, 0.85, Cause::SessionlessReset))
        }
    }
}

/// What looks like the end of a timer by this connection alone, but is none by the others.
pub(in crate::rules) fn tempered(case: &Case<'_>, finding: Finding) -> Finding {
    let Some(timer) = case.setting.timer else { return finding };
    let refuted = match timer.relation {
        Relation::At => false,
        // A timer that is there and another that is not known yet: both may be.
        Relation::Elsewhere => case.idle() < timer.low,
        Relation::Scattered => true,
    };
    if finding.cause != Cause::IdleTimeoutEndpoint || finding.rule != "R21" || !refuted {
        return finding;
    }
    let choice = stream::by_choice(case);
    Finding { base: choice.base.min(TEMPERED_MAX), confusion: Cause::IdleTimeoutEndpoint, ..choice }
}

/// What the timer says of the silence, for whoever reads the proof sheet.
pub(crate) fn evidence(case: &Case<'_>) -> Option<Evidence> {
    let timer = case.setting.timer?;
    let gap = closed_silence(case).unwrap_or_else(|| case.idle_before_provocation());
    let (expected, says) = match (timer.relation, timer.kind) {
        (Relation::At, TimerKind::Ends) => {
            (nanoseconds(timer.estimate()), "other connections are ended after this very silence")
        }
        (Relation::At, TimerKind::Forgets) => {
            (nanoseconds(timer.estimate()), "other connections die after silences from here on")
        }
        (Relation::Elsewhere, _) => {
            (nanoseconds(timer.estimate()), "other connections are ended after another silence")
        }
        (Relation::Scattered, _) => {
            (Value::None, "others end connections after all kinds of silences: no timer shows")
        }
    };
    let observed = nanoseconds(gap);
    Some(Evidence { clue: Clue::Idle, row: None, observed, expected, decibans: 0.0, says })
}

fn at(case: &Case<'_>) -> Option<TimerFacts> {
    case.setting.timer.filter(|timer| timer.relation == Relation::At)
}

const fn nanoseconds(span: Ticks) -> Value {
    Value::Nanoseconds(span.ns())
}

/// FIN and reset by one call, or two in a row.
const AT_ONCE: Ticks = Ticks::from_ms(1_000);
/// One connection looks like a timer, the others do not: neither is sure.
const TEMPERED_MAX: f32 = 0.65;
