//! Which part of the past is meant: `?last=24h&only=impact=aborted&sensor=tap-7&limit=100&offset=200`.

use std::time::{SystemTime, UNIX_EPOCH};

use events::UtcTime;

use super::refusal::{Refused, wrong};
use super::span::{read_instant, read_span_s};
use crate::history::{Ask, OFFSET_MAX};
use crate::store::StoreError;

/// A question with what the server itself does to the answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Asked {
    pub(crate) ask: Ask,
    /// Column to sort by, `-` before it for descending.
    pub(crate) sort: Option<String>,
    /// Part of an address.
    pub(crate) search: Option<String>,
}

/// Reads the pairs of an address.
///
/// # Errors
/// A key or a value that cannot be meant, with the choices there are.
pub(crate) fn asked(
    pairs: &[(String, String)],
    now: UtcTime,
    limit_default: usize,
    limit_max: usize,
) -> Result<Asked, Refused> {
    if pairs.len() > PAIRS_MAX {
        return Err(wrong(format!("more than {PAIRS_MAX} conditions")));
    }
    let mut asked = Asked {
        ask: Ask {
            from: UtcTime(0),
            to: now,
            filters: Vec::new(),
            sensor: None,
            limit: limit_default,
            offset: 0,
        },
        sort: None,
        search: None,
    };
    let mut span = Span::default();
    for (name, value) in pairs {
        let ask = &mut asked.ask;
        match name.as_str() {
            "last" => span.last_s = Some(read_span_s(value).map_err(of(name))?),
            "from" => span.from = Some(read_instant(value).map_err(of(name))?),
            "to" => span.to = Some(read_instant(value).map_err(of(name))?),
            "limit" => ask.limit = number(name, value, 1, limit_max)?,
            "offset" => ask.offset = offset(name, value)?,
            "sensor" => ask.sensor = Some(short(name, value)?),
            "sort" => asked.sort = Some(short(name, value)?),
            "search" => asked.search = Some(short(name, value)?).filter(|text| !text.is_empty()),
            "only" => ask.filters.push(value.parse().map_err(wrong)?),
            key => ask.filters.push(format!("{key}={value}").parse().map_err(wrong)?),
        }
    }
    (asked.ask.from, asked.ask.to) = span.edges(now)?;
    Ok(asked)
}

/// What was said of time.
#[derive(Default)]
struct Span {
    last_s: Option<u64>,
    from: Option<UtcTime>,
    to: Option<UtcTime>,
}

impl Span {
    fn edges(&self, now: UtcTime) -> Result<(UtcTime, UtcTime), Refused> {
        if self.last_s.is_some() && self.from.is_some() {
            return Err(wrong("last and from exclude each other"));
        }
        let to = self.to.unwrap_or(now);
        let last_ns = self.last_s.unwrap_or(LAST_S).saturating_mul(1_000_000_000);
        let from = self.from.unwrap_or(UtcTime(to.0.saturating_sub(last_ns)));
        if from >= to {
            return Err(wrong(format!("from={from} is not before to={to}")));
        }
        Ok((from, to))
    }
}

/// Now, up to the next step, so that those who ask at about the same time ask the same.
pub(crate) fn now() -> UtcTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UtcTime((since.as_secs() / NOW_STEP_S + 1) * NOW_STEP_S * 1_000_000_000)
}

/// What is wrong with the value of `name`.
fn of(name: &str) -> impl Fn(String) -> Refused {
    move |why| wrong(format!("{name}={why}"))
}

fn number(name: &str, text: &str, least: usize, most: usize) -> Result<usize, Refused> {
    let number: usize =
        text.parse().map_err(|_| wrong(format!("{name}={text:?} is no whole number")))?;
    if (least..=most).contains(&number) {
        Ok(number)
    } else {
        Err(wrong(format!("{name}={number} is not from {least} to {most}")))
    }
}

fn offset(name: &str, text: &str) -> Result<usize, Refused> {
    match number(name, text, 0, usize::MAX)? {
        offset if offset <= OFFSET_MAX => Ok(offset),
        offset => Err(wrong(StoreError::TooFar { offset }.to_string())),
    }
}

fn short(name: &str, text: &str) -> Result<String, Refused> {
    if text.len() <= TEXT_LEN_MAX {
        Ok(text.to_owned())
    } else {
        Err(wrong(format!("{name} is longer than {TEXT_LEN_MAX} bytes")))
    }
}

/// More conditions than anybody types.
const PAIRS_MAX: usize = 32;
pub(crate) const TEXT_LEN_MAX: usize = 200;
/// A day, unless said.
const LAST_S: u64 = 86_400;
const NOW_STEP_S: u64 = 5;

#[cfg(test)]
mod tests {
    use events::UtcTime;

    use super::{Asked, asked};

    const NOW: UtcTime = UtcTime(1_700_000_000_000_000_000);

    fn ask(pairs: &[(&str, &str)]) -> Result<Asked, String> {
        let owned: Vec<_> =
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        asked(&owned, NOW, 50, 1000).map_err(|(_, text)| text.0.error)
    }

    #[test]
    fn a_span_ends_now_or_where_it_is_said() {
        let day = ask(&[]).unwrap().ask;
        assert_eq!((day.to, day.to.seconds_since(day.from)), (NOW, 86_400.0));
        let hour = ask(&[("last", "90m"), ("to", "2023-11-14T00:00:00Z")]).unwrap().ask;
        assert_eq!(hour.to.seconds_since(hour.from), 5400.0);
        assert_eq!(hour.to.to_string(), "2023-11-14T00:00:00.000000000Z");
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_the_choices() {
        for (pairs, expected) in [
            (&[("last", "1w")][..], "24h"),
            (&[("last", "99999d")], "3660d"),
            (&[("last", "ü")], "no span"),
            (&[("last", "")], "no span"),
            (&[("from", "yesterday")], "2026-11-23T08:03:13Z"),
            (&[("from", "2026-01-01T00:00:00Z"), ("to", "2025-01-01T00:00:00Z")], "not before"),
            (&[("from", "2020-01-01T00:00:00Z"), ("last", "1h")], "exclude"),
            (&[("limit", "0")], "from 1 to 1000"),
            (&[("offset", "-1")], "no whole number"),
            (&[("offset", "100001")], "ask for a shorter time"),
            (&[("colour", "red")], "no key \"colour\""),
            (&[("only", "impact=lost")], "aborted, refused"),
        ] {
            let error = ask(pairs).unwrap_err();
            assert!(error.contains(expected), "{pairs:?}: {error}");
        }
    }
}
