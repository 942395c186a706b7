//! The catalogue: what can be played, under which name.

mod abort;
mod closing;
mod device;
mod probe;
mod refusal;
mod silence;
mod stage;

pub(crate) use stage::Stage;

use crate::{Error, Truth};

/// One kind of reset and the recipe that makes it with real kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Scenario {
    /// A SYN to a port without a listener.
    Refused,
    /// `SO_LINGER` 0 in the middle of a transfer, once by the client and once by the server.
    LingerZero,
    /// A process is killed while its connection holds data it has not read.
    KilledWithUnreadData,
    /// The server closes while the client goes on sending.
    DataAfterClose,
    /// The firewall rejects a SYN.
    FirewallRejectSyn,
    /// The firewall rejects a word in the middle of a connection.
    FirewallRejectMidstream,
    /// A device beside the path forges resets to both ends.
    SpoofedInjection,
    /// The firewall forgets an idle session and rejects the next packet.
    IdleSessionForgotten,
    /// Keepalive probes stay unanswered.
    KeepaliveTimeout,
    /// The server cannot accept as fast as clients come.
    AcceptQueueOverflow,
    /// Both sides close at the same time while data is under way.
    CloseRace,
    /// The client has all it wanted and closes with a reset.
    FastClose,
    /// The client gives up before the handshake is done.
    ConnectCancelled,
    /// Data stays unacknowledged until the sender forgets the connection; a late packet draws the reset.
    RetransmissionTimeout,
    /// The server has lost the connection without a word.
    StaleConnection,
    /// The last packet of a handshake acknowledges what was never sent.
    UnacceptableSegment,
    /// The server resets a connection that was idle for too long.
    IdleTimeoutEndpoint,
    /// A proxy accepts, cannot reach its backend and resets.
    ProxiedBackendRefused,
    /// The firewall rejects the first request of a connection.
    FirewallRejectContent,
    /// All connections of a service are reset together; new ones are refused until it is back.
    ServiceRestart,
    /// Somebody who does not know the sequence numbers sends resets that the client does not believe.
    BlindResets,
    /// Half-open connections to many ports.
    SynScan,
    /// An acknowledgment out of the blue at a listening port.
    StrayProbe,
    /// A monitor opens and resets connections at a fixed pace.
    HealthCheck,
    /// The server's sockets use a hop limit of their own, its resets partly the default: no device is there.
    ServerHopLimitSet,
    /// Connections that end with FIN in both directions. No reset at all.
    Ordinary,
}

impl Scenario {
    /// Every scenario.
    pub const ALL: [Self; 26] = [
        Self::Refused,
        Self::LingerZero,
        Self::KilledWithUnreadData,
        Self::DataAfterClose,
        Self::FirewallRejectSyn,
        Self::FirewallRejectMidstream,
        Self::SpoofedInjection,
        Self::IdleSessionForgotten,
        Self::KeepaliveTimeout,
        Self::AcceptQueueOverflow,
        Self::CloseRace,
        Self::FastClose,
        Self::ConnectCancelled,
        Self::RetransmissionTimeout,
        Self::StaleConnection,
        Self::UnacceptableSegment,
        Self::IdleTimeoutEndpoint,
        Self::ProxiedBackendRefused,
        Self::FirewallRejectContent,
        Self::ServiceRestart,
        Self::BlindResets,
        Self::SynScan,
        Self::StrayProbe,
        Self::HealthCheck,
        Self::ServerHopLimitSet,
        Self::Ordinary,
    ];

    /// The ten of the demo, in the order in which they are told.
    pub const DEMO: [Self; 10] = [
        Self::Refused,
        Self::LingerZero,
        Self::KilledWithUnreadData,
        Self::DataAfterClose,
        Self::FirewallRejectSyn,
        Self::FirewallRejectMidstream,
        Self::SpoofedInjection,
        Self::IdleSessionForgotten,
        Self::KeepaliveTimeout,
        Self::AcceptQueueOverflow,
    ];

