//! Events and minutes in the words of others.
//!
//! | file | what |
//! |---|---|
//! | `otel.rs` | as an OpenTelemetry log record: which attribute says what |
//! | `otlp.rs`, `otlp_metrics.rs` | the messages of OTLP, as Protocol Buffers and as JSON |
//! | `minutes.rs` | minutes as OpenTelemetry metrics |

pub mod minutes;
pub mod otel;
pub mod otlp;
pub mod otlp_metrics;
