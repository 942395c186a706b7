//! The worker and the exporter on a capture in memory.

use std::io;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use events::{Event, Start, Status};
use pipeline::{EvidenceOptions, Options, Sink};

use crate::frames::Frames;
use crate::{measured_part_begins, measured_part_ends};

/// Runs the sensor once and tells what the counts are to be divided by.
pub(crate) fn measure(
    path: &Path,
    from: u64,
    slots: usize,
    events: bool,
    has_evidence: bool,
) -> anyhow::Result<()> {
    let frames = Frames::load(path, from)?;
    let (all, measured, bytes) = (frames.len(), frames.measured(), frames.memory_bytes());
    let evidence = if has_evidence { EvidenceOptions::usual() } else { EvidenceOptions::default() };
    let options = Options { flows: slots, seed: Some(1), evidence, ..Options::default() };
    let mut sink = Discard { events };
    let stop = AtomicBool::new(false);
    let (_, report) =
        pipeline::replay(frames, bytes, &["frames".to_owned()], &options, &stop, &mut sink)?;
    measured_part_ends();
    let resets = report.resets.primary + report.resets.secondary + report.resets.duplicate;
    println!("frames {all}");
    println!("measured {measured}");
    println!("resets {resets}");
    println!("flows {}", report.connections.still_open);
    for item in report.memory.items {
        println!("bytes of {} {}", item.name, item.bytes);
    }
    for (name, count) in report.losses {
        println!("lost {name} {count}");
    }
    Ok(())
}

/// Tells nobody.
struct Discard {
    events: bool,
}

impl Sink for Discard {
    fn start(&mut self, _: &Start) -> io::Result<()> {
        // The tables have been made; the exporter's thread is measured from here on.
        measured_part_begins();
        Ok(())
    }

    fn wants_events(&self) -> bool {
        self.events
    }

    fn emit(&mut self, event: &Event) -> io::Result<()> {
        std::hint::black_box(event);
        Ok(())
    }

    fn status(&mut self, _: &Status) -> io::Result<()> {
        Ok(())
    }
}
