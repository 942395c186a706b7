//! Right and wrong, counted: precision, recall, F1, confusion.

use std::collections::BTreeMap;

use serde::Serialize;

/// One field of all judged rows.
#[derive(Serialize, Clone, PartialEq, Debug)]
pub(crate) struct Score {
    /// Judged rows.
    pub(crate) rows: u64,
    /// Rows whose verdict agrees with the label.
    pub(crate) right: u64,
    /// Rows whose label accepts several names: they count under the one that was said if the label
    /// accepts it, else under its first.
    pub(crate) joint_rows: u64,
    /// Mean F1 of the classes that can be decided; `None` without any.
    pub(crate) macro_f1: Option<f64>,
    /// By label.
    pub(crate) classes: Vec<Class>,
    /// What was said of each label, and how often.
    pub(crate) confusion: Vec<Cell>,
}

/// How often a label was hit.
#[derive(Serialize, Clone, PartialEq, Debug)]
pub(crate) struct Class {
    /// The label.
    pub(crate) label: String,
    /// Rows that bear it.
    pub(crate) rows: u64,
    /// Those that were judged so.
    pub(crate) right: u64,
    /// Rows of other labels that were wrongly judged so.
    pub(crate) wrongly_said: u64,
    /// `right` of all that were judged so; `None` if none was.
    pub(crate) precision: Option<f64>,
    /// `right` of `rows`.
    pub(crate) recall: f64,
    /// Harmonic mean of both.
    pub(crate) f1: f64,
    /// Why it does not count for the mean; "" if it does.
    pub(crate) left_out: &'static str,
}

/// One cell of the confusion matrix that is not empty.
#[derive(Serialize, Clone, PartialEq, Eq, Debug)]
pub(crate) struct Cell {
    pub(crate) label: String,
    pub(crate) said: String,
    pub(crate) rows: u64,
    pub(crate) is_right: bool,
}

/// A label and what was said; `said` is `None` where no event came for the frame.
pub(crate) struct Pairing<'l> {
    pub(crate) label: &'l str,
    /// The label accepts other names as well.
    pub(crate) is_joint: bool,
    pub(crate) said: Option<&'static str>,
    pub(crate) is_right: bool,
}

/// Counts `pairs`; `covers` tells whether a label accepts a verdict of this name, `left_out` why a
/// label does not count for the mean, or "".
pub(crate) fn score(
    pairs: &[Pairing<'_>],
    covers: impl Fn(&str, &str) -> bool,
    left_out: impl Fn(&str) -> &'static str,
) -> Score {
    let mut classes: BTreeMap<&str, [u64; 3]> = BTreeMap::new();
    let mut cells: BTreeMap<(&str, &str), (u64, bool)> = BTreeMap::new();
    for pair in pairs {
        let counts = classes.entry(pair.label).or_default();
        counts[0] += 1;
        counts[1] += u64::from(pair.is_right);
        let cell = cells.entry((pair.label, pair.said.unwrap_or("(no event)"))).or_default();
        *cell = (cell.0 + 1, pair.is_right);
    }
    for pair in pairs.iter().filter(|pair| !pair.is_right) {
        let Some(said) = pair.said else { continue };
        for (_, counts) in
            classes.iter_mut().filter(|(label, _)| **label != pair.label && covers(label, said))
        {
            counts[2] += 1;
        }
    }
    let classes: Vec<Class> = classes
        .into_iter()
        .map(|(label, [rows, right, wrongly_said])| {
            class(label, rows, right, wrongly_said, left_out(label))
        })
        .collect();
    let counted: Vec<f64> =
        classes.iter().filter(|class| class.left_out.is_empty()).map(|class| class.f1).collect();
    Score {
        rows: pairs.len() as u64,
        right: pairs.iter().filter(|pair| pair.is_right).count() as u64,
        joint_rows: pairs.iter().filter(|pair| pair.is_joint).count() as u64,
        macro_f1: (!counted.is_empty()).then(|| counted.iter().sum::<f64>() / counted.len() as f64),
        classes,
        confusion: cells
            .into_iter()
            .map(|((label, said), (rows, is_right))| Cell {
                label: label.to_owned(),
                said: said.to_owned(),
                rows,
                is_right,
            })
            .collect(),
    }
}

fn class(label: &str, rows: u64, right: u64, wrongly_said: u64, left_out: &'static str) -> Class {
    let twice = 2.0 * right as f64;
    Class {
        label: label.to_owned(),
        rows,
        right,
        wrongly_said,
        precision: share(right, right + wrongly_said),
        recall: share(right, rows).unwrap_or(0.0),
        f1: twice / (twice + wrongly_said as f64 + (rows - right) as f64).max(1.0),
        left_out,
    }
}

/// `None` of nothing.
pub(crate) fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::{Pairing, score};

    #[test]
    fn precision_recall_and_f1_are_those_of_the_textbook() {
        let pair = |label, said| Pairing {
            label,
            is_joint: false,
            said: Some(said),
            is_right: label == said,
        };
        let pairs =
            [pair("a", "a"), pair("a", "a"), pair("a", "b"), pair("b", "b"), pair("c", "a")];
        let score = score(
            &pairs,
            |label, said| label == said,
            |label| match label {
                "c" => "for a reason",
                _ => "",
            },
        );
        assert_eq!((score.rows, score.right), (5, 3));
        let a = &score.classes[0];
        assert_eq!((a.recall, a.precision), (2.0 / 3.0, Some(2.0 / 3.0)));
        let b = &score.classes[1];
        assert_eq!((b.recall, b.precision), (1.0, Some(0.5)));
        assert!((score.macro_f1.unwrap() - (a.f1 + b.f1) / 2.0).abs() < 1e-12);
        assert_eq!(score.confusion.len(), 4);
    }

    #[test]
    fn a_row_without_an_event_is_a_miss_and_nothing_else() {
        let pairs = [Pairing { label: "a", is_joint: false, said: None, is_right: false }];
        let score = score(&pairs, |_, _| true, |_| "");
        assert_eq!((score.right, score.classes[0].wrongly_said), (0, 0));
        assert_eq!(score.macro_f1, Some(0.0));
    }
}
