//! What can be set: section `[collect]` of the configuration.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::options::Listen;
use crate::tls::ServerTlsOptions;

/// Where records of sensors arrive, and what senders may take. Each record is answered when the store has
/// committed it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ReceiveOptions {
    /// Address and port of OTLP over HTTP, or "off". Beyond loopback a certificate is required, and
    /// token_file or tls.client_ca_file.
    pub otlp_http: Listen,
    /// Address and port of OTLP over gRPC, or "off"; protected like `otlp_http`.
    pub otlp_grpc: Listen,
    /// File with the token that senders must send as "Authorization: Bearer TOKEN", at least 16
    /// characters, read at the start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_file: Option<PathBuf>,
    /// Certificates of the receivers: with them they speak TLS only. With a client_ca_file senders must show a
    /// certificate.
    pub tls: ServerTlsOptions,
    /// Senders that may be connected to each receiver at a time, 1 to 65536; more wait.
    #[schemars(range(min = 1, max = 65_536))]
    pub connections: usize,
    /// Requests that are read or stored at a time by each receiver, 1 to 1024; more are told to come again.
    #[schemars(range(min = 1, max = 1024))]
    pub requests: usize,
    /// Bytes of one request before and after it is inflated, 1024 to 268435456. With `requests` it bounds the
    /// memory that senders can take.
    #[schemars(range(min = 1024, max = 268_435_456))]
    pub body_bytes_max: usize,
    /// Seconds in which a request must have come, 1 to 600.
    #[schemars(range(min = 1, max = 600))]
    pub request_timeout_s: u64,
    /// Where records that nobody can read are kept aside, as `refused.ndjson`; nowhere if absent. They are
    /// counted anyway.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused_directory: Option<PathBuf>,
    /// Bytes of it; the oldest half gives way.
    pub refused_bytes_max: u64,
    /// A stream of NATS JetStream to take records from; none if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nats: Option<NatsOptions>,
}

impl Default for ReceiveOptions {
    fn default() -> Self {
        let at = |port| Listen::At(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port));
        Self {
            otlp_http: at(4318),
            otlp_grpc: at(4317),
            token_file: None,
            tls: ServerTlsOptions::default(),
            connections: 256,
            requests: 16,
            body_bytes_max: 16 << 20,
            request_timeout_s: 10,
            refused_directory: None,
            refused_bytes_max: 16 << 20,
            nats: None,
        }
    }
}

/// A stream of NATS JetStream. Any number of collectors share its consumer: each batch goes to one of them, and
/// to another one if it does not say in time that it has stored it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NatsOptions {
    /// Servers, like nats://10.0.0.1:4222 or tls://nats.example:4222; one after the other is tried.
    pub servers: Vec<String>,
    /// The stream that sensors publish to. It must exist.
    pub stream: String,
    /// The durable consumer that collectors share; made if it is not there.
    pub consumer: String,
    /// Batches that one collector holds at a time, 1 to 1024.
    #[schemars(range(min = 1, max = 1024))]
    pub batches: usize,
    /// Seconds after which the server gives a batch to somebody else, 1 to 3600.
    #[schemars(range(min = 1, max = 3600))]
    pub ack_wait_s: u64,
    /// User name; with `password_file`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// File with the password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
    /// File with a token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_file: Option<PathBuf>,
    /// File with credentials (JWT and nkey) as `nsc` writes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credentials_file: Option<PathBuf>,
    /// Who may vouch for the server (PEM), if not the system's list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// Our own certificate (PEM), for servers that ask for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate_file: Option<PathBuf>,
    /// Its private key (PEM).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_file: Option<PathBuf>,
}

impl Default for NatsOptions {
    fn default() -> Self {
        Self {
            servers: vec!["nats://127.0.0.1:4222".to_owned()],
            stream: "RSTSCOPE".to_owned(),
            consumer: "collectors".to_owned(),
            batches: 16,
            ack_wait_s: 30,
            user: None,
            password_file: None,
            token_file: None,
            credentials_file: None,
            ca_file: None,
            certificate_file: None,
            key_file: None,
        }
    }
}

