//! The one road: a capture file, `pipeline::read`, a sink.

use std::io::{self, Write};

use events::{Event, Report};
use pipeline::{Options, Sink};

use crate::frame::Packet;

/// What came of a capture.
pub(crate) struct Replay {
    pub(crate) events: Vec<Event>,
    pub(crate) report: Report,
    /// Numbers of the frames that are resets, from 1.
    pub(crate) reset_frames: Vec<u64>,
}

struct Collected(Vec<Event>);

impl Sink for Collected {
    fn emit(&mut self, event: &Event) -> io::Result<()> {
        self.0.push(event.clone());
        Ok(())
    }
}

/// Writes the packets to a capture in this order and reads it.
pub(crate) fn replay(packets: &[Packet]) -> Replay {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&capture(packets)).unwrap();
    file.flush().unwrap();
    // Small tables: a thousand captures a run each get their own.
    let options = Options {
        flows: 1024,
        servers: 256,
        watches: 64,
        seed: Some(1),
        provisional: true,
        ..Options::default()
    };
    let mut sink = Collected(Vec::new());
    let stop = std::sync::atomic::AtomicBool::new(false);
    let report =
        pipeline::read(&[file.path().to_owned()], &options, None, &stop, &mut sink).unwrap();
    assert!(!report.has_problems(), "{:?}", report.inputs);
    assert_eq!(report.packets, packets.len() as u64);
    let reset_frames = (1u64..)
        .zip(packets)
        .filter(|(_, packet)| packet.is_reset())
        .map(|(frame, _)| frame)
        .collect();
    Replay { events: sink.0, report, reset_frames }
}

/// Classic format, nanoseconds, Ethernet.
fn capture(packets: &[Packet]) -> Vec<u8> {
    let mut bytes = vec![0x4d, 0x3c, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    bytes.extend([0xff, 0xff, 0, 0, 1, 0, 0, 0]);
    for packet in packets {
        let frame = packet.bytes();
        let seconds = START_S + packet.time_ns / 1_000_000_000;
        bytes.extend((seconds as u32).to_le_bytes());
        bytes.extend(((packet.time_ns % 1_000_000_000) as u32).to_le_bytes());
        bytes.extend((frame.len() as u32).to_le_bytes());
        bytes.extend((frame.len() as u32).to_le_bytes());
        bytes.extend(frame);
    }
    bytes
}

/// 2025-06-01: time zero of every script.
const START_S: u64 = 1_748_736_000;
