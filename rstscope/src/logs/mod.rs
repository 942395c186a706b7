//! `rstscope logs`: what firewalls and servers log, beside what the packets say.
//!
//! | file | what |
//! |---|---|
//! | `mod.rs` | the subcommands |
//! | `ask.rs` | `disagreements` and `sources`: asked of whoever runs |
//! | `lines.rs` | `parse`: what each line is read as |
//! | `join.rs` | `join`: files of events and of logs, brought together |

mod ask;
mod join;
mod lines;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use collector::logs::{Zone, ZoneText};

use crate::Outcome;
use crate::client::ClientArguments;

/// Arguments of `rstscope logs`.
#[derive(Args, Debug)]
pub(crate) struct LogsArguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    /// Sessions whose logged culprit is wrong, by rule; asked of the running sensor or collector
    Disagreements {
        /// How far back, as 15m, 24h or 7d
        #[arg(long, value_name = "SPAN", default_value = "24h")]
        last: String,
        #[command(flatten)]
        ask: AskArguments,
    },
    /// Who writes logs to us, how well they can be read and how wrong each clock is
    Sources(AskArguments),
    /// What each line of log files is read as; what cannot be read is shown and counted
    Parse {
        /// Files of log lines; - is standard input
        #[arg(value_name = "FILE", required = true)]
        files: Vec<PathBuf>,
        /// Only lines that cannot be read
        #[arg(long)]
        garbage: bool,
        #[command(flatten)]
        zone: ZoneArguments,
    },
    /// Join events with log files and print each event that a line says more of, one JSON object a line
    Join {
        /// Events as --format json or an NDJSON sink writes them; - is standard input
        #[arg(long, value_name = "EVENTS.ndjson")]
        events: PathBuf,
        /// Files of log lines
        #[arg(value_name = "LOG", required = true)]
        files: Vec<PathBuf>,
        #[command(flatten)]
        zone: ZoneArguments,
    },
}

/// Whom to ask.
#[derive(Args, Debug)]
struct AskArguments {
    /// The API of the running sensor or collector
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:9477")]
    api: String,
    /// As one JSON document
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    client: ClientArguments,
}

/// By what stamps are understood.
#[derive(Args, Debug)]
struct ZoneArguments {
    /// How far the writers' clocks are east of UTC, for stamps without a zone, as +02:00 or -05:00
    #[arg(long, value_name = "OFFSET", allow_hyphen_values = true, value_parser = zone)]
    timezone: Option<Zone>,
}

impl ZoneArguments {
    fn zone(&self) -> Zone {
        self.timezone.unwrap_or(Zone { east_s: 0 })
    }
}

fn zone(text: &str) -> Result<Zone, String> {
    ZoneText::try_from(text.to_owned()).map(|zone| zone.zone())
}

/// Does what was asked.
pub(crate) fn run(arguments: &LogsArguments) -> anyhow::Result<Outcome> {
    match &arguments.what {
        What::Disagreements { last, ask } => ask::disagreements(last, ask),
        What::Sources(ask) => ask::sources(ask),
        What::Parse { files, garbage, zone } => lines::run(files, *garbage, zone.zone()),
        What::Join { events, files, zone } => join::run(events, files, zone.zone()),
    }
}
