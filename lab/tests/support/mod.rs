//! What all tests of the lab need: a lab or a loud excuse, and a recording read by somebody else's parser.

#![allow(dead_code, reason = "each test binary uses its part")]
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "this is test code outside a test function"
)]

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use lab::{Error, Lab, Options, Placed, Scenario, Seen, Truth};
use pcap_parser::{PcapCapture, PcapHeader};

/// One frame of a recording.
#[derive(Debug)]
pub(crate) struct Frame {
    /// Time since the epoch.
    pub(crate) time: Duration,
    /// All bytes.
    pub(crate) bytes: Vec<u8>,
}

/// What was played, and what the tap saw.
pub(crate) struct Played {
    /// The truths with the numbers of their first resets.
    pub(crate) placed: Vec<Placed>,
    /// The capture, in order.
    pub(crate) frames: Vec<Frame>,
}

impl Played {
    /// All frames of a flow, one line each, for whoever must find out why it went otherwise.
    pub(crate) fn story(&self, truth: &Truth) -> String {
        let line = |(number, frame): (usize, &Frame)| {
            let seen =
                Seen::parse(&frame.bytes).filter(|s| s.is_between(truth.client, truth.server))?;
            let from = if seen.source == truth.client { "client" } else { "server" };
            let Seen { flags, seq, ack, hop_limit, payload, .. } = seen;
            Some(format!(
                "{number:>7} {:.6} {from} flags {flags:#04x} seq {seq} ack {ack} hops {hop_limit} len {}",
                frame.time.as_secs_f64() % 1000.0,
                payload.len()
            ))
        };
        let lines: Vec<String> = (1..).zip(&self.frames).filter_map(line).collect();
        lines.join("\n")
    }
}

/// A lab; `None` after a loud word where none can be built. In CI that is a failure.
pub(crate) fn build(options: &Options) -> Option<Lab> {
    match Lab::build(options) {
        Ok(lab) => Some(lab),
        Err(error @ (Error::Namespace { .. } | Error::ToolMissing { .. })) => {
            skip(&error.to_string());
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// Says why a test is not run; panics where it must be run.
pub(crate) fn skip(why: &str) {
    assert!(std::env::var_os("CI").is_none(), "CI must run this test: {why}");
    eprintln!("SKIPPED: {why}");
}

/// Whether a scenario plays real programs, waits for timers, or is a crowd or a guard: `software.rs` tests those.
pub(crate) fn is_software(scenario: Scenario) -> bool {
    const MODULES: [&str; 10] = [
        "clients", "flood", "guard", "haproxy", "nginx", "process", "proxy", "ssh", "timers", "tls",
    ];
    MODULES.contains(&scenario.module())
}

/// A file in the directory of temporary files that goes with this value.
pub(crate) struct Temporary(pub(crate) PathBuf);

impl Temporary {
    /// A new name.
    pub(crate) fn new(suffix: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("rs-lab-test-{}-{number}.{suffix}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Plays scenarios at once and reads back what was recorded.
pub(crate) fn play(lab: &Lab, scenarios: &[Scenario]) -> Played {
    let (capture, csv) = (Temporary::new("pcap"), Temporary::new("csv"));
    let recorder = lab::record(lab, &capture.0).unwrap();
    let truths = Mutex::new(Vec::new());
    lab.run_all(scenarios, |scenario, outcome| match outcome {
        Ok(found) => truths.lock().unwrap().extend(found),
        Err(error @ Error::ToolMissing { .. }) => skip(&format!("{}: {error}", scenario.name())),
        Err(error) => panic!("{}: {error}", scenario.name()),
    });
    let recording = recorder.finish(truths.into_inner().unwrap(), &csv.0).unwrap();
    let bytes = std::fs::read(&capture.0).unwrap();
    assert_eq!(bytes.len() as u64, recording.bytes);
    let frames = read(&bytes);
    assert_eq!(frames.len(), recording.frames);
    let lines = std::fs::read_to_string(&csv.0).unwrap().lines().count();
    assert_eq!(lines, recording.placed.len() + 1);
    Played { placed: recording.placed, frames }
}

fn read(bytes: &[u8]) -> Vec<Frame> {
    let capture = PcapCapture::from_file(bytes).expect("the recording is a classic pcap");
    let header: &PcapHeader = &capture.header;
    assert!(header.is_nanosecond_precision());
    capture
        .blocks
        .iter()
        .map(|block| Frame {
            time: Duration::new(block.ts_sec.into(), block.ts_usec),
            bytes: block.data.to_vec(),
        })
        .collect()
}
