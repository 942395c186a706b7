//! A run over capture files: time as it was recorded, by one worker or several.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use events::{
    CaptureQuality, ControlReport, InputReport, Memory, MemoryItem, Report, Start, StartInput,
};
use flowtable::TableOptions;

use crate::capture::CaptureSource;
use crate::crew::run_crew;
use crate::error::Error;
use crate::exporter::Exporter;
use crate::handover::Handover;
use crate::minutes::Minutes;
use crate::names::NameReader;
use crate::options::Options;
use crate::outbox::{Patience, Telling, exchange};
use crate::prefiltered::Prefiltered;
use crate::shard::Shard;
use crate::sink::Sink;
use crate::source::{BATCH_MAX, Source};
use crate::tap::Sampler;
use crate::telling::{Names, Teller};
use crate::trail::HeldTrails;
use crate::window::WINDOWS_PER_WORKER;
use crate::worker::Worker;

/// Reads captures to their ends, or until `stop` is set, merged by time, and tells `sink` what was
/// found.
///
/// Damage is no error: what was read before it is told, and the problem stands in
/// [`Report::inputs`]. `progress` grows by the bytes read.
///
/// [`Options::read_workers`] workers read plain files together: each walks all of them and takes
/// its share of the connections, so that nothing is handed over and nothing can be lost on the way.
/// Pipes and compressed files are read by one.
///
/// # Errors
/// No input was named, a thread could not be started, or the sink failed.
pub fn read(
    inputs: &[PathBuf],
    options: &Options,
    progress: Option<Arc<AtomicU64>>,
    stop: &AtomicBool,
    sink: &mut dyn Sink,
) -> Result<Report, Error> {
    if inputs.is_empty() {
        return Err(Error::NoInput);
    }
    let source = CaptureSource::open(inputs);
    // One secret for all workers: they must agree on whose a connection is.
    let options = Options { seed: Some(options.seed_in_force()), ..fitted(options, &source) };
    let names = source.names().to_vec();
    let bytes_read = source.bytes_read();
    let mut counted = CountedSink { sink, bytes_read: &bytes_read, progress: progress.as_deref() };
    let sources = shares(source, &options);
    let source_bytes = sources.iter().map(|(_, source)| source.memory_bytes()).sum::<usize>();
    let (sources, mut report) = match options.ration() {
        None => replay_by_all(sources, source_bytes, &names, &options, stop, &mut counted)?,
        Some(ration) => {
            let bytes = source_bytes + sources.len() * ration.memory_bytes();
            let rationed = |source| Prefiltered::new(source, &ration, options.seed_in_force());
            let sources =
                sources.into_iter().map(|(walked, source)| (walked, rationed(source))).collect();
            let (sources, mut report) =
                replay_by_all(sources, bytes, &names, &options, stop, &mut counted)?;
            let (sources, left_out): (Vec<_>, Vec<u64>) =
                sources.into_iter().map(Prefiltered::into_parts).unzip();
            let (first_packets, left_out) = (ration.first_packets, left_out.iter().sum());
            report.control = Some(ControlReport { first_packets, left_out });
            (sources, report)
        }
    };
    for (index, input) in report.inputs.iter_mut().enumerate() {
        // Each worker has read the files for itself.
        input.problem = sources.iter().find_map(|source| problem_of(source, index));
    }
    Ok(report)
}

/// No more room than the files can fill: memory that is touched for nothing is most of what reading a small
/// capture takes.
fn fitted(options: &Options, source: &CaptureSource) -> Options {
    let known = if source.can_be_shared() { source.bytes_total() } else { None };
    let Some(frames) = known.and_then(|bytes| usize::try_from(bytes / FRAME_BYTES_MIN).ok()) else {
        return options.clone();
    };
    Options {
        flows: options.flows.min(frames.saturating_mul(SPARSE).max(FLOWS_LEAST)),
        watches: options.watches.min(frames.max(WATCHES_LEAST)),
        ..options.clone()
    }
}

