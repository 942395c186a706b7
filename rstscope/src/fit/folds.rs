//! Cross-validation: how the fit does on families of resets that it has not seen.

use std::collections::BTreeMap;
use std::io::{self, Write};

use classifiers::Row;

use super::model::{NATS, Weights, fit};
use super::sample::Sample;
use crate::evaluate::Reliability;

/// One part left out, and how hand-set and fitted weights judge it.
pub(crate) struct Fold {
    families: Vec<String>,
    resets: usize,
    before: Figures,
    after: Figures,
}

/// How well probabilities fit what came. The sensor's own prior is the intercept.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Figures {
    /// Nats a reset; resets weighted so that devices have the share of the sensor's prior.
    log_loss: f64,
    /// Mean square error, weighted the same way.
    brier: f64,
    /// Expected calibration error in ten bins, every reset counting alike.
    calibration_error: f64,
}

/// The looseness that does best on families it has not seen, and how it did there.
///
/// 0 is among those tried: where no fit beats the hand-set weights on unseen families, they stay.
pub(crate) fn best(samples: &[Sample]) -> (f64, Vec<Fold>) {
    let tried = LOOSENESS.map(|looseness| (looseness, cross_validate(samples, looseness)));
    let loss = |folds: &[Fold]| mean(folds, |fold| fold.after, |figures| figures.log_loss);
    // The firmest of equals: they are tried in that order.
    let best = tried
        .into_iter()
        .reduce(|best, next| if loss(&next.1) < loss(&best.1) - LOSS_STEP { next } else { best });
    best.expect("something was tried")
}

/// Leaves out a fifth of the families at a time, fits on the others and judges what was left out.
fn cross_validate(samples: &[Sample], looseness: f64) -> Vec<Fold> {
    let places = places(samples);
    let is_left_out = |sample: &Sample, fold: usize| places[sample.family.as_str()] == fold;
    (0..FOLDS)
        .filter_map(|fold| {
            let (out, kept): (Vec<Sample>, Vec<Sample>) =
                samples.iter().cloned().partition(|sample| is_left_out(sample, fold));
            let of_fold = places.iter().filter(|(_, place)| **place == fold);
            (!out.is_empty()).then(|| Fold {
                families: of_fold.map(|(name, _)| (*name).to_owned()).collect(),
                resets: out.len(),
                before: figures(&Weights::by_hand(), &out),
                after: figures(&fit(&kept, looseness), &out),
            })
        })
        .collect()
}

/// Deals families of devices and families of endpoints to the folds in turn, by name.
fn places(samples: &[Sample]) -> BTreeMap<&str, usize> {
    let mut has_device: BTreeMap<&str, bool> = BTreeMap::new();
    for sample in samples {
        *has_device.entry(&sample.family).or_default() |= !sample.is_by_endpoint;
    }
    let mut dealt = [0usize; 2];
    has_device
        .into_iter()
        .map(|(family, has_device)| {
            let next = &mut dealt[usize::from(has_device)];
            *next += 1;
            (family, (*next - 1) % FOLDS)
        })
        .collect()
}

fn figures(weights: &Weights, samples: &[Sample]) -> Figures {
    let prior = f64::from(Row::Prior.weight().hand_set);
    let field = 1.0 / (1.0 + (-NATS * prior).exp());
    let endpoints = samples.iter().filter(|sample| sample.is_by_endpoint).count() as f64;
    let others = samples.len() as f64 - endpoints;
    let (mut log_loss, mut brier, mut whole) = (0.0, 0.0, 0.0);
    let mut points = Vec::with_capacity(samples.len());
    for sample in samples {
        let said = 1.0 / (1.0 + (-NATS * weights.sum(sample, prior)).exp());
        let (came, share) = if sample.is_by_endpoint {
            (1.0, field / endpoints.max(1.0))
        } else {
            (0.0, (1.0 - field) / others.max(1.0))
        };
        let right: f64 = if sample.is_by_endpoint { said } else { 1.0 - said };
        log_loss -= share * right.max(LEAST).ln();
        brier += share * (said - came).powi(2);
        whole += share;
        points.push((said, sample.is_by_endpoint));
    }
    let told = Reliability::of("", &points);
    Figures {
        log_loss: log_loss / whole,
        brier: brier / whole,
        calibration_error: told.expected_calibration_error,
    }
}

