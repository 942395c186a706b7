//! Frames through a real kernel: veth pairs in namespaces of our own.
//!
//! These tests need root, iproute2 and ethtool; without them they say so and do nothing, except in
//! CI, where they fail.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]
#![allow(clippy::print_stderr, reason = "a test that was skipped says so")]

mod allocation;
mod capture;
mod lifetime;
mod losses;
mod metadata;
mod namespace;
mod packets;

use std::time::{Duration, Instant};

use xdp::{Attachment, Options, Queue};

use namespace::WATCHED;

/// How long anything may take before a test gives up; no test waits so long unless it fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// The watched end, attached with few frames, so that leaks would show.
fn options() -> Options {
    Options { frames: 64, ..Options::new(WATCHED) }
}

/// Attaches with one queue.
fn open(options: &Options) -> (Attachment, Queue) {
    let (attachment, mut queues) = Attachment::open(options).unwrap();
    assert_eq!(queues.len(), 1);
    (attachment, queues.remove(0))
}

/// Waits for `count` packets and copies their bytes and lengths.
fn receive(queue: &mut Queue, count: usize) -> Vec<(Vec<u8>, u32)> {
    let start = Instant::now();
    let mut packets = Vec::new();
    while packets.len() < count {
        assert!(start.elapsed() < PATIENCE, "{} of {count} packets came", packets.len());
        let lent = queue.receive();
        for index in 0..lent {
            packets.push((queue.frame(index).to_vec(), queue.frame_len(index)));
        }
        if lent == 0 {
            queue.wait(Duration::from_millis(100)).unwrap();
        }
    }
    packets
}

/// Waits until `done`, looking again and again.
fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < PATIENCE, "never happened: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// An error with all its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}
