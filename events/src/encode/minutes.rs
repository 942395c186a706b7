//! Minutes as OpenTelemetry metrics: counts and spreads of one minute each (delta), by server and verdict.
//!
//! Addresses of clients are in none of them: they would make a series each.

use super::otlp::{KeyValue, Value};
use super::otlp_metrics::{
    Buckets, DELTA, Data, Exemplar, ExponentialHistogram, Metric, NumberPoint, SpreadPoint, Sum,
};
use crate::minute::{Minute, MinuteRow, ServerRange, Spread};
use crate::report::Connections;

/// The metrics that say some minutes; those without a point are left out.
#[must_use]
pub fn metrics<'m>(minutes: impl Iterator<Item = &'m Minute> + Clone) -> Vec<Metric> {
    let all = [
        sum("rst.events", "{reset}", "Final primary resets", minutes.clone(), |minute, points| {
            points.extend(minute.rows.iter().map(|row| {
                let mut point = number(minute, row_attributes(row), row.count);
                point.exemplars = row
                    .examples
                    .iter()
                    .map(|id| exemplar(id, point.start_time_unix_nano))
                    .collect();
                point
            }));
        }),
        spread(
            "rst.time_to_reset",
            "s",
            "From the first packet of the connection to the reset",
            minutes.clone(),
            |row| &row.time_to_reset_s,
        ),
        spread("rst.idle_before", "s", "Silence before the reset", minutes.clone(), |row| {
            &row.idle_before_s
        }),
        spread(
            "rst.bytes_before",
            "By",
            "Payload of both sides before the reset",
            minutes.clone(),
            |row| &row.bytes_before,
        ),
        sum(
            "rst.connections",
            "{connection}",
            "What became of the connections of each server",
            minutes.clone(),
            |minute, points| {
                for service in &minute.services {
                    let attributes = server_attributes(&service.server);
                    connections(minute, &attributes, &service.connections, points);
                }
            },
        ),
        sum(
            "rst.sensor.connections",
            "{connection}",
            "What became of all connections of the sensor",
            minutes.clone(),
            |minute, points| connections(minute, &[], &minute.connections, points),
        ),
        sum("rst.sensor.losses", "{loss}", "What was lost", minutes, |minute, points| {
            let point = |(name, count): (&String, &u64)| {
                number(minute, vec![KeyValue::text("rst.loss", name)], *count)
            };
            points.extend(minute.losses.iter().map(point));
        }),
    ];
    all.into_iter().flatten().collect()
}

fn sum<'m>(
    name: &str,
    unit: &str,
    description: &str,
    minutes: impl Iterator<Item = &'m Minute>,
    add: impl Fn(&Minute, &mut Vec<NumberPoint>),
) -> Option<Metric> {
    let mut data_points = Vec::new();
    minutes.for_each(|minute| add(minute, &mut data_points));
    let has_points = !data_points.is_empty();
    let data = Data::Sum(Sum { data_points, aggregation_temporality: DELTA, is_monotonic: true });
    has_points.then(|| metric(name, unit, description, data))
}

fn spread<'m>(
    name: &str,
    unit: &str,
    description: &str,
    minutes: impl Iterator<Item = &'m Minute>,
    of: impl Fn(&MinuteRow) -> &Spread,
) -> Option<Metric> {
    let mut data_points = Vec::new();
    for minute in minutes {
        let rows = minute.rows.iter().filter(|row| of(row).count > 0);
        data_points.extend(rows.map(|row| spread_point(minute, row, of(row))));
    }
    let has_points = !data_points.is_empty();
    let histogram = ExponentialHistogram { data_points, aggregation_temporality: DELTA };
    has_points.then(|| metric(name, unit, description, Data::ExponentialHistogram(histogram)))
}

fn metric(name: &str, unit: &str, description: &str, data: Data) -> Metric {
    let (name, unit) = (name.to_owned(), unit.to_owned());
    Metric { name, description: description.to_owned(), unit, data: Some(data) }
}

fn number(minute: &Minute, attributes: Vec<KeyValue>, count: u64) -> NumberPoint {
    let (start_time_unix_nano, time_unix_nano) = span(minute);
    let as_int = i64::try_from(count).unwrap_or(i64::MAX);
    NumberPoint { attributes, start_time_unix_nano, time_unix_nano, as_int, exemplars: Vec::new() }
}

/// A point of what became of connections for each way that any took.
fn connections(
    minute: &Minute,
    attributes: &[KeyValue],
    connections: &Connections,
    points: &mut Vec<NumberPoint>,
) {
    for (fate, count) in connections.named() {
        if count > 0 {
            let mut attributes = attributes.to_vec();
            attributes.push(KeyValue::text("rst.fate", fate));
            points.push(number(minute, attributes, count));
        }
    }
}

fn spread_point(minute: &Minute, row: &MinuteRow, spread: &Spread) -> SpreadPoint {
    let (start_time_unix_nano, time_unix_nano) = span(minute);
    let (scale, positive) = buckets(spread);
    SpreadPoint {
        attributes: row_attributes(row),
        start_time_unix_nano,
        time_unix_nano,
        count: spread.count,
        sum: Some(spread.sum),
        scale,
        zero_count: spread.zeros,
        positive,
    }
}

