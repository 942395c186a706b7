//! Logs and metrics as requests.

use events::encode::minutes;
use events::encode::otel::{Envelope, canonical_record, log_record};
use events::encode::otlp::{Logs, Resource, ResourceLogs, Scope, ScopeLogs};
use events::encode::otlp_metrics::{Data, Metrics, ResourceMetrics, ScopeMetrics};
use events::{Body, Minute};
use prost::Message as _;

use crate::record::Record;

/// What OpenTelemetry calls a signal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Signal {
    Logs = 0,
    Metrics = 1,
}

/// What one request says.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Request {
    Logs(Logs),
    Metrics(Metrics),
}

impl Request {
    pub(super) const fn signal(&self) -> Signal {
        match self {
            Self::Logs(_) => Signal::Logs,
            Self::Metrics(_) => Signal::Metrics,
        }
    }

    /// Log records or points of metrics in it: what a receiver counts that refuses some.
    pub(super) fn count(&self) -> u64 {
        match self {
            Self::Logs(logs) => logs.resource_logs[0].scope_logs[0].log_records.len() as u64,
            Self::Metrics(metrics) => metrics.resource_metrics[0].scope_metrics[0]
                .metrics
                .iter()
                .map(|metric| match &metric.data {
                    Some(Data::Sum(sum)) => sum.data_points.len() as u64,
                    Some(Data::ExponentialHistogram(spread)) => spread.data_points.len() as u64,
                    None => 0,
                })
                .sum(),
        }
    }

    pub(super) fn to_protobuf(&self) -> Vec<u8> {
        match self {
            Self::Logs(logs) => logs.encode_to_vec(),
            Self::Metrics(metrics) => metrics.encode_to_vec(),
        }
    }

    pub(super) fn to_json(&self) -> Vec<u8> {
        match self {
            Self::Logs(logs) => serde_json::to_vec(logs),
            Self::Metrics(metrics) => serde_json::to_vec(metrics),
        }
        .expect("messages are JSON")
    }
}

/// Puts records into requests.
#[derive(Debug)]
pub(super) struct Encoder {
    pub(super) resource: Resource,
    pub(super) version: String,
    /// For our own collector: every record is a log.
    pub(super) is_canonical: bool,
}

impl Encoder {
    /// As what a record goes.
    pub(super) const fn signal_of(&self, body: &Body) -> Signal {
        match body {
            Body::Minute(_) if !self.is_canonical => Signal::Metrics,
            _ => Signal::Logs,
        }
    }

    /// A request without any record.
    pub(super) fn request(&self, signal: Signal) -> Request {
        let scope = Some(Scope { name: "rstscope".to_owned(), version: self.version.clone() });
        let resource = Some(self.resource.clone());
        match signal {
            Signal::Logs => {
                let scope_logs = vec![ScopeLogs { scope, log_records: Vec::new() }];
                Request::Logs(Logs { resource_logs: vec![ResourceLogs { resource, scope_logs }] })
            }
            Signal::Metrics => {
                let scope_metrics = vec![ScopeMetrics { scope, metrics: Vec::new() }];
                let resource_metrics = vec![ResourceMetrics { resource, scope_metrics }];
                Request::Metrics(Metrics { resource_metrics })
            }
        }
    }

    /// Adds records of the request's signal.
    pub(super) fn add(&self, request: &mut Request, records: &[&(&Record, Body)]) {
        match request {
            Request::Logs(logs) => {
                let log_records = &mut logs.resource_logs[0].scope_logs[0].log_records;
                log_records.reserve(records.len());
                for (record, body) in records {
                    log_records.extend(self.log(record, body));
                }
            }
            Request::Metrics(metrics) => {
                let minutes = records.iter().filter_map(|(_, body)| minute_of(body));
                metrics.resource_metrics[0].scope_metrics[0].metrics = minutes::metrics(minutes);
            }
        }
    }

    fn log(&self, record: &Record, body: &Body) -> Option<events::encode::otlp::LogRecord> {
        let uid = record.uid.to_string();
        let envelope = Envelope {
            uid: &uid,
            sequence: record.uid.sequence,
            observed_ns: record.time_ms * 1_000_000,
            is_test: record.is_test,
        };
        match body {
            _ if self.is_canonical => {
                let json = String::from_utf8_lossy(&record.wire()).into_owned();
                Some(canonical_record(body, json, &envelope))
            }
            Body::Event(event) => Some(log_record(event, &envelope)),
            // Options do not let them come so far.
            Body::Minute(_) | Body::Evidence(_) => None,
        }
    }
}

const fn minute_of(body: &Body) -> Option<&Minute> {
    match body {
        Body::Minute(minute) => Some(minute),
        Body::Event(_) | Body::Evidence(_) => None,
    }
}
