//! `rstscope sink list | check | test`: where events go, how that goes, and whether it would.
//!
//! | file | what |
//! |---|---|
//! | `mod.rs` | the subcommands |
//! | `list.rs` | what the spool's directory tells of every sink |

mod list;

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use delivery::SinkOptions;

use crate::Outcome;
use crate::config::{Config, load};
use crate::identity::identity;

/// Arguments of `rstscope sink`.
#[derive(Args, Debug)]
pub(crate) struct SinkArguments {
    #[command(subcommand)]
    what: What,
    /// The configuration; without it what `rstscope run` would take
    #[arg(short, long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
}

#[derive(Subcommand, Debug)]
enum What {
    /// What waits in the spool, and how far each sink is; a running sensor is not disturbed
    List {
        /// As one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Reach a sink and be let in, without sending an event; prints what it answered
    Check {
        /// The sink; all without it
        name: Option<String>,
    },
    /// Send one event that is marked as a test, about addresses for documentation; prints what the
    /// receiver answered
    Test {
        /// The sink
        name: String,
    },
}

/// Does what was asked; fails if a sink does not answer well.
pub(crate) fn run(arguments: &SinkArguments) -> anyhow::Result<Outcome> {
    let config = load(arguments.config.as_deref())?.config;
    match &arguments.what {
        What::List { json } => list::run(&config, *json),
        What::Check { name } => check(&config, name.as_deref()),
        What::Test { name } => test(&config, name),
    }
}

fn check(config: &Config, name: Option<&str>) -> anyhow::Result<Outcome> {
    let sinks = match name {
        Some(name) => vec![named(config, name)?],
        None if config.sink.is_empty() => bail!(NO_SINK),
        None => config.sink.iter().collect(),
    };
    let mut failures = Vec::new();
    for sink in sinks {
        match delivery::check(sink) {
            Ok(said) => tell(&format!("{}: {said}", sink.name()))?,
            Err(error) => failures.push(error.to_string()),
        }
    }
    if failures.is_empty() { Ok(Outcome::Good) } else { bail!(failures.join("; ")) }
}

fn test(config: &Config, name: &str) -> anyhow::Result<Outcome> {
    let sink = named(config, name)?;
    let said = delivery::test(sink, &identity(config))?;
    tell(&format!("{name}: {said}"))?;
    Ok(Outcome::Good)
}

fn named<'c>(config: &'c Config, name: &str) -> anyhow::Result<&'c SinkOptions> {
    if let Some(sink) = config.sink.iter().find(|sink| sink.name() == name) {
        return Ok(sink);
    }
    let names: Vec<&str> = config.sink.iter().map(SinkOptions::name).collect();
    match names.as_slice() {
        [] => bail!(NO_SINK),
        names => bail!("there is no sink {name:?}; there are: {}", names.join(", ")),
    }
}

fn tell(text: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout().lock(), "{text}").context("write to standard output")
}

const NO_SINK: &str = "the configuration has no sink; name one by [[sink]] (\"rstscope config schema\" \
                       says what it may have), or another file by --config";