impl ReceiveOptions {
    /// What contradicts itself; files are not read.
    ///
    /// # Errors
    /// The first option that cannot be as it is, by its name.
    pub fn check(&self) -> Result<(), String> {
        within("collect.connections", self.connections, 1, 65_536)?;
        within("collect.requests", self.requests, 1, 1024)?;
        within("collect.body_bytes_max", self.body_bytes_max, 1024, 256 << 20)?;
        within("collect.request_timeout_s", self.request_timeout_s as usize, 1, 600)?;
        if self.tls.certificate_file.is_some() != self.tls.key_file.is_some() {
            return Err("collect.tls: certificate_file and key_file belong together".to_owned());
        }
        if self.tls.client_ca_file.is_some() && self.tls.certificate_file.is_none() {
            let why = "collect.tls: client_ca_file needs certificate_file: certificates are shown in TLS only";
            return Err(why.to_owned());
        }
        for (name, listen) in [("otlp_http", self.otlp_http), ("otlp_grpc", self.otlp_grpc)] {
            if let Listen::At(address) = listen
                && !address.ip().is_loopback()
                && !self.is_protected()
            {
                return Err(format!(
                    "collect.{name} = {address}: beyond loopback it needs certificate_file and key_file in \
                     section [collect.tls], and collect.token_file or a client_ca_file; else everybody could write and read what is sent"
                ));
            }
        }
        self.nats.as_ref().map_or(Ok(()), NatsOptions::check)
    }

    const fn is_protected(&self) -> bool {
        self.tls.certificate_file.is_some()
            && (self.token_file.is_some() || self.tls.client_ca_file.is_some())
    }
}

impl NatsOptions {
    fn check(&self) -> Result<(), String> {
        within("collect.nats.batches", self.batches, 1, 1024)?;
        within("collect.nats.ack_wait_s", self.ack_wait_s as usize, 1, 3600)?;
        if self.servers.is_empty() {
            return Err(
                "collect.nats.servers is empty: name one, like nats://127.0.0.1:4222".to_owned()
            );
        }
        // Not shown: it may be a secret, and addresses are told and logged.
        if self.servers.iter().any(|server| server.contains('@')) {
            return Err(
                "collect.nats.servers: one holds '@': use user and password_file".to_owned()
            );
        }
        for (name, value) in [("stream", &self.stream), ("consumer", &self.consumer)] {
            let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            if value.is_empty() || value.len() > 64 || !value.chars().all(is_plain) {
                return Err(format!(
                    "collect.nats.{name} = {value:?}: 1 to 64 letters, digits, '-' or '_'"
                ));
            }
        }
        if self.user.is_some() != self.password_file.is_some() {
            return Err(
                "collect.nats.user and collect.nats.password_file belong together".to_owned()
            );
        }
        if self.certificate_file.is_some() != self.key_file.is_some() {
            return Err("collect.nats.certificate_file and key_file belong together".to_owned());
        }
        Ok(())
    }
}

fn within(name: &str, value: usize, least: usize, most: usize) -> Result<(), String> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(format!("{name} = {value}: {least} to {most}"))
}

#[cfg(test)]
mod tests {
    use super::{NatsOptions, ReceiveOptions};
    use crate::options::Listen;

    #[test]
    fn defaults_hold_and_are_on_loopback() {
        let options = ReceiveOptions { nats: Some(NatsOptions::default()), ..Default::default() };
        assert_eq!(options.check(), Ok(()));
        let json = serde_json::to_string(&options).unwrap();
        assert_eq!(serde_json::from_str::<ReceiveOptions>(&json).unwrap(), options);
    }

    #[test]
    fn beyond_loopback_senders_must_be_known_and_nobody_may_listen_in() {
        let mut options = ReceiveOptions {
            otlp_http: "0.0.0.0:4318".parse().unwrap(),
            token_file: Some("token".into()),
            ..Default::default()
        };
        assert!(options.check().unwrap_err().contains("collect.otlp_http = 0.0.0.0:4318"));
        options.tls.certificate_file = Some("certificate".into());
        assert!(options.check().unwrap_err().contains("belong together"));
        options.tls.key_file = Some("key".into());
        assert_eq!(options.check(), Ok(()));
        options.token_file = None;
        assert!(options.check().unwrap_err().contains("client_ca_file"));
        options.tls.client_ca_file = Some("ca".into());
        assert_eq!(options.check(), Ok(()));
        options.otlp_http = Listen::Off;
        options.requests = 0;
        assert!(options.check().unwrap_err().contains("collect.requests = 0: 1 to 1024"));
    }

    #[test]
    fn an_address_with_a_password_is_refused_and_not_shown() {
        for server in ["nats://me:secret@host:4222", "secret@host"] {
            let servers = vec![server.to_owned()];
            let nats = NatsOptions { servers, ..NatsOptions::default() };
            let options = ReceiveOptions { nats: Some(nats), ..Default::default() };
            let why = options.check().unwrap_err();
            assert!(why.contains("password_file") && !why.contains("secret"), "{why}");
        }
    }

    #[test]
    fn what_cannot_name_a_stream_is_refused() {
        let nats = NatsOptions { stream: "a.b".to_owned(), ..NatsOptions::default() };
        let options = ReceiveOptions { nats: Some(nats), ..Default::default() };
        assert!(options.check().unwrap_err().contains("collect.nats.stream"));
    }
}
