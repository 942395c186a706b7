//! Serde for the closed lists of `classifiers`: written and read by their names. Their schema lists them,
//! each with what it means.

/// Makes one module for `#[serde(with = ...)]` for each list.
macro_rules! by_name {
    ($($module:ident: $kind:ident;)+) => {$(
        pub(crate) mod $module {
            use std::borrow::Cow;

            use classifiers::$kind;
            use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
            use serde::de::Error as _;
            use serde::{Deserialize as _, Deserializer, Serializer};

            pub(crate) fn serialize<S: Serializer>(
                value: &$kind,
                serializer: S,
            ) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(value.name())
            }

            pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
                deserializer: D,
            ) -> Result<$kind, D::Error> {
                let name = String::deserialize(deserializer)?;
                $kind::from_name(&name).ok_or_else(|| {
                    D::Error::custom(format!("{} {name:?} is not known here", stringify!($module)))
                })
            }

            /// One of the names, to whoever asks for the schema.
            pub(crate) struct Name;

            impl JsonSchema for Name {
                fn schema_name() -> Cow<'static, str> {
                    Cow::Borrowed(stringify!($kind))
                }

                fn json_schema(_: &mut SchemaGenerator) -> Schema {
                    let names = $kind::ALL.iter().map(|value| {
                        json_schema!({ "const": value.name(), "description": value.meaning() })
                    });
                    json_schema!({ "type": "string", "oneOf": names.collect::<Vec<_>>() })
                }
            }
        }
    )+};
}

by_name! {
    cause: Cause;
    clue: Clue;
    effect: Effect;
    impact: Impact;
    origin: Origin;
    reaction: Reaction;
    reception: Reception;
    role: Role;
    shape: Shape;
    stage: Stage;
    terminator: Terminator;
}
