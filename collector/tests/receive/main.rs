//! Receivers from outside: real sockets, a real NATS server, and senders that mean no good.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test"
)]

mod attacks;
mod full;
mod grpc;
mod http;
mod nats;
mod send;
mod store;
mod tls;
