//! A run as a whole: what it started with, what it found.

use std::collections::BTreeMap;

use classifiers::{Cause, Impact, Origin};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::context::ContextReport;
use crate::event::Endpoint;
use crate::status::TapHealth;
use crate::time::UtcTime;

/// Said once, before the first packet.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Start {
    /// Where the memory goes; nothing is added later.
    pub memory: Memory,
    /// What is read or watched, and how.
    pub inputs: Vec<StartInput>,
    /// Worker threads.
    pub workers: u32,
}

/// An input at the start.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct StartInput {
    /// File or interface.
    pub name: String,
    /// Receive queue, for interfaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<u16>,
    /// The mode in force, read back from the kernel: `native zero-copy`, `native copy`,
    /// `generic copy`; or the kind of capture.
    pub mode: String,
}

/// The sum of what is allocated before the first packet.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Memory {
    /// The parts, largest first or in the order of the packet path.
    pub items: Vec<MemoryItem>,
}

impl Memory {
    /// All parts together, bytes.
    #[must_use]
    pub fn total_bytes(&self) -> u64 {
        self.items.iter().map(|item| item.bytes).sum()
    }
}

/// One part of the memory.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct MemoryItem {
    /// What it is for.
    pub name: String,
    /// How much.
    pub bytes: u64,
}

/// Said once, at the end.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// Frames received.
    pub packets: u64,
    /// Bytes on the wire.
    pub bytes: u64,
    /// Time of the first packet.
    pub first: Option<UtcTime>,
    /// Time of the last packet.
    pub last: Option<UtcTime>,
    /// The denominator: what became of all connections.
    pub connections: Connections,
    /// Resets by their role.
    pub resets: Resets,
    /// Primary resets by origin, cause, impact and server, most frequent first.
    pub by: Vec<GroupCount>,
    /// Primary resets that belong to groups too many to be listed.
    #[serde(default)]
    pub by_unlisted: u64,
    /// What connections tell together.
    #[serde(default)]
    pub context: ContextReport,
    /// Frames that were not judged, by reason; not a loss.
    pub skips: BTreeMap<String, u64>,
    /// What was lost, by name; nothing here means nothing was lost.
    pub losses: BTreeMap<String, u64>,
    /// What was read or watched.
    pub inputs: Vec<InputReport>,
    /// Where the memory went.
    pub memory: Memory,
    /// Worker threads.
    pub workers: u32,
    /// What the tap showed of the traffic, from the first packet to the last.
    #[serde(default)]
    pub tap: TapHealth,
    /// Processor time that was used.
    #[serde(default)]
    pub cpu: CpuTime,
    /// What control mode left out; absent where all packets were captured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control: Option<ControlReport>,
}

/// What was left out on purpose, before the sensor saw it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct ControlReport {
    /// Segments of a direction that were taken at once.
    pub first_packets: u8,
    /// Segments that were left out; no loss.
    pub left_out: u64,
}

/// Processor time of the sensor's threads, in seconds; 0 where it was not measured.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct CpuTime {
    /// All workers together: reading, finding flows, judging.
    pub workers_s: f64,
    /// The exporter: what other connections tell, and telling.
    pub exporter_s: f64,
}

impl Report {
    /// Seconds between the first and the last packet.
    #[must_use]
    pub fn span_s(&self) -> f64 {
        match (self.first, self.last) {
            (Some(first), Some(last)) => last.seconds_since(first),
            _ => 0.0,
        }
    }

    /// Whether an input was damaged or could not be read to its end.
    #[must_use]
    pub fn has_problems(&self) -> bool {
        self.inputs.iter().any(|input| input.problem.is_some())
    }
}

/// What became of the connections that were seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Connections {
    /// A SYN was seen.
    pub opened: u64,
    /// Met in mid-stream.
    pub midstream: u64,
    /// Reached the end of the handshake.
    pub established: u64,
    /// Closed by FIN in both directions.
    pub closed_well: u64,
    /// Ended by a reset.
    pub reset: u64,
    /// Fell silent until the table forgot them.
    pub timed_out: u64,
    /// SYN without any answer.
    pub unanswered: u64,
    /// Open at the end.
    pub still_open: u64,
}

impl Connections {
    /// Each count with its name, but for those still open: how connections began, and what became of them.
    #[must_use]
    pub const fn named(&self) -> [(&'static str, u64); 7] {
        [
            ("opened", self.opened),
            ("midstream", self.midstream),
            ("established", self.established),
            ("closed_well", self.closed_well),
            ("reset", self.reset),
            ("timed_out", self.timed_out),
            ("unanswered", self.unanswered),
        ]
    }
}

/// Resets by their role.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Resets {
    /// Those that count.
    pub primary: u64,
    /// Aftermath of earlier ones.
    pub secondary: u64,
    /// Captured twice.
    pub duplicate: u64,
}

/// How many primary resets share origin, cause, impact and server.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct GroupCount {
    /// Who.
    #[serde(with = "crate::names::origin")]
    #[schemars(with = "crate::names::origin::Names")]
    pub origin: Origin,
    /// Why.
    #[serde(with = "crate::names::cause")]
    #[schemars(with = "crate::names::cause::Names")]
    pub cause: Cause,
    /// What it cost.
    #[serde(with = "crate::names::impact")]
    #[schemars(with = "crate::names::impact::Names")]
    pub impact: Impact,
    /// To whom the connections went.
    pub server: Endpoint,
    /// How many.
    pub count: u64,
}

/// What came of one input.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct InputReport {
    /// File or interface.
    pub name: String,
    /// Link type and format of a capture, or the mode of an interface.
    pub mode: String,
    /// Frames it gave.
    pub packets: u64,
    /// What went wrong with it: damage, or not a capture at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}