/// The buckets in a row and their scale: as coarse as [`BUCKETS_MAX`] asks for.
fn buckets(spread: &Spread) -> (i32, Option<Buckets>) {
    let (Some((first, _)), Some((last, _))) =
        (spread.buckets.first_key_value(), spread.buckets.last_key_value())
    else {
        return (Spread::SCALE, None);
    };
    // One step coarser puts two neighbours together; the shift rounds down below zero too.
    let coarser = (0..).find(|shift| (last >> shift) - (first >> shift) < BUCKETS_MAX);
    let shift: i32 = coarser.expect("all indices end in two buckets");
    let offset = first >> shift;
    let mut bucket_counts = vec![0; usize::from((last >> shift).abs_diff(offset)) + 1];
    for (index, count) in &spread.buckets {
        bucket_counts[usize::from((index >> shift).abs_diff(offset))] += count;
    }
    let positive = Buckets { offset: i32::from(offset), bucket_counts };
    (Spread::SCALE - shift, Some(positive))
}

fn row_attributes(row: &MinuteRow) -> Vec<KeyValue> {
    let mut attributes = server_attributes(&row.server);
    attributes.extend([
        KeyValue::text("rst.origin", row.origin.name()),
        KeyValue::text("rst.cause", row.cause.name()),
        KeyValue::text("rst.stage", row.stage.name()),
        KeyValue::text("rst.impact", row.impact.name()),
    ]);
    attributes
}

fn server_attributes(server: &ServerRange) -> Vec<KeyValue> {
    let address = match server.prefix {
        Some(prefix) => format!("{}/{prefix}", server.ip),
        None => server.ip.to_string(),
    };
    let mut attributes = vec![KeyValue::text("server.address", address)];
    let port = server.port.map(|port| Value::Int(i64::from(port)));
    attributes.extend(port.map(|port| KeyValue::new("server.port", port)));
    attributes
}

fn exemplar(id: &str, time_unix_nano: u64) -> Exemplar {
    let filtered_attributes = vec![KeyValue::text("event.id", id)];
    Exemplar { filtered_attributes, time_unix_nano, as_int: 1 }
}

/// Start and end, nanoseconds since the Unix epoch.
fn span(minute: &Minute) -> (u64, u64) {
    let span_ns = u64::from(minute.span_s) * 1_000_000_000;
    (minute.start.0, minute.start.0.saturating_add(span_ns))
}

/// What receivers keep of one point without making it coarser themselves.
const BUCKETS_MAX: i16 = 160;

#[cfg(test)]
mod tests {
    use classifiers::{Cause, Impact, Origin, Stage};

    use super::{buckets, metrics};
    use crate::encode::otlp_metrics::Data;
    use crate::minute::{Clients, Minute, MinuteRow, ServerRange, ServiceRow, Spread};
    use crate::report::Connections;
    use crate::time::UtcTime;

    #[test]
    fn buckets_stand_in_a_row_and_grow_coarse_rather_than_many() {
        let mut spread = Spread::default();
        for value in [0.0, 1.0, 1.0, 4.0] {
            spread.add(value);
        }
        let (scale, positive) = buckets(&spread);
        let positive = positive.unwrap();
        assert_eq!((scale, positive.offset), (2, -1));
        assert_eq!(positive.bucket_counts, [2, 0, 0, 0, 0, 0, 0, 0, 1]);
        spread.add(1e-9);
        spread.add(1e12);
        let (scale, positive) = buckets(&spread);
        let positive = positive.unwrap();
        assert_eq!(scale, 1);
        assert!(positive.bucket_counts.len() <= 160);
        assert_eq!(positive.bucket_counts.iter().sum::<u64>() + spread.zeros, spread.count);
        let (_, none) = buckets(&Spread::default());
        assert_eq!(none, None);
    }

    #[test]
    fn a_minute_becomes_counts_and_spreads_of_its_own_span() {
        let server = ServerRange { ip: [10, 0, 0, 0].into(), port: None, prefix: Some(24) };
        let mut idle_before_s = Spread::default();
        idle_before_s.add(350.0);
        let row = MinuteRow {
            server,
            origin: Origin::Server,
            cause: Cause::Unknown,
            stage: Stage::Later,
            impact: Impact::Aborted,
            count: 7,
            clients: Clients::default(),
            top_clients: Vec::new(),
            confidence_sum: 6.0,
            confidence_least: 0.8,
            time_to_reset_s: Spread::default(),
            idle_before_s,
            bytes_before: Spread::default(),
            idle_timers: [(350, 1)].into(),
            examples: vec!["e1".to_owned()],
        };
        let connections = Connections { opened: 9, reset: 7, ..Connections::default() };
        let minute = Minute {
            start: UtcTime(60_000_000_000),
            span_s: 60,
            rows: vec![row],
            services: vec![ServiceRow { server, connections }],
            connections,
            ..Minute::default()
        };
        let metrics = metrics([minute].iter());
        let names: Vec<&str> = metrics.iter().map(|metric| metric.name.as_str()).collect();
        assert_eq!(
            names,
            ["rst.events", "rst.idle_before", "rst.connections", "rst.sensor.connections"]
        );
        let Some(Data::Sum(sum)) = &metrics[0].data else { panic!("{metrics:?}") };
        let point = &sum.data_points[0];
        assert_eq!(
            (point.start_time_unix_nano, point.time_unix_nano),
            (60_000_000_000, 120_000_000_000)
        );
        assert_eq!((point.as_int, point.exemplars.len(), point.attributes.len()), (7, 1, 5));
        let json = serde_json::to_value(&metrics).unwrap();
        assert_eq!(json[0]["sum"]["dataPoints"][0]["asInt"], "7");
        assert_eq!(json[1]["exponentialHistogram"]["dataPoints"][0]["count"], "1");
        assert_eq!(
            json[2]["sum"]["dataPoints"][1]["attributes"][1]["value"]["stringValue"],
            "reset"
        );
    }
}
