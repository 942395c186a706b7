//! What the API answers. Clients of this program read the same types.

use std::collections::BTreeMap;

use events::explain::Explanation;
use events::{Endpoint, Event, Start, Status, UtcTime};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::delivery_state::DeliveryState;
use crate::health::Health;
use crate::history::EventDetail;
use crate::impacts::ImpactCounts;

/// `/api/v1/snapshot`: what a screen draws.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Snapshot {
    /// When it was taken.
    pub time: UtcTime,
    /// Name of the sensor.
    pub sensor: String,
    /// Names this run of the sensor: event numbers begin anew with another.
    pub run: String,
    /// Whether it works.
    pub health: Health,
    /// Packets, connections, losses, queues, tap.
    pub status: Status,
    /// Primary resets by impact.
    pub resets: ImpactCounts,
    /// What the counts below are taken from.
    pub counted_from: CountedFrom,
    /// The same by origin, most harmful first.
    pub by_origin: Vec<NameRow>,
    /// By cause, most harmful first.
    pub by_cause: Vec<NameRow>,
    /// By server, most harmful first, as many as were asked for.
    pub by_server: Vec<ServerRow>,
    /// Resets of servers that are not in `by_server`, or too many to be counted apart.
    pub other_servers: ImpactCounts,
    /// The last minutes in steps, oldest first; the last one is whole.
    pub series: Vec<Second>,
    /// Seconds of one step of `series`.
    pub series_step_s: f64,
    /// How delivery goes.
    pub delivery: DeliveryState,
}

/// What is counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CountedFrom {
    /// All since the start.
    #[default]
    Start,
    /// Only events that are still kept, because a filter was given.
    KeptEvents,
}

/// A name and its resets.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct NameRow {
    /// Of an origin or a cause.
    pub name: String,
    /// Its resets.
    #[serde(flatten)]
    pub counts: ImpactCounts,
}

/// A server and its resets.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ServerRow {
    /// Which.
    pub server: Endpoint,
    /// Its last reset.
    pub last: UtcTime,
    /// Why that was.
    pub last_cause: String,
    /// Its resets.
    #[serde(flatten)]
    pub counts: ImpactCounts,
}

/// What happened in one step of a series.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Second {
    /// Packets.
    pub packets: u64,
    /// Bytes.
    pub bytes: u64,
    /// What was lost.
    pub losses: u64,
    /// Primary resets that were told.
    pub resets: ImpactCounts,
}

/// `/api/v1/events`: events in the order they were told.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct EventPage {
    /// Names this run of the sensor: event numbers begin anew with another.
    pub run: String,
    /// Oldest first.
    pub events: Vec<Numbered>,
    /// Ask for `after` this next time, to miss none and get none twice.
    pub next: u64,
    /// Events after the one asked for that were told and are no longer kept, whether or not they would
    /// have passed the filter.
    pub missed: u64,
}

/// An event, its number in this run and who saw it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Numbered {
    /// From 1, in the order events were told.
    pub number: u64,
    /// Name of the sensor.
    pub sensor: String,
    /// The event; its fields stand beside the number in JSON.
    #[serde(flatten)]
    pub event: Event,
}

/// `/api/v1/events/{id}`: one event and what it says, for people.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct EventSheet {
    /// Its number in this run.
    pub number: u64,
    /// Name of the sensor that saw it.
    pub sensor: String,
    /// The event.
    pub event: Event,
    /// The proof sheet, in lines.
    pub sheet: String,
}

/// `/api/v1/history/{id}`: one event of the store, whole and explained.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct FlowPage {
    /// What the store knows of it; its fields stand beside the explanation in JSON.
    #[serde(flatten)]
    pub detail: EventDetail,
    /// What it says, in parts.
    pub explanation: Explanation,
}

/// `/api/v1/vocabulary`: names and what they mean, by the key that filters them.
pub type Vocabulary = BTreeMap<String, Vec<Word>>;

/// A name of a closed list.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Word {
    /// As events bear it.
    pub name: String,
    /// What it means, in a sentence.
    pub meaning: String,
}

/// `/api/v1/status`: how the run goes, without counts by name.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct StatusPage {
    /// Name of the sensor.
    pub sensor: String,
    /// Names this run of the sensor.
    pub run: String,
    /// Its version.
    pub version: String,
    /// Whether it works.
    pub health: Health,
    /// What it began with.
    pub start: Start,
    /// The last status, once a second.
    pub status: Status,
    /// How delivery goes.
    pub delivery: DeliveryState,
}

/// `/api/v1/version`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct VersionPage {
    /// Version of the program.
    pub version: String,
    /// Version of this interface: raised when an answer changes its meaning.
    pub api: u32,
    /// Version of the fields of an event.
    pub event_schema: u32,
}

/// Why a request was not answered, with a status from 400 on.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Refusal {
    /// In a sentence, with what to do.
    pub error: String,
}
