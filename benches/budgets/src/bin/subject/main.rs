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
#![allow(missing_docs, reason = "a program")]
#![allow(clippy::print_stdout, reason = "what is measured is told")]
#![forbid(unsafe_code)]

mod frames;
mod turn;
mod walk;

use std::hint::black_box;
use std::path::PathBuf;

use clap::Parser;

/// Run by `budgets` under callgrind.
#[derive(Parser, Debug)]
enum Arguments {
    /// The whole turn: worker from frame `from` on, exporter from the first
    Turn {
        capture: PathBuf,
        /// Frames before those that the worker is measured by
        #[arg(long)]
        from: u64,
        /// Flow slots of the table
        #[arg(long)]
        slots: usize,
        /// Make every event, and throw it away
        #[arg(long)]
        events: bool,
    },
    /// The walk of a capture
    Walk { capture: PathBuf },
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse() {
        Arguments::Turn { capture, from, slots, events } => {
            turn::measure(&capture, from, slots, events)
        }
        Arguments::Walk { capture } => walk::measure(&capture),
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