/// One line a fold, and their mean.
pub(crate) fn write(out: &mut impl Write, looseness: f64, folds: &[Fold]) -> io::Result<()> {
    writeln!(
        out,
        "\nCROSS-VALIDATION by family, {FOLDS} folds, hand-set -> fitted without the fold \
         (log-loss in nats and Brier score at the sensor's prior, ECE of 10 bins unweighted)\n\
         best of the loosenesses {LOOSENESS:?}: {looseness}{}",
        if looseness == 0.0 { ": no fit beats the hand-set weights, they stay" } else { "" }
    )?;
    for (index, fold) in folds.iter().enumerate() {
        let (before, after) = (fold.before, fold.after);
        line(out, &format!("fold {}", index + 1), fold.resets, before, after)?;
        writeln!(out, "      {}", fold.families.join(" "))?;
    }
    let all = |of: fn(&Fold) -> Figures| Figures {
        log_loss: mean(folds, of, |figures| figures.log_loss),
        brier: mean(folds, of, |figures| figures.brier),
        calibration_error: mean(folds, of, |figures| figures.calibration_error),
    };
    let resets = folds.iter().map(|fold| fold.resets).sum();
    line(out, "mean", resets, all(|fold| fold.before), all(|fold| fold.after))
}

/// Mean over folds, every fold counting alike: the largest may hold a single large family.
fn mean(folds: &[Fold], of: fn(&Fold) -> Figures, field: fn(Figures) -> f64) -> f64 {
    folds.iter().map(|fold| field(of(fold))).sum::<f64>() / folds.len().max(1) as f64
}

fn line(
    out: &mut impl Write,
    name: &str,
    resets: usize,
    before: Figures,
    after: Figures,
) -> io::Result<()> {
    writeln!(
        out,
        "  {name:7} {resets:6} resets  log-loss {:.4} -> {:.4}  Brier {:.5} -> {:.5}  \
         ECE {:.4} -> {:.4}",
        before.log_loss,
        after.log_loss,
        before.brier,
        after.brier,
        before.calibration_error,
        after.calibration_error
    )
}

const FOLDS: usize = 5;
/// How loosely the hand-set weights hold, from firm to loose: tried by cross-validation.
const LOOSENESS: [f64; 4] = [0.0, 0.25, 0.5, 1.0];
/// Nats a reset; less is no gain.
const LOSS_STEP: f64 = 1e-5;
/// Less than any probability the sums can give.
const LEAST: f64 = 1e-12;

#[cfg(test)]
mod tests {
    use classifiers::Row;

    use super::super::sample::Sample;
    use super::{FOLDS, cross_validate, places};

    fn family(name: &str, row: Row, is_by_endpoint: bool) -> Vec<Sample> {
        let sample =
            Sample { rows: vec![row], is_by_endpoint, family: name.to_owned(), share: 1.0 };
        vec![sample; 4]
    }

    #[test]
    fn a_family_is_never_on_both_sides_and_every_fold_has_devices() {
        let mut samples = Vec::new();
        for index in 0..FOLDS {
            samples.extend(family(&format!("device {index}"), Row::HopsDiffer, false));
            samples.extend(family(&format!("host {index}"), Row::HopsEqual, true));
        }
        let places = places(&samples);
        assert_eq!(places["device 3"], 3);
        assert_eq!(places["host 3"], 3);
        let folds = cross_validate(&samples, 1.0);
        assert_eq!(folds.len(), FOLDS);
        assert!(folds.iter().all(|fold| fold.resets == 8 && fold.families.len() == 2));
        assert!(folds.iter().all(|fold| fold.after.log_loss <= fold.before.log_loss + 1e-9));
    }
}
