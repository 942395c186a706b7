//! Zero copy on drivers that have it, without a network card: the sensor runs inside an emulated machine
//! with Debian's kernel, frames of a capture come in over its card, and what it tells is what
//! `rstscope read` tells of the same frames.
//!
//! Emulation is QEMU's own (TCG): no KVM, no root. `deploy/qemu/fetch.sh` has QEMU and the kernels; where
//! they cannot be had the tests are skipped aloud, and fail in CI.
#![forbid(unsafe_code)]
#![allow(clippy::print_stderr, reason = "a test that was skipped says so")]

mod frames;
mod machine;
mod sensor;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use frames::Frame;
use machine::{Card, Kernel, Machine};
use sensor::Told;

#[test]
fn igb_with_zero_copy_is_judged_like_a_capture_of_the_same() {
    let Some(program) = program() else { return };
    let sent = Sent::new();
    let mut machine = Machine::boot(Kernel::ZeroCopy, Card::Igb, program);
    let told = sensor::watch(&mut machine, "--zero-copy require", &sent.frames);
    assert_says(&told, "eth0 queue 0: native zero-copy");
    assert_says(&told, "ethtool -K eth0 rxvlan off");
    sent.assert_judged(&told);
}

#[test]
fn virtio_with_zero_copy_is_judged_like_a_capture_of_the_same() {
    let Some(program) = program() else { return };
    let sent = Sent::new();
    let mut machine = Machine::boot(Kernel::ZeroCopy, Card::Virtio, program);
    let told = sensor::watch(&mut machine, "--zero-copy require", &sent.frames);
    assert_says(&told, "eth0 queue 0: native zero-copy");
    sent.assert_judged(&told);
}

#[test]
fn where_zero_copy_is_refused_the_kernel_copies_and_that_is_said() {
    let Some(program) = program() else { return };
    let sent = Sent::new();
    let mut machine = Machine::boot(Kernel::Copying, Card::Igb, program);
    let refusal = sensor::refusal(&mut machine, "--zero-copy require");
    assert!(refusal.contains("bind queue 0 of eth0 for zero copy"), "{refusal}");
    assert!(refusal.contains("allow copying"), "{refusal}");

    let told = sensor::watch(&mut machine, "--zero-copy prefer", &sent.frames);
    assert_says(&told, "queue 0 of eth0: no zero copy (Operation not supported");
    assert_says(&told, "eth0 queue 0: native copy");
    sent.assert_judged(&told);
}

/// What every machine is sent, and what `rstscope read` says of it.
struct Sent {
    frames: Vec<Frame>,
    verdicts: Vec<String>,
    packets: u64,
}

impl Sent {
    /// The first second of the demo, ten resets by everybody who can send one, and then a connection whose
    /// payload is full of forged ones. All of it slowly: an emulated card delivers late by milliseconds, and who
    /// answered is also told by how soon.
    fn new() -> Self {
        let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../lab/captures/demo.pcap");
        let mut frames = frames::of_capture(&demo, DEMO);
        frames.iter_mut().for_each(|frame| frame.after *= SLOWER);
        frames.extend(frames::innocents(DEMO * SLOWER, 64));
        let folder = tempfile::tempdir().expect("a folder");
        let capture = folder.path().join("sent.pcap");
        frames::write(&frames, &capture);
        let (verdicts, report) = sensor::replay(&capture);
        let packets = report["packets"].as_u64().expect("a count");
        assert_eq!(packets, frames.len() as u64);
        // What carries no TCP is left out by the XDP program.
        let packets = packets - report["skips"]["not_tcp"].as_u64().unwrap_or(0);
        assert!(verdicts.len() == 10, "{verdicts:#?}");
        Self { frames, verdicts, packets }
    }

    /// Every frame was received, nothing lost, and each reset judged as in the capture: no forged one.
    fn assert_judged(&self, told: &Told) {
        assert_says(told, &format!(" {} packets, ", self.packets));
        assert_says(told, "; lost: nothing");
        assert_eq!(told.verdicts, self.verdicts, "{}", told.words);
    }
}

fn assert_says(told: &Told, phrase: &str) {
    assert!(told.words.contains(phrase), "{phrase:?} is missing in:\n{}", told.words);
}

/// The sensor for inside; `None`, aloud, where there can be no machine.
fn program() -> Option<&'static Path> {
    match Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/qemu/fetch.sh")).output() {
        Ok(output) if output.status.success() => Some(sensor::static_program()),
        other => {
            let why = match &other {
                Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
                Err(error) => error.to_string(),
            };
            assert!(std::env::var("CI").as_deref() != Ok("true"), "SKIPPED in CI: {why}");
            eprintln!("SKIPPED: no emulated machine: {why}");
            None
        }
    }
}

/// What is taken of the demo.
const DEMO: Duration = Duration::from_millis(800);
/// Round trips of 30 ms become 240 ms.
const SLOWER: u32 = 8;
