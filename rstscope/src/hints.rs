//! `rstscope hints`: what to tell a network card before watching it.

use std::io::Write as _;
use std::thread::available_parallelism;

use anyhow::Context as _;
use pipeline::Interface;

use crate::Outcome;
use crate::cli::HintsArguments;

/// Prints, for each interface, commands that a person may run; runs none.
pub(crate) fn run(arguments: &HintsArguments) -> anyhow::Result<Outcome> {
    let cores = || available_parallelism().map_or(1, |cores| cores.get() as u32);
    let workers = arguments.workers.unwrap_or_else(cores);
    let mut out = std::io::stdout().lock();
    for name in &arguments.interface {
        let interface = Interface::query(name).context("ask for hints")?;
        writeln!(out, "# {name}: driver {}; nothing below has been run", interface.driver())?;
        for hint in interface.hints(workers) {
            writeln!(out, "{hint}")?;
        }
    }
    Ok(Outcome::Good)
}
