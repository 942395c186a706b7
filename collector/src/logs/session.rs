//! One connection as a log tells it, whoever wrote the log.

use std::fmt;

use events::{Endpoint, UtcTime};

/// The end of a TCP connection in the words of a firewall or a server.
///
/// Times are those of the writer's clock, shifted to UTC by what is known of its zone. A stamp is cut to
/// `resolution_ns`: the instant lies between the stamp and that much later.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogSession {
    /// What wrote it.
    pub product: Product,
    /// Name of the machine that wrote it.
    pub source: String,
    /// When the connection began.
    pub begun: Option<UtcTime>,
    /// Whether `begun` is the first packet of the connection, not only some instant of it.
    pub is_begun_exact: bool,
    /// When it ended; when it was noticed for a [`Kind::Moment`].
    pub ended: UtcTime,
    /// What stamps are cut to.
    pub resolution_ns: u64,
    /// Whether it tells of a whole session or of one moment of it.
    pub kind: Kind,
    /// The addresses it may be known by on the wire, each with its meaning, at most four.
    pub tuples: Vec<LogTuple>,
    /// Whether it is known who opened it; if not, `client` of a tuple is the side of lower security.
    pub is_oriented: bool,
    /// Why it ended.
    pub end: End,
    /// The same in the log's own words.
    pub said: String,
    /// What was done with it, in the log's own words; "" if not told.
    pub action: String,
    /// Which side a firewall says that it sent resets to.
    pub resets: Option<ResetTo>,
    /// The policy rule.
    pub rule: Option<String>,
    /// The threat or signature.
    pub threat: Option<String>,
    /// Bytes both ways.
    pub bytes: Option<u64>,
    /// The line, cut at [`LINE_KEPT`] bytes.
    pub line: String,
}

/// What of a line is kept.
pub(crate) const LINE_KEPT: usize = 1024;

impl LogSession {
    /// The same with sides renamed: who was the client is the server. To whom resets were sent stays where it was
    /// told of a moment: that was meant by who really opened the connection.
    pub(crate) fn flipped(mut self) -> Self {
        self.end = match self.end {
            End::ResetByClient => End::ResetByServer,
            End::ResetByServer => End::ResetByClient,
            end => end,
        };
        self.resets = match self.resets {
            Some(ResetTo::Client) if self.kind == Kind::Session => Some(ResetTo::Server),
            Some(ResetTo::Server) if self.kind == Kind::Session => Some(ResetTo::Client),
            resets => resets,
        };
        for tuple in &mut self.tuples {
            if let Some(server) = tuple.server {
                (tuple.client, tuple.server) = (server, Some(tuple.client));
            }
        }
        self
    }
}

/// What is known of by a log line.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Kind {
    /// A session that is over.
    Session,
    /// Something that happened in a session.
    Moment,
}

/// A connection on the wire, and which translation of it that is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LogTuple {
    /// Who opened it.
    pub client: Endpoint,
    /// Who was connected to; absent where the log does not tell.
    pub server: Option<Endpoint>,
    /// Which side of the writer shows it so.
    pub matched: Matched,
}

/// Which addresses of a log line are meant.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Matched {
    /// As the client sent it.
    Original,
    /// Its source translated.
    ClientTranslated,
    /// Its destination translated.
    ServerTranslated,
    /// Both.
    BothTranslated,
    /// The connection that a proxy accepted.
    Front,
    /// The connection that a proxy made.
    Back,
}

impl Matched {
    /// The name in events.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Original => "original",
            Self::ClientTranslated => "client_translated",
            Self::ServerTranslated => "server_translated",
            Self::BothTranslated => "both_translated",
            Self::Front => "front",
            Self::Back => "back",
        }
    }
}

/// The tuples that a translation of addresses gives: those before and after it, and their mixtures.
pub(crate) fn translated(
    client: Endpoint,
    server: Endpoint,
    client_after: Option<Endpoint>,
    server_after: Option<Endpoint>,
) -> Vec<LogTuple> {
    let mut tuples: Vec<LogTuple> = Vec::with_capacity(4);
    let (moved_client, moved_server) =
        (client_after.unwrap_or(client), server_after.unwrap_or(server));
    for (client, server, matched) in [
        (client, server, Matched::Original),
        (moved_client, moved_server, Matched::BothTranslated),
        (moved_client, server, Matched::ClientTranslated),
        (client, moved_server, Matched::ServerTranslated),
    ] {
        let is_known = |tuple: &LogTuple| tuple.client == client && tuple.server == Some(server);
        if !tuples.iter().any(is_known) {
            tuples.push(LogTuple { client, server: Some(server), matched });
        }
    }
    // With one side translated, both are as much as that one.
    for tuple in &mut tuples {
        if tuple.matched == Matched::BothTranslated {
            tuple.matched = match (moved_client != client, moved_server != server) {
                (true, false) => Matched::ClientTranslated,
                (false, true) => Matched::ServerTranslated,
                _ => Matched::BothTranslated,
            };
        }
    }
    tuples
}

/// What writes logs.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub enum Product {
    /// Palo Alto Networks PAN-OS.
    PanOs,
    /// Fortinet FortiGate.
    Fortigate,
    /// Cisco ASA and Firepower Threat Defense.
    CiscoAsa,
    /// Juniper SRX.
    JuniperSrx,
    /// HAProxy.
    Haproxy,
    /// nginx.
    Nginx,
    /// Envoy, as Istio has it write.
    Envoy,
}

