//! The sum of the evidence as a model, and the weights that labelled resets make most probable.
//!
//! Logistic regression of "the named sender sent it" on the rows, with the clamp that the sensor
//! has, and a Gaussian prior around each hand-set weight. The intercept is the log-odds of the
//! samples themselves: their share of devices is the lab's doing and says nothing of the wild
//! (case-control sampling), so the weights come out as likelihood ratios and the sensor's prior
//! stays what it is.

use classifiers::{HEADERS_MAX, HEADERS_MIN, Row, WEIGHTS};

use super::policy::{self, Policy};
use super::sample::Sample;
use super::solve::solve;

/// A weight for every row, decibans, in the order of [`Row`].
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Weights(Vec<f64>);

impl Weights {
    /// As set by hand.
    pub(crate) fn by_hand() -> Self {
        Self(WEIGHTS.iter().map(|weight| f64::from(weight.hand_set)).collect())
    }

    /// The weight of `row`.
    pub(crate) fn of(&self, row: Row) -> f64 {
        self.0[row as usize]
    }

    /// The sum of the evidence of `sample` above `intercept`, as the sensor adds it up.
    pub(crate) fn sum(&self, sample: &Sample, intercept: f64) -> f64 {
        let (headers, others) = self.parts(sample);
        intercept + others + headers.clamp(HEADERS.0, HEADERS.1)
    }

    fn parts(&self, sample: &Sample) -> (f64, f64) {
        let sum = |is_header: bool| {
            let rows = sample.rows.iter().filter(|row| row.is_header() == is_header);
            rows.map(|row| self.of(*row)).sum::<f64>()
        };
        (sum(true), sum(false))
    }
}

/// The most probable weights given `samples`, each rounded to a tenth.
pub(crate) fn fit(samples: &[Sample], looseness: f64) -> Weights {
    let policies = policy::all(looseness);
    let intercept = log_odds(samples);
    let mut weights = Weights::by_hand();
    let mut loss = objective(&weights, samples, intercept, &policies);
    for _ in 0..STEPS_MAX {
        let Some(direction) = newton_step(&weights, samples, intercept, &policies) else { break };
        let Some((next, next_loss)) = search(
            &weights,
            loss,
            &direction,
            |candidate| objective(candidate, samples, intercept, &policies),
            &policies,
        ) else {
            break;
        };
        let gain = loss - next_loss;
        (weights, loss) = (next, next_loss);
        if gain < ENOUGH {
            break;
        }
    }
    Weights(weights.0.iter().map(|weight| (weight * 10.0).round() / 10.0).collect())
}

/// Log-odds of an endpoint among the samples, decibans, by what they count.
fn log_odds(samples: &[Sample]) -> f64 {
    let share = |by_endpoint: bool| -> f64 {
        let rows = samples.iter().filter(|sample| sample.is_by_endpoint == by_endpoint);
        rows.map(|sample| sample.share).sum()
    };
    10.0 * ((share(true) + 0.5) / (share(false) + 0.5)).log10()
}

/// Minus the logarithm of likelihood and prior, in nats.
fn objective(weights: &Weights, samples: &[Sample], intercept: f64, policies: &[Policy]) -> f64 {
    let fit: f64 = samples
        .iter()
        .map(|sample| {
            let sum = NATS * weights.sum(sample, intercept);
            let against = if sample.is_by_endpoint { -sum } else { sum };
            sample.share * softplus(against)
        })
        .sum();
    let prior: f64 = weights
        .0
        .iter()
        .zip(policies)
        .filter(|(_, policy)| policy.deviation > 0.0)
        .map(|(weight, policy)| ((weight - policy.hand_set) / policy.deviation).powi(2) / 2.0)
        .sum();
    fit + prior
}

