//! The catalogue: what can be played, under which name.
//!
//! A scenario is one entry of the table below: its variant, its name on the command line and in files, its recipe,
//! and one sentence that says what happens.

mod abort;
mod closing;
mod declared;
mod defence;
mod device;
mod either_side;
mod limit;
mod multipath;
mod nat;
mod policy;
mod probe;
mod refusal;
mod reuse;
mod scan;
mod segment;
mod service;
mod silence;
mod stage;
mod timer;

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

            /// The module of its recipe: what it needs, and what stands beside it in the sources.
            pub fn module(self) -> &'static str {
                let path = match self {
                    $(Self::$variant => stringify!($recipe),)+
                };
                path.split(':').next().unwrap_or(path).trim_end()
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

    DataAfterClientClosed = "data_after_client_closed", either_side::data_after_client_closed,
        "the client closes while the server goes on sending";
    CloseRaceAtServer = "close_race_at_server", either_side::close_race_at_server,
        "both sides close at once, with the client's last data still under way";
    FastCloseByServer = "fast_close_by_server", either_side::fast_close_by_server,
        "the server knows its response delivered and closes with a reset";
    UnreadAtClient = "unread_at_client", either_side::unread_at_client,
        "the client closes with unread data";
    Destroyed = "destroyed", either_side::destroyed,
        "an operator destroys sockets from outside (ss -K)";
    HappyEyeballs = "happy_eyeballs", either_side::happy_eyeballs,
        "a client calls in both families and gives up the slower one";
    HealthCheckHalfOpen = "health_check_half_open", probe::health_check_half_open,
        "a monitor sends SYNs at a fixed pace and resets the answers";
    HorizontalSynScan = "horizontal_syn_scan", scan::horizontal_syn_scan,
        "half-open connections to one port of many addresses";
    FinScan = "fin_scan", scan::fin_scan,
        "FINs out of the blue to many ports of several hosts";
    NullScan = "null_scan", scan::null_scan,
        "segments without any flag to many ports of several hosts";
    XmasScan = "xmas_scan", scan::xmas_scan,
        "FIN, PSH and URG at once to many ports of several hosts";
    AckScan = "ack_scan", scan::ack_scan,
        "ACKs out of the blue to many ports of several hosts";
    StraySynAck = "stray_syn_ack", segment::stray_syn_ack,
        "SYN/ACKs out of the blue";
    WrongAckInSynAck = "wrong_ack_in_syn_ack", segment::wrong_ack_in_syn_ack,
        "a server's SYN/ACK acknowledges more than the SYN";
    WrongEchoInSynAck = "wrong_echo_in_syn_ack", segment::wrong_echo_in_syn_ack,
        "a server's SYN/ACK echoes a time stamp that was never sent (PAWS)";
    SynInHandshake = "syn_in_handshake", segment::syn_in_handshake,
        "a second SYN in the middle of a handshake";
    HalfOpenReuse = "half_open_reuse", reuse::half_open,
        "a client that lost its connection calls again from the same port";
    FinWait2Reuse = "fin_wait2_reuse", reuse::fin_wait2,
        "the same, after the server has closed";
    TimeWaitOldNumber = "timewait_old_number", reuse::old_number,
        "an old stack begins again with a lower number during TIME-WAIT";
    NatDesync = "nat_desync", nat::nat_desync,
        "a segment slips past the translation of addresses";
    SynAuthReset = "syn_auth_reset", defence::syn_auth_reset,
        "an anti-flood responder makes clients prove that they are real";
    SynFloodBackscatter = "syn_flood_backscatter", defence::syn_flood_backscatter,
        "a spoofed flood makes hosts that never spoke send and get resets";
    SynProxy = "syn_proxy", defence::syn_proxy,
        "the firewall completes handshakes for a server that refuses or aborts";
    ConnectionLimit = "connection_limit", limit::connection_limit,
        "the firewall rejects a client that has too many connections";
    TrafficShaping = "traffic_shaping", limit::traffic_shaping,
        "the firewall rejects a client beyond a volume or a rate";
    SessionLost = "session_lost", limit::session_lost,
        "the firewall loses its sessions and rejects what is in the middle";
    AsymmetricPath = "asymmetric_path", limit::asymmetric_path,
        "the firewall sees one direction only and rejects handshakes";
    Multipath = "multipath", multipath::multipath,
        "a second path is forbidden, and Multipath TCP connections are aborted";
    IdleTimeoutDevice = "idle_timeout_device", timer::idle_timeout_device,
        "a device resets both ends of what was silent for too long";
    KeepaliveByServer = "keepalive_by_server", timer::keepalive_by_server,
        "the server's keepalive probes stay unanswered";
    UserTimeout = "user_timeout", timer::user_timeout,
        "keepalive probes stay unanswered until TCP_USER_TIMEOUT";
    StaleAtClient = "stale_at_client", timer::stale_at_client,
        "the client lost the connection without a word";
    IdleTimeoutOfClient = "idle_timeout_of_client", timer::idle_timeout_of_client,
        "the client's pool resets connections that were idle for too long";
    StoppedWithQueue = "stopped_with_queue", service::stopped_with_queue,
        "a service stops while connections wait in its accept queue";
    ServiceAborted = "service_aborted", service::aborted,
        "a service that is stopped resets all its connections";
    HostReboot = "host_reboot", service::host_reboot,
        "a host forgets all its connections and comes back";
    Failover = "failover", service::failover,
        "a service's address moves to another machine";
    AcceptQueuePressure = "accept_queue_pressure", service::accept_queue_pressure,
        "waves of clients meet a service that accepts too slowly";
    InjectBare = "inject_bare", policy::bare,
        "a device forges single bare resets (GFW type 1)";
    InjectSteppingTriple = "inject_stepping_triple", policy::stepping_triple,
        "a device forges three resets, each further ahead (GFW type 2)";
    InjectRisingTriple = "inject_rising_triple", policy::rising_triple,
        "a device forges three resets with rising window and hop limit (GFW 2025)";
    InjectTripleOnSyn = "inject_triple_on_syn", policy::triple_on_syn,
        "the same, right after the SYN";
    InjectSuricata = "inject_suricata", policy::suricata_passive,
        "resets like those of Suricata beside the path";
    InjectSuricataInline = "inject_suricata_inline", policy::suricata_inline,
        "resets like those of Suricata in the path";
    InjectSnort = "inject_snort", policy::snort_strafe,
        "resets like those of Snort's active response";
    InjectTcpkill = "inject_tcpkill", policy::tcpkill,
        "resets like those of tcpkill";
    InjectSynCopy = "inject_syn_copy", policy::syn_copy,
        "a device answers the SYN with a copy of its fields";
    InjectLowDelay = "inject_low_delay", policy::low_delay,
        "resets like those of a BSD firewall";
    InjectLowDelayOnSyn = "inject_low_delay_on_syn", policy::low_delay_on_syn,
        "the same, right after the SYN";
    InjectGateway = "inject_gateway", policy::gateway,
        "resets like those of a gateway with a stack of its own";
    RejectResponse = "reject_response", policy::reject_response,
        "a firewall in front of the client rejects a server's answer";
    BlindResetsToServer = "blind_resets_to_server", policy::blind_to_server,
        "resets with guessed sequence numbers toward the server";
    DeclaredCompact = "declared_compact", declared::compact_by_server,
        "a server's resets carry the draft's compact reason";
    DeclaredText = "declared_text", declared::text_by_server,
        "a server's resets carry a text";
    DeclaredWindowCode = "declared_window_code", declared::window_code_by_server,
        "a load balancer's resets carry a code in the window";
    DeclaredByDevice = "declared_by_device", declared::by_device,
        "a device's forged resets declare a reason";

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
