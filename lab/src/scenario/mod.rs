//! The catalogue: what can be played, under which name.
//!
//! A scenario is one entry of the table below: its variant, its name on the command line and in files, its recipe,
//! and one sentence that says what happens.

mod abort;
mod closing;
mod device;
mod probe;
mod refusal;
mod silence;
mod stage;

pub(crate) use stage::{Pair, Stage, finish};

use crate::damage::guard;
use crate::flood;
use crate::software::{clients, haproxy, nginx, process, proxy, ssh, timers, tls};
use crate::{Error, Truth};

/// Makes the catalogue from its table, so that a scenario stands in one place only.
macro_rules! catalogue {
    ($($variant:ident = $name:literal, $recipe:path, $summary:literal;)+) => {
        /// One kind of reset and the recipe that makes it with real kernels.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Scenario {
            $(#[doc = $summary] $variant,)+
        }

        impl Scenario {
            /// Every scenario.
            pub const ALL: [Self; [$($name),+].len()] = [$(Self::$variant),+];

            /// The name used on the command line and in files.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            /// The scenario in one sentence.
            pub fn summary(self) -> &'static str {
                match self {
                    $(Self::$variant => $summary,)+
                }
            }

            pub(crate) fn play(self, stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
                match self {
                    $(Self::$variant => $recipe(stage),)+
                }
            }
        }
    };
}

catalogue! {
    Refused = "refused", refusal::refused,
        "a client calls a port on which nobody listens";
    LingerZero = "linger_zero", abort::linger_zero,
        "an application aborts in the middle of a transfer (SO_LINGER 0)";
    KilledWithUnreadData = "killed_with_unread_data", abort::killed_with_unread_data,
        "a server process is killed (SIGKILL) with unread data";
    DataAfterClose = "data_after_close", closing::data_after_close,
        "the server closes while the client goes on sending";
    FirewallRejectSyn = "firewall_reject_syn", device::reject_syn,
        "the firewall rejects a SYN in the server's name";
    FirewallRejectMidstream = "firewall_reject_midstream", device::reject_midstream,
        "the firewall rejects a forbidden word in mid-stream";
    SpoofedInjection = "spoofed_injection", device::spoofed_injection,
        "a device beside the path forges resets to both ends";
    IdleSessionForgotten = "idle_session_forgotten", device::idle_session_forgotten,
        "the firewall forgot an idle session and rejects its packet";
    KeepaliveTimeout = "keepalive_timeout", silence::keepalive_timeout,
        "keepalive probes stay unanswered and the prober gives up";
    AcceptQueueOverflow = "accept_queue_overflow", refusal::accept_queue_overflow,
        "the server's accept queue is full (tcp_abort_on_overflow)";
    CloseRace = "close_race", closing::close_race,
        "both sides close at once, with the last data still under way";
    FastClose = "fast_close", closing::fast_close,
        "the client has the whole response and closes with a reset";
    ConnectCancelled = "connect_cancelled", refusal::connect_cancelled,
        "the client gives up before the handshake is done";
    RetransmissionTimeout = "retransmission_timeout", silence::retransmission_timeout,
        "data was never acknowledged; the sender forgot it all";
    StaleConnection = "stale_connection", silence::stale_connection,
        "the server lost the connection without a word";
    UnacceptableSegment = "unacceptable_segment", probe::unacceptable_segment,
        "a handshake ends with an acknowledgment of nothing";
    IdleTimeoutEndpoint = "idle_timeout_endpoint", silence::idle_timeout_endpoint,
        "the server resets a connection idle for too long";
    ProxiedBackendRefused = "proxied_backend_refused", refusal::proxied_backend_refused,
        "a proxy accepts, but its backend refuses";
    FirewallRejectContent = "firewall_reject_content", device::reject_content,
        "the firewall rejects the first request of a connection";
    ServiceRestart = "service_restart", abort::service_restart,
        "a service dies with all its connections and comes back";
    BlindResets = "blind_resets", device::blind_resets,
        "resets with guessed sequence numbers, which nobody believes";
    SynScan = "syn_scan", probe::syn_scan,
        "half-open connections to many ports";
    StrayProbe = "stray_probe", probe::stray_probe,
        "an acknowledgment out of the blue at a listening port";
    HealthCheck = "health_check", probe::health_check,
        "a monitor opens and resets connections at a fixed pace";
    ServerHopLimitSet = "server_hop_limit_set", abort::server_hop_limit_set,
        "the server's sockets have a hop limit of their own";
    Ordinary = "ordinary", closing::ordinary,
        "connections that end well, without any reset";

    NginxKeepalive = "nginx_keepalive", nginx::keepalive,
        "nginx closes idle connections (keepalive_timeout 7 s) and clients ask too late";
    NginxStalledRequest = "nginx_reset_timedout", nginx::stalled_request,
        "nginx resets requests that stall (client_body_timeout 6 s, reset_timedout_connection)";
    HaproxyTimeout = "haproxy_timeout", haproxy::idle_timer,
        "HAProxy ends silent connections after 9 s, with FIN or with a reset";
    ConntrackTimeout = "conntrack_timeout", timers::conntrack,
        "the firewall's tracker forgets silent sessions after 11 s and late packets are rejected";
    NoTimer = "no_timer", timers::no_timer,
        "connections silent for all kinds of times, ended by whim: no timer at all";
    Nginx444 = "nginx_444", process::return_444,
        "nginx reads a request and resets (return 444)";
    NginxWorkersKilled = "nginx_workers_killed", process::workers_killed,
        "nginx's workers are killed with unread requests, and replaced";
    NginxReload = "nginx_reload", process::reloaded,
        "a reload of nginx closes idle connections that clients use once more";
    HaproxyDeadBackend = "haproxy_dead_backend", proxy::dead_backend,
        "HAProxy cannot reach its backend and ends its client";
    HaproxyReject = "haproxy_reject", proxy::rejected,
        "HAProxy rejects connections by a rule";
    HaproxySilentDrop = "haproxy_silent_drop", proxy::silent_drop,
        "HAProxy forgets a connection on purpose, the client goes on";
    HaproxyHealthCheck = "haproxy_health_check", proxy::health_check,
        "HAProxy checks a TCP backend every 500 ms";
    CurlGivesUp = "curl_gives_up", clients::curl_gives_up,
        "curl ends a slow download after its --max-time";
    PythonIgnoresBody = "python_ignores_body", clients::python_ignores_body,
        "Python's http.server answers without reading the request's body";
    KeepaliveRace = "keepalive_race", clients::keepalive_race,
        "a pool reuses connections at the moment their server closes them";
    SshMaxStartups = "ssh_max_startups", ssh::max_startups,
        "sshd turns callers away while too many have not logged in";
    SshLoginGrace = "ssh_login_grace", ssh::login_grace,
        "sshd closes at LoginGraceTime and the client speaks too late";
    TlsFailures = "tls_failures", tls::failures,
        "TLS handshakes fail: unknown authority, no common version, no common cipher";
    MarkedPackets = "marked_packets", guard::marked_packets,
        "both ends mark their packets (DSCP), replies without a socket carry the trigger's mark";
    TwoStacks = "two_stacks", guard::two_stacks,
        "a program's own TCP beside the kernel's: honest resets for a connection that lives on";
    Innocents = "innocents", flood::innocents,
        "25 connections that end in all ways honest connections end";
}

impl Scenario {
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

    /// The scenario of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scenario| scenario.name() == name)
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