/// Where a source is in the frames that it and others walk past; `None` for one alone.
type Walked = Option<Arc<AtomicU64>>;

/// The source, or as many as there shall be workers.
fn shares(source: CaptureSource, options: &Options) -> Vec<(Walked, CaptureSource)> {
    if options.read_workers < 2 {
        return vec![(None, source)];
    }
    if source.can_be_shared() {
        let sources = source.shared(options.read_workers, options.seed_in_force());
        return sources.into_iter().map(|source| (Some(source.walked()), source)).collect();
    }
    tracing::warn!(
        "one worker reads all: standard input, a pipe or a compressed file is among the inputs, and \
         such a one can be read by one worker only (unpack it first)"
    );
    vec![(None, source)]
}

/// Runs one worker over any source of recorded frames to its end, or until `stop` is set: the road
/// of [`read`], for whoever brings frames of another kind. `names` are the source's inputs in the
/// order of [`crate::Receipt::input`], `source_bytes` is the memory it holds.
///
/// # Errors
/// A thread could not be started, the source cannot go on, or the sink failed.
pub fn replay<S: Source + Send>(
    source: S,
    source_bytes: usize,
    names: &[String],
    options: &Options,
    stop: &AtomicBool,
    sink: &mut dyn Sink,
) -> Result<(S, Report), Error> {
    let (mut sources, report) =
        replay_by_all(vec![(None, source)], source_bytes, names, options, stop, sink)?;
    let source = sources.pop().expect("every worker gives its source back");
    Ok((source, report))
}

/// Runs a worker over each of the sources, of which each knows how far it is in what they share.
fn replay_by_all<S: Source + Send>(
    sources: Vec<(Walked, S)>,
    source_bytes: usize,
    names: &[String],
    options: &Options,
    stop: &AtomicBool,
    sink: &mut dyn Sink,
) -> Result<(Vec<S>, Report), Error> {
    let count = sources.len();
    // Each could hold all: the connections of one busy server are one worker's.
    let table = table_options(options, 1);
    let (mut workers, mut inboxes) = (Vec::with_capacity(count), Vec::with_capacity(count));
    let telling = Telling::of(options, sink);
    let mut memory = Memory::default();
    for (walked, source) in sources {
        let shard = Shard::new(&table, options.watches)
            .rationed(options.first_packets())
            .keeping(&options.evidence);
        memory = memory_of_all(count, &shard, source_bytes, names.len(), telling, options);
        let (mut outbox, inbox) = exchange(names.len(), Patience::Wait, telling);
        if let Some(walked) = walked {
            outbox.follow(walked);
        }
        // A file does not run away: every name in it is read.
        let reader = NameReader::new(options.names_read(), table.seed, BATCH_MAX);
        let (handover, scope) = (Handover::alone(), options.key_scope);
        workers.push(Worker::new(source, shard, outbox, handover, reader, scope));
        inboxes.push(inbox);
    }
    let inputs = start_inputs(names);
    let start = Start { memory: memory.clone(), inputs, workers: count as u32 };
    sink.start(&start).map_err(Error::Sink)?;
    let teller = Teller {
        names: Names::Files(names.to_vec()),
        community_id_seed: options.community_id_seed,
        run: String::new(),
        tap: CaptureQuality::default(),
    };
    let minutes = telling.minutes.then_some(options.minutes);
    let mut exporter = Exporter::new(teller, inboxes, names.len(), options.context, minutes)
        .with_payload(options.evidence.payload_bytes);
    let work = |_, worker: Worker<S>| worker.run(stop);
    let (sources, cpu) = run_crew(workers, work, &mut exporter, stop, sink, |_, _| {})?;
    let mut report = exporter.report();
    report.cpu = cpu;
    report.inputs = reports(names, exporter.input_frames());
    report.memory = memory;
    Ok((sources, report))
}

/// Lets a progress display follow without a call of its own.
struct CountedSink<'s> {
    sink: &'s mut dyn Sink,
    bytes_read: &'s AtomicU64,
    progress: Option<&'s AtomicU64>,
}

