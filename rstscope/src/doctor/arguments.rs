//! The command line of `rstscope doctor`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::When;

/// Arguments of `rstscope doctor`.
#[derive(Args, Clone, Debug)]
#[command(
    after_help = "Exit codes: 0 every line is OK or WARN; 1 mistake in the call; 3 a line is FAIL."
)]
pub(crate) struct DoctorArguments {
    /// Interfaces to look at, separated by commas; the two ports of one tap joined by a plus sign.
    /// Without any, only the machine is looked at
    #[arg(short, long, value_name = "IF", value_delimiter = ',')]
    pub(super) interface: Vec<String>,
    /// The configuration; without it what `rstscope run` would take
    #[arg(short, long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Run the commands that mend what was found, each after asking, then look again
    #[arg(long)]
    pub(super) fix: bool,
    /// With --fix: ask nothing. Commands that take something away from somebody (an address, another
    /// program) are still left to you
    #[arg(long, requires = "fix")]
    pub(super) yes: bool,
    /// Everything as one JSON object
    #[arg(long)]
    pub(super) json: bool,
    /// How long to watch the traffic of the interfaces; 0 to leave them alone
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    pub(super) watch: u32,
    /// Set nothing but a receive hash that is the same for both directions of a connection, by ethtool
    /// netlink, and leave; for kernels from 6.17 on
    #[arg(long, requires = "interface", conflicts_with_all = ["fix", "json"])]
    pub(super) symmetric_hash: bool,
    /// When to use colours (NO_COLOR is honoured)
    #[arg(long, value_enum, default_value_t = When::Auto, value_name = "WHEN")]
    pub(super) color: When,
    /// Which look this is, counted by the program itself
    #[arg(long, hide = true, default_value_t = 1)]
    pub(super) look: u32,
}
