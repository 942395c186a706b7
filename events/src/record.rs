//! What a sensor sends to a collector, one JSON object each.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::Event;
use crate::evidence::Evidence;
use crate::minute::Minute;

/// An event, a minute or evidence, and whose it is.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Record {
    /// Names the record for ever, however often it is sent: keep each once.
    pub uid: String,
    /// Its place among the records of its sensor; a gap tells of a loss.
    pub sequence: u64,
    /// Name of the sensor.
    pub sensor: String,
    /// Whether it was made to try a sink: no reset was seen.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub test: bool,
    /// What it says; its fields stand beside those above.
    #[serde(flatten)]
    pub body: Body,
}

/// What a record says; told apart by the field `record`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "record", rename_all = "snake_case")]
#[allow(clippy::large_enum_variant, reason = "there are never many at a time")]
pub enum Body {
    /// One reset.
    Event(Event),
    /// One minute, counted.
    Minute(Minute),
    /// The packets of an event.
    Evidence(Evidence),
}
