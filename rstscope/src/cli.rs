//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use events::Filter;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::bench::BenchArguments;
use crate::collect::CollectArguments;
use crate::condition::Condition;
use crate::config::ConfigArguments;
use crate::doctor::DoctorArguments;
use crate::explain::FlowName;
use crate::logs::LogsArguments;
use crate::query::QueryArguments;
use crate::sink::SinkArguments;
use crate::store::StoreChoice;
use crate::top::TopArguments;

/// Says for every TCP reset who really sent it and why, from a capture or a live tap.
#[derive(Parser, Debug)]
#[command(name = "rstscope", version, max_term_width = 100, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What a verdict is, beneath the help of the commands that tell some.
const VERDICTS: &str = "\
Verdicts:
  Each reset gets an impact (aborted, refused, benign, unknown), an origin (client, server,
  middlebox_to_client, middlebox_to_server, middlebox_both, blind_attacker, unknown), a cause and
  an effect. SURE is the smaller one of the confidences in origin and cause.
  An endpoint is named from 0.70 on, a device from 0.83 on, between them nobody. A cause that looks
  like another one on the wire stays at 0.70 or below without the evidence that tells it apart.

When they come:
  A reset is watched for 1 to 5 s. Its final verdict then waits 3 s for what other connections tell,
  or 32 s if it may be the first of a kind (a rhythm, a scan, a flood). --provisional tells each
  reset at once as well; it may then be judged otherwise.";

const EXIT_CODES: &str = "Exit codes: 0 all is well; 1 mistake in the call or the environment; \
2 an input is damaged or cannot be read (what could be read was reported); 3 the condition of --fail-on is met. \
Results go to standard output, everything else to standard error.";

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Watch interfaces and tell every reset as it comes
    #[command(after_long_help = VERDICTS)]
    Run(RunArguments),
    /// What keeps this machine from sensing well, and the command that mends it: kernel, card, queues,
    /// offloads, clocks, the tap itself
    Doctor(DoctorArguments),
    /// Print what to tell a network card (ethtool), so that both directions of a connection meet and
    /// little but TCP comes; nothing is changed
    Hints(HintsArguments),
    /// Check, show or document the configuration
    Config(ConfigArguments),
    /// Where events go: what waits, whether receivers answer, a test event
    Sink(SinkArguments),
    /// What firewalls and servers log: where it disagrees with the packets, who writes, what a line is read as
    Logs(LogsArguments),
    /// What was seen before: counts with what they are a part of, servers, events, devices, sensors
    Query(QueryArguments),
    /// Collect what the sensors of a fleet send, by OTLP or NATS: store, API and page without a sensor
    Collect(CollectArguments),
    /// Read capture files and tell every reset in them
    #[command(after_long_help = VERDICTS)]
    Read(ReadArguments),
    /// The proof sheet: who, why, how sure, what was seen, what would disprove it, what to do
    Explain(ExplainArguments),
    /// Make ten different resets with real kernels and judge them live (root); else replay them.
    /// Exits with 3 if fewer than nine verdicts are right
    Demo(DemoArguments),
    /// Compare verdicts with labels: who, why, how sure, and every miss with its evidence
    Evaluate(EvaluateArguments),
    /// A screen of what resets connections now, or in captures: links, tables, down to the proof of each
    Top(TopArguments),
    /// How fast: packets a second of one core, or of a live run on a veth pair
    Bench(BenchArguments),
    /// Refit the table of weights on labelled resets; for whoever builds the program
    #[command(hide = true)]
    Fit(FitArguments),
    /// Print the version
    Version {
        /// As one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Print the JSON Schema of what sensors send to collectors: events, minutes, evidence
    Schema,
    /// Print a completion script
    Completions {
        /// For which shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page (roff)
    Man,
}

impl Command {
    /// Whether only errors shall be said on standard error.
    pub(crate) fn is_quiet(&self) -> bool {
        match self {
            Self::Run(arguments) => arguments.output.quiet,
            Self::Read(arguments) => arguments.output.quiet,
            Self::Collect(arguments) => arguments.quiet,
            // A veth pair of its own deserves no advice, and the doctor says all itself.
            Self::Bench(_) | Self::Doctor(_) => true,
            // Its screen says what there is to say.
            Self::Top(_) => true,
            _ => false,
        }
    }
}

#[derive(Args, Debug)]
pub(crate) struct RunArguments {
    /// Links to watch instead of the configured ones, separated by commas; the two ports of an
    /// optical tap are one link: east0+west0
    #[arg(short, long, value_name = "IF", value_delimiter = ',')]
    pub(crate) interface: Vec<String>,
    /// The configuration; without it RSTSCOPE_CONFIG or /etc/rstscope/rstscope.toml if there is one.
    /// Environment (RSTSCOPE_CAPTURE__BATCH=32) and flags go over it
    #[arg(short, long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Where the local API, /metrics and /healthz are offered, or off; 127.0.0.1:9477 if that port is free
    #[arg(long, value_name = "ADDRESS:PORT|off")]
    pub(crate) api: Option<collector::Listen>,
    /// Keep history in this directory, or "off" [default: /var/lib/rstscope/store]
    #[arg(long, value_name = "DIR|off", value_parser = StoreChoice::parse)]
    pub(crate) store: Option<StoreChoice>,
    #[command(flatten)]
    pub(crate) link: LinkArguments,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
    #[command(flatten)]
    pub(crate) sensor: SensorArguments,
}

#[derive(Args, Debug)]
pub(crate) struct HintsArguments {
    /// Interfaces, separated by commas
    #[arg(short, long, value_name = "IF", value_delimiter = ',', required = true)]
    pub(crate) interface: Vec<String>,
    /// Cores that shall work; those that this process may use if absent
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) workers: Option<u32>,
}

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

