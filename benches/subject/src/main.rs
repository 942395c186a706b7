//! What `budgets` counts the instructions of: the whole turn and single stages, under callgrind.
//!
//! The road is the one of the sensor: [`pipeline::replay`] with its worker and exporter, the frames
//! in memory. Around what is measured two functions are called that do nothing; callgrind writes
//! its counts down whenever a thread comes to one of them, so each thread is counted for itself.
//!
//! | file | idea |
//! |---|---|
//! | `frames` | a capture in memory, lent in batches |
//! | `turn` | the worker and the exporter on it |
//! | `walk` | a capture walked through, and nothing else |
#![allow(clippy::print_stdout, reason = "what is measured is told")]
#![forbid(unsafe_code)]

mod frames;
mod turn;
mod walk;

use std::env;
use std::hint::black_box;
use std::path::Path;

use anyhow::{Context as _, bail};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["turn", capture, from, slots, sink, kept] => {
            let from = from.parse().context("first frame that the worker is measured by")?;
            let slots = slots.parse().context("flow slots of the table")?;
            let has_evidence = kept == "packets";
            turn::measure(Path::new(capture), from, slots, sink == "events", has_evidence)
        }
        ["walk", capture] => walk::measure(Path::new(capture)),
        _ => bail!(
            "usage: subject turn CAPTURE FROM SLOTS events|summary packets|no-packets, \
             subject walk CAPTURE"
        ),
    }
}

/// What this thread does from here on counts.
#[inline(never)]
fn measured_part_begins() {
    black_box("begins");
}

/// What this thread does from here on does not count.
#[inline(never)]
fn measured_part_ends() {
    black_box("ends");
}
