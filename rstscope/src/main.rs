//! Who reset that connection, and why: the command.
//!
//! Results go to standard output, everything else to standard error. Exit codes: 0 all is well, 1 a
//! mistake in the call or in the environment, 2 an input is damaged or cannot be read (what
//! could be read was reported), 3 the condition of `--fail-on` is met. Damage wins over the condition, because counts
//! of half a capture decide nothing.
//!
//! | file | what |
//! |---|---|
//! | `cli/` | the command line |
//! | `config/` | everything that can be set: file, environment, flags |
//! | `sensor.rs` | the only place that calls `pipeline`, but for `bench/` |
//! | `read.rs`, `run/`, `collect/`, `explain.rs`, `top/`, `doctor/`, `sink/`, `logs/`, `demo/`, `evaluate/`, `bench/`, `fit/` | the subcommands |
//! | `output.rs` | one sink for events: filter, count, write |
//! | `table.rs`, `rows.rs`, `summary.rs` | the formats: table, CSV, report |
//! | `api.rs` | the local API |
//! | `condition.rs`, `tally.rs` | `--fail-on`, and what it counts |
//! | `terminal.rs`, `progress.rs`, `stop.rs`, `log.rs` | width, colours, progress bar, signals, warnings |
//! | `generate.rs` | completions, manual page, version |
#![forbid(unsafe_code)]

mod api;
mod bench;
mod cli;
mod client;
mod collect;
mod condition;
mod config;
mod demo;
mod doctor;
mod evaluate;
mod evidence;
mod explain;
mod fit;
mod generate;
mod hints;
mod identity;
mod log;
mod logs;
mod output;
mod progress;
mod query;
mod read;
mod rows;
mod run;
mod sensor;
mod sink;
mod stop;
mod store;
mod summary;
mod table;
mod tally;
mod terminal;
mod top;

use std::io::ErrorKind;
use std::process::ExitCode;

use clap::Parser as _;

use crate::cli::{Cli, Command};
use crate::config::LogLevel;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How a run ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    /// All is well.
    Good,
    /// An input is damaged; what could be read was reported.
    Damaged,
    /// The condition of `--fail-on` is met.
    ConditionMet,
    /// `rstscope doctor` found what keeps the sensor from working.
    Faulty,
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // clap would exit with 2, which means damaged input here.
            let code = u8::from(error.use_stderr());
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    let is_quiet = cli.command.is_quiet();
    log::to_stderr(if is_quiet { LogLevel::Error } else { LogLevel::Warn });
    match obey(cli.command) {
        Ok(Outcome::Good) => ExitCode::SUCCESS,
        Ok(Outcome::Damaged) => ExitCode::from(2),
        Ok(Outcome::ConditionMet | Outcome::Faulty) => ExitCode::from(3),
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{}", chain_text(&error));
            ExitCode::FAILURE
        }
    }
}

fn obey(command: Command) -> anyhow::Result<Outcome> {
    match command {
        Command::Run(arguments) => run::run(&arguments),
        Command::Config(arguments) => config::run(&arguments),
        Command::Doctor(arguments) => doctor::run(&arguments),
        Command::Hints(arguments) => hints::run(&arguments),
        Command::Query(arguments) => query::run(&arguments),
        Command::Collect(arguments) => collect::run(&arguments),
        Command::Read(arguments) => read::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Evidence(arguments) => evidence::run(&arguments),
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Evaluate(arguments) => evaluate::run(&arguments),
        Command::Top(arguments) => top::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Fit(arguments) => fit::run(&arguments),
        Command::Sink(arguments) => sink::run(&arguments),
        Command::Logs(arguments) => logs::run(&arguments),
        Command::Version { json } => generate::version(json),
        Command::Schema => generate::schema(),
        Command::Completions { shell } => generate::completions(shell),
        Command::Man => generate::manual(),
    }
}

/// An error and its causes, each said once: many messages contain that of their cause already.
pub(crate) fn chain_text(error: &anyhow::Error) -> String {
    error.chain().fold(String::new(), |text, cause| {
        let cause = cause.to_string();
        match text.as_str() {
            "" => cause,
            said if said.contains(&cause) => text,
            said => format!("{said}: {cause}"),
        }
    })
}

/// Whether the reader of our output went away (`rstscope read x | head`): no error of ours.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
    })
}