    /// The name used on the command line and in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::LingerZero => "linger_zero",
            Self::KilledWithUnreadData => "killed_with_unread_data",
            Self::DataAfterClose => "data_after_close",
            Self::FirewallRejectSyn => "firewall_reject_syn",
            Self::FirewallRejectMidstream => "firewall_reject_midstream",
            Self::SpoofedInjection => "spoofed_injection",
            Self::IdleSessionForgotten => "idle_session_forgotten",
            Self::KeepaliveTimeout => "keepalive_timeout",
            Self::AcceptQueueOverflow => "accept_queue_overflow",
            Self::CloseRace => "close_race",
            Self::FastClose => "fast_close",
            Self::ConnectCancelled => "connect_cancelled",
            Self::RetransmissionTimeout => "retransmission_timeout",
            Self::StaleConnection => "stale_connection",
            Self::UnacceptableSegment => "unacceptable_segment",
            Self::IdleTimeoutEndpoint => "idle_timeout_endpoint",
            Self::ProxiedBackendRefused => "proxied_backend_refused",
            Self::FirewallRejectContent => "firewall_reject_content",
            Self::ServiceRestart => "service_restart",
            Self::BlindResets => "blind_resets",
            Self::SynScan => "syn_scan",
            Self::StrayProbe => "stray_probe",
            Self::HealthCheck => "health_check",
            Self::ServerHopLimitSet => "server_hop_limit_set",
            Self::Ordinary => "ordinary",
        }
    }

    /// The scenario in one sentence.
    pub fn summary(self) -> &'static str {
        match self {
            Self::Refused => "a client calls a port on which nobody listens",
            Self::LingerZero => "an application aborts in the middle of a transfer (SO_LINGER 0)",
            Self::KilledWithUnreadData => "a server process is killed (SIGKILL) with unread data",
            Self::DataAfterClose => "the server closes while the client goes on sending",
            Self::FirewallRejectSyn => "the firewall rejects a SYN in the server's name",
            Self::FirewallRejectMidstream => "the firewall rejects a forbidden word in mid-stream",
            Self::SpoofedInjection => "a device beside the path forges resets to both ends",
            Self::IdleSessionForgotten => {
                "the firewall forgot an idle session and rejects its packet"
            }
            Self::KeepaliveTimeout => "keepalive probes stay unanswered and the prober gives up",
            Self::AcceptQueueOverflow => {
                "the server's accept queue is full (tcp_abort_on_overflow)"
            }
            Self::CloseRace => "both sides close at once, with the last data still under way",
            Self::FastClose => "the client has the whole response and closes with a reset",
            Self::ConnectCancelled => "the client gives up before the handshake is done",
            Self::RetransmissionTimeout => "data was never acknowledged; the sender forgot it all",
            Self::StaleConnection => "the server lost the connection without a word",
            Self::UnacceptableSegment => "a handshake ends with an acknowledgment of nothing",
            Self::IdleTimeoutEndpoint => "the server resets a connection idle for too long",
            Self::ProxiedBackendRefused => "a proxy accepts, but its backend refuses",
            Self::FirewallRejectContent => "the firewall rejects the first request of a connection",
            Self::ServiceRestart => "a service dies with all its connections and comes back",
            Self::BlindResets => "resets with guessed sequence numbers, which nobody believes",
            Self::SynScan => "half-open connections to many ports",
            Self::StrayProbe => "an acknowledgment out of the blue at a listening port",
            Self::HealthCheck => "a monitor opens and resets connections at a fixed pace",
            Self::ServerHopLimitSet => "the server's sockets have a hop limit of their own",
            Self::Ordinary => "connections that end well, without any reset",
        }
    }

    /// The scenario of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scenario| scenario.name() == name)
    }

    pub(crate) fn play(self, stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
        match self {
            Self::Refused => refusal::refused(stage),
            Self::LingerZero => abort::linger_zero(stage),
            Self::KilledWithUnreadData => abort::killed_with_unread_data(stage),
            Self::DataAfterClose => closing::data_after_close(stage),
            Self::FirewallRejectSyn => device::reject_syn(stage),
            Self::FirewallRejectMidstream => device::reject_midstream(stage),
            Self::SpoofedInjection => device::spoofed_injection(stage),
            Self::IdleSessionForgotten => device::idle_session_forgotten(stage),
            Self::KeepaliveTimeout => silence::keepalive_timeout(stage),
            Self::AcceptQueueOverflow => refusal::accept_queue_overflow(stage),
            Self::CloseRace => closing::close_race(stage),
            Self::FastClose => closing::fast_close(stage),
            Self::ConnectCancelled => refusal::connect_cancelled(stage),
            Self::RetransmissionTimeout => silence::retransmission_timeout(stage),
            Self::StaleConnection => silence::stale_connection(stage),
            Self::UnacceptableSegment => probe::unacceptable_segment(stage),
            Self::IdleTimeoutEndpoint => silence::idle_timeout_endpoint(stage),
            Self::ProxiedBackendRefused => refusal::proxied_backend_refused(stage),
            Self::FirewallRejectContent => device::reject_content(stage),
            Self::ServiceRestart => abort::service_restart(stage),
            Self::BlindResets => device::blind_resets(stage),
            Self::SynScan => probe::syn_scan(stage),
            Self::StrayProbe => probe::stray_probe(stage),
            Self::HealthCheck => probe::health_check(stage),
            Self::ServerHopLimitSet => abort::server_hop_limit_set(stage),
            Self::Ordinary => closing::ordinary(stage),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_is_found_by_its_name() {
        for scenario in Scenario::ALL {
            assert_eq!(Scenario::from_name(scenario.name()), Some(scenario));
        }
        assert_eq!(Scenario::from_name("nothing"), None);
    }
}
