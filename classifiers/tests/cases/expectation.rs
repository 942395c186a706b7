//! What came against what a script expects, and what holds of every verdict.

use std::fmt::Write as _;

use classifiers::{Cause, Impact, Origin, Role, Row, cause_confidence_max};
use events::{Event, EventStatus};

use crate::replay::Replay;
use crate::script::Script;

/// One text for each expectation that does not hold: line, clauses, what came, all evidence.
pub(crate) fn failures_of(script: &Script, replay: &Replay) -> Vec<String> {
    let mut failures = invariant_failures(replay);
    for expectation in &script.expectations {
        let status =
            if expectation.is_provisional { EventStatus::Provisional } else { EventStatus::Final };
        let fits =
            |event: &&Event| event.status == status && event.frame == Some(expectation.frame);
        let line = expectation.line;
        let Some(event) = replay.events.iter().find(fits) else {
            failures.push(format!("{line}: no event for frame {}", expectation.frame));
            continue;
        };
        let problems: Vec<String> = expectation
            .clauses
            .iter()
            .filter_map(|clause| {
                let came = clause.problem(event)?;
                Some(format!("    expected {}, came {came}", clause.text))
            })
            .collect();
        if !problems.is_empty() {
            failures.push(format!("{line}:\n{}\n{}", problems.join("\n"), describe(event)));
        }
    }
    failures
}

/// A verdict in a few lines.
pub(crate) fn describe(event: &Event) -> String {
    let verdict = &event.verdict;
    let mut text = format!(
        "  {:?} frame {}: {}, {} {:.3} ({} dB), {} {:.3} by {}, {}, {}, {}, {}, terminator {}",
        event.status,
        event.frame.unwrap_or(0),
        verdict.role.name(),
        verdict.origin.name(),
        verdict.origin_confidence,
        verdict.origin_decibans,
        verdict.cause.name(),
        verdict.cause_confidence,
        verdict.rule,
        verdict.effect.name(),
        verdict.impact.name(),
        verdict.stage.name(),
        verdict.shape.name(),
        verdict.terminator.name(),
    );
    let mut line = |content: String| {
        write!(text, "\n      {content}").expect("a string takes everything");
    };
    for other in &verdict.alternatives {
        let (origin, cause) = (other.origin.name(), other.cause.name());
        line(format!("or {origin}, {cause} {:.3}", other.confidence));
    }
    if let Some(declared) = &verdict.declared {
        line(format!("declared {declared:?}"));
    }
    if let Some(caveat) = &verdict.caveat {
        line(format!("caveat: {caveat}"));
    }
    for item in &verdict.evidence {
        let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
        let (observed, expected) = (shown(&item.observed), shown(&item.expected));
        let (clue, decibans, says) = (item.clue.name(), item.decibans, &item.says);
        line(format!("{decibans:>6} {clue:<14} {observed} against {expected}: {says}"));
    }
    text
}

/// What must hold of every event of every capture.
pub(crate) fn invariant_failures(replay: &Replay) -> Vec<String> {
    let mut failures = Vec::new();
    for event in &replay.events {
        for broken in broken_rules(event) {
            failures.push(format!("{broken}\n{}", describe(event)));
        }
    }
    let finals = |frame: u64| {
        let fits =
            |event: &&Event| event.status == EventStatus::Final && event.frame == Some(frame);
        replay.events.iter().filter(fits).count() as u64
    };
    let mut missing = 0;
    for &frame in &replay.reset_frames {
        match finals(frame) {
            0 => missing += 1,
            1 => {}
            count => failures.push(format!("{count} final events for the reset in frame {frame}")),
        }
    }
    let lost = |name: &str| replay.report.losses.get(name).copied().unwrap_or(0);
    let named = lost("resets_beyond_flow_share") + lost("findings_without_window");
    if missing != named {
        let losses = &replay.report.losses;
        failures.push(format!("{missing} resets without a final event, {named} named: {losses:?}"));
    }
    failures
}

fn broken_rules(event: &Event) -> Vec<&'static str> {
    let verdict = &event.verdict;
    let is_share = |value: f64| (0.0..=1.0).contains(&value);
    let shares_hold = is_share(verdict.origin_confidence)
        && is_share(verdict.cause_confidence)
        && verdict.alternatives.iter().all(|other| is_share(other.confidence));
    let is_primary = verdict.role == Role::Primary;
    let is_undecided =
        verdict.origin == Origin::Unknown && is_primary && verdict.declared.is_none();
    let is_device = matches!(
        verdict.origin,
        Origin::MiddleboxToClient
            | Origin::MiddleboxToServer
            | Origin::MiddleboxBoth
            | Origin::BlindAttacker
    );
    // Whoever it was, it was for this reason.
    let is_agreed = verdict.alternatives.iter().all(|other| other.cause == verdict.cause);
    let rules = [
        (shares_hold, "a confidence outside 0 to 1"),
        (verdict.origin_decibans.is_finite(), "a sum that is no number"),
        (
            verdict.cause != Cause::Unknown || verdict.cause_confidence <= 0.5,
            "an unknown cause above 0.5",
        ),
        (
            !is_undecided || verdict.cause_confidence <= if is_agreed { 0.701 } else { 0.5 },
            "a cause above 0.5 of an unknown sender, or above 0.7 if both have it",
        ),
        (!is_undecided || verdict.alternatives.len() == 2, "an unknown sender without candidates"),
        (!is_device || verdict.origin_confidence >= 0.7, "a device accused below 0.7"),
        (is_within_cap(event), "a cause of the ambiguity table above 0.7 without its evidence"),
        (is_primary || verdict.cause == Cause::SecondaryRst, "a follower with a cause of its own"),
        (is_primary || verdict.impact == Impact::Benign, "a follower with an impact"),
        (
            !is_primary || verdict.cause != Cause::SecondaryRst,
            "a primary reset as its own aftermath",
        ),
    ];
    rules.iter().filter(|(holds, _)| !holds).map(|&(_, broken)| broken).collect()
}

/// Whether the cause is not said with more than the ambiguity table allows.
fn is_within_cap(event: &Event) -> bool {
    let verdict = &event.verdict;
    let row = |name: &String| Row::from_name(name).expect("a row of an event has a name");
    let seen = verdict.evidence.iter().map(|item| (item.clue, item.row.as_ref().map(row)));
    let most = cause_confidence_max(verdict.cause, seen, verdict.declared.is_some());
    verdict.cause_confidence <= f64::from(most) + 0.000_5
}
