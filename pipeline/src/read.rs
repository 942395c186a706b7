//! A run over capture files: one worker, time as it was recorded.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use events::{ControlReport, CpuTime, InputReport, Memory, MemoryItem, Report, Start, StartInput};
use flowtable::TableOptions;

use crate::capture::CaptureSource;
use crate::clock;
use crate::error::Error;
use crate::exporter::{EndsWorkers, Exporter};
use crate::handover::Handover;
use crate::names::NameReader;
use crate::options::Options;
use crate::outbox::{Patience, Telling, exchange};
use crate::prefiltered::Prefiltered;
use crate::shard::Shard;
use crate::sink::Sink;
use crate::source::{BATCH_MAX, Source};
use crate::telling::{Names, Teller};
use crate::window::{WINDOWS_PER_WORKER, Window};
use crate::worker::Worker;

/// Reads captures to their ends, or until `stop` is set, merged by time, and tells `sink` what was
/// found.
///
/// Damage is no error: what was read before it is told, and the problem stands in
/// [`Report::inputs`]. `progress` grows by the bytes read.
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
    let names = source.names().to_vec();
    let bytes_read = source.bytes_read();
    let source_bytes = source.memory_bytes();
    let mut counted = CountedSink { sink, bytes_read: &bytes_read, progress: progress.as_deref() };
    let (source, mut report) = match options.ration() {
        None => replay(source, source_bytes, &names, options, stop, &mut counted)?,
        Some(ration) => {
            let source = Prefiltered::new(source, &ration, options.seed_in_force());
            let bytes = source_bytes + ration.memory_bytes();
            let (source, mut report) = replay(source, bytes, &names, options, stop, &mut counted)?;
            let (source, left_out) = source.into_parts();
            report.control = Some(ControlReport { first_packets: ration.first_packets, left_out });
            (source, report)
        }
    };
    for (index, input) in report.inputs.iter_mut().enumerate() {
        input.problem = problem_of(&source, index);
    }
    Ok(report)
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
    let table = table_options(options, 1);
    let shard = Shard::new(&table, options.watches).rationed(options.first_packets());
    let memory = memory(&shard, source_bytes, names.len());
    let start = Start { memory: memory.clone(), inputs: start_inputs(names), workers: 1 };
    sink.start(&start).map_err(Error::Sink)?;
    let (outbox, inbox) = exchange(names.len(), Patience::Wait, Telling::of(options));
    // A file does not run away: every name in it is read.
    let reader = NameReader::new(options.names_read(), table.seed, BATCH_MAX);
    let worker = Worker::new(source, shard, outbox, Handover::alone(), reader, options.key_scope);
    let teller = Teller {
        names: Names::Files(names.to_vec()),
        community_id_seed: options.community_id_seed,
        run: String::new(),
    };
    let mut exporter = Exporter::new(teller, vec![inbox], names.len(), options.context);
    let started_ns = clock::thread_cpu_ns();
    let (source, result, worker_ns, exported) = std::thread::scope(|scope| {
        let crew = EndsWorkers { exporter: &mut exporter, stop };
        let thread = std::thread::Builder::new()
            .name("worker-0".to_owned())
            .spawn_scoped(scope, || {
                let (source, result) = worker.run(stop);
                (source, result, clock::thread_cpu_ns())
            })
            .map_err(|source| Error::Spawn { worker: 0, source })?;
        let exported = crew.exporter.run(sink, |_| {});
        drop(crew);
        let (source, result, cpu_ns) =
            thread.join().map_err(|_| Error::WorkerGone { worker: 0 })?;
        Ok::<_, Error>((source, result, cpu_ns, exported))
    })?;
    exported?;
    result?;
    let mut report = exporter.report();
    report.cpu = CpuTime {
        workers_s: worker_ns as f64 / 1e9,
        exporter_s: clock::thread_cpu_ns().saturating_sub(started_ns) as f64 / 1e9,
    };
    report.inputs = reports(names, exporter.input_frames());
    report.memory = memory;
    Ok((source, report))
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

fn memory(shard: &Shard, source_bytes: usize, inputs: usize) -> Memory {
    let windows = WINDOWS_PER_WORKER * Window::memory_bytes(inputs, Patience::Wait.findings_max());
    let parts = shard
        .memory_bytes()
        .into_iter()
        .chain([("windows", windows), ("capture buffers", source_bytes)])
        .chain([("names", NameReader::memory_bytes())]);
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
