//! `rstscope read`: captures to verdicts.

use std::io::IsTerminal as _;

use crate::Outcome;
use crate::cli::ReadArguments;
use crate::output::Output;
use crate::progress::Progress;
use crate::{sensor, stop, summary};

/// Reads all files, or until it is told to stop, and tells what was found.
pub(crate) fn run(arguments: &ReadArguments) -> anyhow::Result<Outcome> {
    let stop = stop::upon_signals()?;
    let mut output = Output::new(&arguments.output, false).of_minutes(arguments.minutes);
    let rows_on_terminal = std::io::stdout().is_terminal() && !arguments.output.summary;
    let progress = (!arguments.output.quiet)
        .then(|| Progress::start(&arguments.files, rows_on_terminal))
        .flatten();
    let bytes = progress.as_ref().map(Progress::bytes);
    let report = sensor::read_by(
        arguments.workers,
        &arguments.files,
        &arguments.sensor,
        arguments.output.provisional,
        bytes,
        &stop,
        &mut output,
    )?;
    drop(progress);
    let outcome = output.finish(&report)?;
    if arguments.stats {
        summary::write_cost(&mut std::io::stderr().lock(), &report)?;
    }
    Ok(outcome)
}
