//! The threads of a run: a worker each, and the exporter on the caller's.

use std::sync::atomic::{AtomicBool, Ordering};

use events::{CpuTime, Status};
use flowtable::Timestamp;

use crate::clock;
use crate::error::Error;
use crate::exporter::Exporter;
use crate::sink::Sink;
use crate::source::{Source, SourceError};
use crate::worker::Worker;

/// Lets each worker `work` (its number and itself) on a thread of its own, and the exporter tell
/// `sink` what they find, until all have ended; `beat` is called about once a second with the
/// time up to which the exporter has heard. Gives back
/// the sources and the processor time that it took.
///
/// # Errors
/// A thread could not be started, a source cannot go on, or the sink failed; the first of these.
pub(crate) fn run_crew<S: Source + Send>(
    workers: Vec<Worker<S>>,
    work: impl Fn(usize, Worker<S>) -> (S, Result<(), SourceError>) + Sync,
    exporter: &mut Exporter,
    stop: &AtomicBool,
    sink: &mut dyn Sink,
    beat: impl FnMut(&mut Status, Timestamp),
) -> Result<(Vec<S>, CpuTime), Error> {
    let started_ns = clock::thread_cpu_ns();
    std::thread::scope(|scope| {
        let crew = EndsWorkers { exporter, stop };
        let (mut threads, work) = (Vec::with_capacity(workers.len()), &work);
        for (index, worker) in workers.into_iter().enumerate() {
            let thread = std::thread::Builder::new()
                .name(format!("worker-{index}"))
                .spawn_scoped(scope, move || (work(index, worker), clock::thread_cpu_ns()))
                .map_err(|source| Error::Spawn { worker: index, source })?;
            threads.push(thread);
        }
        let mut outcome = crew.exporter.run(sink, beat);
        // Whoever ended first, the others end too.
        drop(crew);
        let (mut sources, mut workers_ns) = (Vec::with_capacity(threads.len()), 0);
        for (index, thread) in threads.into_iter().enumerate() {
            match thread.join() {
                Ok(((source, result), cpu_ns)) => {
                    outcome = outcome.and(result.map_err(Error::from));
                    sources.push(source);
                    workers_ns += cpu_ns;
                }
                Err(_) => outcome = outcome.and(Err(Error::WorkerGone { worker: index })),
            }
        }
        let exporter_ns = clock::thread_cpu_ns().saturating_sub(started_ns);
        let seconds = |ns: u64| ns as f64 / 1e9;
        let cpu = CpuTime { workers_s: seconds(workers_ns), exporter_s: seconds(exporter_ns) };
        outcome.map(|()| (sources, cpu))
    })
}

/// Whatever becomes of the exporter, its workers end: one that waits for an empty window would keep
/// the run from ending, if a thread could not be started or the exporter panicked.
struct EndsWorkers<'e> {
    exporter: &'e mut Exporter,
    stop: &'e AtomicBool,
}

impl Drop for EndsWorkers<'_> {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.exporter.hang_up();
    }
}
