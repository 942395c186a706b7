//! The messages of OTLP that logs need, as Protocol Buffers (`prost`) and as JSON (`serde`).
//!
//! Source: opentelemetry-proto 1.x, `logs/v1/logs.proto`, `common/v1/common.proto`,
//! `collector/logs/v1/logs_service.proto`. Fields that we never set are left out: their absence means
//! their default in both encodings.

use serde::{Serialize, Serializer};

/// What is sent: `ExportLogsServiceRequest`.
#[derive(Clone, PartialEq, prost::Message, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Logs {
    /// Logs by whom they come from.
    #[prost(message, repeated, tag = "1")]
    pub resource_logs: Vec<ResourceLogs>,
}

/// Logs of one resource.
#[derive(Clone, PartialEq, prost::Message, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourceLogs {
    /// Whom they come from.
    #[prost(message, optional, tag = "1")]
    pub resource: Option<Resource>,
    /// Logs by what wrote them.
    #[prost(message, repeated, tag = "2")]
    pub scope_logs: Vec<ScopeLogs>,
}

/// Whom logs come from.
#[derive(Clone, PartialEq, prost::Message, Serialize)]
pub struct Resource {
    /// `service.name` and others.
    #[prost(message, repeated, tag = "1")]
    pub attributes: Vec<KeyValue>,
}

/// Logs of one scope.
#[derive(Clone, PartialEq, prost::Message, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ScopeLogs {
    /// What wrote them.
    #[prost(message, optional, tag = "1")]
    pub scope: Option<Scope>,
    /// The logs.
    #[prost(message, repeated, tag = "2")]
    pub log_records: Vec<LogRecord>,
}

/// What wrote logs.
#[derive(Clone, PartialEq, prost::Message, Serialize)]
pub struct Scope {
    /// Its name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Its version.
    #[prost(string, tag = "2")]
    pub version: String,
}

/// One log record.
#[derive(Clone, PartialEq, prost::Message, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LogRecord {
    /// When it happened, nanoseconds since the Unix epoch.
    #[prost(fixed64, tag = "1")]
    #[serde(serialize_with = "as_text")]
    pub time_unix_nano: u64,
    /// When it was taken down, nanoseconds since the Unix epoch.
    #[prost(fixed64, tag = "11")]
    #[serde(serialize_with = "as_text")]
    pub observed_time_unix_nano: u64,
    /// 1 to 24; 9 is INFO, 13 is WARN.
    #[prost(int32, tag = "2")]
    pub severity_number: i32,
    /// The severity in a word.
    #[prost(string, tag = "3")]
    pub severity_text: String,
    /// What a person reads.
    #[prost(message, optional, tag = "5")]
    pub body: Option<AnyValue>,
    /// What a program reads.
    #[prost(message, repeated, tag = "6")]
    pub attributes: Vec<KeyValue>,
    /// Which kind of event this is.
    #[prost(string, tag = "12")]
    pub event_name: String,
}

/// An attribute.
#[derive(Clone, PartialEq, prost::Message, Serialize)]
pub struct KeyValue {
    /// Its name.
    #[prost(string, tag = "1")]
    pub key: String,
    /// Its value.
    #[prost(message, optional, tag = "2")]
    pub value: Option<AnyValue>,
}

/// A value of any kind.
#[derive(Clone, PartialEq, prost::Message, Serialize)]
#[serde(transparent)]
pub struct AnyValue {
    /// Nothing is the empty value.
    #[prost(oneof = "Value", tags = "1, 2, 3, 4, 5")]
    pub value: Option<Value>,
}

/// The kinds of values that we use.
#[derive(Clone, PartialEq, prost::Oneof, Serialize)]
pub enum Value {
    /// Text.
    #[prost(string, tag = "1")]
    #[serde(rename = "stringValue")]
    Text(String),
    /// True or false.
    #[prost(bool, tag = "2")]
    #[serde(rename = "boolValue")]
    Bool(bool),
    /// A whole number; JSON writes it as text, since its readers keep 53 bits only.
    #[prost(int64, tag = "3")]
    #[serde(rename = "intValue", serialize_with = "as_text")]
    Int(i64),
    /// Any number.
    #[prost(double, tag = "4")]
    #[serde(rename = "doubleValue")]
    Double(f64),
    /// Several values.
    #[prost(message, tag = "5")]
    #[serde(rename = "arrayValue")]
    Array(ArrayValue),
}

/// Several values.
#[derive(Clone, PartialEq, prost::Message, Serialize)]
pub struct ArrayValue {
    /// In their order.
    #[prost(message, repeated, tag = "1")]
    pub values: Vec<AnyValue>,
}

/// What is answered: `ExportLogsServiceResponse`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct LogsAnswer {
    /// Set if not all was taken, or there is something to be said.
    #[prost(message, optional, tag = "1")]
    pub partial_success: Option<PartialSuccess>,
}

/// What a receiver did not take.
#[derive(Clone, PartialEq, prost::Message)]
pub struct PartialSuccess {
    /// How many records it refused, for good.
    #[prost(int64, tag = "1")]
    pub rejected_log_records: i64,
    /// Why.
    #[prost(string, tag = "2")]
    pub error_message: String,
}

impl AnyValue {
    /// Text.
    pub fn text(text: impl Into<String>) -> Self {
        Self { value: Some(Value::Text(text.into())) }
    }
}

impl KeyValue {
    /// An attribute.
    pub fn new(key: impl Into<String>, value: Value) -> Self {
        Self { key: key.into(), value: Some(AnyValue { value: Some(value) }) }
    }

    /// An attribute whose value is text.
    pub fn text(key: impl Into<String>, text: impl Into<String>) -> Self {
        Self::new(key, Value::Text(text.into()))
    }
}

/// The form that the JSON encoding of Protocol Buffers gives to numbers of 64 bits.
pub(super) fn as_text<T: std::fmt::Display, S: Serializer>(
    number: &T,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_str(number)
}
