//! How often each rule is right on the grounds it decided on.

use std::collections::BTreeMap;
use std::io::{self, Write};

use classifiers::{
    Cap, Cause, Origin, Role, Row, UNDECIDED_MAX, cause_confidence_max, fitted_base,
};
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

/// What decided a verdict: the rule, the cause it gave, its hand-set base in hundredths.
pub(crate) type Grounds = (String, Cause, u32);

/// A verdict whose confidence is a base times the certainty of the origin.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Decided {
    pub(crate) grounds: Grounds,
    /// The capture it is in.
    pub(crate) capture: String,
    /// How the reset was made.
    pub(crate) family: String,
    /// Family and labelled cause: resets of one kind are no independent witnesses.
    pub(crate) kind: (String, String),
    /// What the base was multiplied with.
    pub(crate) certainty: f64,
    pub(crate) is_right: bool,
}

/// How firmly bases hold against the counts.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Prior {
    /// Weight of the prior, in rows; infinite keeps the hand-set bases.
    pub(crate) rows: f64,
    /// Added to the log-odds of every hand-set base: what all rules have in common, and so also what
    /// the wild may expect of a family of resets that nobody has played.
    pub(crate) shift: f64,
}

impl Prior {
    /// The hand-set bases, whatever was counted.
    pub(crate) const BY_HAND: Self = Self { rows: f64::INFINITY, shift: 0.0 };

    fn mean(self, hand_set: u32) -> f64 {
        let by_hand = (f64::from(hand_set) / 100.0).clamp(0.01, BASE_MAX);
        let odds = by_hand / (1.0 - by_hand) * self.shift.exp();
        odds / (1.0 + odds)
    }
}

/// The verdicts of `judged` that a base decided.
pub(crate) fn decided(judged: &[Judged]) -> Vec<Decided> {
    judged.iter().filter_map(decision).collect()
}

/// Smoothed share of right causes: a Beta prior around the hand-set base, moved by `prior.shift`.
///
/// A kind of n resets counts for n to the power of [`KIND_POWER`], so that hundreds of near-identical
/// rows do not outvote the rest. What the base is multiplied with (certainty of the origin) is divided out.
pub(crate) fn fit(decided: &[&Decided], prior: Prior) -> Vec<RuleBase> {
    let mut grounds: BTreeMap<&Grounds, BTreeMap<&(String, String), Count>> = BTreeMap::new();
    for row in decided {
        let count = grounds.entry(&row.grounds).or_default().entry(&row.kind).or_default();
        count.seen += 1;
        count.right += u32::from(row.is_right);
        count.expected += row.certainty;
    }
    grounds
        .into_iter()
        .map(|((rule, cause, hand_set), kinds)| {
            let sum = |of: fn(&Count) -> u32| kinds.values().map(of).sum();
            RuleBase {
                rule: rule.clone(),
                cause: *cause,
                hand_set: *hand_set,
                fitted: (smoothed(*cause, *hand_set, prior, kinds.values()) * 100.0).round() as u32,
                right: sum(|count| count.right),
                seen: sum(|count| count.seen),
            }
        })
        .collect()
}

/// The base of grounds that were not counted.
pub(crate) fn uncounted((_, cause, hand_set): &Grounds, prior: Prior) -> f64 {
    smoothed(*cause, *hand_set, prior, [].into_iter())
}

#[derive(Default)]
struct Count {
    seen: u32,
    right: u32,
    /// Sum of what the base was multiplied with.
    expected: f64,
}

/// `None` where something else than the base decides the confidence: somebody declared the cause,
/// nobody is named, one direction was seen, or the ambiguity table caps it.
///
/// A cause of that table is counted only where its evidence lifts the cap: without it, the lab's own
/// mix of look-alikes would be all that is counted.
fn decision(row: &Judged) -> Option<Decided> {
    let (label, said) = row.cause().filter(|_| !row.is_labelled_aftermath())?;
    let event = row.event.as_ref()?;
    let verdict = &event.verdict;
    let by_rule = verdict.role == Role::Primary
        && verdict.origin != Origin::Unknown
        && verdict.cause != Cause::Unknown
        && verdict.declared.is_none()
        && is_lifted(event);
    let endpoint = 1.0 / (1.0 + 10f64.powf(-verdict.origin_decibans / 10.0));
    let certainty = 0.6 + 0.4 * verdict.origin_confidence.max(endpoint);
    let base = fitted_base(&verdict.rule, verdict.cause, verdict.rule_base as f32);
    let is_told = (f64::from(base) * certainty - verdict.cause_confidence).abs() < SAME;
    let hand_set = (verdict.rule_base * 100.0).round() as u32;
    (by_rule && is_told).then(|| Decided {
        grounds: (verdict.rule.clone(), verdict.cause, hand_set),
        capture: row.label.file.clone(),
        family: row.label.family.clone(),
        kind: (row.label.family.clone(), label.name.clone()),
        certainty,
        is_right: said.is_some_and(|said| label.is(said)),
    })
}

