//! `rstscope bench`: how fast this machine is, for whoever owns it.
//!
//! | file | what |
//! |---|---|
//! | `arguments.rs` | the command line |
//! | `core.rs`, `rounds.rs` | one worker over made-up traffic in memory, measured in rounds |
//! | `live.rs`, `live_report.rs`, `veth.rs` | a live run and a bare socket on a veth pair, in turns |
//! | `machine.rs` | what machine it was |
//! | `report.rs`, `text.rs`, `plot.rs` | what was measured, as one value, as text, as a picture |

mod arguments;
mod core;
mod live;
mod live_report;
mod machine;
mod plot;
mod report;
mod rounds;
mod text;
mod veth;

use std::io::{self, BufWriter, Write as _};

use anyhow::{Context as _, ensure};

pub(crate) use arguments::BenchArguments;
use arguments::{CoreArguments, LiveArguments, What};

use crate::Outcome;

/// Measures and prints.
pub(crate) fn run(arguments: &BenchArguments) -> anyhow::Result<Outcome> {
    match &arguments.what {
        What::Core(arguments) => run_core(arguments),
        What::Live(arguments) => run_live(arguments),
    }
}

fn run_core(arguments: &CoreArguments) -> anyhow::Result<Outcome> {
    let report = core::measure(arguments)?;
    if let Some(path) = &arguments.plot {
        plot::write(path, &report).with_context(|| format!("draw {}", path.display()))?;
    }
    let mut out = BufWriter::new(io::stdout());
    if arguments.json {
        serde_json::to_writer_pretty(&mut out, &report)?;
        writeln!(out)?;
    } else {
        text::write(&mut out, &report)?;
    }
    out.flush()?;
    ensure!(report.adds_up(), "frames that were lent and frames that were judged differ");
    Ok(Outcome::Good)
}

fn run_live(arguments: &LiveArguments) -> anyhow::Result<Outcome> {
    let report = live::measure(arguments)?;
    let mut out = BufWriter::new(io::stdout());
    if arguments.json {
        serde_json::to_writer_pretty(&mut out, &report.json()?)?;
        writeln!(out)?;
    } else {
        report.write(&mut out)?;
    }
    out.flush()?;
    ensure!(report.adds_up(), "packets sent are not packets taken and losses with a name");
    Ok(Outcome::Good)
}
