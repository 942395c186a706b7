//! `rstscope bench`: its counts add up and its forms are read; nothing here depends on times.

#![allow(clippy::print_stderr, reason = "a test that was skipped says so")]

use std::process::{Command, Output};
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

fn bench(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rstscope"))
        .arg("bench")
        .args(arguments)
        .env_remove("RUST_LOG")
        .output()
        .expect("the program starts")
}

fn json(output: &Output) -> Value {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    serde_json::from_slice(&output.stdout).expect("standard output is one JSON object")
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is a number"))
}

/// Live benches take all cores: one at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// Whether this machine lets nobody make namespaces; never so in CI.
fn is_skipped(output: &Output) -> bool {
    let why = String::from_utf8_lossy(&output.stderr);
    let skipped = output.status.code() == Some(1) && why.contains("bench live");
    if skipped {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "SKIPPED in CI: {why}");
        eprintln!("SKIPPED: {why}");
    }
    skipped
}

#[test]
fn bench_core_judges_every_frame_that_it_lends() {
    let folder = tempfile::tempdir().expect("a folder");
    let picture = folder.path().join("core.svg");
    let path = picture.to_str().expect("the path is text");
    let report = json(&bench(&["core", "--quick", "--json", "--plot", path]));
    let points = report["points"].as_array().expect("points");
    let sweeps: Vec<&Value> = points.iter().map(|point| &point["sweep"]).collect();
    assert_eq!(sweeps, ["flows", "size"]);
    for point in points {
        // Three frames open each of 1,024 connections, then two rounds of each kind.
        assert_eq!(point["lent"], 3 * 1024 + 4 * 20_000);
        assert_eq!(point["judged"], point["lent"]);
        assert!(number(&point["resets"]) > 500.0, "2 % of 40,000 packets: {point}");
        for kind in ["without_resets", "with_resets"] {
            let mpps = &point[kind]["mpps"];
            let [min, median, max] = ["min", "median", "max"].map(|name| number(&mpps[name]));
            assert!(0.0 < min && min <= median && median <= max, "{mpps}");
            let lost = number(&point[kind]["mean_len"]) + 24.0;
            let gbps = median * lost * 8.0 / 1e3;
            assert!((number(&point[kind]["gbps"]) - gbps).abs() < 1e-6);
        }
    }
    assert!(number(&points[1]["without_resets"]["mean_len"]) > 400.0);
    let picture = std::fs::read_to_string(picture).expect("the picture");
    for text in ["<svg", "packets against connections", "10 GbE", "40 GbE", "2 % resets"] {
        assert!(picture.contains(text), "{text}");
    }
}

#[test]
fn bench_core_as_text_names_machine_links_and_spread() {
    let output = bench(&["core", "--quick"]);
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).expect("text");
    for expected in ["Linux", "CONNECTIONS", "BYTES", "SPREAD", "10 GbE", "one worker"] {
        assert!(text.contains(expected), "{expected} in {text}");
    }
}

#[test]
fn bench_live_accounts_for_every_packet_that_it_sends() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let quick = ["live", "--seconds", "0.2", "--rounds", "1", "--flows", "256", "--json"];
    let output = bench(&quick);
    if is_skipped(&output) {
        return;
    }
    let report = json(&output);
    assert_eq!(report["adds_up"], true);
    let halves = report["halves"].as_array().expect("halves");
    let receivers: Vec<&Value> = halves.iter().map(|half| &half["receiver"]).collect();
    assert_eq!(receivers, ["sensor", "bare"]);
    for half in halves {
        let losses = half["losses"].as_object().expect("losses by name");
        let lost: f64 = losses.values().map(number).sum();
        assert_eq!(number(&half["sent"]), number(&half["taken"]) + lost, "{half}");
        assert!(number(&half["taken"]) > 0.0, "{half}");
    }
    assert!(number(&halves[0]["resets"]) > 0.0, "{report}");
}

#[test]
fn every_way_of_waiting_accounts_for_every_packet() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    for wait in ["busy-poll", "spin"] {
        let quick = [
            "live",
            "--seconds",
            "0.1",
            "--rounds",
            "1",
            "--rate",
            "50000",
            "--wait",
            wait,
            "--json",
        ];
        let output = bench(&quick);
        if is_skipped(&output) {
            return;
        }
        assert_eq!(json(&output)["adds_up"], true, "{wait}");
    }
}
