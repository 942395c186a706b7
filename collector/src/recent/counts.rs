//! Primary resets by cause, origin and impact.

use classifiers::{Cause, Impact, Origin};

use crate::answers::NameRow;
use crate::impacts::ImpactCounts;

/// A number for each combination; 8 KiB, whatever happens.
#[derive(Clone, Debug)]
pub(crate) struct Counts {
    cells: Vec<ImpactCounts>,
}

impl Counts {
    pub(crate) fn new() -> Self {
        Self { cells: vec![ImpactCounts::default(); Cause::ALL.len() * Origin::ALL.len()] }
    }

    pub(crate) fn add(&mut self, cause: Cause, origin: Origin, impact: Impact) {
        self.cells[index(cause, origin)].add(impact, 1);
    }

    pub(crate) fn of(&self, cause: Cause, origin: Origin) -> &ImpactCounts {
        &self.cells[index(cause, origin)]
    }

    pub(crate) fn total(&self) -> ImpactCounts {
        sum(self.cells.iter())
    }

    /// Rows of the origins that occurred, most harmful first.
    pub(crate) fn by_origin(&self) -> Vec<NameRow> {
        rows(Origin::ALL.iter().map(|origin| {
            (origin.name(), sum(Cause::ALL.iter().map(|cause| self.of(*cause, *origin))))
        }))
    }

    /// Rows of the causes that occurred, most harmful first.
    pub(crate) fn by_cause(&self) -> Vec<NameRow> {
        rows(Cause::ALL.iter().map(|cause| {
            (cause.name(), sum(Origin::ALL.iter().map(|origin| self.of(*cause, *origin))))
        }))
    }
}

const fn index(cause: Cause, origin: Origin) -> usize {
    cause as usize * Origin::ALL.len() + origin as usize
}

fn sum<'c>(counts: impl Iterator<Item = &'c ImpactCounts>) -> ImpactCounts {
    counts.fold(ImpactCounts::default(), |mut sum, counts| {
        sum.merge(counts);
        sum
    })
}

fn rows(all: impl Iterator<Item = (&'static str, ImpactCounts)>) -> Vec<NameRow> {
    let mut rows: Vec<NameRow> = all
        .filter(|(_, counts)| counts.total() > 0)
        .map(|(name, counts)| NameRow { name: name.to_owned(), counts })
        .collect();
    // A stable sort: equals stay in the order of the taxonomy.
    rows.sort_by_key(|row| std::cmp::Reverse((row.counts.harmful(), row.counts.total())));
    rows
}
