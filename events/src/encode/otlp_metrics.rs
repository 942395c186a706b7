//! The messages of OTLP that metrics need, as Protocol Buffers (`prost`) and as JSON (`serde`).
//!
//! Source: opentelemetry-proto 1.x, `metrics/v1/metrics.proto`,
//! `collector/metrics/v1/metrics_service.proto`. Fields that we never set are left out.

use serde::{Serialize, Serializer};

use super::otlp::{KeyValue, Resource, Scope, as_text};

/// What is sent: `ExportMetricsServiceRequest`.
#[derive(Clone, PartialEq, prost::Message, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Metrics {
    /// Metrics by whom they come from.
    #[prost(message, repeated, tag = "1")]
    pub resource_metrics: Vec<ResourceMetrics>,
}

/// Metrics of one resource.
#[derive(Clone, PartialEq, prost::Message, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourceMetrics {
    /// Whom they come from.
    #[prost(message, optional, tag = "1")]
    pub resource: Option<Resource>,
    /// Metrics by what made them.
    #[prost(message, repeated, tag = "2")]
    pub scope_metrics: Vec<ScopeMetrics>,
}

/// Metrics of one scope.
#[derive(Clone, PartialEq, prost::Message, Serialize)]
pub struct ScopeMetrics {
    /// What made them.
    #[prost(message, optional, tag = "1")]
    pub scope: Option<Scope>,
    /// The metrics.
    #[prost(message, repeated, tag = "2")]
    pub metrics: Vec<Metric>,
}

/// One metric and all its points.
#[derive(Clone, PartialEq, prost::Message, Serialize)]
pub struct Metric {
    /// Its name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// What it says.
    #[prost(string, tag = "2")]
    pub description: String,
    /// Its unit, as UCUM writes it.
    #[prost(string, tag = "3")]
    pub unit: String,
    /// Its points.
    #[prost(oneof = "Data", tags = "7, 10")]
    #[serde(flatten)]
    pub data: Option<Data>,
}

/// The kinds of points that we use.
#[derive(Clone, PartialEq, prost::Oneof, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Data {
    /// Counts.
    #[prost(message, tag = "7")]
    Sum(Sum),
    /// Spreads.
    #[prost(message, tag = "10")]
    ExponentialHistogram(ExponentialHistogram),
}

/// Counts.
#[derive(Clone, PartialEq, prost::Message, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Sum {
    /// The points.
    #[prost(message, repeated, tag = "1")]
    pub data_points: Vec<NumberPoint>,
    /// [`DELTA`].
    #[prost(int32, tag = "2")]
    pub aggregation_temporality: i32,
    /// Whether it only grows.
    #[prost(bool, tag = "3")]
    pub is_monotonic: bool,
}

/// Spreads.
#[derive(Clone, PartialEq, prost::Message, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExponentialHistogram {
    /// The points.
    #[prost(message, repeated, tag = "1")]
    pub data_points: Vec<SpreadPoint>,
    /// [`DELTA`].
    #[prost(int32, tag = "2")]
    pub aggregation_temporality: i32,
}

/// A count of one span of time.
#[derive(Clone, PartialEq, prost::Message, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NumberPoint {
    /// Of what.
    #[prost(message, repeated, tag = "7")]
    pub attributes: Vec<KeyValue>,
    /// From then on, nanoseconds since the Unix epoch.
    #[prost(fixed64, tag = "2")]
    #[serde(serialize_with = "as_text")]
    pub start_time_unix_nano: u64,
    /// Until then.
    #[prost(fixed64, tag = "3")]
    #[serde(serialize_with = "as_text")]
    pub time_unix_nano: u64,
    /// How many.
    #[prost(sfixed64, tag = "6")]
    #[serde(serialize_with = "as_text")]
    pub as_int: i64,
    /// Events that stand for it.
    #[prost(message, repeated, tag = "5")]
    pub exemplars: Vec<Exemplar>,
}

/// A spread of one span of time.
#[derive(Clone, PartialEq, prost::Message, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SpreadPoint {
    /// Of what.
    #[prost(message, repeated, tag = "1")]
    pub attributes: Vec<KeyValue>,
    /// From then on, nanoseconds since the Unix epoch.
    #[prost(fixed64, tag = "2")]
    #[serde(serialize_with = "as_text")]
    pub start_time_unix_nano: u64,
    /// Until then.
    #[prost(fixed64, tag = "3")]
    #[serde(serialize_with = "as_text")]
    pub time_unix_nano: u64,
    /// How many values.
    #[prost(fixed64, tag = "4")]
    #[serde(serialize_with = "as_text")]
    pub count: u64,
    /// Their sum.
    #[prost(double, optional, tag = "5")]
    pub sum: Option<f64>,
    /// A bucket is 2^(1/2^scale) wide.
    #[prost(sint32, tag = "6")]
    pub scale: i32,
    /// Values of zero.
    #[prost(fixed64, tag = "7")]
    #[serde(serialize_with = "as_text")]
    pub zero_count: u64,
    /// Those above zero.
    #[prost(message, optional, tag = "8")]
    pub positive: Option<Buckets>,
}

/// Buckets that follow each other.
#[derive(Clone, PartialEq, prost::Message, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Buckets {
    /// Index of the first.
    #[prost(sint32, tag = "1")]
    pub offset: i32,
    /// How many values in each.
    #[prost(uint64, repeated, tag = "2")]
    #[serde(serialize_with = "each_as_text")]
    pub bucket_counts: Vec<u64>,
}

/// An event that stands for others.
#[derive(Clone, PartialEq, prost::Message, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Exemplar {
    /// `event.id`.
    #[prost(message, repeated, tag = "7")]
    pub filtered_attributes: Vec<KeyValue>,
    /// When, nanoseconds since the Unix epoch.
    #[prost(fixed64, tag = "2")]
    #[serde(serialize_with = "as_text")]
    pub time_unix_nano: u64,
    /// Always 1: one event.
    #[prost(sfixed64, tag = "6")]
    #[serde(serialize_with = "as_text")]
    pub as_int: i64,
}

/// What is answered: `ExportMetricsServiceResponse`, whose parts have the shapes of those for logs.
pub type MetricsAnswer = super::otlp::LogsAnswer;

/// Each point is of its own span alone.
pub const DELTA: i32 = 1;

fn each_as_text<S: Serializer>(counts: &[u64], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(counts.iter().map(u64::to_string))
}
