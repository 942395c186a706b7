//! Serde for maps whose keys are numbers: JSON has them as text, and inside a flattened field
//! (`Record.body`) serde does not turn them back by itself.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize as _, Deserializer};

/// Reads a map of counts by a number.
pub(crate) fn deserialize<'de, D, K>(deserializer: D) -> Result<BTreeMap<K, u64>, D::Error>
where
    D: Deserializer<'de>,
    K: FromStr<Err: Display> + Ord,
{
    let read = |(key, count): (String, u64)| {
        Ok((key.parse().map_err(|error| D::Error::custom(format!("key {key:?}: {error}")))?, count))
    };
    BTreeMap::<String, u64>::deserialize(deserializer)?.into_iter().map(read).collect()
}
