//! Answers of two stores, compared.

use collector::NoAnswer;
use serde_json::{Value, json};

/// An answer without what may differ: counts of 0 that one of the two does not tell, and the last digits.
fn plain(value: Value, without: &[&str]) -> Value {
    match value {
        Value::Object(fields) => {
            let is_told = |(name, value): &(String, Value)| {
                !without.contains(&name.as_str()) && *value != json!(0) && *value != json!(0.0)
            };
            let fields = fields.into_iter().filter(is_told);
            fields.map(|(name, value)| (name, plain(value, without))).collect()
        }
        Value::Array(all) => all.into_iter().map(|one| plain(one, without)).collect(),
        Value::Number(number) if number.is_f64() => {
            json!((number.as_f64().unwrap() * 1000.0).round() / 1000.0)
        }
        other => other,
    }
}

/// Both say the same of `what`, but for the fields `without`.
pub(crate) fn same<T: serde::Serialize>(
    what: &str,
    without: &[&str],
    one: Result<T, NoAnswer>,
    other: Result<T, NoAnswer>,
) {
    let of = |answer: Result<T, NoAnswer>| match answer {
        Ok(answer) => plain(serde_json::to_value(answer).unwrap(), without),
        Err(NoAnswer::Unknown(_)) => json!("unknown"),
        Err(error) => panic!("{what}: {error}"),
    };
    let (one, other) = (of(one), of(other));
    if one != other {
        let text = |value: &Value| serde_json::to_string_pretty(value).unwrap();
        let (one, other) = (text(&one), text(&other));
        let differing: Vec<_> =
            one.lines().zip(other.lines()).filter(|(one, other)| one != other).take(12).collect();
        panic!("{what}: the two stores differ: {differing:#?}");
    }
}
