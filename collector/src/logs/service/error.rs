//! What can go wrong with listening for logs.

use std::io;
use std::net::SocketAddr;

/// Why logs cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// A socket could not be bound.
    #[error(
        "listen for logs on {transport} {address}: {source} (choose another address in [[logs.listen]]; ports below \
         1024 need CAP_NET_BIND_SERVICE)"
    )]
    Bind {
        /// `udp`, `tcp` or `tls`.
        transport: &'static str,
        /// Where.
        address: SocketAddr,
        /// What the kernel said.
        source: io::Error,
    },
    /// TLS without a certificate.
    #[error(
        "listen for logs on tls {address}: set tls.certificate_file and tls.key_file in [[logs.listen]]"
    )]
    NoCertificate {
        /// Where.
        address: SocketAddr,
    },
    /// A certificate cannot be used.
    #[error("listen for logs on tls {address}: {source}")]
    Tls {
        /// Where.
        address: SocketAddr,
        /// What is wrong with it.
        source: crate::Error,
    },
    /// Nobody can be meant.
    #[error("[[logs.listen]] allow: {text:?} is no address and no network as 10.0.0.0/24")]
    Allow {
        /// What was said.
        text: String,
    },
    /// The thread could not be made.
    #[error("start the thread that takes logs: {source}")]
    Thread {
        /// What the system said.
        source: io::Error,
    },
}
