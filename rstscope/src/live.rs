//! `rstscope run`: interfaces to verdicts, until it is told to stop.

use crate::Outcome;
use crate::cli::RunArguments;
use crate::output::Output;
use crate::{sensor, stop};

/// Watches until SIGINT or SIGTERM; a second signal ends the process at once.
pub(crate) fn run(arguments: &RunArguments) -> anyhow::Result<Outcome> {
    let stop = stop::upon_signals()?;
    let mut output = Output::new(&arguments.output, true);
    let report = sensor::watch(
        &arguments.interface,
        &arguments.link,
        &arguments.sensor,
        arguments.output.provisional,
        &stop,
        &mut output,
    )?;
    output.finish(&report)
}
