//! The Kafka sink against brokers over TCP, in builds that have it.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(
    dead_code,
    unreachable_pub,
    reason = "what is shared with other tests is not all used here"
)]

#[path = "../attacks/authority.rs"]
mod authority;
mod brokers;
mod gate;
#[path = "../attacks/sensor.rs"]
mod sensor;