impl CountedSink<'_> {
    fn follow(&self) {
        if let Some(progress) = self.progress {
            progress.store(self.bytes_read.load(Ordering::Relaxed), Ordering::Relaxed);
        }
    }
}

impl Sink for CountedSink<'_> {
    fn wants_events(&self) -> bool {
        self.sink.wants_events()
    }

    fn emit(&mut self, event: &events::Event) -> std::io::Result<()> {
        self.follow();
        self.sink.emit(event)
    }

    fn wants_minutes(&self) -> bool {
        self.sink.wants_minutes()
    }

    fn minute(&mut self, minute: &events::Minute) -> std::io::Result<()> {
        self.follow();
        self.sink.minute(minute)
    }

    fn evidence(&mut self, evidence: &events::Evidence) -> std::io::Result<()> {
        self.sink.evidence(evidence)
    }

    fn status(&mut self, status: &events::Status) -> std::io::Result<()> {
        self.follow();
        self.sink.status(status)
    }
}

/// A worker's share of the table.
pub(crate) fn table_options(options: &Options, workers: usize) -> TableOptions {
    TableOptions {
        flows: options.flows.div_ceil(workers),
        hosts: options.servers.div_ceil(workers),
        seed: options.seed_in_force(),
        timeouts: options.timeouts,
    }
}

/// What `workers` workers with such shards hold together, and the exporter.
fn memory_of_all(
    workers: usize,
    shard: &Shard,
    source_bytes: usize,
    inputs: usize,
    telling: Telling,
    options: &Options,
) -> Memory {
    let window = telling.window_bytes(inputs, Patience::Wait);
    let windows = WINDOWS_PER_WORKER * window;
    let minutes = if telling.minutes { Minutes::memory_bytes(&options.minutes) } else { 0 };
    let parts = shard
        .memory_bytes()
        .into_iter()
        .chain([
            ("windows", windows),
            ("names", NameReader::memory_bytes()),
            ("sampled connections", Sampler::memory_bytes()),
        ])
        .map(|(name, bytes)| (name, workers * bytes))
        .chain([("capture buffers", source_bytes), ("minutes", minutes)])
        .chain([("packets on hold", HeldTrails::memory_bytes(telling.evidence))])
        .filter(|&(_, bytes)| bytes > 0);
    memory_of(parts.chain(Exporter::memory_bytes()))
}

/// The parts as they are told.
pub(crate) fn memory_of(parts: impl IntoIterator<Item = (&'static str, usize)>) -> Memory {
    let item =
        |(name, bytes): (&str, usize)| MemoryItem { name: name.to_owned(), bytes: bytes as u64 };
    Memory { items: parts.into_iter().map(item).collect() }
}

fn start_inputs(names: &[String]) -> Vec<StartInput> {
    let input = |name: &String| StartInput {
        name: name.clone(),
        mode: "capture".to_owned(),
        ..StartInput::default()
    };
    names.iter().map(input).collect()
}

fn reports(names: &[String], frames: &[u64]) -> Vec<InputReport> {
    let input = |(index, name): (usize, &String)| InputReport {
        name: name.clone(),
        mode: "capture".to_owned(),
        packets: frames.get(index).copied().unwrap_or(0),
        problem: None,
    };
    names.iter().enumerate().map(input).collect()
}

/// What was wrong with an input.
fn problem_of(source: &CaptureSource, input: usize) -> Option<String> {
    let problems = source.problems().iter().filter(|problem| problem.input == input);
    let texts: Vec<String> = problems.map(ToString::to_string).collect();
    (!texts.is_empty()).then(|| texts.join("; "))
}

/// A frame in a pcap file: its header there, and IPv4 and TCP headers without anything else.
const FRAME_BYTES_MIN: u64 = 16 + 20 + 20;
/// Places for each flow that there may be: with four to five of sixteen ways taken on average, no set fills up.
const SPARSE: usize = 4;
/// A table of two megabytes, a huge page.
const FLOWS_LEAST: usize = 1 << 14;
const WATCHES_LEAST: usize = 64;
