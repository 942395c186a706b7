//! Records out of OTLP requests, whoever wrote them.
//!
//! | file | what |
//! |---|---|
//! | `protobuf.rs` | the binary encoding, read in place |
//! | `json.rs` | the JSON encoding |
//! | `answer.rs` | what is answered, in both |
//! | `http.rs` | OTLP/HTTP: `/v1/logs`, `/v1/metrics` |
//! | `grpc.rs` | OTLP/gRPC: `LogsService/Export`, `MetricsService/Export` |

pub(crate) mod answer;
pub(crate) mod grpc;
pub(crate) mod http;
pub(crate) mod json;
pub(crate) mod protobuf;

use bytes::Bytes;

/// What a request holds.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Found {
    /// The texts of `rst.record`.
    pub(crate) records: Vec<Bytes>,
    /// Log records without it.
    pub(crate) foreign: u64,
}

impl Found {
    fn push(&mut self, text: Option<Bytes>) -> Result<(), String> {
        match text {
            Some(text) => self.records.push(text),
            None => self.foreign += 1,
        }
        if self.records.len() as u64 + self.foreign > RECORDS_MAX {
            return Err(format!("more than {RECORDS_MAX} log records in one request"));
        }
        Ok(())
    }
}

/// The attribute that bears a record's JSON.
const ATTRIBUTE: &str = "rst.record";
/// Log records of one request.
const RECORDS_MAX: u64 = 65_536;

#[cfg(test)]
mod tests;
