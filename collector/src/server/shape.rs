//! What a question takes and gives, for the description of the interface.

use schemars::{JsonSchema, Schema, SchemaGenerator};

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

    /// Name, kind of value, what it means.
    pub(crate) const fn words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Last => (
                "last",
                "string",
                "Span that ends now or at to: 90s, 15m, 24h, 7d. 24h unless said.",
            ),
            Self::From => ("from", "string", "First instant, RFC 3339."),
            Self::To => ("to", "string", "Instant before which, RFC 3339; now unless said."),
            Self::Only => (
                "only",
                "string",
                "KEY=VALUE[,VALUE] or KEY!=VALUE[,VALUE] with impact, origin, cause, server, client, port, \
                 stage, effect, role; may stand more than once, all must hold.",
            ),
            Self::Sensor => ("sensor", "string", "Of this sensor only."),
            Self::Limit => ("limit", "integer", "Rows at most."),
            Self::Offset => ("offset", "integer", "Rows to leave out before."),
            Self::Sort => (
                "sort",
                "string",
                "Column: server, harmful, connections, share, aborted, refused, last; - before it for descending.",
            ),
            Self::Search => ("search", "string", "Part of an address or port."),
            Self::After => ("after", "integer", "Events with greater numbers only."),
            Self::Width => ("width", "integer", "Columns of the proof sheet, 40 to 400."),
        }
    }
}
