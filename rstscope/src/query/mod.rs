//! `rstscope query`: what the store knows, as tables, JSON or CSV; from the API, or from its files.
//!
//! | file | what |
//! |---|---|
//! | `mod.rs` | arguments, and the way from words to an answer |
//! | `words.rs` | `servers server=10.0.0.5:443 last 24h`: view, conditions, time |
//! | `source.rs` | whom to ask: the API of a running process, or a store's directory |
//! | `views.rs` | an answer as tables |
//! | `sheet.rs` | a table, drawn or as CSV |

mod sheet;
mod source;
mod views;
mod words;

use std::io::Write as _;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::bail;
use clap::{Args, ValueEnum};
use events::UtcTime;

use self::source::Source;
use self::words::Words;
use crate::client::ClientArguments;
use crate::{Outcome, terminal};

/// Arguments of `rstscope query`.
#[derive(Args, Debug)]
pub(crate) struct QueryArguments {
    /// View, conditions and time, in any order, quoted or not. Views: overview (the default), servers,
    /// server IP:PORT, events, event ID, idle, bursts, devices, sensors, disagreements. Conditions:
    /// KEY=VALUE[,VALUE] or KEY!=VALUE as for read, and sensor=NAME. Time in UTC: last 24h (the
    /// default), since 2026-11-23T08:00:00Z, until 2026-11-23T09:00:00Z
    #[arg(value_name = "WORD")]
    words: Vec<String>,
    /// As what to print the answer
    #[arg(long, value_enum, default_value_t = QueryFormat::Table)]
    format: QueryFormat,
    /// Rows at most
    #[arg(long, default_value_t = 20)]
    limit: usize,
    /// Rows to leave out before
    #[arg(long, default_value_t = 0)]
    offset: usize,
    /// The API of a running sensor or collector
    #[arg(
        long,
        value_name = "URL",
        default_value = "http://127.0.0.1:9477",
        conflicts_with = "store"
    )]
    api: String,
    #[command(flatten)]
    client: ClientArguments,
    /// Read the store in this directory instead, whether or not a process writes there
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
    /// Copy the store of --store into this new directory, while it is written
    #[arg(long, value_name = "DIR", requires = "store", conflicts_with = "words")]
    backup: Option<PathBuf>,
}

/// As what an answer is printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum QueryFormat {
    /// For people, as wide as the terminal
    Table,
    /// As the API gives it
    Json,
    /// One table, with a header
    Csv,
}

/// Asks once and prints the answer.
///
/// # Errors
/// A word cannot be meant, nobody answers, or the store cannot be read.
pub(crate) fn run(arguments: &QueryArguments) -> anyhow::Result<Outcome> {
    if let (Some(store), Some(to)) = (&arguments.store, &arguments.backup) {
        let report = collector::Store::open_to_read(store)?.backup(to)?;
        println(&format!("{} files, {} bytes in {}\n", report.files, report.bytes, to.display()))?;
        return Ok(Outcome::Good);
    }
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = UtcTime(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX));
    let words = match Words::read(&arguments.words.join(" "), now) {
        Ok(words) => words.paged(arguments.limit, arguments.offset),
        Err(why) => bail!("{why}"),
    };
    let source = match &arguments.store {
        Some(directory) => Source::of_files(directory)?,
        None => Source::of_api(&arguments.api, &arguments.client)?,
    };
    let answer = source.answer(&words)?;
    let text = match arguments.format {
        QueryFormat::Json => format!("{}\n", serde_json::to_string_pretty(&answer)?),
        QueryFormat::Csv => views::csv(&answer, &words)?,
        QueryFormat::Table => views::text(&answer, &words, terminal::width()),
    };
    println(&text)?;
    Ok(Outcome::Good)
}

fn println(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        // Whoever has read enough is not to be told of it.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}
