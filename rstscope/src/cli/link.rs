//! How a link is attached to: its part of the command line, and of the configuration.

use clap::{Args, ValueEnum};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How interfaces are attached to.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Link")]
pub(crate) struct LinkArguments {
    /// Leave what is not captured to the host; without it such packets are dropped, as on a tap
    #[arg(long)]
    pub(crate) pass_others: bool,
    /// Whether the network card writes into our memory
    #[arg(long, value_enum, value_name = "WHEN")]
    pub(crate) zero_copy: Option<ZeroCopyChoice>,
    /// Whose clock stamps packets
    #[arg(long, value_enum, value_name = "WHOSE")]
    pub(crate) clock: Option<ClockChoice>,
    /// Run the XDP program in the network stack, not in the driver (slow; for odd drivers)
    #[arg(long)]
    pub(crate) generic: bool,
    /// The card sends both directions of a connection to one queue ("rstscope hints" says how):
    /// workers hand nothing over. Wrong if it does not: connections are then seen by halves
    #[arg(long)]
    pub(crate) symmetric_queues: bool,
    /// Do not pin workers to cores
    #[arg(long)]
    pub(crate) no_pin: bool,
    #[command(flatten)]
    pub(crate) queue: QueueArguments,
}

/// How packets are taken from a queue.
#[derive(Args, Clone, Copy, Debug, Default)]
#[command(next_help_heading = "Queue")]
pub(crate) struct QueueArguments {
    /// What a worker does when its queues are empty; benches/LIVE.md has what each costs
    #[arg(long, value_enum, value_name = "HOW")]
    pub(crate) wait: Option<WaitChoice>,
    /// Packets taken at a time, 1 to 64
    #[arg(long, value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..=pipeline::BATCH_MAX as i64))]
    pub(crate) batch: Option<u32>,
    /// Frames of each queue, a power of two from 64: more absorb longer pauses, fewer stay in the
    /// processor's cache
    #[arg(long, value_name = "N")]
    pub(crate) frames: Option<u32>,
}

/// Values of --wait.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum WaitChoice {
    /// Sleep until the kernel wakes the worker: costs nothing at night
    #[default]
    Poll,
    /// Run the driver's receive loop from the worker; wants napi_defer_hard_irqs and
    /// gro_flush_timeout of the interface set
    BusyPoll,
    /// Look again and again: the whole core, and the least delay
    Spin,
}

/// Values of --clock.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ClockChoice {
    /// The host's, once a batch
    #[default]
    System,
    /// The network card's, packet by packet, set to the host's; the host's where the card or its
    /// driver cannot, which is said. Not for links of two ports
    Card,
}

/// Values of --zero-copy.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ZeroCopyChoice {
    /// If the driver can; the mode in force is printed
    #[default]
    Prefer,
    /// Or fail
    Require,
    /// Let the kernel copy
    Never,
}
