//! Minutes, and what is added up from them.
//!
//! A minute's rows go in first, then sums of the ten minutes and the hour that it lies in are made anew from all
//! rows that are there, and the minute itself goes in last: whoever finds it knows that all is done. Whatever dies
//! in between, the minute comes again, and doing all of it twice changes nothing.
//!
//! **Why the right sum holds.** Rows only come (they go a day after, and then no sum of their day is made any
//! more), so of two sums of one step that which is made of more rows has seen all that the other has: of two
//! collectors that are at it together the last to look has both their rows before it. One case is open: a minute that
//! two collectors are given at once, one before midnight UTC and the other after it, counts on both days.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use events::Minute;

use super::parameters::Parameters;
use super::{ClickHouse, ClickHouseError, rows};
use crate::receive::Arrival;

/// A sensor's minute, by name.
type Name = (String, String);

impl ClickHouse {
    /// Inserts those minutes that are not there, all that follows from them too; how many were there.
    pub(super) fn insert_minutes(
        &self,
        mut minutes: Vec<(&Arrival, Minute)>,
        now_s: u64,
    ) -> Result<u64, ClickHouseError> {
        let mut known = BTreeSet::new();
        for some in minutes.chunks(NAMES_MAX) {
            known.extend(self.known(some)?);
        }
        let all = minutes.len();
        minutes.retain(|(arrival, minute)| known.insert(name_of(arrival, minute)));
        // Side by side: an insert must not touch many days.
        minutes.sort_by_key(|(_, minute)| minute.start);
        let today = (now_s / DAY_S) as u16;
        for some in pieces(&minutes) {
            let days = self.days(some)?;
            let day = |arrival: &Arrival, minute: &Minute| {
                days.get(&name_of(arrival, minute)).copied().unwrap_or(today)
            };
            self.insert_all("rows_1m", some, |arrival, minute| {
                rows::minute_rows(arrival, minute, day(arrival, minute))
            })?;
            self.insert_all("services_1m", some, |arrival, minute| {
                rows::minute_services(arrival, minute, day(arrival, minute))
            })?;
            for step_s in [600, 3600] {
                self.add_up(some, step_s)?;
            }
            self.insert_all("minutes", some, rows::minute)?;
        }
        Ok((all - minutes.len()) as u64)
    }

    fn insert_all(
        &self,
        table: &str,
        minutes: &[(&Arrival, Minute)],
        rows: impl Fn(&Arrival, &Minute) -> String,
    ) -> Result<(), ClickHouseError> {
        let rows: String = minutes.iter().map(|(arrival, minute)| rows(arrival, minute)).collect();
        if rows.is_empty() { Ok(()) } else { self.client.insert(table, &rows) }
    }

    /// The names of those that are there, whole.
    fn known(&self, minutes: &[(&Arrival, Minute)]) -> Result<Vec<Name>, ClickHouseError> {
        #[derive(serde::Deserialize)]
        struct Row {
            sensor: String,
            id: String,
        }
        let mut parameters = Parameters::default();
        let names = minutes.iter().map(|(_, minute)| minute.id.as_str());
        let names = parameters.bind_all("String", names);
        let sql = format!("SELECT DISTINCT sensor, id FROM minutes WHERE id IN {names}");
        let found: Vec<Row> = self.client.rows("look for minutes", &sql, &parameters)?;
        Ok(found.into_iter().map(|row| (row.sensor, row.id)).collect())
    }

    /// The day on which each came of which rows are there, because somebody died over it: it stays.
    fn days(&self, minutes: &[(&Arrival, Minute)]) -> Result<HashMap<Name, u16>, ClickHouseError> {
        #[derive(serde::Deserialize)]
        struct Row {
            sensor: String,
            minute: String,
            day: u16,
        }
        let mut parameters = Parameters::default();
        let names = minutes.iter().map(|(_, minute)| minute.id.as_str());
        let names = parameters.bind_all("String", names);
        let span = span(minutes, 1, &mut parameters);
        let one = |table: &str| {
            format!("SELECT sensor, minute, day FROM {table} WHERE {span} AND minute IN {names}")
        };
        let sql = format!(
            "SELECT sensor, minute, toUInt16(min(day)) AS day FROM ({} UNION ALL {})
             GROUP BY sensor, minute",
            one("rows_1m"),
            one("services_1m"),
        );
        let found: Vec<Row> = self.client.rows("look for rows of minutes", &sql, &parameters)?;
        Ok(found.into_iter().map(|row| ((row.sensor, row.minute), row.day)).collect())
    }