#[derive(Args, Debug)]
pub(crate) struct ReadArguments {
    /// Captures (pcap or pcapng, plain, gzip or zstd); - is standard input; several are merged by time
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// Threads that read plain files together, each the connections of its share of the servers;
    /// each walks all files and has memory for all connections
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=64))]
    pub(crate) workers: usize,
    /// Instead of resets: one JSON object a minute of packet time, resets counted by server, origin, cause,
    /// stage and impact, and what became of all connections
    #[arg(long, conflicts_with_all = ["summary", "format"])]
    pub(crate) minutes: bool,
    /// Say on standard error what the run cost: processor time, packets a second of it
    #[arg(long)]
    pub(crate) stats: bool,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
    #[command(flatten)]
    pub(crate) sensor: SensorArguments,
}

#[derive(Args, Debug)]
pub(crate) struct ExplainArguments {
    /// Captures (pcap or pcapng, plain, gzip or zstd); - is standard input
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// Only this connection: CLIENT:PORT-SERVER:PORT (either order) or a Community ID
    #[arg(long, value_name = "FLOW")]
    pub(crate) flow: Option<FlowName>,
    /// Only the reset in this frame of its file (1-based)
    #[arg(long, value_name = "N")]
    pub(crate) frame: Option<u64>,
    /// Secondary resets and duplicates too
    #[arg(long)]
    pub(crate) all: bool,
    /// A sheet for each reset, even if many are of one kind
    #[arg(long)]
    pub(crate) each: bool,
    #[command(flatten)]
    pub(crate) sensor: SensorArguments,
}

#[derive(Args, Debug)]
pub(crate) struct DemoArguments {
    /// Replay the stored capture even if the live demo could run
    #[arg(long)]
    pub(crate) replay: bool,
    /// Offer the page at the end even if standard output is no terminal
    #[arg(long)]
    pub(crate) page: bool,
    /// End with the results; no page
    #[arg(long, conflicts_with = "page")]
    pub(crate) no_page: bool,
    /// When to use colours
    #[arg(long, value_enum, default_value_t = When::Auto, value_name = "WHEN")]
    pub(crate) color: When,
}

#[derive(Args, Debug)]
pub(crate) struct EvaluateArguments {
    /// In turn: a capture, or the folder of the captures that the labels name, and its labels (CSV
    /// with file, frame, origin, cause; empty cells are not judged). A folder alone stands for
    /// labels.csv in it and for every X.pcap with X.csv beside it
    #[arg(value_name = "CAPTURE|DIR LABELS.csv", required = true)]
    pub(crate) paths: Vec<PathBuf>,
    /// Only rows whose column `confidence` is this
    #[arg(long, value_name = "WORD")]
    pub(crate) confidence: Option<String>,
    /// Print no evidence of disagreements
    #[arg(long)]
    pub(crate) brief: bool,
    /// Everything as one JSON object
    #[arg(long)]
    pub(crate) json: bool,
    /// Draw the reliability diagrams into this SVG file
    #[arg(long, value_name = "FILE.svg")]
    pub(crate) plot: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) sensor: SensorArguments,
}

