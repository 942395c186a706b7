//! What the store answers: the types of the API's history, which the page and `rstscope query` read.

use std::collections::BTreeMap;

pub use events::LadderRung;
use events::{
    Agreement, ClientCount, Connections, CorroborationItem, Endpoint, Event, Filter, ServerRange,
    Spread, Status, UtcTime,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::answers::NameRow;
use crate::impacts::ImpactCounts;
use crate::store::StoreError;

/// Which resets are asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ask {
    /// From then on.
    pub from: UtcTime,
    /// Before then.
    pub to: UtcTime,
    /// All must hold.
    pub filters: Vec<Filter>,
    /// Of this sensor only.
    pub sensor: Option<String>,
    /// Rows at most.
    pub limit: usize,
    /// Rows to leave out before.
    pub offset: usize,
}

impl Ask {
    /// Whether not too many rows are to be left out.
    pub(crate) const fn check_offset(&self) -> Result<(), StoreError> {
        match self.offset {
            offset if offset > OFFSET_MAX => Err(StoreError::TooFar { offset }),
            _ => Ok(()),
        }
    }
}

/// Rows that a question may leave out: whoever wants those behind them asks for a shorter time.
pub(crate) const OFFSET_MAX: usize = 100_000;

/// `/api/v1/overview`: what happened, the denominator beside it.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Overview {
    /// From this whole step on.
    pub from: UtcTime,
    /// Before this.
    pub to: UtcTime,
    /// Seconds of one step of `series`.
    pub step_s: u32,
    /// What became of all connections; of those servers only that the filters name.
    pub connections: Connections,
    /// Primary resets.
    pub resets: ImpactCounts,
    /// The same by origin, most harmful first.
    pub by_origin: Vec<NameRow>,
    /// By cause.
    pub by_cause: Vec<NameRow>,
    /// By stage.
    pub by_stage: Vec<NameRow>,
    /// Step by step, oldest first, without holes.
    pub series: Vec<Step>,
    /// The servers with the most harmful resets.
    pub servers: Vec<ServerSummary>,
    /// Resets counted in wider rows, because there were too many keys.
    pub overflow: u64,
    /// What was lost, by name.
    pub losses: BTreeMap<String, u64>,
}

/// One step of a series.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// Its first instant.
    pub time: UtcTime,
    /// What became of connections.
    pub connections: Connections,
    /// Resets by impact.
    pub resets: ImpactCounts,
    /// Harmful resets by cause.
    pub harmful_by_cause: BTreeMap<String, u64>,
}

/// `/api/v1/servers`: servers, most harmful resets first.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct ServerList {
    /// How many there are without limit and offset.
    pub total: u64,
    /// Those asked for.
    pub rows: Vec<ServerSummary>,
}

/// A server in a list.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ServerSummary {
    /// Which.
    pub server: ServerRange,
    /// What became of its connections.
    pub connections: Connections,
    /// Its resets.
    pub resets: ImpactCounts,
    /// How many different clients were reset, about; beyond the first 500 of a list, how many at least, by resets of
    /// whatever kind.
    pub clients: u64,
    /// Its most frequent causes, three at most.
    pub causes: Vec<NameRow>,
    /// The last minute with a reset, in lists of many servers of whatever kind.
    pub last: UtcTime,
}

/// `/api/v1/servers/{server}`: one server, whole.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ServerDetail {
    /// As in the list.
    pub summary: ServerSummary,
    /// Seconds of one step of `series`.
    pub step_s: u32,
    /// Step by step.
    pub series: Vec<Step>,
    /// By origin, cause and stage.
    pub by_origin: Vec<NameRow>,
    /// By cause.
    pub by_cause: Vec<NameRow>,
    /// By stage.
    pub by_stage: Vec<NameRow>,
    /// Who was reset most.
    pub top_clients: Vec<ClientCount>,
    /// Seconds from the first packet to the reset.
    pub time_to_reset_s: Spread,
    /// Silence before the reset.
    pub idle: IdleHistogram,
    /// Payload bytes before the reset.
    pub bytes_before: Spread,
    /// Events that stand for it.
    pub events: Vec<EventRow>,
}

/// `/api/v1/idle`: silences before resets, and the timers they point to.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct IdleHistogram {
    /// All of them, seconds.
    pub spread: Spread,
    /// Silences that fit a well-known timer, shortest first.
    pub timers: Vec<IdleTimer>,
    /// Whether it is made of the newest 20,000 events only, because there are more: where filters ask for
    /// what minutes do not know, such as clients. So is all that is told of a server beside it.
    #[serde(default)]
    pub is_cut: bool,
}

/// A well-known timer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct IdleTimer {
    /// Seconds.
    pub seconds: u32,
    /// Resets that came at it.
    pub count: u64,
    /// Whose default it is.
    pub products: String,
}

/// `/api/v1/history`: events of the store, newest first.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct EventList {
    /// Those asked for.
    pub rows: Vec<EventRow>,
    /// Whether there are more beyond the limit.
    pub has_more: bool,
}

