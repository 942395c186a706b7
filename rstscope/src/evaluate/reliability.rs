//! Whether a stated confidence is what it says: the reliability diagram and its error.

use std::io::{self, Write};

use serde::Serialize;

/// Stated confidence against the share that was right, in [`BINS`] bins of equal width.
#[derive(Serialize, Clone, PartialEq, Debug)]
pub(crate) struct Reliability {
    /// Of what.
    pub(crate) title: &'static str,
    /// How many verdicts.
    pub(crate) rows: u64,
    /// Mean distance between stated and right, weighted by the rows of each bin.
    pub(crate) expected_calibration_error: f64,
    /// Mean square distance of each statement from what came.
    pub(crate) brier: f64,
    /// From the lowest confidence to the highest; bins without rows are left out.
    pub(crate) bins: Vec<Bin>,
}

/// The verdicts of one range of confidence.
#[derive(Serialize, Clone, PartialEq, Debug)]
pub(crate) struct Bin {
    /// Lower end of the range.
    pub(crate) from: f64,
    /// Upper end.
    pub(crate) to: f64,
    /// How many.
    pub(crate) rows: u64,
    /// Mean confidence.
    pub(crate) stated: f64,
    /// Share that was right.
    pub(crate) right: f64,
}

impl Reliability {
    /// Bins `points` of stated confidence and whether it was right.
    pub(crate) fn of(title: &'static str, points: &[(f64, bool)]) -> Self {
        let mut sums = [(0u64, 0.0f64, 0u64); BINS];
        let mut squares = 0.0;
        for &(stated, is_right) in points {
            let place = ((stated * BINS as f64) as usize).min(BINS - 1);
            let (rows, sum, right) = &mut sums[place];
            *rows += 1;
            *sum += stated;
            *right += u64::from(is_right);
            squares += (stated - f64::from(u8::from(is_right))).powi(2);
        }
        let whole = points.len().max(1) as f64;
        let bins: Vec<Bin> = sums
            .iter()
            .enumerate()
            .filter(|(_, (rows, _, _))| *rows > 0)
            .map(|(index, &(rows, sum, right))| Bin {
                from: index as f64 / BINS as f64,
                to: (index + 1) as f64 / BINS as f64,
                rows,
                stated: sum / rows as f64,
                right: right as f64 / rows as f64,
            })
            .collect();
        let distance: f64 =
            bins.iter().map(|bin| bin.rows as f64 * (bin.stated - bin.right).abs()).sum();
        Self {
            title,
            rows: points.len() as u64,
            // The sum of nothing is -0.
            expected_calibration_error: distance / whole + 0.0,
            brier: squares / whole,
            bins,
        }
    }

    /// As text: a bar as long as the share that was right, and a mark where it should end.
    pub(crate) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(
            out,
            "\nCALIBRATION of {}: expected calibration error {:.4} ({BINS} bins of equal width), \
             Brier score {:.4}, {} verdicts",
            self.title, self.expected_calibration_error, self.brier, self.rows
        )?;
        writeln!(out, "  said       rows  mean   right  0{:^40}1", "right (#) against said (|)")?;
        for bin in &self.bins {
            let (from, to) = (bin.from, bin.to);
            writeln!(
                out,
                "  {from:.1}-{to:.1} {:8}  {:.3}  {:.3}  {}",
                bin.rows,
                bin.stated,
                bin.right,
                bar(bin)
            )?;
        }
        Ok(())
    }
}

fn bar(bin: &Bin) -> String {
    let place = |share: f64| (share * BAR as f64).round() as usize;
    let (said, right) = (place(bin.stated), place(bin.right));
    let cell = |at: usize| match at {
        at if at == said => '|',
        at if at < right => '#',
        _ => ' ',
    };
    (0..=BAR).map(cell).collect::<String>().trim_end().to_owned()
}

/// Ten, as is usual: 0.0 to 0.1, and so on.
const BINS: usize = 10;
/// Characters of a bar of 1.0.
const BAR: usize = 40;

#[cfg(test)]
mod tests {
    use super::Reliability;

    #[test]
    fn what_is_right_as_often_as_said_has_no_error() {
        let points: Vec<(f64, bool)> = (0..10).map(|index| (0.8, index < 8)).collect();
        let told = Reliability::of("x", &points);
        assert!(told.expected_calibration_error < 1e-12);
        assert!((told.brier - 0.16).abs() < 1e-12);
        assert_eq!(told.bins.len(), 1);
    }

    #[test]
    fn the_error_is_the_mean_distance_weighted_by_rows() {
        let told = Reliability::of("x", &[(0.9, false), (0.95, false), (0.3, true), (1.0, true)]);
        let last = (0.9 + 0.95 + 1.0) / 3.0 - 1.0 / 3.0;
        assert!((told.expected_calibration_error - (last * 0.75 + 0.7 * 0.25)).abs() < 1e-12);
        let mut text = Vec::new();
        told.write(&mut text).unwrap();
        assert!(String::from_utf8(text).unwrap().contains("0.9-1.0        3  0.950  0.333"));
    }

    #[test]
    fn nothing_is_said_of_nothing() {
        let told = Reliability::of("x", &[]);
        assert_eq!((told.expected_calibration_error, told.bins.len()), (0.0, 0));
    }
}
