//! The command line.

mod link;
mod sensor;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use events::Filter;

use crate::bench::BenchArguments;
use crate::collect::CollectArguments;
use crate::condition::Condition;
use crate::config::ConfigArguments;
use crate::doctor::DoctorArguments;
use crate::evidence::EvidenceArguments;
use crate::explain::FlowName;
use crate::logs::LogsArguments;
use crate::query::QueryArguments;
use crate::sink::SinkArguments;
use crate::store::StoreChoice;
use crate::top::TopArguments;
pub(crate) use link::{ClockChoice, LinkArguments, QueueArguments, WaitChoice, ZeroCopyChoice};
pub(crate) use sensor::{CaptureChoice, KeyPart, NamesChoice, SensorArguments};

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
    /// The last packets of a reset connection as pcapng, with the verdict and its reasons as comments
    Evidence(EvidenceArguments),
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
    /// Write the last packets of each primary reset into this folder, a pcapng file each, named by the
    /// event, with the verdict and its reasons as comments
    #[arg(long, value_name = "DIR")]
    pub(crate) evidence: Option<PathBuf>,
    /// With --evidence: files at most; what is left out is counted
    #[arg(long, value_name = "N", default_value_t = 1000, requires = "evidence")]
    pub(crate) evidence_max: u64,
    /// With --evidence: bytes of payload to keep of each packet; a packet is kept up to 128 bytes in all
    #[arg(long, value_name = "N", default_value_t = 0, requires = "evidence")]
    pub(crate) payload_bytes: usize,
    /// With --evidence: write other addresses, by the key in this file (64 hexadecimal digits)
    #[arg(long, value_name = "KEYFILE", requires = "evidence")]
    pub(crate) pseudonymise: Option<PathBuf>,
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
