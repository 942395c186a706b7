//! How a live run goes: told about once a second, to whoever draws, serves or watches it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::report::Connections;

/// Said about once a second in live use. All counts are since the start.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Status {
    /// Seconds since the start.
    pub uptime_s: f64,
    /// Packets.
    pub packets: u64,
    /// Bytes.
    pub bytes: u64,
    /// Connections in the table now.
    pub flows: u64,
    /// Connections that the table has room for.
    #[serde(default)]
    pub flows_max: u64,
    /// The denominator: what became of all connections.
    #[serde(default)]
    pub connections: Connections,
    /// Primary resets.
    pub resets: u64,
    /// Frames that were not judged, by reason; not a loss.
    #[serde(default)]
    pub skips: BTreeMap<String, u64>,
    /// What was lost, by name, summed over all queues and everything behind them.
    pub losses: BTreeMap<String, u64>,
    /// How far the exporter is behind the workers, in seconds of packet time.
    #[serde(default)]
    pub exporter_lag_s: f64,
    /// Every receive queue that is or was watched.
    #[serde(default)]
    pub queues: Vec<QueueStatus>,
    /// What the tap shows of the traffic.
    #[serde(default)]
    pub tap: TapHealth,
}

/// One receive queue. All counts are since the start of the run, however often its interface went away.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct QueueStatus {
    /// The interface.
    pub interface: String,
    /// Its number on the interface.
    pub queue: u16,
    /// Which fibre of a two-port link the interface listens to, or nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fibre: Option<Fibre>,
    /// The mode in force: `native zero-copy`, `native copy`, `generic copy`, as `xdp::Mode` prints it.
    pub mode: String,
    /// Whose clock stamps its packets: `network card` or `system, once a batch`.
    pub clock: String,
    /// Whether frames can come now: the interface is there, up, and has a carrier.
    pub is_up: bool,
    /// Packets that the kernel gave to the sensor.
    pub packets: u64,
    /// Packets that a worker has taken in.
    pub judged: u64,
    /// What was lost on this queue, by name.
    pub losses: BTreeMap<String, u64>,
}

/// The two fibres of an optical tap: each carries one direction of the link.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Fibre {
    /// The first port.
    East,
    /// The second.
    West,
}

/// What the tap shows of the traffic, over the last minute or so. A tap that shows half of a conversation,
/// or all of it twice, makes verdicts wrong.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct TapHealth {
    /// Connections of which only one direction comes, of those seen long enough to tell.
    pub one_sided: Share,
    /// Segments that came twice, of those looked at.
    pub duplicated: Share,
    /// Connections whose two directions came in on different queues of one link, of those with both.
    pub split: Share,
    /// What is wrong, worst first; empty where all is well or too little was seen.
    pub faults: Vec<TapFault>,
}

impl TapHealth {
    /// Connections that are enough to say something of all.
    pub const CONNECTIONS_LEAST: u64 = 20;
    /// The same of segments and frames.
    pub const SEGMENTS_LEAST: u64 = 200;
    /// A larger share of connections on two queues is no chance.
    pub const SPLIT: f64 = 0.05;

    /// Whether this is wrong with the tap.
    #[must_use]
    pub fn has(&self, kind: TapFaultKind) -> bool {
        self.faults.iter().any(|fault| fault.kind == kind)
    }
}

/// So many of so many.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Share {
    /// So many.
    pub part: u64,
    /// Of so many.
    pub whole: u64,
}

impl Share {
    /// From 0 to 1; 0 of nothing is 0.
    #[must_use]
    pub fn value(self) -> f64 {
        if self.whole == 0 { 0.0 } else { self.part as f64 / self.whole as f64 }
    }
}

/// Something wrong with the tap.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct TapFault {
    /// What.
    pub kind: TapFaultKind,
    /// In a sentence: what was seen, what it does to verdicts, what to do.
    pub text: String,
}

/// What can be wrong with a tap.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum TapFaultKind {
    /// Only one direction of many connections comes.
    OneSided,
    /// Packets come twice.
    Duplicated,
    /// The two directions of connections come in on different queues, though nothing is handed over.
    SplitQueues,
    /// Both directions of connections come in on each port of a two-port link, or ports are swapped halfway.
    MixedFibres,
    /// Frames are cut before the end of their TCP header.
    Truncated,
}
