//! Sink: Kafka, for those who run it already.
//!
//! ```text
//! topic    TOPIC.KIND                 one message is one record, the line that `ndjson` writes
//! key      SERVER:PORT or SENSOR      murmur2, as Java's clients cut it into partitions
//! headers  uid, sensor, record
//! ```
//!
//! **How often.** A producer is idempotent and waits for all replicas in sync: what it sends again after a
//! lost answer, or after a broker died, is in the topic once. A record whose acknowledgment is late stays in
//! the producer's hands; the courier's next attempt waits on for it and does not publish it again. Only a
//! producer that is made anew knows nothing of what was on the way: after a killed sensor, a refused password
//! or a cluster that forgot it, records may be there twice, and readers keep each `uid` once.
//!
//! **Order** holds among records of one key, but for those that failed and are given again, behind others that
//! were stored meanwhile.
//!
//! | file | what |
//! |---|---|
//! | `options.rs` | what may be chosen; in every build |
//! | `sink.rs` | a record as a message |
//! | `producer.rs` | a producer that keeps what it was given until the brokers have it |
//! | `ledger.rs` | what became of the messages |

#[cfg(feature = "kafka")]
mod ledger;
pub(crate) mod options;
#[cfg(feature = "kafka")]
mod producer;
#[cfg(feature = "kafka")]
mod sink;

#[cfg(feature = "kafka")]
pub(crate) use sink::KafkaSink;
