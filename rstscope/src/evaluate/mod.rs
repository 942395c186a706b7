//! `rstscope evaluate`: verdicts against labels.
//!
//! | file | what |
//! |---|---|
//! | `pairs.rs` | which captures are judged by which labels |
//! | `labels.rs`, `classes.rs` | the file of labels, and what labels may say |
//! | `judged.rs` | reads the captures: a label and what was said of it |
//! | `report.rs`, `score.rs`, `reliability.rs` | the comparison as one value |
//! | `text.rs`, `plot.rs` | as text and as a picture |

mod classes;
mod judged;
mod labels;
mod pairs;
mod plot;
mod reliability;
mod report;
mod score;
mod text;

pub(crate) use judged::{Judged, read};
pub(crate) use pairs::of as pairs_of;
pub(crate) use reliability::Reliability;

use std::io::{self, BufWriter, Write as _};

use anyhow::Context as _;

use crate::Outcome;
use crate::cli::EvaluateArguments;
use report::Comparison;

/// Reads every capture that the labels name and prints how the verdicts compare.
pub(crate) fn run(arguments: &EvaluateArguments) -> anyhow::Result<Outcome> {
    let pairs = pairs_of(&arguments.paths)?;
    let (judged, unwatched) = read(&pairs, arguments.confidence.as_deref(), &arguments.sensor)?;
    let comparison = Comparison::of(&judged, unwatched);
    if let Some(path) = &arguments.plot {
        plot::write(path, &comparison.calibration)
            .with_context(|| format!("draw {}", path.display()))?;
    }
    let mut out = BufWriter::new(io::stdout());
    if arguments.json {
        serde_json::to_writer_pretty(&mut out, &comparison)?;
        writeln!(out)?;
    } else {
        text::write(&mut out, &comparison, arguments.brief)?;
    }
    out.flush()?;
    Ok(Outcome::Good)
}
