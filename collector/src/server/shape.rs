//! What a question takes and gives, for the description of the interface.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Value, json};

use super::ask::TEXT_LEN_MAX;
use crate::history::OFFSET_MAX;

/// A name in an address that means something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Takes {
    Last,
    From,
    To,
    Only,
    Sensor,
    Limit,
    Offset,
    Sort,
    Search,
    After,
    Width,
}

/// What an answer is.
#[derive(Clone, Copy)]
pub(crate) enum Gives {
    /// JSON of this shape.
    Json(fn(&mut SchemaGenerator) -> Schema),
    /// Server-sent events whose data are of this shape.
    Events(fn(&mut SchemaGenerator) -> Schema),
    /// Text of this type.
    Text(&'static str),
    /// A capture.
    Pcapng,
    /// Any JSON.
    Any,
}

impl Gives {
    pub(crate) const fn json<T: JsonSchema>() -> Self {
        Self::Json(|generator| generator.subschema_for::<T>())
    }

    pub(crate) const fn events<T: JsonSchema>() -> Self {
        Self::Events(|generator| generator.subschema_for::<T>())
    }
}

impl Takes {
    pub(crate) const PAST: [Self; 5] = [Self::Last, Self::From, Self::To, Self::Only, Self::Sensor];
    pub(crate) const ROWS: [Self; 7] =
        [Self::Last, Self::From, Self::To, Self::Only, Self::Sensor, Self::Limit, Self::Offset];
    pub(crate) const SERVERS: [Self; 9] = [
        Self::Last,
        Self::From,
        Self::To,
        Self::Only,
        Self::Sensor,
        Self::Limit,
        Self::Offset,
        Self::Sort,
        Self::Search,
    ];
    pub(crate) const LATE: [Self; 3] = [Self::Only, Self::After, Self::Limit];

    /// Its name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Last => "last",
            Self::From => "from",
            Self::To => "to",
            Self::Only => "only",
            Self::Sensor => "sensor",
            Self::Limit => "limit",
            Self::Offset => "offset",
            Self::Sort => "sort",
            Self::Search => "search",
            Self::After => "after",
            Self::Width => "width",
        }
    }

    /// What it means.
    pub(crate) const fn says(self) -> &'static str {
        match self {
            Self::Last => {
                "Span that ends now or at to: 90s, 15m, 24h, 7d, up to 3660d. 24h unless said."
            }
            Self::From => "First instant, RFC 3339 in UTC; not together with last.",
            Self::To => "Instant before which, RFC 3339 in UTC; now unless said.",
            Self::Only => {
                "KEY=VALUE[,VALUE] or KEY!=VALUE[,VALUE] with impact, origin, cause, server, client, port, \
                 stage, effect, role; may stand more than once, all must hold."
            }
            Self::Sensor => "Of this sensor only.",
            Self::Limit => "Rows at most.",
            Self::Offset => "Rows to leave out before.",
            Self::Sort => {
                "Column: server, harmful, connections, share, aborted, refused, last; - before it for descending."
            }
            Self::Search => "Part of an address or port.",
            Self::After => "Events with greater numbers only.",
            Self::Width => "Columns of the proof sheet.",
        }
    }

    /// Which values are taken, as JSON Schema.
    pub(crate) fn schema(self) -> Value {
        match self {
            Self::Last => json!({ "type": "string", "pattern": "^[1-9][0-9]*[smhd]$" }),
            Self::From | Self::To => {
                json!({ "type": "string", "format": "date-time", "pattern": "Z$" })
            }
            Self::Only => {
                let pattern =
                    "^(impact|origin|cause|server|client|port|stage|effect|role)!?=[^,]+(,[^,]+)*$";
                json!({ "type": "array", "items": { "type": "string", "pattern": pattern } })
            }
            Self::Sensor | Self::Search => json!({ "type": "string", "maxLength": TEXT_LEN_MAX }),
            Self::Limit => json!({ "type": "integer", "minimum": 1 }),
            Self::Offset => json!({ "type": "integer", "minimum": 0, "maximum": OFFSET_MAX }),
            Self::Sort => {
                let pattern = "^-?(server|harmful|connections|share|aborted|refused|last)$";
                json!({ "type": "string", "pattern": pattern })
            }
            Self::After => json!({ "type": "integer", "minimum": 0 }),
            Self::Width => {
                json!({ "type": "integer", "minimum": WIDTH_MIN, "maximum": WIDTH_MAX })
            }
        }
    }
}

/// Columns of a proof sheet that may be asked for.
pub(crate) const WIDTH_MIN: usize = 40;
pub(crate) const WIDTH_MAX: usize = 400;
