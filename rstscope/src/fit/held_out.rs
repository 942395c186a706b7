//! How bases do on resets that they were not counted on.
//!
//! The firmness of the prior is chosen here. Every family is left out once, and every capture is
//! left out once: the bases are counted on the rest, and what they say of what was left out is
//! compared with what came. A reset in the wild may be of a kind that the lab plays or of none, so
//! both losses count alike: families alone would trust no count, captures alone every one. Keeping
//! the hand-set bases is among what is tried.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use super::bases::{self, Decided, Grounds, Prior};
use crate::evaluate::Reliability;

/// What one prior says of what it has not seen.
pub(crate) struct Trial {
    pub(crate) prior: Prior,
    families: Held,
    captures: Held,
}

/// What was said of parts left out.
struct Held {
    /// Nats a reset; a family of n resets counts for the root of n.
    log_loss: f64,
    told: Reliability,
}

impl Trial {
    fn log_loss(&self) -> f64 {
        (self.families.log_loss + self.captures.log_loss) / 2.0
    }
}

/// The prior that does best on what is left out, and all that were tried.
pub(crate) fn best(decided: &[Decided]) -> (Prior, Vec<Trial>) {
    let shifted = |rows: f64| SHIFTS.map(|shift| Prior { rows, shift });
    let tried = [Prior::BY_HAND].into_iter().chain(ROWS.into_iter().flat_map(shifted));
    let trials: Vec<Trial> = tried
        .map(|prior| Trial {
            prior,
            families: hold_out(decided, prior, "cause, families left out", |row| &row.family),
            captures: hold_out(decided, prior, "cause, captures left out", |row| &row.capture),
        })
        .collect();
    let best = trials
        .iter()
        // The firmest of equals: they are tried in that order.
        .reduce(
            |best, next| {
                if next.log_loss() < best.log_loss() - LOSS_STEP { next } else { best }
            },
        )
        .map_or(Prior::BY_HAND, |best| best.prior);
    (best, trials)
}

fn hold_out(
    decided: &[Decided],
    prior: Prior,
    title: &'static str,
    part: fn(&Decided) -> &String,
) -> Held {
    let mut sizes: BTreeMap<&str, f64> = BTreeMap::new();
    for row in decided {
        *sizes.entry(&row.family).or_default() += 1.0;
    }
    let parts: BTreeSet<&String> = decided.iter().map(part).collect();
    let (mut loss, mut whole, mut points) = (0.0, 0.0, Vec::with_capacity(decided.len()));
    for left_out in parts {
        let (out, kept): (Vec<&Decided>, Vec<&Decided>) =
            decided.iter().partition(|row| part(row) == left_out);
        let counted = bases::fit(&kept, prior);
        let fitted: BTreeMap<Grounds, f64> = counted
            .into_iter()
            .map(|base| ((base.rule, base.cause, base.hand_set), f64::from(base.fitted) / 100.0))
            .collect();
        for row in out {
            let base = fitted.get(&row.grounds).copied();
            let base = base.unwrap_or_else(|| bases::uncounted(&row.grounds, prior));
            let said = (base * row.certainty).clamp(LEAST, 1.0 - LEAST);
            let share = 1.0 / sizes[row.family.as_str()].sqrt();
            loss -= share * if row.is_right { said } else { 1.0 - said }.ln();
            whole += share;
            points.push((said, row.is_right));
        }
    }
    Held { log_loss: loss / f64::max(whole, LEAST), told: Reliability::of(title, &points) }
}

/// One line a prior, and the diagrams of the hand-set bases and of the best.
pub(crate) fn write(out: &mut impl Write, best: Prior, trials: &[Trial]) -> io::Result<()> {
    writeln!(
        out,
        "\nBASES by prior, each family and each capture left out once (log-loss in nats, a family \
         of n resets counting for the root of n; ECE of 10 bins, every reset counting alike)\n  \
         prior rows  moved   families: log-loss    ECE   captures: log-loss    ECE"
    )?;
    for trial in trials {
        writeln!(
            out,
            "  {:10}  {:5.2}             {:.4}  {:.4}             {:.4}  {:.4}{}",
            trial.prior.rows,
            trial.prior.shift,
            trial.families.log_loss,
            trial.families.told.expected_calibration_error,
            trial.captures.log_loss,
            trial.captures.told.expected_calibration_error,
            if trial.prior == best { "  <- used" } else { "" }
        )?;
    }
    let is_shown = |trial: &&Trial| trial.prior == best || trial.prior == Prior::BY_HAND;
    trials.iter().filter(is_shown).try_for_each(|trial| {
        trial.families.told.write(out)?;
        trial.captures.told.write(out)
    })
}

/// Weights of the prior that are tried, in rows, the firmest first.
const ROWS: [f64; 4] = [20.0, 10.0, 5.0, 2.5];
/// Moves of the prior that are tried, in log-odds.
const SHIFTS: [f64; 5] = [0.0, 0.25, 0.5, 0.75, 1.0];
/// Nats a reset; less is no gain.
const LOSS_STEP: f64 = 1e-4;
/// No base times no certainty says less, or more than all but this.
const LEAST: f64 = 1e-6;

#[cfg(test)]
mod tests {
    use classifiers::Cause;

    use super::super::bases::{Decided, Prior};
    use super::{best, hold_out};

    fn rows(family: &str, right: usize, wrong: usize) -> Vec<Decided> {
        let row = |is_right| Decided {
            grounds: ("R1".to_owned(), Cause::AppAbort, 80),
            capture: family.to_owned(),
            family: family.to_owned(),
            kind: (family.to_owned(), "app_abort".to_owned()),
            certainty: 1.0,
            is_right,
        };
        [vec![row(true); right], vec![row(false); wrong]].concat()
    }

    #[test]
    fn a_family_never_counts_for_its_own_estimate() {
        let prior = Prior { rows: 2.5, shift: 0.0 };
        let told = hold_out(&rows("alone", 100, 0), prior, "", |row| &row.family).told;
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
