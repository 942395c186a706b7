//! One minute of resets, counted, and beside them what became of all connections: the denominator.
//!
//! A minute is told once it is over and can be added to others: ten of them, or those of other sensors.
//!
//! | file | what |
//! |---|---|
//! | `mod.rs` | [`Minute`] and its rows |
//! | `clients.rs` | [`Clients`]: how many different ones, about |
//! | `spread.rs` | [`Spread`]: how a quantity is spread, in exponential buckets |

mod clients;
mod spread;

use std::collections::BTreeMap;
use std::net::IpAddr;

use classifiers::{Cause, Impact, Origin, Stage};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::{Endpoint, event_id};
use crate::report::Connections;
use crate::status::Status;
use crate::time::UtcTime;

pub use clients::Clients;
pub use spread::Spread;

/// What one sensor saw in one minute of packet time.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Minute {
    /// [`crate::SCHEMA`].
    pub schema: u32,
    /// Names it: the same run, start and part give the same name.
    pub id: String,
    /// Its first instant, a whole minute.
    pub start: UtcTime,
    /// Its length, seconds.
    pub span_s: u32,
    /// A minute is told in several parts if it is large, and again if something came late: 0 is the first,
    /// [`LATE_PARTS`] and above are late. Parts add up; what is true of the whole minute (connections,
    /// overflow, losses) stands in the first of those told together.
    #[serde(default)]
    pub part: u32,
    /// Final primary resets by server, origin, cause, stage and impact.
    pub rows: Vec<MinuteRow>,
    /// What became of the connections of each server.
    pub services: Vec<ServiceRow>,
    /// Sources whose attempts were too scattered for rows of their own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scans: Vec<ScanRow>,
    /// What became of all connections, those of no row included.
    pub connections: Connections,
    /// Resets that were counted in wider rows because there were too many keys.
    #[serde(default)]
    pub overflow: u64,
    /// What was lost in this minute, by name.
    #[serde(default)]
    pub losses: BTreeMap<String, u64>,
    /// How the sensor did at its end.
    #[serde(default)]
    pub status: Status,
}

/// Resets that share server, origin, cause, stage and impact.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct MinuteRow {
    /// To whom the connections went.
    pub server: ServerRange,
    /// Who.
    #[serde(with = "crate::names::origin")]
    #[schemars(with = "crate::names::origin::Names")]
    pub origin: Origin,
    /// Why.
    #[serde(with = "crate::names::cause")]
    #[schemars(with = "crate::names::cause::Names")]
    pub cause: Cause,
    /// How far the connections had come.
    #[serde(with = "crate::names::stage")]
    #[schemars(with = "crate::names::stage::Names")]
    pub stage: Stage,
    /// What it cost.
    #[serde(with = "crate::names::impact")]
    #[schemars(with = "crate::names::impact::Names")]
    pub impact: Impact,
    /// How many resets.
    pub count: u64,
    /// How many different clients, about.
    pub clients: Clients,
    /// Those with the most resets, most first; counts may be too high by what they displaced.
    pub top_clients: Vec<ClientCount>,
    /// Sum of the confidence in the origin.
    pub confidence_sum: f64,
    /// The least of them.
    pub confidence_least: f64,
    /// Seconds from the first packet of the connection to the reset.
    pub time_to_reset_s: Spread,
    /// Seconds of silence before the reset.
    pub idle_before_s: Spread,
    /// Payload bytes of both sides before the reset.
    pub bytes_before: Spread,
    /// Silences that fit a well-known timer: its seconds and how many.
    #[serde(
        default,
        deserialize_with = "crate::keyed::deserialize",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub idle_timers: BTreeMap<u32, u64>,
    /// Identifiers of events that stand for the row, drawn at random.
    pub examples: Vec<String>,
}

/// One server and port, or what is too scattered to be told apart.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, JsonSchema,
)]
pub struct ServerRange {
    /// Its address, or the first of the range.
    pub ip: IpAddr,
    /// Its port; many of them if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Bits of the address that are meant; all of them if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<u8>,
}

impl From<Endpoint> for ServerRange {
    fn from(server: Endpoint) -> Self {
        Self { ip: server.ip, port: Some(server.port), prefix: None }
    }
}

/// A client and how often.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ClientCount {
    /// Who.
    pub ip: IpAddr,
    /// How often, at most.
    pub count: u64,
}

/// What became of the connections of one server.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ServiceRow {
    /// Which.
    pub server: ServerRange,
    /// What became of them; `timed_out`, `unanswered` and `still_open` are not known by server: 0.
    #[serde(flatten)]
    pub connections: Connections,
}

/// A source that tries many servers or ports.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ScanRow {
    /// Who.
    pub client: IpAddr,
    /// Resets that it was sent.
    pub resets: u64,
}

impl MinuteRow {
    /// What rows are told apart by.
    #[must_use]
    pub const fn key(&self) -> (ServerRange, Origin, Cause, Stage, Impact) {
        (self.server, self.origin, self.cause, self.stage, self.impact)
    }

    /// Adds a row of the same key.
    pub fn merge(&mut self, other: &Self) {
        self.confidence_least = match (self.count, other.count) {
            (0, _) => other.confidence_least,
            (_, 0) => self.confidence_least,
            _ => self.confidence_least.min(other.confidence_least),
        };
        self.count += other.count;
        self.clients.merge(&other.clients);
        for client in &other.top_clients {
            self.add_top(*client);
        }
        self.top_clients.sort_by_key(|client| (std::cmp::Reverse(client.count), client.ip));
        self.top_clients.truncate(TOP_CLIENTS);
        self.confidence_sum += other.confidence_sum;
        self.time_to_reset_s.merge(&other.time_to_reset_s);
        self.idle_before_s.merge(&other.idle_before_s);
        self.bytes_before.merge(&other.bytes_before);
        for (timer, count) in &other.idle_timers {
            *self.idle_timers.entry(*timer).or_default() += count;
        }
        let room = EXAMPLES.saturating_sub(self.examples.len());
        self.examples.extend(other.examples.iter().take(room).cloned());
    }

    fn add_top(&mut self, client: ClientCount) {
        match self.top_clients.iter_mut().find(|known| known.ip == client.ip) {
            Some(known) => known.count += client.count,
            None => self.top_clients.push(client),
        }
    }
}

/// Makes the name of a minute: 16 hexadecimal digits that depend on nothing but the arguments. `run` separates
/// sensors and restarts in live use and is the files' names in replay.
#[must_use]
pub fn minute_id(run: &str, start: UtcTime, part: u32) -> String {
    event_id(&format!("minute of {run}"), 0, u64::from(part), start)
}

/// The first part that tells what came after its minute was told.
pub const LATE_PARTS: u32 = 1 << 16;
/// Clients that a row names.
pub const TOP_CLIENTS: usize = 8;
/// Events that a row names.
pub const EXAMPLES: usize = 3;
