//! What the fit sees of a reset.

use std::collections::BTreeMap;

use classifiers::{Clue, Role, Row};
use events::Event;

use crate::evaluate::Judged;

/// A reset of known origin.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    /// The outcomes that were found; the prior is not among them.
    pub(crate) rows: Vec<Row>,
    /// Whether its named sender sent it.
    pub(crate) is_by_endpoint: bool,
    /// How it was made.
    pub(crate) family: String,
    /// How much it counts: resets made in one way are no independent witnesses, so that a family
    /// counts for [`FAMILY_MAX`] resets at most.
    pub(crate) share: f64,
}

/// Where the origin is known from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Truth {
    /// The labels.
    Labels,
    /// Proofs (causality, life after the reset, fibre); the fit sees the other evidence only.
    Proofs,
}

/// The resets of known origin of which anything was seen before.
pub(crate) fn of(judged: &[Judged], truth: Truth) -> Vec<Sample> {
    let mut samples: Vec<Sample> = judged
        .iter()
        .filter_map(|row| {
            let event = row.event.as_ref().filter(|event| is_usable(event))?;
            let rows = rows(event);
            let (rows, is_by_endpoint) = match truth {
                Truth::Labels => (rows, row.is_by_endpoint()?),
                Truth::Proofs => by_proofs(rows)?,
            };
            let family = row.label.family.clone();
            Some(Sample { rows, is_by_endpoint, family, share: 1.0 })
        })
        .collect();
    let mut sizes: BTreeMap<(String, bool), f64> = BTreeMap::new();
    for sample in &samples {
        *sizes.entry((sample.family.clone(), sample.is_by_endpoint)).or_default() += 1.0;
    }
    for sample in &mut samples {
        let size = sizes[&(sample.family.clone(), sample.is_by_endpoint)];
        sample.share = (FAMILY_MAX / size).min(1.0);
    }
    samples
}

/// A copy counts no second time, and without any context nobody is ever accused.
fn is_usable(event: &Event) -> bool {
    let lonely = Some(Row::PriorLonely.name());
    event.verdict.role != Role::Duplicate
        && event.verdict.evidence.iter().all(|item| item.row.as_deref() != lonely)
}

fn rows(event: &Event) -> Vec<Row> {
    let named = event.verdict.evidence.iter().filter_map(|item| item.row.as_deref());
    named.filter_map(Row::from_name).filter(|row| *row != Row::Prior).collect()
}

/// The other evidence, and what the proofs say; `None` where they say nothing.
fn by_proofs(rows: Vec<Row>) -> Option<(Vec<Row>, bool)> {
    let is_label =
        |row: &Row| matches!(row.weight().clue, Clue::Causality | Clue::AliveAfter | Clue::Port);
    let is_foreign = rows.iter().any(|row| is_label(row) && row.is_proof());
    let is_timely = rows.contains(&Row::CausalityRoundTrip) || rows.contains(&Row::AliveSilence);
    let others = rows.into_iter().filter(|row| !is_label(row)).collect();
    (is_foreign || is_timely).then_some((others, !is_foreign))
}

/// In how many labelled cases the proofs name the origin that the label names, and in how many they
/// name any.
pub(crate) fn agreement(judged: &[Judged]) -> (usize, usize) {
    let both: Vec<(bool, bool)> = judged
        .iter()
        .filter_map(|row| {
            let event = row.event.as_ref().filter(|event| is_usable(event))?;
            Some((by_proofs(rows(event))?.1, row.is_by_endpoint()?))
        })
        .collect();
    (both.iter().filter(|(proved, labelled)| proved == labelled).count(), both.len())
}

/// How many samples by the named sender, and by others, showed `row`.
pub(crate) fn seen(samples: &[Sample], row: Row) -> (u32, u32) {
    let count = |by_endpoint: bool| {
        let fits =
            |sample: &&Sample| sample.is_by_endpoint == by_endpoint && sample.rows.contains(&row);
        u32::try_from(samples.iter().filter(fits).count()).unwrap_or(u32::MAX)
    };
    (count(true), count(false))
}

/// The samples in one line.
pub(crate) fn summary(samples: &[Sample], truth: Truth) -> String {
    let mut families: BTreeMap<(&str, bool), u32> = BTreeMap::new();
    for sample in samples {
        *families.entry((&sample.family, sample.is_by_endpoint)).or_default() += 1;
    }
    let of = |by_endpoint: bool| {
        let resets = samples.iter().filter(|sample| sample.is_by_endpoint == by_endpoint).count();
        let families = families.keys().filter(|(_, endpoint)| *endpoint == by_endpoint).count();
        format!("{resets} in {families} families")
    };
    let known = match truth {
        Truth::Labels => "labels",
        Truth::Proofs => "proofs",
    };
    format!("resets by their named sender: {}; by others: {} (by {known})", of(true), of(false))
}

/// Most resets that a family counts for.
const FAMILY_MAX: f64 = 20.0;

#[cfg(test)]
mod tests {
    use classifiers::Row;

    use super::by_proofs;

    #[test]
    fn proofs_label_and_are_not_seen_by_the_fit() {
        let rows = vec![Row::HopsDiffer, Row::CausalityProved];
        assert_eq!(by_proofs(rows), Some((vec![Row::HopsDiffer], false)));
        let rows = vec![Row::HopsEqual, Row::CausalityRoundTrip];
        assert_eq!(by_proofs(rows), Some((vec![Row::HopsEqual], true)));
        assert_eq!(by_proofs(vec![Row::HopsEqual, Row::CausalitySooner]), None);
    }
}
