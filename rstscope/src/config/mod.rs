//! What can be set, every limit by its name: `rstscope config`, `rstscope run`, `rstscope doctor`.
//!
//! Defaults work on a bare appliance. A file changes them, the environment changes the file, flags change
//! both.
//!
//! | file | what |
//! |---|---|
//! | `mod.rs` | [`Config`]: the sections of the file |
//! | `minutes.rs` | the section of minutes |
//! | `load.rs` | file and environment into a [`Config`] |
//! | `flags.rs` | flags over a [`Config`] |
//! | `check.rs` | what the form of the file cannot say: limits that contradict each other |
//! | `command.rs`, `commented.rs` | `rstscope config check`, `show`, `schema` |

mod check;
mod command;
mod commented;
mod flags;
mod load;
mod minutes;

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::cli::{CaptureChoice, ClockChoice, KeyPart, NamesChoice, WaitChoice, ZeroCopyChoice};

pub(crate) use check::check;
pub(crate) use command::{ConfigArguments, run};
pub(crate) use flags::for_run;
pub(crate) use load::{Loaded, load};
pub(crate) use minutes::MinutesSection;

/// Everything that can be set.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// The links to watch.
    pub(crate) link: Vec<LinkSection>,
    /// How packets are taken from the links.
    pub(crate) capture: CaptureSection,
    /// How the sensor remembers and judges.
    pub(crate) sensor: SensorSection,
    /// Resets and connections counted by the minute.
    pub(crate) minutes: MinutesSection,
    /// How the process runs.
    pub(crate) service: ServiceSection,
    /// The local API, metrics and health.
    pub(crate) api: collector::Options,
    /// What is kept of the past, and how long.
    pub(crate) store: collector::StoreOptions,
    /// Logs of firewalls and servers.
    pub(crate) logs: collector::logs::LogOptions,
    /// Where records wait until they are delivered.
    pub(crate) spool: delivery::SpoolOptions,
    /// To whom events are delivered.
    pub(crate) sink: Vec<delivery::SinkOptions>,
    /// Where records of other sensors arrive: `rstscope collect`.
    pub(crate) collect: collector::ReceiveOptions,
}

/// A link: one port that shows both directions, or the two ports of an optical tap.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LinkSection {
    /// Name in events and metrics; the interfaces' names if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    /// One interface, or two: first the fibre called east, then the one called west.
    pub(crate) interfaces: Vec<String>,
}

/// How packets are taken from the links.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct CaptureSection {
    /// Which packets are looked at: `all`, or `control` for links too fast for all of them.
    pub(crate) packets: CaptureChoice,
    /// With `control`: segments of a direction that are seen at once, 1 to 255.
    pub(crate) first_packets: u8,
    /// Whether the network card writes into our memory: `prefer`, `require` or `never`.
    pub(crate) zero_copy: ZeroCopyChoice,
    /// Whose clock stamps packets: `system`, once a batch, or `card`, where the driver tells it.
    pub(crate) clock: ClockChoice,
    /// Run the XDP program in the network stack, not in the driver.
    pub(crate) generic: bool,
    /// Leave what is not captured to the host; else it is dropped.
    pub(crate) pass_others: bool,
    /// Attach even where the host has an address or a route: it will no longer hear any TCP there.
    pub(crate) host_interface: bool,
    /// Receive what is addressed to others.
    pub(crate) promiscuous: bool,
    /// The receive queues to bind, the same on all interfaces; all of them if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) queues: Option<Vec<u32>>,
    /// The card sends both directions of a connection to one queue: workers hand nothing over.
    pub(crate) symmetric_queues: bool,
    /// Packets inside tunnels (GRE, IP in IP, MPLS, PPPoE, and UDP of `tunnel_ports`) too.
    pub(crate) tunnels: bool,
    /// UDP ports that mean a tunnel, at most 8.
    pub(crate) tunnel_ports: Vec<u16>,
    /// What a worker does while nothing comes: `poll`, `busy-poll` or `spin`.
    pub(crate) wait: WaitChoice,
    /// Packets taken at a time, 1 to 64.
    pub(crate) batch: u32,
    /// Frames of each queue, a power of two from 64 to 1048576.
    pub(crate) frames: u32,
    /// Bytes of a frame, 2048 or 4096; by driver and MTU if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) frame_size: Option<u32>,
    /// Pages under the frames: `transparent`, `reserved` (vm.nr_hugepages) or `never`.
    pub(crate) huge_pages: PagesChoice,
    /// How long to wait for a link that attaching has reset, seconds.
    pub(crate) carrier_wait_s: u32,
    /// Pin each worker to a core.
    pub(crate) pin: bool,
}

