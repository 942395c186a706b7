//! The ten questions that operators ask of resets (product.md, section 6), each answered by the
//! program itself from a capture: the numbers are those of the connections and of their neighbours.

use std::path::PathBuf;
use std::process::Command;

/// Standard output of the program on one line, so that no phrase is broken.
fn said(arguments: &[&str], capture: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/pains")
        .join(capture)
        .with_extension("pcap");
    let output = Command::new(env!("CARGO_BIN_EXE_rstscope"))
        .args(arguments)
        .arg(path)
        .env_remove("RUST_LOG")
        .output()
        .expect("the program starts");
    let text = String::from_utf8(output.stdout).expect("the output is text");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn assert_says(text: &str, phrases: &[&str]) {
    for phrase in phrases {
        assert!(text.contains(phrase), "{phrase:?} is missing in:\n{text}");
    }
}

fn assert_explains(capture: &str, phrases: &[&str]) {
    assert_says(&said(&["explain"], capture), phrases);
}

fn assert_sums_up(capture: &str, phrases: &[&str]) {
    assert_says(&said(&["read", "--summary"], capture), phrases);
}

#[test]
fn who_creates_these_resets() {
    assert_explains(
        "injection",
        &[
            "by a device in the path that reset both ends",
            "whose name it bears",
            "a log that names it as the sender only repeats the packet's source address",
        ],
    );
    assert_sums_up("injection", &["Device On this link"]);
}

#[test]
fn is_a_reset_after_the_answer_normal() {
    assert_explains(
        "fast_close",
        &["BENIGN, reset by the server", "were acknowledged, nothing was lost", "Nothing to do"],
    );
}

#[test]
fn after_which_silence_is_the_state_forgotten() {
    let timer = "on the path to 198.19.23.129:18224 forgets idle connections after 11 s (between \
                 10.52 and 11.25 s; ";
    assert_explains(
        "conntrack_timeout",
        &[
            timer,
            "reset above, 16 survived below)",
            "1. Set TCP keepalives below 10.52 s, or raise the timer.",
        ],
    );
    assert_sums_up("conntrack_timeout", &[timer, "20 reset above, 16 survived below"]);
}

#[test]
fn does_the_load_balancer_reset_on_idle() {
    assert_explains(
        "idle_timeout_device",
        &[
            "ends idle connections after 5 s (6 reset at it, 6 survived below)",
            "1. Set TCP keepalives below",
            "load balancer whose \"TCP reset\" on idle is enabled",
            "the other end got one",
        ],
    );
}

#[test]
fn whose_keep_alive_timer_is_too_short() {
    assert_explains(
        "nginx_keepalive",
        &[
            "198.19.36.1:19824 ends idle connections after 7 s (18 closed by FIN at it, 14 survived \
             below)",
            "1. Set the client pool's idle time below 6.99 s, or raise the server's timer above the \
             pool's.",
        ],
    );
}

#[test]
fn does_a_segment_slip_past_the_translation() {
    assert_explains(
        "nat_desync",
        &["that belongs to no connection", "was not translated", "nf_conntrack_tcp_be_liberal=1"],
    );
}

#[test]
fn which_timer_kills_the_pool() {
    assert_explains(
        "database_pool",
        &[
            "192.168.0.9:5432",
            "forgets idle connections after 3,600 s (between 3,573 and 3,619 s",
            "8 reset above, 16 survived below; default of PAN-OS TCP session",
            "1. Set TCP keepalives below 3,573 s",
            "HikariCP maxLifetime",
        ],
    );
}

#[test]
fn did_the_upstream_die() {
    assert_explains(
        "service_restart",
        &[
            "One of 24 connections cut in",
            "(100 % of those open) at 08:03:15 UTC",
            "process restart",
            "Refused after 24 connections cut",
        ],
    );
    assert_sums_up(
        "service_restart",
        &[
            "2026-11-23 08:03:15 198.19.15.65:17168: process restart, 24 connections cut",
            "2 refused",
        ],
    );
}

#[test]
fn which_resets_are_health_checks() {
    assert_explains("health_check", &["The same source does the same every 0.5 s"]);
    let share = "100 % of 14 resets on 198.19.15.193:17232 are health checks from 198.18.15.193 \
                 every 0.5 s; 0 remain";
    assert_sums_up("health_check", &[share]);
}

#[test]
fn is_it_a_policy_on_names() {
    assert_explains(
        "blocked_name",
        &[
            "the round trip to the server takes 18.0 ms: the answer cannot be the server's",
            "100 % of 6 connections with this name were reset on this server, 0 % of 12 connections \
             with other names: a policy on names",
        ],
    );
    let with_name = said(&["read", "--summary", "--names", "plain"], "blocked_name");
    assert_says(
        &with_name,
        &["blocked.example: 6 reset, 0 passed on one server, where 12 with other names passed"],
    );
    let without = said(&["read", "--summary", "--names", "off"], "blocked_name");
    assert!(!without.contains("Blocked"), "{without}");
}
