//! Events and minutes in the words of others.
//!
//! | file | what |
//! |---|---|
//! | `mod.rs` | [`Encoding`]: which words; [`Source`]: what they say beside the event |
//! | `ecs.rs` | Elastic Common Schema |
//! | `ocsf.rs` | Open Cybersecurity Schema Framework, class Network Activity |
//! | `rest.rs` | what neither of them has a name for |
//! | `otel.rs` | as an OpenTelemetry log record: which attribute says what |
//! | `otlp.rs`, `otlp_metrics.rs` | the messages of OTLP, as Protocol Buffers and as JSON |
//! | `minutes.rs` | minutes as OpenTelemetry metrics |

mod ecs;
pub mod minutes;
mod ocsf;
pub mod otel;
pub mod otlp;
pub mod otlp_metrics;
mod rest;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::event::Event;

/// In whose words events are written as JSON.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// Our own: nothing is left out, and only this can be read back.
    #[default]
    Canonical,
    /// Elastic Common Schema 8: for Elasticsearch, OpenSearch and what reads their indices.
    Ecs,
    /// OCSF 1.7, class 4001 Network Activity: for Splunk, Amazon Security Lake and others.
    Ocsf,
}

/// What is known of an event's way beside the event.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Source<'a> {
    /// Name of the sensor; absent if it has none, as when captures are read.
    pub sensor: Option<&'a str>,
    /// Version of the program.
    pub version: &'a str,
    /// Names the record for ever, and its place among the records of its sensor.
    pub record: Option<(&'a str, u64)>,
    /// Whether it was made to try a sink: no reset was seen.
    pub is_test: bool,
}

impl Encoding {
    /// The event as one JSON object.
    ///
    /// # Errors
    /// None that is known of: the event was made by us.
    pub fn document(self, event: &Event, source: &Source<'_>) -> serde_json::Result<Value> {
        match self {
            Self::Canonical => serde_json::to_value(event),
            Self::Ecs => ecs::document(event, source),
            Self::Ocsf => ocsf::document(event, source),
        }
    }
}

/// Leaves out what says nothing: null, and objects and lists that are empty without it.
fn without_nothing(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields.into_iter().map(|(name, value)| (name, without_nothing(value)));
            Value::Object(fields.filter(|(_, value)| says_something(value)).collect::<Map<_, _>>())
        }
        Value::Array(values) => Value::Array(values.into_iter().map(without_nothing).collect()),
        other => other,
    }
}

fn says_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Object(fields) => !fields.is_empty(),
        Value::Array(values) => !values.is_empty(),
        _ => true,
    }
}

/// Nanoseconds of a span of seconds; `None` of what is no such span.
fn nanoseconds(seconds: Option<f64>) -> Option<u64> {
    // As large a cast as fits: spans of connections are hours.
    seconds.filter(|seconds| (0.0..1e9).contains(seconds)).map(|seconds| (seconds * 1e9) as u64)
}

/// The name of what both sides spoke, as far as their first payload tells.
fn application(event: &Event) -> Option<&str> {
    let said = [event.app.client.as_deref(), event.app.server.as_deref()];
    said.into_iter().flatten().find(|app| matches!(*app, "tls" | "http" | "ssh"))
}
