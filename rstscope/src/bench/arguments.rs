//! What `rstscope bench` can be told.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Args, Debug)]
pub(crate) struct BenchArguments {
    #[command(subcommand)]
    pub(crate) what: What,
}

#[derive(Subcommand, Debug)]
pub(crate) enum What {
    /// Packets a second that one core of this machine judges, without a network: made-up traffic in
    /// memory goes through the very loop of `run` and `read`. Needs no rights
    Core(CoreArguments),
    /// Packets a second that a live run takes from a veth pair, beside a bare AF_XDP socket that
    /// drops them all. Makes its own network namespace; needs root
    Live(LiveArguments),
}

#[derive(Args, Debug)]
pub(crate) struct CoreArguments {
    /// Connections that live side by side, one sweep; 16777216 need 6 GB, and a minute more to be
    /// opened. What does not fit into memory is left out and named
    #[arg(long, value_name = "N", value_delimiter = ',', default_values_t = FLOWS,
        value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=1 << 26))]
    pub(crate) flows: Vec<usize>,
    /// Bytes of a frame with data, without its check sequence, the other sweep; at 60 there is no
    /// room for data, only handshakes and ACKs
    #[arg(long, value_name = "BYTES", value_delimiter = ',', default_values_t = SIZES,
        value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(60..=9000))]
    pub(crate) sizes: Vec<usize>,
    /// Connections during the sweep of sizes
    #[arg(long, value_name = "N", default_value_t = 1 << 16,
        value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=1 << 26))]
    pub(crate) size_flows: usize,
    /// Percentage of the packets that are resets, beside none
    #[arg(long, value_name = "PERCENT", default_value_t = 2.0, value_parser = percent)]
    pub(crate) resets: f64,
    /// Rounds of each measurement
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) rounds: u32,
    /// Packets of a round
    #[arg(long, value_name = "N", default_value_t = 300_000,
        value_parser = clap::value_parser!(u32).range(64..=1 << 26))]
    pub(crate) packets: u32,
    /// Packets a second that the packets' own clock says: decides how many of them fall into one
    /// window, and how many resets are watched at a time
    #[arg(long, value_name = "N", default_value_t = 1_000_000,
        value_parser = clap::value_parser!(u64).range(1000..=1_000_000_000))]
    pub(crate) rate: u64,
    /// Other numbers, other bytes
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// The core to measure on; the last one this process may use if not given
    #[arg(long, value_name = "CORE")]
    pub(crate) core: Option<usize>,
    /// Two small points in a second or two: does it work at all?
    #[arg(long, conflicts_with_all = ["flows", "sizes", "size_flows", "rounds", "packets"])]
    pub(crate) quick: bool,
    /// Everything as one JSON object
    #[arg(long)]
    pub(crate) json: bool,
    /// Draw throughput against connections and against size into this SVG file
    #[arg(long, value_name = "FILE.svg")]
    pub(crate) plot: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct LiveArguments {
    /// Seconds of traffic in each half of a round
    #[arg(long, value_name = "S", default_value_t = 2.0, value_parser = seconds)]
    pub(crate) seconds: f64,
    /// Rounds; in each the sensor and the bare socket take turns
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) rounds: u32,
    /// Connections, a power of two
    #[arg(long, value_name = "N", default_value_t = 1 << 16)]
    pub(crate) flows: u32,
    /// Of sixteen conversations so many end by a reset, the others by FIN; 5 make 2 % of the
    /// packets
    #[arg(long, value_name = "N", default_value_t = 5,
        value_parser = clap::value_parser!(u32).range(0..=16))]
    pub(crate) resets: u32,
    /// Bytes of a frame; what exceeds its headers is data
    #[arg(long, value_name = "BYTES", default_value_t = 60,
        value_parser = clap::value_parser!(u32).range(60..=1514))]
    pub(crate) size: u32,
    /// Packets a second that are sent; as many as the kernel can if not given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1000..=100_000_000))]
    pub(crate) rate: Option<u64>,
    #[command(flatten)]
    pub(crate) queue: crate::cli::QueueArguments,
    /// Everything as one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

fn percent(text: &str) -> Result<f64, String> {
    within(text, 0.0, 50.0)
}

fn seconds(text: &str) -> Result<f64, String> {
    within(text, 0.01, 60.0)
}

fn within(text: &str, least: f64, most: f64) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (least..=most).contains(&value) {
        Ok(value)
    } else {
        Err(format!("not between {least} and {most}"))
    }
}

const FLOWS: [usize; 3] = [1 << 10, 1 << 16, 1 << 20];
const SIZES: [usize; 6] = [60, 128, 256, 512, 1024, 1514];
