//! What is answered to OTLP requests.
//!
//! Source: opentelemetry-proto 1.x, `collector/logs/v1/logs_service.proto`; `google/rpc/status.proto` and
//! `error_details.proto`.

use events::encode::otlp::{LogsAnswer, PartialSuccess};
use prost::Message as _;
use serde_json::json;

use crate::receive::desk::Receipt;

/// What failed, and when to come again: `google.rpc.Status`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Status {
    #[prost(int32, tag = "1")]
    pub(crate) code: i32,
    #[prost(string, tag = "2")]
    pub(crate) message: String,
    #[prost(message, repeated, tag = "3")]
    pub(crate) details: Vec<Any>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Any {
    #[prost(string, tag = "1")]
    pub(crate) type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) value: Vec<u8>,
}

/// `google.rpc.RetryInfo`.
#[derive(Clone, PartialEq, prost::Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<Span>,
}

/// `google.protobuf.Duration`.
#[derive(Clone, PartialEq, prost::Message)]
struct Span {
    #[prost(int64, tag = "1")]
    seconds: i64,
}

/// Says that all was stored but for what the receipt names.
pub(crate) fn taken(receipt: &Receipt) -> LogsAnswer {
    let partial_success = (receipt.refused > 0).then(|| PartialSuccess {
        rejected_log_records: i64::try_from(receipt.refused).unwrap_or(i64::MAX),
        error_message: receipt.why.clone(),
    });
    LogsAnswer { partial_success }
}

/// The same as JSON, where 64-bit numbers are text.
pub(crate) fn taken_json(receipt: &Receipt) -> String {
    match receipt.refused {
        0 => "{}".to_owned(),
        refused => json!({ "partialSuccess": {
            "rejectedLogRecords": refused.to_string(), "errorMessage": receipt.why,
        }})
        .to_string(),
    }
}

/// A refusal, with the time to come again if there is one.
pub(crate) fn status(code: i32, message: &str, retry_s: Option<u64>) -> Status {
    let details = retry_s.map(|seconds| {
        let delay = Span { seconds: i64::try_from(seconds).unwrap_or(i64::MAX) };
        Any {
            type_url: "type.googleapis.com/google.rpc.RetryInfo".to_owned(),
            value: RetryInfo { retry_delay: Some(delay) }.encode_to_vec(),
        }
    });
    Status { code, message: message.to_owned(), details: details.into_iter().collect() }
}

/// When a sender that was turned away may come again, seconds.
pub(crate) const RETRY_S: u64 = 2;
/// What is said of metrics.
pub(crate) const NO_METRICS: &str = "metrics are not kept here: minutes come as log records with the attribute rst.record; send metrics to \
     whoever keeps metrics";
