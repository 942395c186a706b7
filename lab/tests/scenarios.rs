//! Every scenario is played with real kernels, recorded at the tap, and the capture is held against the truth.

#![allow(clippy::unwrap_used, reason = "functions that serve tests may unwrap, too")]

mod support;

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, SystemTime};

use lab::{Family, Lab, ORIGINS, Options, Placed, Scenario, Seen, Truth};
use support::{Played, build, is_software, play};

const RST: u8 = 0x04;
const RST_ACK: u8 = 0x14;

#[test]
fn every_scenario_is_what_it_says_in_ipv4() {
    all_scenarios(Family::V4);
}

#[test]
fn every_scenario_is_what_it_says_in_ipv6() {
    all_scenarios(Family::V6);
}

fn all_scenarios(family: Family) {
    let options = Options { family, seed: 20, idle: Duration::from_secs(6), ..Options::default() };
    let Some(lab) = build(&options) else { return };
    let scenarios: Vec<Scenario> =
        Scenario::ALL.into_iter().filter(|scenario| !is_software(*scenario)).collect();
    let played = play(&lab, &scenarios);
    assert_eq!(lab.frames_lost(), 0);
    let clocks = Clocks::now();
    for row in &played.placed {
        check_row(&lab, &played, row, &clocks);
    }
    for scenario in scenarios {
        let name = scenario.name();
        assert!(played.placed.iter().any(|row| row.truth.scenario == name), "{name} has no truth");
    }
    no_reset_is_unlabelled(&played);
    no_client_is_shared(&played);
}

fn check_row(lab: &Lab, played: &Played, row: &Placed, clocks: &Clocks) {
    let truth = &row.truth;
    let heard = lab.kernel_resets(truth.client, truth.server);
    let Some(frame) = row.frame else {
        assert_eq!((truth.origin, truth.cause), ("none", "none"), "no reset in {truth:?}");
        assert!(heard.is_empty(), "{truth:?}: {heard:?}");
        return;
    };
    let frame = &played.frames[frame - 1];
    let reset = Seen::parse(&frame.bytes).expect("a labelled frame is TCP");
    assert!(reset.is_reset() && reset.is_between(truth.client, truth.server), "{truth:?}");
    if truth.cause == "secondary_rst" {
        return assert!(matches!(truth.origin, "" | "blind_attacker"), "{truth:?}");
    }
    assert!(ORIGINS.contains(&truth.origin), "{truth:?}");
    let of_client = match truth.origin {
        "client" | "middlebox_to_server" => true,
        "server" | "middlebox_to_client" => false,
        _ => reset.source == truth.client,
    };
    let source = if of_client { truth.client } else { truth.server };
    assert_eq!(reset.source, source, "{truth:?}\n{}", played.story(truth));
    let said_before = heard.iter().any(|word| word.uptime <= clocks.uptime_at(frame.time));
    if !matches!(truth.origin, "client" | "server") {
        assert!(!said_before, "a kernel speaks of a device's reset: {truth:?} {heard:?}");
        assert!(truth.rule.is_some() && truth.kernel_reason.is_none(), "{truth:?}");
        let by_rule = truth.rule.as_ref().is_some_and(|rule| rule.ends_with("with tcp reset"));
        // One router or none lies between the tap and who rejects.
        return assert!(!by_rule || reset.hop_limit == 64, "{truth:?} {reset:?}");
    }
    if truth.by_hand {
        assert!(!said_before, "a kernel speaks of a reset made by hand: {truth:?} {heard:?}");
        return assert!(truth.rule.is_some() && truth.kernel_reason.is_none(), "{truth:?}");
    }
    if truth.kernel_heard {
        assert!(said_before, "the kernel did not speak of {truth:?}");
        let reason = truth.kernel_reason.as_deref().expect("a kernel was heard");
        let fits = |cause: &str| reasons(cause).contains(&reason);
        assert!(truth.cause.split('|').any(fits), "{truth:?}");
        assert!(flags(reason).contains(&reset.flags), "{truth:?} {reset:?}");
    }
    assert_eq!(reset.hop_limit, hop_limit(truth), "{truth:?}");
}

/// Hop limit at the tap of a reset that an endpoint's kernel sent.
fn hop_limit(truth: &Truth) -> u8 {
    match (truth.scenario, truth.origin, truth.cause) {
        // The prober plays the server, from the client's side of the network.
        ("stray_syn_ack", _, _) => 61,
        (_, "client", _) => 63,
        ("server_hop_limit_set", _, "app_abort") => 125,
        // The machine that took over is nearer by one router.
        ("failover", _, _) => 62,
        _ => 61,
    }
}