/// Values of `capture.huge_pages`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum PagesChoice {
    /// Transparent huge pages: no configuration needed.
    #[default]
    Transparent,
    /// The pool of vm.nr_hugepages; where it is too small, as `transparent`.
    Reserved,
    /// Ordinary pages.
    Never,
}

/// How the sensor remembers and judges.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct SensorSection {
    /// Its name in everything that leaves this machine, 1 to 64 letters, digits, `.`, `-` and `_`; that of
    /// the machine if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    /// Connections remembered at a time, 16 to 268435456, rounded up to a power of two for each worker;
    /// 132 bytes each.
    pub(crate) flows: usize,
    /// Servers whose answers are remembered, 16 to 1048576.
    pub(crate) servers: usize,
    /// Resets watched at a time by all workers together, 16 to 1048576; 640 bytes each.
    pub(crate) watches: usize,
    /// An established connection is forgotten after so many seconds of silence, 1 to 70000.
    pub(crate) established_s: u32,
    /// A half-open connection is forgotten after so many seconds, 1 to 70000.
    pub(crate) half_open_s: u32,
    /// A closed connection is forgotten after so many seconds, 1 to 70000.
    pub(crate) closed_s: u32,
    /// An established connection silent for so many seconds may give way to a new one, 1 to 70000.
    pub(crate) yield_s: u32,
    /// What tells connections apart besides addresses and ports: `vlan`, `tunnel`.
    pub(crate) key_scope: Vec<KeyPart>,
    /// What is kept of server names that clients ask for: `off`, `hash` or `plain`.
    pub(crate) names: NamesChoice,
    /// Seed of the Community ID; must be that of the other tools.
    pub(crate) community_id_seed: u16,
    /// Judge by other connections too.
    pub(crate) context: bool,
    /// Tell provisional verdicts as well, at once.
    pub(crate) provisional: bool,
}

/// How the process runs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ServiceSection {
    /// Wait at the start for interfaces that are not there yet; else fail.
    pub(crate) wait_for_interfaces: bool,
    /// Give up all capabilities once the sockets are open, in every thread but the one that attaches again
    /// when an interface comes back.
    pub(crate) drop_privileges: bool,
    /// Lock all memory, so that nothing on the packet path is ever paged out.
    pub(crate) lock_memory: bool,
    /// What is said on standard error: `error`, `warn`, `info`, `debug`; -q and RUST_LOG win.
    pub(crate) log: LogLevel,
}

/// Values of `service.log`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum LogLevel {
    /// Only what ends or spoils the run.
    Error,
    /// And what somebody should look at.
    #[default]
    Warn,
    /// And what happens.
    Info,
    /// And how.
    Debug,
}

impl LogLevel {
    /// As `RUST_LOG` has it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }
}

impl Default for CaptureSection {
    fn default() -> Self {
        let tap = xdp::Options::new("");
        Self {
            packets: CaptureChoice::default(),
            first_packets: pipeline::Ration::FIRST_PACKETS,
            zero_copy: ZeroCopyChoice::default(),
            clock: ClockChoice::default(),
            generic: false,
            pass_others: false,
            host_interface: tap.host_interface,
            promiscuous: tap.promiscuous,
            queues: None,
            symmetric_queues: false,
            tunnels: tap.tunnels,
            tunnel_ports: tap.tunnel_ports,
            wait: WaitChoice::default(),
            batch: tap.batch,
            frames: tap.frames,
            frame_size: None,
            huge_pages: PagesChoice::default(),
            carrier_wait_s: tap.carrier_wait.as_secs() as u32,
            pin: true,
        }
    }
}

impl Default for SensorSection {
    fn default() -> Self {
        let options = pipeline::Options::default();
        Self {
            name: None,
            flows: options.flows,
            servers: options.servers,
            watches: options.watches,
            established_s: options.timeouts.established_s,
            half_open_s: options.timeouts.half_open_s,
            closed_s: options.timeouts.closed_s,
            yield_s: options.timeouts.yield_s,
            key_scope: Vec::new(),
            names: NamesChoice::default(),
            community_id_seed: options.community_id_seed,
            context: options.context,
            provisional: options.provisional,
        }
    }
}

impl Default for ServiceSection {
    fn default() -> Self {
        Self {
            wait_for_interfaces: false,
            drop_privileges: true,
            lock_memory: true,
            log: LogLevel::default(),
        }
    }
}

/// Where the file is if nobody says otherwise.
pub(crate) fn default_path() -> PathBuf {
    PathBuf::from("/etc/rstscope/rstscope.toml")
}
