//! Everything the comparison found, as one value: printed as text, as JSON or as a picture.

use classifiers::{Cause, Clue, Origin, Role};
use events::Event;
use serde::Serialize;

use super::classes::{self, INJECTED};
use super::judged::{Judged, Unwatched};
use super::reliability::Reliability;
use super::score::{Pairing, Score, score, share};

/// Verdicts against labels.
#[derive(Serialize)]
pub(crate) struct Comparison<'j> {
    /// Labelled resets.
    pub(crate) rows: u64,
    /// Those without an event.
    pub(crate) without_event: WithoutEvent,
    /// Who.
    pub(crate) origin: Score,
    /// Whether it was somebody else than the two ends.
    pub(crate) not_endpoint: NotEndpoint,
    /// Why, of resets that are no aftermath of others.
    pub(crate) cause: Score,
    /// Aftermath of another reset or not.
    pub(crate) aftermath: Aftermath,
    /// Whether the confidences are what they say.
    pub(crate) calibration: Vec<Reliability>,
    /// Every disagreement.
    pub(crate) misses: Vec<Miss<'j>>,
}

/// Labelled resets of which nothing was said.
#[derive(Serialize, Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct WithoutEvent {
    pub(crate) rows: u64,
    /// Those that are labelled the aftermath of another reset.
    pub(crate) labelled_aftermath: u64,
    /// Resets of these captures, labelled or not, that the sensor counted but did not watch,
    /// because as many of their connection were watched already.
    pub(crate) beyond_flow_share: u64,
    /// Those that it did not watch for want of room.
    pub(crate) without_watch: u64,
}

/// "Not an endpoint" as a question of yes and no.
#[derive(Serialize, Clone, PartialEq, Debug, Default)]
pub(crate) struct NotEndpoint {
    /// Resets that an end sent.
    pub(crate) by_endpoint: u64,
    /// Those that were called a device's or attacker's: the worst mistake.
    pub(crate) accused: u64,
    /// Resets that somebody else sent.
    pub(crate) by_others: u64,
    /// Those that were called so.
    pub(crate) found: u64,
    /// Resets of others against which time, distance or shape was found to speak.
    pub(crate) with_contradiction: u64,
    /// Those that were called so.
    pub(crate) found_with_contradiction: u64,
    /// Verdicts that name nobody.
    pub(crate) undecided: u64,
    /// Right accusations of all.
    pub(crate) precision: Option<f64>,
    /// Found of all.
    pub(crate) recall: Option<f64>,
    /// Found of those with a contradiction.
    pub(crate) recall_with_contradiction: Option<f64>,
}

/// Roles of labelled primary resets and of labelled aftermath.
#[derive(Serialize, Clone, PartialEq, Debug, Default)]
pub(crate) struct Aftermath {
    /// Labelled `secondary_rst`.
    pub(crate) labelled: u64,
    /// Those that were judged so.
    pub(crate) right: u64,
    /// Labelled with a cause of their own, judged aftermath.
    pub(crate) primary_judged_aftermath: u64,
}

/// A label that the verdict does not agree with.
#[derive(Serialize)]
pub(crate) struct Miss<'j> {
    pub(crate) file: &'j str,
    pub(crate) frame: u64,
    pub(crate) origin: Option<&'j str>,
    pub(crate) cause: Option<&'j str>,
    pub(crate) is_origin_wrong: bool,
    pub(crate) is_cause_wrong: bool,
    pub(crate) note: &'j str,
    /// What was said; `None` if nothing.
    pub(crate) event: Option<&'j Event>,
}

impl<'j> Comparison<'j> {
    /// Compares.
    pub(crate) fn of(judged: &'j [Judged], unwatched: Unwatched) -> Self {
        Self {
            rows: judged.len() as u64,
            without_event: WithoutEvent {
                rows: count(judged, |row| row.event.is_none()),
                labelled_aftermath: count(judged, |row| {
                    row.event.is_none() && row.is_labelled_aftermath()
                }),
                beyond_flow_share: unwatched.beyond_flow_share,
                without_watch: unwatched.without_watch,
            },
            origin: origin_score(judged),
            not_endpoint: not_endpoint(judged),
            cause: cause_score(judged),
            aftermath: aftermath(judged),
            calibration: calibration(judged),
            misses: judged.iter().filter_map(miss).collect(),
        }
    }
}

fn count(judged: &[Judged], holds: impl Fn(&Judged) -> bool) -> u64 {
    judged.iter().filter(|row| holds(row)).count() as u64
}

fn origin_score(judged: &[Judged]) -> Score {
    let pairs: Vec<Pairing<'_>> = judged
        .iter()
        .filter_map(Judged::origin)
        .map(|(label, said)| Pairing {
            label: label.class(said, Origin::name),
            is_joint: label.is_joint(),
            said: said.map(Origin::name),
            is_right: said.is_some_and(|said| label.is(said)),
        })
        .collect();
    let covers =
        |label: &str, said: &str| classes::accepts(classes::origin(label), Origin::from_name(said));
    score(&pairs, covers, |_| "")
}

