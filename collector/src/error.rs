//! What can go wrong with the API.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why the API could not be offered.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address could not be bound.
    #[error("listen on {address}: {source} (choose another with --api ADDRESS:PORT, or --api off)")]
    Bind {
        /// Where.
        address: SocketAddr,
        /// What the kernel said.
        source: io::Error,
    },
    /// Beyond loopback without a token.
    #[error(
        "listen on {address}: everybody who reaches it could read who talks to whom; set token_file in \
         section [api] of the configuration, or listen on 127.0.0.1"
    )]
    Unprotected {
        /// Where.
        address: SocketAddr,
    },
    /// Beyond loopback without TLS.
    #[error(
        "listen on {address}: tokens and who talks to whom could be read on the way; set \
         tls.certificate_file and tls.key_file in section [api] of the configuration, or listen on \
         127.0.0.1 behind a proxy that speaks TLS, or say plain_http = true"
    )]
    Unencrypted {
        /// Where.
        address: SocketAddr,
    },
    /// TLS is half chosen.
    #[error(
        "TLS: certificate_file and key_file belong together, and client_ca_file needs both; set them or none"
    )]
    TlsIncomplete,
    /// A certificate or key cannot be used.
    #[error("TLS: use {path}: {why}; it must be PEM, readable for this user", path = .path.display())]
    TlsFile {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// What was said of proxies cannot be meant.
    #[error(
        "section [api.proxy]: {text:?} is no network as 10.0.0.0/24, no address, or no name of a header"
    )]
    Proxy {
        /// What was said.
        text: String,
    },
    /// The token file could not be read.
    #[error("read the token of the API from {path}: {source}", path = .path.display())]
    TokenFile {
        /// Which file.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// The token file holds no token.
    #[error(
        "the token of the API in {path} must be 16 to 1024 visible ASCII characters in one line; make one with \
         \"openssl rand -hex 32\"", path = .path.display()
    )]
    Token {
        /// Which file.
        path: PathBuf,
    },
    /// Its thread could not be started.
    #[error("start the thread of the API: {source}")]
    Thread {
        /// What the kernel said.
        source: io::Error,
    },
}

impl Error {
    /// Whether somebody else holds the port.
    #[must_use]
    pub fn is_port_taken(&self) -> bool {
        matches!(self, Self::Bind { source, .. } if source.kind() == io::ErrorKind::AddrInUse)
    }
}