impl Product {
    /// The name in events.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PanOs => "pan_os",
            Self::Fortigate => "fortigate",
            Self::CiscoAsa => "cisco_asa",
            Self::JuniperSrx => "juniper_srx",
            Self::Haproxy => "haproxy",
            Self::Nginx => "nginx",
            Self::Envoy => "envoy",
        }
    }

    /// Whether it stands in the path of connections that others end.
    pub(crate) const fn is_firewall(self) -> bool {
        match self {
            Self::PanOs | Self::Fortigate | Self::CiscoAsa | Self::JuniperSrx => true,
            Self::Haproxy | Self::Nginx | Self::Envoy => false,
        }
    }
}

impl fmt::Display for Product {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a connection ended, as a closed list.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum End {
    /// A reset came from the client's side.
    ResetByClient,
    /// A reset came from the server's side.
    ResetByServer,
    /// The writer's policy or a signature ended it.
    Policy,
    /// The writer's inspection of TLS ended it.
    Decryption,
    /// The writer had no room for it.
    Resources,
    /// The writer's defence from SYN floods ended it.
    SynDefence,
    /// The writer forgot it after a silence.
    IdleTimeout,
    /// Its handshake was not completed in time.
    HandshakeTimeout,
    /// A FIN of each side.
    Finished,
    /// A segment came for which the writer has no session.
    NoSession,
    /// A proxy says that the client went away, by FIN or reset.
    ClientGone,
    /// A proxy says that the server went away, by FIN or reset.
    ServerGone,
    /// A proxy could not reach the server, or was refused.
    ServerRefused,
    /// A proxy's own timer for the client.
    ClientTimer,
    /// A proxy's own timer for the server.
    ServerTimer,
    /// A proxy's own decision.
    ProxyDecision,
    /// Anything else.
    Other,
}

impl End {
    /// The name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ResetByClient => "reset_by_client",
            Self::ResetByServer => "reset_by_server",
            Self::Policy => "policy",
            Self::Decryption => "decryption",
            Self::Resources => "resources",
            Self::SynDefence => "syn_defence",
            Self::IdleTimeout => "idle_timeout",
            Self::HandshakeTimeout => "handshake_timeout",
            Self::Finished => "finished",
            Self::NoSession => "no_session",
            Self::ClientGone => "client_gone",
            Self::ServerGone => "server_gone",
            Self::ServerRefused => "server_refused",
            Self::ClientTimer => "client_timer",
            Self::ServerTimer => "server_timer",
            Self::ProxyDecision => "proxy_decision",
            Self::Other => "other",
        }
    }
}

/// To whom a firewall says that it sent resets.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ResetTo {
    /// In the server's name.
    Client,
    /// In the client's name.
    Server,
    /// Both.
    Both,
}

/// What a line is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reading {
    /// The end of a TCP connection, or something that happened to one.
    Session(Box<LogSession>),
    /// Well formed, and nothing that bears on a reset: what it is.
    Other(&'static str),
}

/// A line that cannot be read, and why not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Garbage {
    /// What was expected.
    pub why: String,
}

impl Garbage {
    pub(crate) fn new(why: impl Into<String>) -> Self {
        Self { why: why.into() }
    }
}

impl fmt::Display for Garbage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

/// The beginning of a text, at most `bytes` long, cut between characters.
pub(crate) fn beginning(text: &str, bytes: usize) -> &str {
    if text.len() <= bytes {
        return text;
    }
    let cut = (0..=bytes).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    &text[..cut]
}

#[cfg(test)]
mod tests {
    use events::Endpoint;

    use super::{Matched, beginning, translated};

    fn endpoint(text: &str) -> Endpoint {
        let address: std::net::SocketAddr = text.parse().unwrap();
        Endpoint { ip: address.ip(), port: address.port() }
    }

    #[test]
    fn a_session_has_a_tuple_for_each_translation_and_none_twice() {
        let (client, server) = (endpoint("10.0.0.1:4000"), endpoint("203.0.113.9:443"));
        let matched = |after: (Option<&str>, Option<&str>)| -> Vec<Matched> {
            let (client_after, server_after) = (after.0.map(endpoint), after.1.map(endpoint));
            translated(client, server, client_after, server_after)
                .iter()
                .map(|t| t.matched)
                .collect()
        };
        assert_eq!(matched((None, None)), [Matched::Original]);
        assert_eq!(matched((Some("10.0.0.1:4000"), None)), [Matched::Original]);
        assert_eq!(
            matched((Some("198.51.100.1:61000"), None)),
            [Matched::Original, Matched::ClientTranslated]
        );
        assert_eq!(
            matched((None, Some("192.168.0.9:8443"))),
            [Matched::Original, Matched::ServerTranslated]
        );
        assert_eq!(matched((Some("198.51.100.1:61000"), Some("192.168.0.9:8443"))).len(), 4);
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(beginning("aöb", 2), "a");
        assert_eq!(beginning("aöb", 3), "aö");
        assert_eq!(beginning("a", 9), "a");
    }
}
