//! Delivery under attack: receivers that misbehave, processes that are killed, disks that are full.
//! Whatever happens, every event is told once or counted as lost.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(clippy::print_stderr, reason = "a test that is skipped says so")]
#![allow(unreachable_pub, reason = "what is public here is so for the other files of this test")]

mod disk;
#[cfg(feature = "kafka")]
mod gate;
mod grpc;
mod hostile;
#[cfg(feature = "kafka")]
mod kafka;
mod kill;
mod nats;
mod receiver;
mod records;
mod rotel;
mod sensor;
#[path = "../servers/mod.rs"]
mod servers;
mod syslog;
mod tls;
