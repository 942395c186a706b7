//! `rstscope run`: interfaces to verdicts, until it is told to stop.

use anyhow::ensure;

use crate::Outcome;
use crate::cli::RunArguments;
use crate::output::Output;
use crate::{config, log, sensor, stop};

/// Watches until SIGINT or SIGTERM; a second signal ends the process at once.
pub(crate) fn run(arguments: &RunArguments) -> anyhow::Result<Outcome> {
    let loaded = config::load(arguments.config.as_deref())?;
    let config = config::for_run(loaded.config, arguments);
    config::check(&config)?;
    if !arguments.output.quiet {
        log::set_level(config.service.log);
    }
    ensure!(
        !config.link.is_empty(),
        "no link to watch: name an interface by --interface, or [[link]] in the configuration"
    );
    let stop = stop::upon_signals()?;
    let mut output = Output::new(&arguments.output, true);
    let report = sensor::watch(&config, &stop, &mut output)?;
    output.finish(&report)
}