    /// Makes the sums of all steps that these minutes lie in.
    fn add_up(&self, minutes: &[(&Arrival, Minute)], step_s: u64) -> Result<(), ClickHouseError> {
        let mut parameters = Parameters::default();
        let steps: BTreeSet<(&str, u64)> = minutes
            .iter()
            .map(|(arrival, minute)| (arrival.sensor.as_str(), second_of(minute) / step_s))
            .collect();
        let mut sensors: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (sensor, step) in steps {
            sensors.entry(sensor).or_default().push(step.to_string());
        }
        let wanted = sensors.into_iter().map(|(sensor, steps)| {
            let sensor = parameters.bind("String", sensor);
            // Numbers of our own.
            let steps = steps.join(", ");
            format!(
                "(m.sensor = {sensor} AND intDiv(toUnixTimestamp(m.start), {step_s}) IN ({steps}))"
            )
        });
        let wanted = wanted.collect::<Vec<_>>().join(" OR ");
        let span = span(minutes, step_s, &mut parameters);
        let suffix = if step_s == 600 { "10m" } else { "1h" };
        for (table, keys, sums) in
            [("rows", ROW_KEYS, row_sums()), ("services", &[], service_sums())]
        {
            let keys = SERVER_KEYS.iter().chain(keys).chain(&["day"]);
            let keys: Vec<String> = keys.map(|key| (*key).to_owned()).collect();
            let of_minutes: Vec<String> = keys.iter().map(|key| format!("m.{key}")).collect();
            let (names, sums): (Vec<_>, Vec<_>) = sums.into_iter().unzip();
            let sql = format!(
                "INSERT INTO {table}_{suffix} (start, {}, made_of, {})
                 SELECT toStartOfInterval(m.start, toIntervalSecond({step_s})) AS step, {}, count(), {}
                 FROM {table}_1m AS m FINAL WHERE {span} AND ({wanted})
                 GROUP BY step, {}
                 SETTINGS do_not_merge_across_partitions_select_final = 1",
                keys.join(", "),
                names.join(", "),
                of_minutes.join(", "),
                sums.join(", "),
                of_minutes.join(", "),
            );
            self.client.execute_with(&format!("add up {table}_{suffix}"), &sql, &parameters)?;
        }
        Ok(())
    }
}

/// Pieces that are inserted together: few days, few names, not much text.
fn pieces<'m, 'a>(
    minutes: &'m [(&'a Arrival, Minute)],
) -> impl Iterator<Item = &'m [(&'a Arrival, Minute)]> {
    let (mut before, mut count, mut bytes) = (None, 0, 0);
    minutes.chunk_by(move |(arrival, minute), (_, next)| {
        let first = *before.get_or_insert(second_of(minute) / DAY_S);
        count += 1;
        bytes += arrival.json.len();
        let fits = count < NAMES_MAX
            && bytes < PIECE_BYTES_MAX
            && second_of(next) / DAY_S <= first + DAYS_MAX;
        if !fits {
            (before, count, bytes) = (None, 0, 0);
        }
        fits
    })
}

/// The time of whole steps around minutes, of a table that may be called `m`.
fn span(minutes: &[(&Arrival, Minute)], step_s: u64, parameters: &mut Parameters) -> String {
    let seconds = || minutes.iter().map(|(_, minute)| second_of(minute) / step_s * step_s);
    let (first, last) = (seconds().min().unwrap_or(0), seconds().max().unwrap_or(0));
    let first = parameters.bind("UInt32", &first.to_string());
    let last = parameters.bind("UInt32", &(last + step_s).to_string());
    format!("start >= toDateTime({first}, 'UTC') AND start < toDateTime({last}, 'UTC')")
}

/// Columns of sums of resets, each with how it is made of rows of minutes `m`.
fn row_sums() -> Vec<(String, String)> {
    let mut sums: Vec<(String, String)> = [
        ("count", "sum(m.count)"),
        ("last", "max(m.start)"),
        ("clients", "maxForEach(m.clients)"),
        ("top_clients", "sumMap(m.top_clients)"),
        ("confidence_sum", "sum(m.confidence_sum)"),
        ("confidence_least", "min(m.confidence_least)"),
        ("idle_timers", "sumMap(m.idle_timers)"),
        ("example", "anyLast(m.example)"),
    ]
    .map(|(name, sum)| (name.to_owned(), sum.to_owned()))
    .into();
    for spread in ["age", "idle", "bytes"] {
        for (part, sum) in
            [("count", "sum"), ("sum", "sum"), ("zeros", "sum"), ("buckets", "sumMap")]
        {
            sums.push((format!("{spread}_{part}"), format!("{sum}(m.{spread}_{part})")));
        }
    }
    sums
}

/// The same of connections.
fn service_sums() -> Vec<(String, String)> {
    rows::connections(&events::Connections::default())
        .map(|(name, _)| (name.to_owned(), format!("sum(m.{name})")))
        .into()
}

fn name_of(arrival: &Arrival, minute: &Minute) -> Name {
    (arrival.sensor.clone(), minute.id.clone())
}

const fn second_of(minute: &Minute) -> u64 {
    minute.start.0 / 1_000_000_000
}

const SERVER_KEYS: [&str; 4] = ["sensor", "server_ip", "server_port", "server_prefix"];
const ROW_KEYS: &[&str] = &["origin", "cause", "stage", "impact"];
/// Names in a question: it stays shorter than what proxies let through.
const NAMES_MAX: usize = 100;
/// Days that an insert touches: each is a partition, and the server allows a hundred.
const DAYS_MAX: u64 = 50;
/// Bytes of minutes that are inserted together, but for the last of them.
const PIECE_BYTES_MAX: usize = 16 << 20;
const DAY_S: u64 = 86_400;
