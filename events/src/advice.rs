//! What each cause means, what would disprove it, and what to do: one entry a cause.
//!
//! `{names}` are filled by `fill.rs`. Wording rule: say what was seen as seen and what is inferred
//! as inferred; never blame one of two that cannot be told apart.

use classifiers::Cause;

use When::{
    Always, BackendPort, Benign, BenignUnacked, BothEnds, Forged, Fronted, Idle, KeepAliveRace,
    LastWordUnread, Placed, ServerRoundTrip, ServerSilent, TimerUnknown,
};

/// The texts of one cause.
pub(crate) struct Advice {
    /// What happened, in sentences.
    pub(crate) why: &'static str,
    /// What observation would make this verdict wrong.
    pub(crate) disproof: &'static str,
    /// What to do next, most telling first.
    pub(crate) steps: &'static [(When, &'static str)],
}

/// In which flows a step is worth printing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum When {
    /// In all.
    Always,
    /// Silence of 30 s or more before the reset.
    Idle,
    /// The server's port is one that connection pools talk to (databases, caches, queues).
    BackendPort,
    /// The server had not answered one byte.
    ServerSilent,
    /// A front end speaks, or seems to speak, for the server.
    Fronted,
    /// Nothing was lost.
    Benign,
    /// Judged benign although bytes were not acknowledged.
    BenignUnacked,
    /// Another than the named endpoint sent it.
    Forged,
    /// The round trip to the server is known.
    ServerRoundTrip,
    /// Both ends got a reset.
    BothEnds,
    /// Other connections show no idle timer.
    TimerUnknown,
    /// How far away the named sender's own packets come from is known.
    Placed,
    /// Data crossed a close that came after a silence.
    KeepAliveRace,
    /// The other side's data came last, so that it may lie unread.
    LastWordUnread,
}

