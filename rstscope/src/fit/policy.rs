//! Which weights may move, how far, and how firmly the hand-set ones hold.
//!
//! The lab is not the wild: its devices are many, do not hide, and sit where its author put them.
//! So the prior is never fitted (the intercept of the lab is fitted away, see `model.rs`), what
//! speaks *for* a sender may only lose weight (a forger tries harder than the lab's), what speaks
//! against one may gain a little, and proofs may only lose some: on separable data any fit would
//! drive them to infinity.

use classifiers::{Clue, Row, WEIGHTS};

/// What the fit may do with a weight, decibans.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Policy {
    /// Where it starts, and the mean of its Gaussian prior.
    pub(crate) hand_set: f64,
    /// Standard deviation of that prior; 0 keeps the weight as it is.
    pub(crate) deviation: f64,
    /// Least value.
    pub(crate) min: f64,
    /// Greatest value.
    pub(crate) max: f64,
}

/// The policy of every row, in the order of [`Row`].
///
/// `looseness` scales how far weights may leave the hand-set ones; at 0 they stay.
pub(crate) fn all(looseness: f64) -> Vec<Policy> {
    let scaled = |policy: Policy| Policy { deviation: policy.deviation * looseness, ..policy };
    WEIGHTS.iter().map(|weight| scaled(of(weight.row))).collect()
}

fn of(row: Row) -> Policy {
    let weight = row.weight();
    let hand_set = f64::from(weight.hand_set);
    // Neutral rows are exemptions: they were set to 0 because the case cannot be decided.
    let is_fixed = weight.clue == Clue::Prior || hand_set == 0.0;
    if is_fixed {
        return Policy { hand_set, deviation: 0.0, min: hand_set, max: hand_set };
    }
    let (deviation, min, max) = if hand_set > 0.0 {
        (DEVIATION, LEAST.min(hand_set), hand_set)
    } else if row.is_proof() {
        (PROOF_DEVIATION, hand_set, hand_set + PROOF_LOSS_MAX)
    } else {
        let gain = if HAPPENS_TO_INNOCENTS.contains(&row) { 0.0 } else { GAIN_MAX };
        (DEVIATION, hand_set - gain, -LEAST)
    };
    Policy { hand_set, deviation, min, max }
}

/// What the wild does to innocents and the lab does not: paths flap by a hop, routers change,
/// captures lose packets, boxes clear DF and rewrite DSCP. May only lose weight.
const HAPPENS_TO_INNOCENTS: [Row; 12] = [
    Row::HopsOneOff,
    Row::HopsOneOffOnLink,
    Row::AliveTwoStacks,
    Row::HopsOneOffWeak,
    Row::HopsEqualOtherInitial,
    Row::HopsDifferWeak,
    Row::MacOther,
    Row::DfCleared,
    Row::DscpNotReflected,
    Row::NumbersBeyondLittle,
    Row::NumbersAckUnseen,
    Row::TrainRepeats,
];
/// Two lab families of 20 resets that all disagree with a weight move it by about this much.
const DEVIATION: f64 = 3.0;
/// Proofs rest on more than counts.
const PROOF_DEVIATION: f64 = 2.0;
/// Most that a proof may lose.
const PROOF_LOSS_MAX: f64 = 8.0;
/// Most that evidence against a sender may gain.
const GAIN_MAX: f64 = 5.0;
/// Least weight of a clue that keeps its meaning.
const LEAST: f64 = 0.5;

#[cfg(test)]
mod tests {
    use classifiers::{Row, WEIGHTS};

    use super::{all, of};

    #[test]
    fn no_policy_lets_a_sign_flip_or_leaves_out_its_own_start() {
        for (weight, policy) in WEIGHTS.iter().zip(all(1.0)) {
            assert!(policy.min <= policy.hand_set && policy.hand_set <= policy.max);
            let is_kept = policy.min == policy.max;
            assert!(is_kept || policy.min * policy.max > 0.0, "{}", weight.name);
        }
    }

    #[test]
    fn priors_stay_and_what_speaks_for_a_sender_never_gains() {
        assert_eq!(of(Row::Prior).deviation, 0.0);
        assert_eq!(of(Row::HopsEqual).max, 5.0);
        assert_eq!(of(Row::CausalityProved).min, -30.0);
        assert_eq!(of(Row::HopsDiffer).min, -25.0);
        assert_eq!(of(Row::HopsOneOff).min, -6.0, "paths flap by a hop");
    }
}