/// ln(1 + e^x), without overflow.
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// The step of Newton's method in the weights that are free to move; `None` at the optimum.
///
/// Inside the clamp a header row counts, beyond it nothing does: the derivative of the sum there is 0.
fn newton_step(
    weights: &Weights,
    samples: &[Sample],
    intercept: f64,
    policies: &[Policy],
) -> Option<Vec<f64>> {
    let size = Row::COUNT;
    let mut gradient = vec![0.0; size];
    let mut curvature = vec![vec![0.0; size]; size];
    for sample in samples {
        let (headers, _) = weights.parts(sample);
        let is_clamped = headers <= HEADERS.0 || headers >= HEADERS.1;
        let active: Vec<usize> = sample
            .rows
            .iter()
            .filter(|row| !(is_clamped && row.is_header()))
            .map(|row| *row as usize)
            .collect();
        let said = 1.0 / (1.0 + (-NATS * weights.sum(sample, intercept)).exp());
        let error = said - f64::from(u8::from(sample.is_by_endpoint));
        for &row in &active {
            gradient[row] += sample.share * NATS * error;
            for &other in &active {
                curvature[row][other] += sample.share * NATS * NATS * said * (1.0 - said);
            }
        }
    }
    for (row, policy) in policies.iter().enumerate().filter(|(_, policy)| policy.deviation > 0.0) {
        let precision = policy.deviation.powi(-2);
        gradient[row] += (weights.0[row] - policy.hand_set) * precision;
        curvature[row][row] += precision;
    }
    let free: Vec<usize> = (0..size)
        .filter(|&row| {
            let (policy, weight) = (policies[row], weights.0[row]);
            let is_held = (weight <= policy.min && gradient[row] > 0.0)
                || (weight >= policy.max && gradient[row] < 0.0);
            policy.deviation > 0.0 && !is_held
        })
        .collect();
    let matrix: Vec<Vec<f64>> =
        free.iter().map(|&row| free.iter().map(|&other| curvature[row][other]).collect()).collect();
    let slope: Vec<f64> = free.iter().map(|&row| -gradient[row]).collect();
    let step = solve(matrix, slope)?;
    let mut direction = vec![0.0; size];
    for (&row, step) in free.iter().zip(step) {
        direction[row] = step;
    }
    Some(direction)
}

/// The longest of a few ever shorter steps that makes the loss smaller; `None` if none does.
fn search(
    weights: &Weights,
    loss: f64,
    direction: &[f64],
    objective: impl Fn(&Weights) -> f64,
    policies: &[Policy],
) -> Option<(Weights, f64)> {
    (0..HALVINGS_MAX).find_map(|halvings| {
        let length = 0.5f64.powi(halvings);
        let moved = weights.0.iter().zip(direction).zip(policies);
        let candidate = Weights(
            moved
                .map(|((weight, step), policy)| {
                    (weight + length * step).clamp(policy.min, policy.max)
                })
                .collect(),
        );
        let next = objective(&candidate);
        (next < loss).then_some((candidate, next))
    })
}

/// Nats in a deciban.
pub(crate) const NATS: f64 = std::f64::consts::LN_10 / 10.0;
const HEADERS: (f64, f64) = (HEADERS_MIN as f64, HEADERS_MAX as f64);
const STEPS_MAX: usize = 100;
const HALVINGS_MAX: i32 = 40;
/// Nats; below this another step changes no tenth of a deciban.
const ENOUGH: f64 = 1e-9;

#[cfg(test)]
mod tests {
    use classifiers::Row;

    use super::super::sample::Sample;
    use super::{Weights, fit};

    fn samples(rows: &[Row], is_by_endpoint: bool, count: usize) -> Vec<Sample> {
        let family = format!("{rows:?}");
        let rows = rows.to_vec();
        vec![Sample { rows, is_by_endpoint, family, share: 1.0 }; count]
    }

    #[test]
    fn what_was_not_seen_stays_where_it_was() {
        let mut seen = samples(&[Row::HopsEqual], true, 20);
        seen.extend(samples(&[Row::HopsDiffer], false, 20));
        let fitted = fit(&seen, 1.0);
        let by_hand = Weights::by_hand();
        assert_eq!(fitted.of(Row::CausalityProved), by_hand.of(Row::CausalityProved));
        assert_eq!(fitted.of(Row::HopsEqual), 5.0, "evidence for a sender gains nothing");
        assert!(fitted.of(Row::HopsDiffer) <= -20.0);
    }

    #[test]
    fn a_clue_that_accuses_innocents_loses_weight_but_never_its_sign() {
        let mut seen = samples(&[Row::WindowCopied], true, 200);
        seen.extend(samples(&[Row::HopsDiffer], false, 20));
        let fitted = fit(&seen, 1.0);
        assert!((-6.0..=-0.5).contains(&fitted.of(Row::WindowCopied)));
    }

    #[test]
    fn a_weight_follows_the_odds_that_were_counted() {
        // 9 to 1 for the endpoint among equally many of both: 10 lg 9 = 9.5 dB, hand-set 12.
        let mut seen = samples(&[Row::IpIdContinues], true, 9_000);
        seen.extend(samples(&[Row::IpIdContinues], false, 1_000));
        seen.extend(samples(&[], false, 8_000));
        let told = fit(&seen, 1.0).of(Row::IpIdContinues);
        assert!((9.0..=10.5).contains(&told), "{told}");
    }

    #[test]
    fn beyond_the_clamp_nothing_moves() {
        let mut seen = samples(&[Row::HopsDiffer, Row::TimestampsOff], false, 50);
        seen.extend(samples(&[Row::HopsEqual], true, 50));
        assert_eq!(fit(&seen, 1.0).of(Row::TimestampsOff), -20.0);
    }
}
