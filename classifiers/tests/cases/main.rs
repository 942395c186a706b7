//! Judges text scripts and random conversations by the one road there is: frames in a capture
//! file, `pipeline::read`, events. The language of the scripts is told in `README.md`.
//!
//! `CASE=hops cargo test -p classifiers --test cases scripts -- --nocapture` runs the scripts whose
//! name contains "hops" and prints every verdict.
#![allow(clippy::unwrap_used, reason = "the lint knows test functions, not their helpers")]

mod clause;
mod conversation;
mod expectation;
mod frame;
mod host;
mod innocents;
mod payload;
mod properties;
mod replay;
mod script;
mod segment;
mod words;

use std::fs;
use std::path::PathBuf;

use events::{Event, EventStatus};

use crate::expectation::{describe, failures_of, invariant_failures};
use crate::replay::{Replay, replay};
use crate::script::Script;

/// Every script of the folder whose name contains `CASE`, by name.
fn scripts() -> Vec<(String, Script)> {
    let wanted = std::env::var("CASE").unwrap_or_default();
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "case"))
        .filter(|path| path.file_stem().unwrap().to_string_lossy().contains(&wanted))
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "no case matches {wanted:?}");
    paths
        .into_iter()
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let script = Script::parse(&fs::read_to_string(&path).unwrap())
                .unwrap_or_else(|problem| panic!("{name}:{problem}"));
            (name, script)
        })
        .collect()
}

#[test]
fn the_verdicts_of_all_scripts_are_as_written() {
    let is_shown = std::env::var_os("CASE").is_some();
    let (mut failures, mut failed) = (Vec::new(), Vec::new());
    let scripts = scripts();
    for (name, script) in &scripts {
        let replay = replay(&script.packets);
        if is_shown {
            for event in &replay.events {
                println!("{name}: {}", describe(event));
            }
        }
        let found = failures_of(script, &replay);
        if !found.is_empty() {
            failed.push(name.as_str());
        }
        failures.extend(found.into_iter().map(|failure| format!("{name}:{failure}")));
    }
    assert!(
        failures.is_empty(),
        "{} of {} scripts failed: {}\n\n{}",
        failed.len(),
        scripts.len(),
        failed.join(" "),
        failures.join("\n\n")
    );
}

#[test]
fn verdicts_do_not_depend_on_the_traffic_of_others() {
    let mut failures = Vec::new();
    for (name, script) in scripts() {
        let alone = finals(&replay(&script.packets));
        let busy = finals(&replay(&with_noise(&script.packets)));
        for (alone, busy) in alone.iter().zip(&busy) {
            // What other connections tell depends on when it is asked: the more of them by then, the more.
            let by_others = alone.context.is_some() || busy.context.is_some();
            if alone.verdict != busy.verdict && !by_others {
                failures.push(format!(
                    "{name}: the verdict changed when frames of others filled the silences\n\
                     alone: {}\namong others: {}",
                    describe(alone),
                    describe(busy)
                ));
            }
        }
        if alone.len() != busy.len() {
            failures.push(format!("{name}: {} verdicts became {}", alone.len(), busy.len()));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

#[test]
fn every_event_of_every_script_keeps_the_rules_of_a_verdict() {
    for (name, script) in scripts() {
        let replay = replay(&script.packets);
        let failures = invariant_failures(&replay);
        assert!(failures.is_empty(), "{name}: {}", failures.join("\n"));
    }
}

/// The final events, in the order of their frames.
fn finals(replay: &Replay) -> Vec<Event> {
    let mut finals: Vec<Event> =
        replay.events.iter().filter(|event| event.status == EventStatus::Final).cloned().collect();
    finals.sort_by_key(|event| (event.ts, event.frame));
    finals
}

/// The same packets on a busy link: time passes for the sensor also where a script is silent.
fn with_noise(packets: &[frame::Packet]) -> Vec<frame::Packet> {
    let mut busy = Vec::new();
    for (index, packet) in packets.iter().enumerate() {
        busy.push(packet.clone());
        let until =
            packets.get(index + 1).map_or(packet.time_ns + NOISE_TAIL_NS, |next| next.time_ns);
        let silence = until.saturating_sub(packet.time_ns);
        if silence < NOISE_SILENCE_NS {
            continue;
        }
        // A batch is 64 frames: two batches of noise in the first six seconds of a silence.
        let step = silence.min(NOISE_TAIL_NS) / (NOISE_FRAMES + 1);
        busy.extend(
            (1..=NOISE_FRAMES).map(|nth| frame::Packet::noise(packet.time_ns + nth * step)),
        );
    }
    busy
}

const NOISE_FRAMES: u64 = 640;
const NOISE_SILENCE_NS: u64 = 100_000_000;
const NOISE_TAIL_NS: u64 = 6_000_000_000;
