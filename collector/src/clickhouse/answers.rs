//! Rows of answers about counts, as `JSONEachRow` gives them.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv6Addr};

use classifiers::{Cause, Impact, Origin, Stage};
use events::{Clients, Connections, ServerRange, Spread};
use serde::Deserialize;

use super::rows::server_of;
use crate::history::ServerSummary;
use crate::impacts::ImpactCounts;
use crate::store::group::Named;
use crate::store::profile::Profile;
use crate::store::tally::ServerTally;

/// Resets of a kind; of one step where steps are asked for.
#[derive(Deserialize)]
pub(super) struct KindRow {
    #[serde(default)]
    pub(super) at: u64,
    #[serde(default)]
    origin: String,
    cause: String,
    #[serde(default)]
    stage: String,
    impact: String,
    pub(super) n: u64,
}

impl KindRow {
    pub(super) fn named(&self) -> Named {
        Named {
            origin: Origin::from_name(&self.origin).unwrap_or(Origin::Unknown),
            cause: Cause::from_name(&self.cause).unwrap_or(Cause::Unknown),
            stage: Stage::from_name(&self.stage).unwrap_or(Stage::Later),
            impact: Impact::from_name(&self.impact).unwrap_or(Impact::Unknown),
        }
    }
}

/// What came in a step beside resets.
#[derive(Deserialize)]
pub(super) struct HeadRow {
    pub(super) at: u64,
    #[serde(flatten)]
    pub(super) connections: Connections,
    #[serde(default)]
    pub(super) overflow: u64,
    #[serde(default)]
    pub(super) losses: BTreeMap<String, u64>,
}

/// Which server a row is about.
#[derive(Deserialize)]
pub(super) struct ServerKey {
    server_ip: Ipv6Addr,
    server_port: u16,
    server_prefix: u8,
}

impl ServerKey {
    pub(super) fn range(&self) -> ServerRange {
        server_of(self.server_ip, self.server_port, self.server_prefix)
    }

    /// As it stands in a list of `Tuple(IPv6, UInt16, UInt8)`.
    pub(super) fn tuple(&self) -> String {
        format!("('{}',{},{})", self.server_ip, self.server_port, self.server_prefix)
    }
}

/// A server in its place among others.
#[derive(Deserialize)]
pub(super) struct RankedRow {
    #[serde(flatten)]
    pub(super) server: ServerKey,
    #[serde(flatten)]
    resets: ImpactCounts,
    last_minute: u64,
    /// Of how many.
    pub(super) total: u64,
    #[serde(flatten)]
    connections: Connections,
}

impl RankedRow {
    /// What is shown of it, with what else was found: its causes, and how many clients.
    pub(super) fn summary(
        &self,
        tallies: &mut HashMap<ServerRange, (ServerTally, u64)>,
    ) -> ServerSummary {
        let server = self.server.range();
        let (mut tally, clients) = tallies.remove(&server).unwrap_or_default();
        tally.resets = self.resets;
        tally.connections = self.connections;
        tally.last_minute = self.last_minute;
        tally.summary(server, clients)
    }
}

/// Resets of a server by cause and impact.
#[derive(Deserialize)]
pub(super) struct CauseRow {
    #[serde(flatten)]
    pub(super) server: ServerKey,
    #[serde(flatten)]
    pub(super) kind: KindRow,
}

/// Clients of a server: registers out of minutes, or counted among events.
#[derive(Deserialize)]
pub(super) struct ClientsRow {
    #[serde(flatten)]
    pub(super) server: ServerKey,
    #[serde(default)]
    registers: Vec<u8>,
    #[serde(default)]
    counted: u64,
}

impl ClientsRow {
    pub(super) fn count(&self) -> u64 {
        Clients::of_registers(&self.registers).unwrap_or_default().count().max(self.counted)
    }
}

/// What rows of counts have in common, all kinds together.
#[derive(Deserialize)]
pub(super) struct ProfileRow {
    registers: Vec<u8>,
    top: Vec<(IpAddr, u64)>,
    age: SpreadRow,
    idle: SpreadRow,
    bytes: SpreadRow,
    timers: BTreeMap<u32, u64>,
}

impl ProfileRow {
    pub(super) fn profile(self) -> Profile {
        let mut profile = Profile {
            clients: Clients::of_registers(&self.registers).unwrap_or_default(),
            time_to_reset_s: self.age.into(),
            bytes_before: self.bytes.into(),
            top: self.top.into_iter().collect(),
            ..Profile::default()
        };
        profile.idle.add(&self.idle.into(), &self.timers);
        profile
    }
}

/// Count, sum, zeros and buckets.
#[derive(Deserialize)]
struct SpreadRow(u64, f64, u64, BTreeMap<i16, u64>);

impl From<SpreadRow> for Spread {
    fn from(SpreadRow(count, sum, zeros, buckets): SpreadRow) -> Self {
        Self { count, sum, zeros, buckets }
    }
}
