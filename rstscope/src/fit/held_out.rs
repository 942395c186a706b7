//! How bases do on families of resets that they were not counted on.
//!
//! The firmness of the prior is chosen here. Every family is left out once, the bases are counted
//! on the others, and what they say of the family left out is compared with what came. Keeping the
//! hand-set bases is among what is tried.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use super::bases::{self, Decided, Grounds, Prior};
use crate::evaluate::Reliability;

/// What one prior says of families it has not seen.
pub(crate) struct Trial {
    pub(crate) prior: Prior,
    /// Nats a reset; a family of n resets counts for the root of n.
    log_loss: f64,
    told: Reliability,
}

/// The prior that does best on families left out, and all that were tried.
pub(crate) fn best(decided: &[Decided]) -> (Prior, Vec<Trial>) {
    let shifted = |rows: f64| SHIFTS.map(|shift| Prior { rows, shift });
    let tried = [Prior::BY_HAND].into_iter().chain(ROWS.into_iter().flat_map(shifted));
    let trials: Vec<Trial> = tried.map(|prior| try_out(decided, prior)).collect();
    let best = trials
        .iter()
        // The firmest of equals: they are tried in that order.
        .reduce(|best, next| if next.log_loss < best.log_loss - LOSS_STEP { next } else { best })
        .map_or(Prior::BY_HAND, |best| best.prior);
    (best, trials)
}

fn try_out(decided: &[Decided], prior: Prior) -> Trial {
    let mut sizes: BTreeMap<&str, f64> = BTreeMap::new();
    for row in decided {
        *sizes.entry(&row.family).or_default() += 1.0;
    }
    let families: BTreeSet<&str> = sizes.keys().copied().collect();
    let (mut loss, mut whole, mut points) = (0.0, 0.0, Vec::with_capacity(decided.len()));
    for family in families {
        let (out, kept): (Vec<&Decided>, Vec<&Decided>) =
            decided.iter().partition(|row| row.family == family);
        let counted = bases::fit(&kept, prior);
        let fitted: BTreeMap<Grounds, f64> = counted
            .into_iter()
            .map(|base| ((base.rule, base.cause, base.hand_set), f64::from(base.fitted) / 100.0))
            .collect();
        for row in out {
            let base = fitted.get(&row.grounds).copied();
            let base = base.unwrap_or_else(|| bases::uncounted(&row.grounds, prior));
            let said = (base * row.certainty).clamp(LEAST, 1.0 - LEAST);
            let share = 1.0 / sizes[family].sqrt();
            loss -= share * if row.is_right { said } else { 1.0 - said }.ln();
            whole += share;
            points.push((said, row.is_right));
        }
    }
    Trial {
        prior,
        log_loss: loss / f64::max(whole, LEAST),
        told: Reliability::of("cause, of families left out", &points),
    }
}

/// One line a prior, and the diagrams of the hand-set bases and of the best.
pub(crate) fn write(out: &mut impl Write, best: Prior, trials: &[Trial]) -> io::Result<()> {
    writeln!(
        out,
        "\nBASES by prior, each family left out once (log-loss in nats, a family of n resets \
         counting for the root of n; ECE of 10 bins, every reset counting alike)"
    )?;
    for trial in trials {
        writeln!(
            out,
            "  prior of {:4} rows, moved by {:.2}  log-loss {:.4}  Brier {:.4}  ECE {:.4}{}",
            trial.prior.rows,
            trial.prior.shift,
            trial.log_loss,
            trial.told.brier,
            trial.told.expected_calibration_error,
            if trial.prior == best { "  <- used" } else { "" }
        )?;
    }
    let is_shown = |trial: &&Trial| trial.prior == best || trial.prior == Prior::BY_HAND;
    trials.iter().filter(is_shown).try_for_each(|trial| trial.told.write(out))
}

/// Weights of the prior that are tried, in rows, the firmest first.
const ROWS: [f64; 4] = [20.0, 10.0, 5.0, 2.5];
/// Moves of the prior that are tried, in log-odds.
const SHIFTS: [f64; 4] = [0.0, 0.25, 0.5, 0.75];
/// Nats a reset; less is no gain.
const LOSS_STEP: f64 = 1e-4;
/// No base times no certainty says less, or more than all but this.
const LEAST: f64 = 1e-6;

#[cfg(test)]
mod tests {
    use classifiers::Cause;

    use super::super::bases::{Decided, Prior};
    use super::{best, try_out};

    fn rows(family: &str, right: usize, wrong: usize) -> Vec<Decided> {
        let row = |is_right| Decided {
            grounds: ("R1".to_owned(), Cause::AppAbort, 80),
            family: family.to_owned(),
            kind: (family.to_owned(), "app_abort".to_owned()),
            certainty: 1.0,
            is_right,
        };
        [vec![row(true); right], vec![row(false); wrong]].concat()
    }

    #[test]
    fn a_family_never_counts_for_its_own_estimate() {
        let told = try_out(&rows("alone", 100, 0), Prior { rows: 2.5, shift: 0.0 }).told;
        assert!((told.bins[0].stated - 0.8).abs() < 1e-9);
    }

    #[test]
    fn bases_move_where_families_agree_and_stay_where_they_do_not() {
        let agree: Vec<_> = (0..8).flat_map(|i| rows(&format!("f{i}"), 97, 3)).collect();
        assert_ne!(best(&agree).0, Prior::BY_HAND);
        // Right eight times in ten, as said by hand.
        let as_said: Vec<_> = (0..8).flat_map(|i| rows(&format!("f{i}"), 80, 20)).collect();
        assert_eq!(best(&as_said).0, Prior::BY_HAND);
    }
}
