//! The command line of `rstscope top`.

use std::path::PathBuf;

use clap::Args;
use events::Filter;

use crate::cli::SensorArguments;
use crate::client::ClientArguments;

#[derive(Args, Debug)]
pub(crate) struct TopArguments {
    /// Captures to look at instead of a running sensor
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// The local API of a running sensor
    #[arg(
        long,
        value_name = "URL",
        default_value = "http://127.0.0.1:9477",
        conflicts_with = "files"
    )]
    pub(crate) connect: String,
    #[command(flatten)]
    pub(crate) client: ClientArguments,
    /// Only resets with KEY=VALUE[,VALUE] or KEY!=VALUE[,VALUE], as for read; "/" changes it
    #[arg(long, value_name = "KEY=VALUE", value_parser = filter_text)]
    pub(crate) only: Vec<String>,
    /// Harmless resets from the beginning too; "h" changes it
    #[arg(long)]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) sensor: SensorArguments,
}

/// The text of a filter that can be meant: the API wants it as text.
fn filter_text(text: &str) -> Result<String, String> {
    text.parse::<Filter>().map(|_| text.to_owned())
}
