//! Receivers from outside: real sockets, a real NATS server, and senders that mean no good.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a test"
)]

mod attacks;
mod full;
mod grpc;
mod http;
mod mutation;
mod nats;
mod send;
#[path = "../../../delivery/tests/servers/mod.rs"]
mod servers;
mod store;
mod tls;
