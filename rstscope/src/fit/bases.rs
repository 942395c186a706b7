//! How often each rule is right on the grounds it decided on.

use std::collections::BTreeMap;
use std::io::{self, Write};

use classifiers::{Cap, Cause, Origin, Role, Stage, UNDECIDED_MAX};
use events::Event;

use crate::evaluate::Judged;

/// A rule on certain grounds, and what it is worth by hand and by count.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct RuleBase {
    pub(crate) rule: String,
    pub(crate) cause: Cause,
    /// Hundredths.
    pub(crate) hand_set: u32,
    /// Hundredths.
    pub(crate) fitted: u32,
    pub(crate) right: u32,
    pub(crate) seen: u32,
}

/// Smoothed share of right causes, a Beta prior of [`PRIOR_ROWS`] rows at the hand-set base.
///
/// A family counts for [`FAMILY_MAX`] rows of a rule at most: alone it moves a base by three
/// quarters of the way. What the base is multiplied with (certainty of the origin) is divided out.
pub(crate) fn fit(judged: &[Judged]) -> Vec<RuleBase> {
    let mut grounds: BTreeMap<(String, Cause, u32), BTreeMap<&str, Count>> = BTreeMap::new();
    for row in judged {
        let Some((is_right, certainty)) = decided(row) else { continue };
        let verdict = &row.event.as_ref().expect("a decided row has an event").verdict;
        let hand_set = (verdict.rule_base * 100.0).round() as u32;
        let families = grounds.entry((verdict.rule.clone(), verdict.cause, hand_set)).or_default();
        let count = families.entry(&row.label.family).or_default();
        count.seen += 1;
        count.right += u32::from(is_right);
        count.expected += certainty;
    }
    grounds
        .into_iter()
        .map(|((rule, cause, hand_set), families)| {
            let fitted = smoothed(cause, hand_set, families.values());
            let sum = |of: fn(&Count) -> u32| families.values().map(of).sum();
            let (right, seen) = (sum(|count| count.right), sum(|count| count.seen));
            RuleBase { rule, cause, hand_set, fitted, right, seen }
        })
        .collect()
}

/// One direction says half as much, whatever the rule.
fn is_one_way(event: &Event) -> bool {
    (event.packets.client == 0) != (event.packets.server == 0)
        && !matches!(event.verdict.stage, Stage::PostSyn | Stage::None)
}

#[derive(Default)]
struct Count {
    seen: u32,
    right: u32,
    /// Sum of what the base was multiplied with.
    expected: f64,
}

/// Whether the rule was right about the cause, and what its base was multiplied with; `None` where
/// the base does not decide the confidence.
fn decided(row: &Judged) -> Option<(bool, f64)> {
    let (label, said) = row.cause().filter(|_| !row.is_labelled_aftermath())?;
    let event = row.event.as_ref()?;
    let verdict = &event.verdict;
    let by_rule = verdict.role == Role::Primary
        && verdict.origin != Origin::Unknown
        && verdict.cause != Cause::Unknown
        && verdict.declared.is_none()
        && !is_one_way(event);
    let endpoint = 1.0 / (1.0 + 10f64.powf(-verdict.origin_decibans / 10.0));
    let certainty = 0.6 + 0.4 * verdict.origin_confidence.max(endpoint);
    by_rule.then(|| (said.is_some_and(|said| label.is(said)), certainty))
}

fn smoothed<'c>(cause: Cause, hand_set: u32, families: impl Iterator<Item = &'c Count>) -> u32 {
    let by_hand = f64::from(hand_set) / 100.0;
    let (mut right, mut expected) = (PRIOR_ROWS * by_hand, PRIOR_ROWS);
    for count in families {
        let share = (FAMILY_MAX / f64::from(count.seen)).min(1.0);
        right += share * f64::from(count.right);
        expected += share * count.expected;
    }
    // Where the ambiguity table holds, the lab's own mix of look-alikes is no evidence.
    let most = if Cap::of(cause).is_some() && by_hand <= f64::from(UNDECIDED_MAX) {
        f64::from(UNDECIDED_MAX)
    } else {
        BASE_MAX
    };
    ((right / expected).clamp(BASE_MIN, most) * 100.0).round() as u32
}

/// Every base, with what it was counted on.
pub(crate) fn write(out: &mut impl Write, rules: &[RuleBase]) -> io::Result<()> {
    writeln!(
        out,
        "\nBASES of the rules\n  {:5} {:26} hand-set fitted right/seen",
        "rule", "cause"
    )?;
    for rule in rules {
        writeln!(
            out,
            "  {:5} {:26} {:8.2} {:6.2} {:5}/{}",
            rule.rule,
            rule.cause.name(),
            f64::from(rule.hand_set) / 100.0,
            f64::from(rule.fitted) / 100.0,
            rule.right,
            rule.seen
        )?;
    }
    Ok(())
}

/// Weight of the hand-set base, in rows.
const PRIOR_ROWS: f64 = 10.0;
/// Most rows that a family counts for.
const FAMILY_MAX: f64 = 30.0;
const BASE_MIN: f64 = 0.3;
/// No rule is always right.
const BASE_MAX: f64 = 0.99;

#[cfg(test)]
mod tests {
    use classifiers::Cause;

    use super::{Count, smoothed};

    #[test]
    fn a_family_alone_moves_a_base_three_quarters_of_the_way_at_most() {
        let families = [Count { seen: 1_000, right: 0, expected: 1_000.0 }];
        assert_eq!(smoothed(Cause::AppAbort, 92, families.iter()), 30);
    }

    #[test]
    fn what_cannot_be_told_apart_gains_nothing_from_the_lab() {
        let families = [Count { seen: 1_000, right: 1_000, expected: 1_000.0 }];
        assert_eq!(smoothed(Cause::StaleConnection, 60, families.iter()), 70);
        assert_eq!(smoothed(Cause::AppAbort, 60, families.iter()), 90);
        assert_eq!(smoothed(Cause::AppAbort, 99, families.iter()), 99);
    }
}
