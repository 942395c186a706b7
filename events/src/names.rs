//! Serde for the closed lists of `classifiers`: written and read by their names.

/// Makes one module for `#[serde(with = ...)]` for each list.
macro_rules! by_name {
    ($($module:ident: $kind:ident;)+) => {$(
        pub(crate) mod $module {
            use std::borrow::Cow;

            use classifiers::$kind;
            use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
            use serde::de::Error as _;
            use serde::{Deserialize as _, Deserializer, Serializer};

            /// The list as a schema: every name and what it means.
            pub(crate) struct Names;

            impl JsonSchema for Names {
                fn schema_name() -> Cow<'static, str> {
                    stringify!($kind).into()
                }

                fn json_schema(_: &mut SchemaGenerator) -> Schema {
                    let names = $kind::ALL.iter().map(|item| {
                        serde_json::json!({ "const": item.name(), "description": item.meaning() })
                    });
                    let names: Vec<_> = names.collect();
                    json_schema!({ "type": "string", "oneOf": names })
                }
            }

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