/// An event in a list.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct EventRow {
    /// Identifier.
    pub id: String,
    /// Whose.
    pub sensor: String,
    /// When the reset came.
    pub ts: UtcTime,
    /// Who opened the connection.
    pub client: Endpoint,
    /// Who was connected to.
    pub server: Endpoint,
    /// Name of the origin, by packets and logs together.
    pub origin: String,
    /// Its probability.
    pub origin_confidence: f64,
    /// Name of the cause.
    pub cause: String,
    /// Its probability.
    pub cause_confidence: f64,
    /// Name of the impact.
    pub impact: String,
    /// Name of the stage.
    pub stage: String,
    /// What logs make of it, if any spoke of it.
    pub agreement: Option<Agreement>,
    /// Whether packets were kept.
    pub has_evidence: bool,
}

impl EventRow {
    /// The row of an event of which no store says more.
    #[must_use]
    pub fn of(sensor: &str, event: &Event) -> Self {
        let verdict = &event.verdict;
        let (origin, origin_confidence, cause, cause_confidence) = match &event.conclusion {
            Some(told) => (told.origin, told.origin_confidence, told.cause, told.cause_confidence),
            None => {
                (verdict.origin, verdict.origin_confidence, verdict.cause, verdict.cause_confidence)
            }
        };
        Self {
            id: event.id.clone(),
            sensor: sensor.to_owned(),
            ts: event.ts,
            client: event.client,
            server: event.server,
            origin: origin.name().to_owned(),
            origin_confidence,
            cause: cause.name().to_owned(),
            cause_confidence,
            impact: verdict.impact.name().to_owned(),
            stage: verdict.stage.name().to_owned(),
            agreement: event.agreement(),
            has_evidence: false,
        }
    }
}

/// `/api/v1/history/{id}`: one event, whole.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct EventDetail {
    /// Whose.
    pub sensor: String,
    /// The event, in its last revision.
    pub event: Event,
    /// The proof sheet, in lines.
    pub sheet: String,
    /// The packets that were kept, drawn as a ladder.
    pub ladder: Vec<LadderRung>,
    /// Other resets of the same connection (Community ID), newest first.
    pub same_connection: Vec<EventRow>,
}

/// Rows that were added up from single events.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "{T}s")]
pub struct RowList<T> {
    /// Those asked for.
    pub rows: Vec<T>,
    /// Whether they are made of the newest 20,000 events only, because there are more: ask for a shorter time
    /// to have all of them.
    pub is_cut: bool,
}

/// `/api/v1/bursts`: many connections of one server cut together.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct BurstRow {
    /// When the first was seen.
    pub first: UtcTime,
    /// When the last was seen.
    pub last: UtcTime,
    /// Whose connections.
    pub server: Endpoint,
    /// Events that are kept of it.
    pub events: u64,
    /// What it was, in a sentence.
    pub sentence: String,
    /// One of them.
    pub example: String,
}

/// `/api/v1/devices`: boxes in the path that sent resets.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct DeviceRow {
    /// Whose sensor saw it.
    pub sensor: String,
    /// The sensor's name for it, or its origin where it has none.
    pub device: String,
    /// Hops behind its resets, where always the same.
    pub hops: Option<u8>,
    /// Its resets.
    pub resets: ImpactCounts,
    /// Its causes, most frequent first.
    pub causes: Vec<NameRow>,
    /// How many servers it spoke for.
    pub servers: u64,
    /// When it was last seen.
    pub last: UtcTime,
    /// One of its resets.
    pub example: String,
}

/// `/api/v1/sensors`: who sends, and how each does.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SensorRow {
    /// Name.
    pub sensor: String,
    /// Its last minute.
    pub last: UtcTime,
    /// How it did then.
    pub status: Status,
    /// Records that came.
    pub records: u64,
    /// Records that came more than once and were kept once.
    pub repeated: u64,
    /// Numbers missing among its records: losses on the way.
    pub missing: u64,
}

/// `/api/v1/disagreements`: sessions whose logged culprit is wrong, by rule.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct DisagreementRow {
    /// Who wrote the log.
    pub source: String,
    /// The policy rule that it names; "" if none.
    pub rule: String,
    /// What it said.
    pub said: String,
    /// What the packets say: the origin's name.
    pub origin: String,
    /// Contradicted or refined.
    pub agreement: Agreement,
    /// How many sessions.
    pub count: u64,
    /// The last of them, with its line.
    pub example: String,
    /// What follows, of that one.
    pub item: CorroborationItem,
}

/// `/api/v1/logs`: who writes logs to us, how well they can be read, and what was lost.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct LogList {
    /// Who writes.
    pub sources: Vec<LogSourceRow>,
    /// What was not joined for want of something, by name; only what has happened: `datagrams_lost`, `too_long`,
    /// `not_allowed`, `sessions_ambiguous`, ...
    pub losses: BTreeMap<String, u64>,
}

/// A machine that writes logs.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct LogSourceRow {
    /// Name of the machine.
    pub source: String,
    /// How its lines come: `udp`, `tcp`, `tls`, `file`.
    pub via: String,
    /// What writes them, as far as told.
    pub product: String,
    /// Lines.
    pub lines: u64,
    /// Of those, ends of TCP sessions.
    pub sessions: u64,
    /// Of those, joined with a reset.
    pub joined: u64,
    /// Lines that could not be read.
    pub garbage: u64,
    /// Why the last of those could not be, and its beginning.
    pub last_garbage: Option<String>,
    /// By how much its clock is ahead of ours, seconds, as learned.
    pub clock_offset_s: Option<f64>,
    /// The zone that its stamps seem to be in, as `+02:00`, where they are off by as much: say so by `timezone`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_zone: Option<String>,
    /// When its last line came.
    pub last: UtcTime,
}
