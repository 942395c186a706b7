//! An event in the words of others.
//!
//! | file | what |
//! |---|---|
//! | `otel.rs` | as an OpenTelemetry log record: which attribute says what |
//! | `otlp.rs` | the messages of OTLP, as Protocol Buffers and as JSON |

pub mod otel;
pub mod otlp;
