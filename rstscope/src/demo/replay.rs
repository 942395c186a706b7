//! The demo without root: a capture of the same scenarios that the program carries.

use std::io::{self, Write as _};
use std::sync::atomic::AtomicBool;

use anyhow::Context as _;
use events::{Body, Event, Evidence, Minute};
use pipeline::Sink;

use super::Played;
use super::judge::Done;
use crate::cli::SensorArguments;
use crate::sensor;

/// What stands above the results.
pub(crate) const TITLE: &str =
    "REPLAY, NOT LIVE: a stored capture of ten resets that real Linux kernels made";

/// Reads the stored capture and its labels.
pub(crate) fn play() -> anyhow::Result<Played> {
    let mut file = tempfile::NamedTempFile::new().context("make a temporary file")?;
    file.write_all(CAPTURE).context("write the stored capture")?;
    file.flush().context("write the stored capture")?;
    let mut sink = Collector::default();
    let path = file.path().to_owned();
    sensor::read(
        &[path],
        &SensorArguments::default(),
        false,
        None,
        &AtomicBool::new(false),
        &mut sink,
    )?;
    let labels = csv::Reader::from_reader(LABELS).into_deserialize::<Done>();
    let done: Vec<Done> = labels.collect::<Result<_, _>>().context("read the stored labels")?;
    let mut done: Vec<(Option<usize>, Done)> =
        done.into_iter().map(|done| (place(&done.scenario), done)).collect();
    done.sort_by_key(|(place, _)| *place);
    let done = done.into_iter().map(|(_, done)| done).collect();
    Ok(Played { done, seen: sink.seen, beside: sink.beside })
}

fn place(scenario: &str) -> Option<usize> {
    lab::Scenario::DEMO.iter().position(|item| item.name() == scenario)
}

#[derive(Default)]
struct Collector {
    seen: Vec<Event>,
    beside: Vec<Body>,
}

impl Sink for Collector {
    fn emit(&mut self, event: &Event) -> io::Result<()> {
        self.seen.push(event.clone());
        Ok(())
    }

    fn wants_minutes(&self) -> bool {
        true
    }

    fn minute(&mut self, minute: &Minute) -> io::Result<()> {
        self.beside.push(Body::Minute(minute.clone()));
        Ok(())
    }

    fn evidence(&mut self, evidence: &Evidence) -> io::Result<()> {
        self.beside.push(Body::Evidence(evidence.clone()));
        Ok(())
    }
}

/// Made by `lab run`; see `lab/captures/README.md`.
const CAPTURE: &[u8] = include_bytes!("../../../lab/captures/demo.pcap");

/// What was really done in it.
const LABELS: &[u8] = include_bytes!("../../../lab/captures/demo.csv");