fn cause_score(judged: &[Judged]) -> Score {
    let pairs: Vec<Pairing<'_>> = judged
        .iter()
        .filter(|row| !row.is_labelled_aftermath())
        .filter_map(Judged::cause)
        .map(|(label, said)| Pairing {
            label: label.class(said, Cause::name),
            is_joint: label.is_joint(),
            said: said.map(Cause::name),
            is_right: said.is_some_and(|said| label.is(said)),
        })
        .collect();
    let covers = |label: &str, said: &str| {
        let expected = classes::cause_class(label).or_else(|_| classes::cause(label));
        classes::accepts(expected, Cause::from_name(said))
    };
    score(&pairs, covers, classes::undecidable)
}

fn not_endpoint(judged: &[Judged]) -> NotEndpoint {
    let mut counted = NotEndpoint::default();
    for row in judged {
        let (Some(is_by_endpoint), Some(event)) = (row.is_by_endpoint(), &row.event) else {
            counted.by_others += u64::from(row.is_by_endpoint() == Some(false));
            counted.by_endpoint += u64::from(row.is_by_endpoint() == Some(true));
            continue;
        };
        let is_accused = INJECTED.contains(&event.verdict.origin);
        counted.undecided += u64::from(event.verdict.origin == Origin::Unknown);
        if is_by_endpoint {
            counted.by_endpoint += 1;
            counted.accused += u64::from(is_accused);
        } else {
            let contradicts = has_contradiction(event);
            counted.by_others += 1;
            counted.found += u64::from(is_accused);
            counted.with_contradiction += u64::from(contradicts);
            counted.found_with_contradiction += u64::from(contradicts && is_accused);
        }
    }
    counted.precision = share(counted.found, counted.found + counted.accused);
    counted.recall = share(counted.found, counted.by_others);
    counted.recall_with_contradiction =
        share(counted.found_with_contradiction, counted.with_contradiction);
    counted
}

/// Whether causality, hops or the shape speak against the named sender at all.
fn has_contradiction(event: &Event) -> bool {
    event.verdict.evidence.iter().any(|item| {
        let is_test = matches!(
            item.clue,
            Clue::Causality
                | Clue::Hops
                | Clue::IpId
                | Clue::Timestamps
                | Clue::Window
                | Clue::Dscp
                | Clue::DontFragment
                | Clue::Profile
                | Clue::Numbers
        );
        is_test && item.decibans <= CONTRADICTION
    })
}

fn aftermath(judged: &[Judged]) -> Aftermath {
    let is_said =
        |row: &Judged| row.event.as_ref().is_some_and(|event| event.verdict.role != Role::Primary);
    Aftermath {
        labelled: count(judged, Judged::is_labelled_aftermath),
        right: count(judged, |row| row.is_labelled_aftermath() && is_said(row)),
        primary_judged_aftermath: count(judged, |row| {
            row.label.cause.is_some() && !row.is_labelled_aftermath() && is_said(row)
        }),
    }
}

fn calibration(judged: &[Judged]) -> Vec<Reliability> {
    let origin: Vec<(f64, bool)> = judged
        .iter()
        .filter_map(|row| {
            let (label, said) = row.origin()?;
            let said = said.filter(|said| *said != Origin::Unknown)?;
            Some((row.event.as_ref()?.verdict.origin_confidence, label.is(said)))
        })
        .collect();
    let endpoint: Vec<(f64, bool)> = judged
        .iter()
        .filter_map(|row| {
            let decibans = row.event.as_ref()?.verdict.origin_decibans;
            Some((1.0 / (1.0 + 10f64.powf(-decibans / 10.0)), row.is_by_endpoint()?))
        })
        .collect();
    let cause: Vec<(f64, bool)> = judged
        .iter()
        .filter(|row| !row.is_labelled_aftermath())
        .filter_map(|row| {
            let (label, said) = row.cause()?;
            let said = said.filter(|said| *said != Cause::Unknown)?;
            Some((row.event.as_ref()?.verdict.cause_confidence, label.is(said)))
        })
        .collect();
    vec![
        Reliability::of("origin", &origin),
        Reliability::of("the named endpoint's probability", &endpoint),
        Reliability::of("cause", &cause),
    ]
}

fn miss(row: &Judged) -> Option<Miss<'_>> {
    let is_wrong = |is_right: Option<bool>| is_right == Some(false);
    let origin = row.origin().map(|(label, said)| said.is_some_and(|said| label.is(said)));
    let cause = row.cause().map(|(label, said)| said.is_some_and(|said| label.is(said)));
    (is_wrong(origin) || is_wrong(cause) || row.event.is_none()).then(|| Miss {
        file: &row.label.file,
        frame: row.label.frame,
        origin: row.label.origin.as_ref().map(|label| label.name.as_str()),
        cause: row.label.cause.as_ref().map(|label| label.name.as_str()),
        is_origin_wrong: is_wrong(origin),
        is_cause_wrong: is_wrong(cause),
        note: &row.label.note,
        event: row.event.as_ref(),
    })
}

/// From this weight on a clue counts as a contradiction, decibans.
const CONTRADICTION: f64 = -6.0;