/// The texts of `cause`.
#[rustfmt::skip]
#[allow(clippy::too_many_lines)] // A table: one screen would need three files for one idea.
pub(crate) const fn advice(cause: Cause) -> Advice {
    match cause {
        Cause::PortClosed => Advice {
            why: "The SYN to {server} was refused: no process listens on port {server_port}.",
            disproof: "A process that did listen on {server} at that moment, or a firewall rule that rejects with a TCP reset at the same hop: on the wire both look the same.",
            steps: &[
                (Always, "On {server_ip}: `ss -ltn 'sport = :{server_port}'` shows whether anything listens, and on which address."),
                (Always, "If it does listen, look for a reject rule there: `nft list ruleset | grep -n 'reject with tcp reset'`."),
                (Always, "If nobody should connect to this port, ask why {client_ip} does."),
            ],
        },
        Cause::ServiceUnavailable => Advice {
            why: "{server} refused the connection, though it accepted others a short while ago: the service is down or restarting.",
            disproof: "A connection to {server} accepted at the same time, which would point to a limit or to one member of a group.",
            steps: &[
                (Always, "Look for a restart or crash of the service on {server_ip} just before this time."),
                (Always, "If a load balancer sends the traffic, check its health checks and drain times: it still used a member that refuses."),
            ],
        },
        Cause::AcceptQueueOverflow => Advice {
            why: "The handshake was complete, then {server} reset it before saying a byte: the signs of a full accept queue with tcp_abort_on_overflow.",
            disproof: "Unchanged ListenOverflows in `nstat -az TcpExtListenOverflows TcpExtListenDrops` on the server: then it was another reset right after the handshake.",
            steps: &[
                (Always, "On {server_ip}: `ss -ltn 'sport = :{server_port}'`; Recv-Q at or above Send-Q means that the application does not accept fast enough."),
                (Always, "Raise the listen backlog and net.core.somaxconn, or find what blocks the accepting thread."),
                (Always, "`sysctl net.ipv4.tcp_abort_on_overflow` tells whether overflow resets (1) or drops (0)."),
            ],
        },
        Cause::ConnectionLimit => Advice {
            why: "New connections are reset above some number or rate: a limit, not a failure.",
            disproof: "The same source being refused while it has few connections.",
            steps: &[
                (Always, "Compare the number of connections from {client_ip} with the limits of firewall, load balancer and server (for example `ct count` or connlimit rules)."),
                (Always, "If the client pools connections, check for a leak before raising a limit."),
            ],
        },
        Cause::ProxiedBackendRefused => Advice {
            why: "A front end at {server} completed the handshake and gave the connection up without a byte of answer: most likely it could not reach its backend.",
            disproof: "A log of the front end that shows this connection reaching a backend.",
            steps: &[
                (Always, "Look at the front end's own log and backend health, not at the network before it (HAProxy: termination state SC; Envoy: flag UF)."),
                (Always, "A sensor behind the front end would see the refused connection itself."),
            ],
        },
        Cause::StaleConnection => Advice {
            why: "{sender} no longer knew the connection when a segment of it arrived: it was restarted, timed out, or the address moved to another machine.",
            disproof: "The connection still in the host's table (`ss -tn`) at the time of the reset; then a device at the same hop sent it.",
            steps: &[
                (Always, "Check for a restart, a fail-over or a moved address of {sender} since its last packet."),
                (Idle, "The connection had been {silent}: keepalives shorter than {below} would have kept it, or shown the loss earlier."),
                (BackendPort, "Connection pools: test connections before use, and set their maximum lifetime below the shortest timer on the path."),
            ],
        },
        Cause::DataAfterClose => Advice {
            why: "{sender} had already closed its side; what the other side sent afterwards drew the reset.",
            disproof: "A capture that shows no FIN of {sender} before the data that it reset.",
            steps: &[
                (Benign, "Nothing was lost here: this is how many applications end a connection."),
                (BenignUnacked, "Judged harmless: what was not acknowledged came when the other side had said that it was done, as with a TLS close_notify. If the application misses it, this judgement is wrong."),
                (KeepAliveRace, "A keep-alive race: {claimed} closed, the other side's data crossed the close and came {crossed} later. The connection's longest silence was {silence_before_close}: compare it with the keep-alive timer at {sender}, and make that longer than the idle time of the client's pool."),
                (Idle, "The connection had been {silent}: whoever sends requests must give up idle connections before the other side does."),
                (TimerUnknown, "If requests are lost (502, ECONNRESET): make the server's keep-alive time longer than the client pool's, or let the client repeat requests that are safe to repeat."),
                (Always, "A server that closes while the client still sends (upload refused early) should read the rest first, or shut down its sending side only."),
            ],
        },
        Cause::UnacceptableSegment => Advice {
            why: "During the handshake a segment came whose numbers the receiver could not accept, and the protocol demands a reset (RFC 9293, section 3.10.7).",
            disproof: "The acknowledged number having been sent after all, before the capture began.",
            steps: &[
                (Always, "Look for two devices that answer for {server_ip} (duplicate address, two load balancers, an asymmetric path): one of them acknowledges what the other sent."),
                (Always, "SYN cookies or a SYN proxy on the path may also answer with numbers of their own."),
            ],
        },
        Cause::TimewaitCollision => Advice {
            why: "The client used address and port again while the other side still remembered the previous connection.",
            disproof: "No earlier connection with the same addresses and ports within the last few minutes.",
            steps: &[
                (Always, "Look for source-port exhaustion at {client_ip} or at the NAT before it: few ports, many short connections."),
                (Always, "Keep connections open instead of opening many, or give the client or NAT more addresses; TCP timestamps make reuse safe (RFC 6191)."),
            ],
        },
        Cause::NatDesync => Advice {
            why: "A segment reached the host without, or with the wrong, address translation, so the host did not know the connection.",
            disproof: "The host having a socket for exactly the addresses that arrived.",
            steps: &[
                (Always, "On Kubernetes or Docker nodes: out-of-window segments are INVALID to conntrack and leave untranslated. `nf_conntrack_tcp_be_liberal=1`, or drop INVALID, is the cure."),
                (Always, "`conntrack -S` on the translating node: rising `invalid` confirms it."),
                (Placed, "The reset came {answered} after the segment that it answers, from {hops} away; the packets of {claimed} come from {peer_hops}. A difference of one points to the node before the pod."),
            ],
        },
        Cause::MptcpSubflowReset => Advice {
            why: "Multipath TCP closed one of its subflows and said so in the reset. Other subflows of the same connection may live on.",
            disproof: "None of the hosts speaking MPTCP (then the option was forged or copied).",
            steps: &[
                (Always, "Read the declared reason above; `ip mptcp monitor` on the host shows the same."),
                (Always, "A reason of middlebox interference means that a device on this path removes MPTCP options."),
            ],
        },
        Cause::IdleTimeoutEndpoint => Advice {
            why: "{sender} ended the connection by a reset after it had been {silent}: most likely its own idle timer.",
            disproof: "Other connections to the same service that live longer in silence.",
            steps: &[
                (TimerUnknown, "Compare {idle} with the idle timers configured at {sender}."),
                (BothEnds, "Both ends got a reset at once, which no endpoint does: suspect a load balancer that resets both sides on idle."),
                (TimerUnknown, "Whoever reuses connections must close or refresh them earlier than that: set keepalives or the pool's idle time below it."),
                (BackendPort, "Database and cache servers reset idle sessions by configuration (wait_timeout, idle_session_timeout, timeout): compare."),
            ],
        },
        Cause::IdleTimeoutMiddlebox => Advice {
            why: "{device} reset the session after it had been {silent}.",
            disproof: "Connections on the same path that survive longer silences, or a log of the application at {claimed} that records its own close at this moment.",
            steps: &[
                (TimerUnknown, "Set TCP keepalives shorter than {below} at {client_ip} or {server_ip}, or raise the device's timer."),
                (BothEnds, "Both ends got a reset, as from a load balancer whose \"TCP reset\" on idle is enabled: its idle timer is the one to compare."),
                (Forged, "Look for the NAT, firewall or load balancer at the place named above (Where)."),
                (BackendPort, "Connection pools: maximum lifetime and idle time (for example HikariCP maxLifetime, keepaliveTime) below {below}."),
            ],
        },
        Cause::IdleExpiredLatePacket => Advice {
            why: "The connection had been {silent}; meanwhile its state was forgotten somewhere, and the first packet after the silence drew the reset, {answered} later.",
            disproof: "Connections on the same path that resume after longer silences.",
            steps: &[
                (TimerUnknown, "Ask each device between {client_ip} and {server_ip}, and the server itself, for its idle timer; the longest one below {idle} is the suspect."),
                (TimerUnknown, "Set TCP keepalives shorter than {below} (`net.ipv4.tcp_keepalive_time`, or per socket), or raise that timer."),
                (Forged, "Look for the NAT, firewall or load balancer at the place named above (Where)."),
                (BackendPort, "Connection pools: maximum lifetime below {below} (for example HikariCP maxLifetime), and a test before use."),
            ],
        },
        Cause::KeepaliveTimeout => Advice {
            why: "{sender} sent keepalive probes, got no answer from {receiver}, and gave up.",
            disproof: "Answers to the probes in a capture nearer to {sender}.",
            steps: &[
                (Always, "Find out why {receiver} did not answer: host down, path broken in one direction, or a device that forgot the session and drops silently."),
                (Always, "Look for other connections to {receiver} at the same time: if they answered, suspect a per-session device; if not, the host or the path."),
            ],
        },
        Cause::RetransmissionTimeout => Advice {
            why: "{sender} repeated its data without an acknowledgment and gave up.",
            disproof: "Acknowledgments for these bytes in a capture nearer to {sender}.",
            steps: &[
                (Always, "Compare a capture on both sides of the path: the repetitions must end between them (loss, MTU black hole, a device that drops the session)."),
                (Always, "If only large segments are repeated, suspect the path MTU: ICMP \"fragmentation needed\" that is filtered."),
            ],
        },
        Cause::PolicyResetSyn => Advice {
            why: "A device in the path reset the connection before it was open, in the name of {claimed}: {syn_fate}.",
            disproof: "The same SYN passing at another time while no rule was changed, or being refused when it is sent from beside {server}.",
            steps: &[
                (Always, "Look for a reject rule that matches {client_ip} to {server} on the devices of the path; by its TTL, if that began at a usual value, the sender is {away}."),
                (Always, "A reset answers at once, a drop does not: if your policy is to drop, this is not your rule."),
            ],
        },
        Cause::PolicyResetContent => Advice {
            why: "A device in the path reset the connection upon {first_bytes}, {answered} later: a policy on a name (TLS SNI, HTTP host), a protocol or content.",
            disproof: "The same request being reset when it is sent from beside {server}, without the path.",
            steps: &[
                (Always, "Try the same server with another name (for example `openssl s_client -connect {server} -servername other.example`): if that passes, it is a policy on names."),
                (Always, "Search the threat, URL and decryption logs of the devices on the path for {client_ip} at this time."),
            ],
        },
        Cause::PolicyResetMidstream => Advice {
            why: "A device in the path reset an open connection in the name of {claimed}, {so_far}.",
            disproof: "A log of {claimed} that records its own abort of this connection.",
            steps: &[
                (Always, "Search the threat logs and session ends of the devices on the path for {client_ip} to {server} at this time. A firewall logs the packet's source address: `tcp-rst-from-{claimed_word}` there does not contradict this."),
            ],
        },
        Cause::TrafficShapingReset => Advice {
            why: "A device in the path resets connections by their number or volume, whatever they carry.",
            disproof: "Resets that follow certain names or contents instead.",
            steps: &[
                (Always, "Compare with the bandwidth, quota and peer-to-peer rules of the devices or provider on the path."),
            ],
        },
        Cause::SynAuthReset => Advice {
            why: "SYN-flood protection answered with a number on purpose wrong; the client's reset proves that the client exists, and its next SYN is let through.",
            disproof: "The client not being let through when it tries again.",
            steps: &[
                (Always, "Harmless but slow: each new client pays one extra round trip and a retry. If no attack is under way, see why protection is active for {server_ip}."),
            ],
        },
        Cause::SynFloodBackscatter => Advice {
            why: "The answer to SYNs that somebody sent with a forged source address; the receiver never asked.",
            disproof: "An outgoing SYN of {receiver} for this connection.",
            steps: &[
                (Always, "Nothing to repair at {receiver}. {claimed} is under attack or part of one: tell its owner if it is yours."),
            ],
        },
        Cause::SessionlessReset => Advice {
            why: "A device that had no session for this connection reset it: a path in one direction only, a fail-over, or its own earlier teardown.",
            disproof: "The device's session table containing this connection in both directions.",
            steps: &[
                (Always, "Check for asymmetric routing: do both directions pass the same firewall? A fail-over without session synchronisation shows the same."),
                (Always, "Look for a route or cluster change just before this time; by its TTL, if that began at a usual value, the device is {away}."),
            ],
        },
        Cause::AppAbort => Advice {
            why: "The process at {sender} gave up a live connection, {so_far}.",
            disproof: "The process at {sender} still holding this connection after the reset.",
            steps: &[
                (Always, "Read the application's log at {sender} at this time; look for a crash, an out-of-memory kill or a time-out of its own."),
                (ServerSilent, "The server had not answered one byte; the reset came {answered} after the client's last data: a worker that died or was killed, or a request that was refused unread (nginx: error 104; Envoy: 503 UC)."),
                (LastWordUnread, "`nstat -az TcpExtTCPAbortOnClose` at {sender} counts closes over unread data; `TcpExtTCPAbortOnData` those by SO_LINGER 0."),
                (Always, "If other connections of {sender} ended in the same second, the process ended; if not, it chose to drop this one."),
                (Fronted, "A front end speaks for the server: it may pass on a reset of its backend."),
            ],
        },
        Cause::TlsFailureAbort => Advice {
            why: "The TLS handshake failed or an alert was sent, then {sender} reset the connection.",
            disproof: "Application data exchanged after the handshake.",
            steps: &[
                (Always, "Try `openssl s_client -connect {server}`: certificate, protocol version and cipher errors show at once."),
                (Always, "A client that resets after the server's certificate usually does not trust it; a server that resets after the ClientHello shares no version, cipher or name."),
            ],
        },
        Cause::ServiceRestart => Advice {
            why: "Many connections of {server} were reset together: its process ended, or the host restarted or failed over.",
            disproof: "Connections to the same service that lived on through this second.",
            steps: &[
                (Always, "Look at the service's start time and the host's uptime on {server_ip}."),
                (Always, "If this was a deployment, drain connections first; if not, look for a crash or an out-of-memory kill."),
            ],
        },
        Cause::ResourceExhaustion => Advice {
            why: "The host reset connections because memory or a table for connections was full.",
            disproof: "Memory and orphan counters below their limits at {sender} (`cat /proc/net/sockstat`, `nstat -az TcpExtTCPAbortOnMemory`).",
            steps: &[
                (Always, "At {sender}: `nstat -az TcpExtTCPAbortOnMemory`, `dmesg | grep -i 'TCP: too many orphaned\\|out of memory'`."),
                (Always, "Raise tcp_mem or tcp_max_orphans, or find who leaves connections half closed."),
            ],
        },
        Cause::FastClose => Advice {
            why: "The exchange was complete, then {sender} closed by a reset instead of a FIN: {delivered}.",
            disproof: "An answer that the application misses although the capture shows it acknowledged.",
            steps: &[
                (Always, "Nothing to do: it saves {sender} a TIME-WAIT. Filter it out by impact; a firewall that logs `tcp-rst-from-{claimed_word}` for it reports a normal end."),
            ],
        },
        Cause::CloseRace => Advice {
            why: "Both sides were closing; the reset only swept up: {delivered}.",
            disproof: "Data among the bytes not acknowledged that the other application still needed (a TLS close_notify is none).",
            steps: &[
                (Always, "Nothing to do, if no data was missed. A firewall that logs `tcp-rst-from-...` for such connections reports a normal end."),
            ],
        },
        Cause::ConnectCancelled => Advice {
            why: "The client gave up while the connection was still being opened: another address answered first, a time-out, or the user stopped it.",
            disproof: "The client's process still waiting for this connection.",
            steps: &[
                (Always, "Harmless if the client also connected elsewhere in the same instant (IPv4 and IPv6 race each other)."),
                (ServerRoundTrip, "If not, compare the client's connect time-out with the round trip to the server, {rtt_server}."),
            ],
        },
        Cause::HealthCheck => Advice {
            why: "A probe: {client_ip} opens connections to {server} regularly and drops them without data.",
            disproof: "Data on such connections, or irregular times.",
            steps: &[
                (Always, "Nothing to do: hide it by filter. If server logs fill up, let the probe close by FIN or check on a separate port."),
            ],
        },
        Cause::SynScan => Advice {
            why: "{client_ip} opened the connection half and reset it as soon as the port answered: a scan.",
            disproof: "{client_ip} being a known monitor that probes this way.",
            steps: &[
                (Always, "If {client_ip} is not your own scanner, see what else it asked for; the port of {server} is known to it now."),
            ],
        },
        Cause::StrayProbeResponse => Advice {
            why: "Somebody sent a single segment without a connection, and {claimed} answered by the reset that the protocol demands.",
            disproof: "An earlier part of this connection that the capture missed.",
            steps: &[
                (Always, "A probe of a port scanner or a monitor, or the remains of a connection from before the capture. Nothing to repair at {claimed}."),
            ],
        },
        Cause::BlindRstAttack => Advice {
            why: "Resets with guessed sequence numbers were sent at a live connection from off the path.",
            disproof: "Exact sequence numbers throughout: then the sender saw the traffic.",
            steps: &[
                (Always, "Hosts that follow RFC 5961 answer by a challenge ACK and live on; see the effect above."),
                (Always, "For long-lived sessions (BGP) use TCP-AO or MD5 and the TTL security mechanism (RFC 5082)."),
                (Always, "Filter spoofed sources at the edge (BCP 38): the forged packets bear the address of {claimed}."),
            ],
        },
        Cause::SecondaryRst => Advice {
            why: "Aftermath of an earlier reset of this connection: every segment still under way draws one. It is reset number {rst_count} that was seen.",
            disproof: "No earlier reset of this connection.",
            steps: &[
                (Always, "Look at the primary reset of this connection; this one tells nothing of the cause."),
            ],
        },
        Cause::Unknown => Advice {
            why: "The packets do not decide. The best readings stand below with what they are worth; neither is a finding.",
            disproof: "A second capture nearer to either end, or the log of a device on the path, decides between the readings.",
            steps: &[
                (Always, "Capture on the other side of the nearest firewall or load balancer at the same time, and compare whether this reset is there too."),
                (Always, "Look for this connection in the logs of both hosts and of the devices between them."),
            ],
        },
    }
}

#[cfg(test)]
mod tests {
    use classifiers::Cause;

    use super::{When, advice};
    use crate::fill::NAMES;

    #[test]
    fn every_cause_has_an_explanation_a_disproof_and_a_step_that_always_holds() {
        for &cause in Cause::ALL {
            let advice = advice(cause);
            assert!(advice.why.ends_with('.'), "{}", cause.name());
            assert!(advice.disproof.ends_with(['.', ')']), "{}", cause.name());
            // A timer that is known has a step of its own.
            let holds = |when| matches!(when, When::Always | When::TimerUnknown);
            let always = advice.steps.iter().filter(|(when, _)| holds(*when));
            assert!(always.count() >= 1, "{}", cause.name());
        }
    }

    #[test]
    fn only_known_names_stand_in_braces() {
        for &cause in Cause::ALL {
            let advice = advice(cause);
            let steps = advice.steps.iter().map(|(_, step)| *step);
            for text in steps.chain([advice.why, advice.disproof]) {
                for rest in text.split('{').skip(1) {
                    let name = rest.split('}').next().unwrap();
                    assert!(NAMES.contains(&name), "{}: {{{name}}}", cause.name());
                }
            }
        }
    }
}