/// Whether the ambiguity table lets the cause be said with more than [`UNDECIDED_MAX`].
fn is_lifted(event: &Event) -> bool {
    let evidence = event.verdict.evidence.iter();
    let seen = evidence.map(|item| (item.clue, item.row.as_deref().and_then(Row::from_name)));
    cause_confidence_max(event.verdict.cause, seen, false) > UNDECIDED_MAX
}

fn smoothed<'c>(
    cause: Cause,
    hand_set: u32,
    prior: Prior,
    kinds: impl Iterator<Item = &'c Count>,
) -> f64 {
    let by_hand = f64::from(hand_set) / 100.0;
    if prior.rows.is_infinite() {
        return by_hand;
    }
    let (mut right, mut expected) = (prior.rows * prior.mean(hand_set), prior.rows);
    let mut most = BASE_MAX;
    if Cap::of(cause).is_some() {
        most = by_hand.max(f64::from(UNDECIDED_MAX));
    }
    for count in kinds {
        let share = f64::from(count.seen).powf(KIND_POWER - 1.0);
        right += share * f64::from(count.right);
        expected += share * count.expected;
        most = BASE_MAX;
    }
    // Of the ambiguity table, only what was counted with its evidence may be said more surely; where
    // that evidence is missing, `judge` caps what is said whatever the base.
    (right / expected).clamp(BASE_MIN, most)
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

/// Between each kind alike (0) and each reset alike (1). With 0.5 the bases of rules that are right
/// in all frequent kinds and wrong in a rare one were stated too low: of three lab runs that were not
/// fitted on, the calibration error was 0.032 to 0.041, with 0.75 it was 0.024 to 0.032.
const KIND_POWER: f64 = 0.75;
/// Events tell probabilities with three decimals.
const SAME: f64 = 0.002;
const BASE_MIN: f64 = 0.3;
/// No rule is always right.
const BASE_MAX: f64 = 0.99;

#[cfg(test)]
mod tests {
    use classifiers::Cause;

    use super::{Count, Decided, Prior, fit, smoothed};

    const FIRM: Prior = Prior { rows: 10.0, shift: 0.0 };

    fn base(cause: Cause, hand_set: u32, right: u32) -> u32 {
        let kinds = [Count { seen: 900, right, expected: 900.0 }];
        (smoothed(cause, hand_set, FIRM, kinds.iter()) * 100.0).round() as u32
    }

    #[test]
    fn hundreds_of_near_identical_rows_count_for_less_than_their_number() {
        assert_eq!(base(Cause::AppAbort, 92, 0), 30);
        // (10 * 0.6 + 164) of (10 + 164).
        assert_eq!(base(Cause::AppAbort, 60, 900), 98);
    }

    #[test]
    fn what_cannot_be_told_apart_gains_only_by_what_was_counted_with_its_evidence() {
        let shifted = Prior { rows: 10.0, shift: 3.0 };
        let told = smoothed(Cause::StaleConnection, 60, shifted, [].iter());
        assert!((told - 0.7).abs() < 1e-6);
        assert_eq!(base(Cause::StaleConnection, 60, 900), 98);
        assert_eq!(base(Cause::AppAbort, 99, 900), 99);
    }

    #[test]
    fn by_hand_nothing_moves_and_a_shift_moves_what_was_not_counted() {
        let kinds = [Count { seen: 900, right: 0, expected: 900.0 }];
        assert_eq!(smoothed(Cause::AppAbort, 80, Prior::BY_HAND, kinds.iter()), 0.8);
        let shifted = Prior { rows: 5.0, shift: 1.0 };
        assert!(smoothed(Cause::AppAbort, 80, shifted, [].iter()) > 0.9);
    }

    #[test]
    fn one_kind_that_is_always_wrong_does_not_drown_among_another_that_is_right() {
        let row = |kind: &str, is_right| Decided {
            grounds: ("R1".to_owned(), Cause::AppAbort, 80),
            capture: String::new(),
            family: kind.to_owned(),
            kind: (kind.to_owned(), "app_abort".to_owned()),
            certainty: 1.0,
            is_right,
        };
        let mut rows = vec![row("many", true); 400];
        rows.extend(vec![row("few", false); 25]);
        let rows: Vec<&Decided> = rows.iter().collect();
        // (8 + 89.4) of (10 + 89.4 + 11.2); each reset alike it would be 94.
        let told = fit(&rows, FIRM);
        assert_eq!((told[0].fitted, told[0].right, told[0].seen), (88, 400, 425));
    }
}
