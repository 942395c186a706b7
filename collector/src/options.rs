//! What can be set, with defaults that work on a bare appliance.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::tls::ServerTlsOptions;

/// The local API: where it listens and how much it keeps. Section `[api]` of the configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Address and port of API, metrics and health, or "off". Without it 127.0.0.1:9477, if that port is
    /// free. Beyond loopback TLS is required, and a token, a proxy or certificates of clients.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<Listen>,
    /// File with the token that lets clients read everything but packets: "Authorization: Bearer TOKEN", at
    /// least 16 characters, read at the start. Without any token everybody on this machine may ask for
    /// everything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_file: Option<PathBuf>,
    /// File with the token of administrators, who may fetch packets and copies of the store too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub admin_token_file: Option<PathBuf>,
    /// Certificates: with them only TLS is spoken. Required beyond loopback.
    pub tls: ServerTlsOptions,
    /// Speak without TLS beyond loopback all the same: tokens and who talks to whom can then be read on the
    /// way.
    pub plain_http: bool,
    /// Reverse proxies that check users themselves.
    pub proxy: ProxyOptions,
    /// Requests a second that one address may send, four seconds' worth at once.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub requests_per_s: u32,
    /// Last events that are kept whole, about 4 KiB each. When there is no room, the oldest of the most
    /// frequent impact gives way, so that a flood of harmless resets does not push out the others.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub events_kept: usize,
    /// Bytes of packets of the last resets that are kept to be fetched; the oldest give way.
    #[schemars(range(max = 1_073_741_824))]
    pub evidence_bytes: usize,
    /// Servers that are counted apart, about 100 bytes each. When there is no room, those with the fewest
    /// aborted connections are counted together: scans invent servers.
    #[schemars(range(min = 16, max = 1_000_000))]
    pub servers_kept: usize,
    /// Clients that may be connected at a time; more wait.
    #[schemars(range(min = 1, max = 4096))]
    pub connections: usize,
    /// Seconds in which a client must have sent the whole header of a request.
    #[schemars(range(min = 1, max = 3600))]
    pub header_timeout_s: u64,
    /// Seconds after which a connection is closed, whatever it does; clients connect again.
    #[schemars(range(min = 1, max = 86_400))]
    pub connection_s: u64,
}

impl Options {
    /// Where it listens if nothing else is said.
    pub const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9477);

    /// Where to listen; `None` for nowhere.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        match self.listen {
            Some(Listen::Off) => None,
            Some(Listen::At(address)) => Some(address),
            None => Some(Self::LISTEN),
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: None,
            token_file: None,
            admin_token_file: None,
            tls: ServerTlsOptions::default(),
            plain_http: false,
            proxy: ProxyOptions::default(),
            requests_per_s: 50,
            events_kept: 4096,
            evidence_bytes: 8 << 20,
            servers_kept: 4096,
            connections: 64,
            header_timeout_s: 5,
            connection_s: 60,
        }
    }
}

/// Reverse proxies that check users and name them: section `[api.proxy]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ProxyOptions {
    /// Their addresses or networks, as `192.0.2.7` or `10.0.0.0/24`. They must overwrite the header below in
    /// what clients send.
    pub trusted: Vec<String>,
    /// The header in which they name the user; whoever they name may read.
    pub user_header: String,
    /// Users that are administrators.
    pub admin_users: Vec<String>,
}

impl Default for ProxyOptions {
    fn default() -> Self {
        Self {
            trusted: Vec::new(),
            user_header: "x-forwarded-user".to_owned(),
            admin_users: Vec::new(),
        }
    }
}

/// Where to listen: `ADDRESS:PORT`, or `off`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub enum Listen {
    /// Nowhere.
    Off,
    /// Here.
    At(SocketAddr),
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::At(address) => address.fmt(f),
        }
    }
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(Self::Off);
        }
        text.parse().map(Self::At).map_err(|_| {
            format!("{text:?} is no address with a port; write for example 127.0.0.1:9477 or off")
        })
    }
}

impl TryFrom<String> for Listen {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Listen> for String {
    fn from(listen: Listen) -> Self {
        listen.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::{Listen, Options};

    #[test]
    fn options_survive_json_and_defaults_listen_on_loopback() {
        let options = Options { listen: Some(Listen::Off), ..Options::default() };
        let json = serde_json::to_string(&options).unwrap();
        assert_eq!(serde_json::from_str::<Options>(&json).unwrap(), options);
        assert_eq!(options.address(), None);
        assert!(Options::default().address().unwrap().ip().is_loopback());
        assert_eq!(serde_json::from_str::<Options>("{}").unwrap(), Options::default());
    }

    #[test]
    fn an_address_that_cannot_be_meant_is_refused() {
        for text in ["localhost:9477", "9477", "127.0.0.1", "Off", ""] {
            assert!(text.parse::<Listen>().unwrap_err().contains("127.0.0.1:9477"), "{text}");
        }
        assert!("[::1]:9477".parse::<Listen>().is_ok());
        assert!(serde_json::from_str::<Options>(r#"{"listen":"x"}"#).is_err());
        assert!(serde_json::from_str::<Options>(r#"{"lisen":"off"}"#).is_err());
    }
}