/// What a kernel may say of each cause, read in Linux 6.18: callers of `tcp_v4_send_reset` and
/// `tcp_send_active_reset`. Causes of devices have no word.
fn reasons(cause: &str) -> &'static [&'static str] {
    match cause {
        "app_abort" | "tls_failure_abort" => &["TCP_STATE", "TCP_ABORT_ON_CLOSE"],
        "service_restart" => &["TCP_STATE", "TCP_ABORT_ON_CLOSE", "NO_SOCKET", "TCP_FLAGS"],
        "data_after_close" | "close_race" => {
            &["TCP_TIMEWAIT_SOCKET", "TCP_ABORT_ON_DATA", "NO_SOCKET"]
        }
        "fast_close" => &["TCP_STATE"],
        "idle_timeout_endpoint" => &["TCP_STATE", "TCP_ABORT_ON_CLOSE"],
        "proxied_backend_refused" => &["TCP_STATE", "TCP_ABORT_ON_CLOSE", "NO_SOCKET"],
        "keepalive_timeout" => &["TCP_KEEPALIVE_TIMEOUT"],
        "accept_queue_overflow" => &["INVALID_SYN"],
        "health_check" => &["TCP_STATE", "TCP_ABORT_ON_CLOSE", "NO_SOCKET"],
        "unacceptable_segment" => {
            &["TCP_FLAGS", "TCP_INVALID_ACK_SEQUENCE", "TCP_RFC7323_PAWS", "INVALID_SYN"]
        }
        "stray_probe_response" => &["NO_SOCKET", "TCP_FLAGS"],
        "timewait_collision" | "syn_auth_reset" => &["TCP_INVALID_ACK_SEQUENCE"],
        "mptcp_subflow_reset" => {
            &["MPTCP_RST_EUNSPEC", "MPTCP_RST_EPROHIBIT", "TCP_ABORT_ON_CLOSE"]
        }
        "resource_exhaustion" => &["TCP_ABORT_ON_MEMORY"],
        _ => &["NO_SOCKET"],
    }
}

/// Flags of a reset with this reason: active ones go with ACK, replies without it, unless the trigger had none.
fn flags(reason: &str) -> &'static [u8] {
    match reason {
        "NO_SOCKET" | "MPTCP_RST_EUNSPEC" | "MPTCP_RST_EPROHIBIT" => &[RST, RST_ACK],
        "TCP_STATE" | "TCP_ABORT_ON_CLOSE" | "TCP_KEEPALIVE_TIMEOUT" | "TCP_ABORT_ON_MEMORY" => {
            &[RST_ACK]
        }
        _ => &[RST],
    }
}

/// The epoch and the uptime, taken at once.
struct Clocks {
    since_epoch: Duration,
    uptime: Duration,
}

impl Clocks {
    fn now() -> Self {
        let monotonic = nix::time::ClockId::CLOCK_MONOTONIC;
        Self {
            since_epoch: SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap(),
            uptime: nix::time::clock_gettime(monotonic).unwrap().into(),
        }
    }

    /// Uptime at a time of a capture.
    fn uptime_at(&self, time: Duration) -> Duration {
        self.uptime - (self.since_epoch - time)
    }
}

/// Scenarios outside the demo have clients of their own.
fn no_client_is_shared(played: &Played) {
    let mut of_client: HashMap<IpAddr, &str> = HashMap::new();
    for Placed { truth, .. } in &played.placed {
        let scenario = of_client.entry(truth.client.ip()).or_insert(truth.scenario);
        assert_eq!(*scenario, truth.scenario, "{} plays in two scenarios", truth.client.ip());
    }
}

fn no_reset_is_unlabelled(played: &Played) {
    let labelled: HashSet<(SocketAddr, SocketAddr)> = played
        .placed
        .iter()
        .flat_map(|Placed { truth, .. }| {
            [(truth.client, truth.server), (truth.server, truth.client)]
        })
        .collect();
    for seen in played.frames.iter().filter_map(|frame| Seen::parse(&frame.bytes)) {
        let known = !seen.is_reset() || labelled.contains(&(seen.source, seen.destination));
        assert!(known, "nobody meant to make {seen:?}");
    }
}
