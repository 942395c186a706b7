//! Recorded frames dealt to several workers, as a card deals packets to its queues: what hand-over
//! costs, without a kernel in between.

use std::sync::atomic::AtomicBool;

use events::{CaptureQuality, Memory, MemoryItem, Report, Start};

use crate::crew::run_crew;
use crate::error::Error;
use crate::exporter::Exporter;
use crate::handover::{Handover, Sharding};
use crate::names::{NAMES_PER_TURN, NameReader};
use crate::options::Options;
use crate::outbox::{Inbox, Patience, Telling, exchange};
use crate::read::table_options;
use crate::shard::Shard;
use crate::sink::Sink;
use crate::source::Source;
use crate::tap::Shape;
use crate::telling::{Names, Teller};
use crate::worker::Worker;

/// Runs one worker for each source, which stands for a queue, to the end of all of them. All
/// sources are one input of the name `input`; the memory told is that of the hand-over rings.
///
/// Workers do not wait for each other: a source that runs far ahead makes rings overflow, and one
/// that ends before the others have handed over what is its own loses that; both are counted as
/// `handover_ring_full`.
///
/// # Errors
/// No source was given, a thread could not be started, a source cannot go on, or the sink failed.
pub fn replay_queues<S: Source + Send>(
    sources: Vec<S>,
    input: &str,
    sharding: Sharding,
    options: &Options,
    stop: &AtomicBool,
    sink: &mut dyn Sink,
) -> Result<Report, Error> {
    if sources.is_empty() {
        return Err(Error::NoInput);
    }
    let count = sources.len();
    let has_fibres = sources.iter().any(Source::is_of_two_ports);
    let telling = Telling::of(options, sink);
    let (workers, inboxes, memory) = workers(sources, sharding, options, telling);
    let start = Start { memory: memory.clone(), inputs: Vec::new(), workers: count as u32 };
    sink.start(&start).map_err(Error::Sink)?;
    let teller = Teller {
        names: Names::Files(vec![input.to_owned()]),
        community_id_seed: options.community_id_seed,
        run: String::new(),
        tap: CaptureQuality::default(),
    };
    let trusts_queues = count > 1 && sharding == Sharding::ByQueue;
    let shape = Shape { has_fibres: vec![has_fibres], trusts_queues };
    let minutes = telling.minutes.then_some(options.minutes);
    let exporter = Exporter::new(teller, inboxes, 1, options.context, minutes)
        .with_payload(options.evidence.payload_bytes);
    let mut exporter = exporter.of_shape(shape);
    let work = |_, worker: Worker<S>| worker.run(stop);
    let (_, cpu) = run_crew(workers, work, &mut exporter, stop, sink, |_, _| {})?;
    let mut report = exporter.report();
    report.cpu = cpu;
    report.memory = memory;
    Ok(report)
}

fn workers<S: Source>(
    sources: Vec<S>,
    sharding: Sharding,
    options: &Options,
    telling: Telling,
) -> (Vec<Worker<S>>, Vec<Inbox>, Memory) {
    let count = sources.len();
    // One secret for all: every worker must find the same owner for a flow.
    let table = table_options(options, count);
    let (mut workers, mut inboxes, mut ring_bytes) = (Vec::new(), Vec::new(), 0);
    for (source, handover) in
        sources.into_iter().zip(Handover::mesh(count, sharding, options.evidence.packets > 0))
    {
        ring_bytes += handover.memory_bytes() as u64;
        let shard = Shard::new(&table, options.watches.div_ceil(count)).keeping(&options.evidence);
        let (outbox, inbox) = exchange(1, Patience::Wait, telling);
        let names = NameReader::new(options.names_read(), table.seed, NAMES_PER_TURN);
        workers.push(Worker::new(source, shard, outbox, handover, names, options.key_scope));
        inboxes.push(inbox);
    }
    let rings = MemoryItem { name: "hand-over rings".to_owned(), bytes: ring_bytes };
    (workers, inboxes, Memory { items: vec![rings] })
}
