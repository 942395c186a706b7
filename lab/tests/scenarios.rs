//! Every scenario is played with real kernels, recorded at the tap, and the capture is held against the truth.

mod support;

use std::collections::HashSet;
use std::net::SocketAddr;
use std::time::Duration;

use lab::{Family, Lab, ORIGINS, Options, Placed, Scenario, Seen};
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
    for row in &played.placed {
        check_row(&lab, &played, row);
    }
    for scenario in scenarios {
        let name = scenario.name();
        assert!(played.placed.iter().any(|row| row.truth.scenario == name), "{name} has no truth");
    }
    no_reset_is_unlabelled(&played);
}

fn check_row(lab: &Lab, played: &Played, row: &Placed) {
    let truth = &row.truth;
    assert!(ORIGINS.contains(&truth.origin), "{truth:?}");
    let heard = lab.kernel_resets(truth.client, truth.server);
    let Some(frame) = row.frame else {
        assert_eq!((truth.origin, truth.cause), ("none", "none"), "no reset in {truth:?}");
        assert!(heard.is_empty(), "{truth:?}: {heard:?}");
        return;
    };
    let reset = Seen::parse(&played.frames[frame - 1].bytes).expect("a labelled frame is TCP");
    assert!(reset.is_between(truth.client, truth.server));
    let (flags, reasons, hop_limit) = expected(truth.scenario, truth.origin, truth.cause);
    // Who forges has several styles; everybody else has one shape.
    if !matches!(truth.origin, "middlebox_both" | "blind_attacker") {
        assert_eq!(reset.flags, flags, "{truth:?}");
        assert_eq!(reset.hop_limit, hop_limit, "{truth:?}");
    }
    let sender = if truth.origin == "client" { truth.client } else { truth.server };
    assert_eq!(reset.source, sender, "{truth:?}");
    match &truth.kernel_reason {
        Some(reason) => assert!(reasons.contains(&reason.as_str()), "{truth:?}"),
        None => assert!(reasons.is_empty() || !truth.kernel_heard, "{truth:?}"),
    }
    if matches!(truth.origin, "middlebox_to_client" | "blind_attacker") {
        assert!(heard.is_empty(), "a kernel speaks of a middlebox's reset: {truth:?} {heard:?}");
        assert!(truth.rule.is_some());
    }
}

/// Flags, acceptable kernel reasons and hop limit of the first reset, read in Linux 6.18: `tcp_v4_send_reset`,
/// `tcp_send_active_reset` and their callers, `nf_reject_ip_tcphdr_put`.
fn expected(scenario: &str, origin: &str, cause: &str) -> (u8, &'static [&'static str], u8) {
    const CLIENT: u8 = 63;
    const SERVER: u8 = 61;
    const FIREWALL: u8 = 64;
    let side = match origin {
        "client" => CLIENT,
        "server" => SERVER,
        _ => FIREWALL,
    };
    let late: &[&str] = &["TCP_TIMEWAIT_SOCKET", "TCP_ABORT_ON_DATA"];
    match (scenario, cause) {
        (_, "port_closed" | "service_unavailable") => (RST_ACK, &["NO_SOCKET"], side),
        ("server_hop_limit_set", "app_abort") => (RST_ACK, &["TCP_STATE"], 128 - 64 + SERVER),
        ("linger_zero", _) => (RST_ACK, &["TCP_STATE"], side),
        ("killed_with_unread_data" | "service_restart", _) => {
            (RST_ACK, &["TCP_ABORT_ON_CLOSE"], side)
        }
        (_, "data_after_close" | "close_race") => (RST, late, side),
        (_, "policy_reset_syn") => (RST_ACK, &[], side),
        (_, "policy_reset_midstream" | "policy_reset_content" | "idle_expired_late_packet") => {
            (RST, &[], side)
        }
        (_, "blind_rst_attack") => (RST, &[], side),
        (_, "keepalive_timeout") => (RST_ACK, &["TCP_KEEPALIVE_TIMEOUT"], side),
        (_, "accept_queue_overflow") => (RST, &["INVALID_SYN"], side),
        (_, "connect_cancelled" | "retransmission_timeout" | "stale_connection" | "syn_scan") => {
            (RST, &["NO_SOCKET"], side)
        }
        (_, "unacceptable_segment" | "stray_probe_response") => (RST, &["TCP_FLAGS"], side),
        _ => (RST_ACK, &["TCP_STATE"], side),
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
