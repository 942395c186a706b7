//! What many connections have in common, in numbers and words.

use std::net::IpAddr;

use classifiers::{Desync, Flood, FoundFlood, Guesses, ShapedBy, Shaping, Sibling};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::Endpoint;
use crate::sentence::{counted, span_text};
use crate::time::UtcTime;

/// What goes on at a server, within the last minute.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct FloodFields {
    /// The server.
    pub server: IpAddr,
    /// Clients whose SYN was answered with a wrong acknowledgment number.
    pub tested_clients: u32,
    /// Of those that came again, per cent that were let in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub let_in_percent: Option<u8>,
    /// Addresses in whose name somebody else speaks.
    pub spoofed_clients: u32,
}

impl From<&Flood> for FloodFields {
    fn from(flood: &Flood) -> Self {
        Self {
            server: flood.server.into(),
            tested_clients: flood.tested,
            let_in_percent: flood.let_in_percent,
            spoofed_clients: flood.spoofed,
        }
    }
}

impl FloodFields {
    pub(super) fn sentence(&self) -> Option<String> {
        let server = self.server;
        let (tested, spoofed) = (self.tested_clients, self.spoofed_clients);
        let most = tested.max(spoofed);
        if most == 0 {
            return None;
        }
        Some(if tested == most {
            let let_in = self.let_in_percent.map_or_else(String::new, |percent| {
                format!(", and lets in {percent} % of those that come again")
            });
            format!(
                "{server} answered the SYNs of about {tested} clients within a minute with a wrong \
                 acknowledgment number{let_in}: SYN-flood protection"
            )
        } else {
            format!(
                "about {most} addresses that never spoke to {server} reset its answers within a \
                 minute: somebody speaks in their names"
            )
        })
    }
}

/// A flood as the report tells it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct FloodItem {
    /// First reset that belongs to it.
    pub first: UtcTime,
    /// Last one.
    pub last: UtcTime,
    /// Its largest minute.
    #[serde(flatten)]
    pub peak: FloodFields,
}

impl From<&FoundFlood> for FloodItem {
    fn from(found: &FoundFlood) -> Self {
        Self {
            first: UtcTime(found.since.0),
            last: UtcTime(found.last.0),
            peak: (&found.flood).into(),
        }
    }
}

impl FloodItem {
    pub(super) fn sentence(&self) -> String {
        let what = self.peak.sentence().unwrap_or_default();
        let span_s = self.last.seconds_since(self.first);
        format!("{what} (from {} on, for {})", self.first.date_and_time(), span_text(span_s))
    }
}

/// One client's connections to many servers are reset by a device.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ShapingFields {
    /// Its servers that were hit within a minute.
    pub servers: u32,
    /// Its connections that were.
    pub resets: u32,
    /// What they have in common: `concurrency`, `volume` or `onset`.
    pub by: String,
    /// Open at once when one was reset, on average.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reset_beside: Option<u32>,
    /// Open at once when one ended well, on average.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passed_beside: Option<u32>,
    /// Bytes both ways before the reset, median.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u32>,
}

impl From<&Shaping> for ShapingFields {
    fn from(shaping: &Shaping) -> Self {
        let (by, reset_beside, passed_beside, bytes) = match shaping.by {
            ShapedBy::Concurrency { reset_beside, passed_beside } => {
                ("concurrency", Some(reset_beside), Some(passed_beside), None)
            }
            ShapedBy::Volume { median } => ("volume", None, None, Some(median)),
            ShapedBy::Onset => ("onset", None, None, None),
        };
        let &Shaping { servers, resets, .. } = shaping;
        Self { servers, resets, by: by.to_owned(), reset_beside, passed_beside, bytes }
    }
}

impl ShapingFields {
    pub(super) fn sentence(&self) -> String {
        let common = match (self.reset_beside, self.passed_beside, self.bytes) {
            (Some(reset), Some(passed), _) => format!(
                "{reset} were open at once on average, where {passed} were when others ended well"
            ),
            (_, _, Some(bytes)) => {
                format!("they had carried {} (median)", counted(u64::from(bytes), "byte"))
            }
            _ => "none has ended well since the first of them".to_owned(),
        };
        format!(
            "A device reset {} connections of this client to about {} servers within a minute: {common}",
            self.resets, self.servers
        )
    }
}

/// A lone segment that fits a known connection but for one of its ends.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct DesyncFields {
    /// The end that both have in common.
    pub client: Endpoint,
    /// Whom that end is connected to.
    pub known: Endpoint,
    /// Who stands in its place.
    pub stranger: Endpoint,
}

impl From<&Desync> for DesyncFields {
    fn from(desync: &Desync) -> Self {
        let &Desync { client, known, stranger } = desync;
        Self {
            client: Endpoint { ip: client.address.into(), port: client.port },
            known: Endpoint { ip: known.address.into(), port: known.port },
            stranger: Endpoint { ip: stranger.address.into(), port: stranger.port },
        }
    }
}

impl DesyncFields {
    pub(super) fn sentence(&self) -> String {
        format!(
            "{} is connected to {}: a segment between it and {} that belongs to no connection was \
             probably meant for that one, and was not translated",
            self.client, self.known, self.stranger
        )
    }
}

/// The connection for whose sake a handshake was given up.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SiblingFields {
    /// Whom it leads to.
    pub server: Endpoint,
    /// Milliseconds between the two.
    pub apart_ms: f64,
}

impl From<&Sibling> for SiblingFields {
    fn from(sibling: &Sibling) -> Self {
        Self {
            server: Endpoint { ip: sibling.server.address.into(), port: sibling.server.port },
            apart_ms: (sibling.apart.seconds() * 1e4).round() / 10.0,
        }
    }
}

impl SiblingFields {
    /// `server` is whom the connection that was given up had called.
    pub(super) fn sentence(&self, server: Endpoint) -> String {
        let what = if self.server == server {
            "Another connection of the same client to this server".to_owned()
        } else {
            format!("The same client's connection to {}", self.server)
        };
        format!("{what} was established within {:.0} ms of this one's end", self.apart_ms.ceil())
    }
}

/// Guesses at other connections of the same hosts.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct GuessFields {
    /// Connections that were aimed at within a minute, and live on.
    pub connections: u32,
}

impl From<&Guesses> for GuessFields {
    fn from(guesses: &Guesses) -> Self {
        Self { connections: guesses.connections }
    }
}

impl GuessFields {
    pub(super) fn sentence(&self) -> String {
        format!(
            "About {} connections between these two hosts were sent resets at wrong numbers within \
             a minute, and live on",
            self.connections
        )
    }
}