#[derive(Args, Debug)]
pub(crate) struct FitArguments {
    /// Captures and labels in turn, or one folder of both, as for evaluate
    #[arg(value_name = "CAPTURE|DIR LABELS.csv", required = true)]
    pub(crate) paths: Vec<PathBuf>,
    /// Take the origin from proofs (causality, life after the reset, fibre) instead of the labels,
    /// and fit the other evidence; for comparison only
    #[arg(long)]
    pub(crate) by_proofs: bool,
    /// Fit the bases of the rules only and leave the table of weights alone
    #[arg(long)]
    pub(crate) keep_weights: bool,
    /// Write the tables
    #[arg(long, conflicts_with = "check")]
    pub(crate) write: bool,
    /// Compare with the tables in the sources; exits with 1 if these captures give others
    #[arg(long)]
    pub(crate) check: bool,
    /// Folder of the tables
    #[arg(long, value_name = "DIR", default_value = "classifiers/src/weights")]
    pub(crate) sources: PathBuf,
    /// Said in the table beside the captures: date, seeds
    #[arg(long, value_name = "TEXT")]
    pub(crate) stamp: Option<String>,
    #[command(flatten)]
    pub(crate) sensor: SensorArguments,
}

/// What is told, and how.
#[derive(Args, Debug)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputArguments {
    /// Form of the results
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,
    /// Only resets with KEY=VALUE[,VALUE] or KEY!=VALUE[,VALUE]; repeat to narrow further.
    /// Keys: impact, origin (also `middlebox`), cause, server and client (IP, IP/BITS, IP:PORT,
    /// :PORT), port (the server's), stage, effect, role
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) only: Vec<Filter>,
    /// Secondary resets and duplicates too
    #[arg(long)]
    pub(crate) all: bool,
    /// Provisional verdicts too, as soon as a reset is seen; the final one has the same `id`
    #[arg(long)]
    pub(crate) provisional: bool,
    /// Exit with 3 if this holds for the primary resets that are told, e.g. `aborted>0`,
    /// `middlebox>0`, `cause:app_abort>=10`; repeat for several, one suffices
    #[arg(long, value_name = "EXPR")]
    pub(crate) fail_on: Vec<Condition>,
    /// Only the summary, no single resets; with --format json as one object, with all that
    /// other connections told
    #[arg(long)]
    pub(crate) summary: bool,
    /// No summary beneath a table, no progress, no warnings
    #[arg(short, long, conflicts_with = "summary")]
    pub(crate) quiet: bool,
    /// When to use colours (NO_COLOR is honoured)
    #[arg(long, value_enum, default_value_t = When::Auto, value_name = "WHEN")]
    pub(crate) color: When,
}

/// What the sensor may be told.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Sensor")]
pub(crate) struct SensorArguments {
    /// Seed of the Community ID [default: 0]; must be that of the other tools
    #[arg(long, value_name = "SEED")]
    pub(crate) community_id_seed: Option<u16>,
    /// Connections remembered at a time, rounded up to a power of two; 132 bytes each
    #[arg(long, value_name = "N", value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(16..=1 << 28))]
    pub(crate) flows: Option<usize>,
    /// What tells connections apart besides addresses and ports; many networks give the two
    /// directions of one connection different tags and tunnel numbers
    #[arg(long, value_enum, value_name = "PART", value_delimiter = ',')]
    pub(crate) key_scope: Vec<KeyPart>,
    /// Which packets are looked at. `control` is for links too fast for all of them: SYN, FIN and RST,
    /// the first segments of each direction, then one a second, and all for 5 s after an end; the
    /// network driver leaves out the rest. What is not known then is said so. Captures are read as
    /// such a link would have shown them
    #[arg(long, value_enum, value_name = "WHAT")]
    pub(crate) capture: Option<CaptureChoice>,
    /// With --capture control: segments of a direction that are seen at once
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..))]
    pub(crate) first_packets: Option<u8>,
    /// What is kept of the server names that clients ask for (TLS SNI, HTTP Host), to tell resets by
    /// name from others; a hash cannot be turned back and differs from run to run. Names bear on
    /// the cause only, never on who sent a reset
    #[arg(long, value_enum, value_name = "WHAT")]
    pub(crate) names: Option<NamesChoice>,
}

/// Values of --names.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum NamesChoice {
    /// Nothing: names are not read
    Off,
    /// A keyed hash
    #[default]
    Hash,
    /// The names themselves, in memory and in reports
    Plain,
}

/// Values of --capture.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum CaptureChoice {
    /// All TCP
    #[default]
    All,
    /// What begins and ends connections, and a ration of the rest
    Control,
}

/// Values of --key-scope.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum KeyPart {
    /// The VLAN identifiers
    Vlan,
    /// The innermost tunnel
    Tunnel,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Format {
    /// One line a reset, then a summary
    Table,
    /// One JSON object a line
    Json,
    /// One document of the Elastic Common Schema a line
    Ecs,
    /// One event of OCSF a line: class 4001, Network Activity
    Ocsf,
    /// Comma-separated values with a header; new columns are added at the end
    Csv,
    /// Nothing: for a service whose sinks and API tell everything
    None,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum When {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::Cli;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
