//! Receivers from outside: real sockets, a real NATS server, and senders that mean no good.

mod attacks;
mod grpc;
mod http;
mod nats;
mod send;
mod store;
mod tls;
