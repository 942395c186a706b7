//! A run on live interfaces: one pinned worker a queue.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam_channel::{Sender, unbounded};
use events::{CaptureQuality, Memory, Report, Start, Status};
use flowtable::{TableOptions, Timestamp};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::mman::{MlockAllFlags, mlockall};
use nix::unistd::Pid;

use crate::crew::run_crew;
use crate::error::Error;
use crate::exporter::Exporter;
use crate::handover::{Handover, Sharding};
use crate::keeper::Keeper;
use crate::link::Link;
use crate::links::Links;
use crate::live::{LiveQueue, LiveSource, Wait};
use crate::minutes::Minutes;
use crate::names::{NAMES_PER_TURN, NameReader};
use crate::options::Options;
use crate::outbox::{Inbox, Patience, Telling, exchange};
use crate::read::{memory_of, table_options};
use crate::shard::Shard;
use crate::sink::Sink;
use crate::source::BATCH_MAX;
use crate::tap::{Sampler, Shape};
use crate::telling::{Names, Teller};
use crate::trail::HeldTrails;
use crate::window::WINDOWS_PER_WORKER;
use crate::worker::Worker;

/// What to watch, and how.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// What is watched; at least one. Which packets are captured is said for all of them by
    /// [`Options::capture`].
    pub links: Vec<Link>,
    /// How the sensor remembers and tells.
    pub options: Options,
    /// Pin worker *i* to the *i*-th core this process may use.
    pub pin: bool,
    /// What workers do while nothing comes.
    pub wait: Wait,
    /// How several workers share the flows. [`Sharding::ByQueue`] trusts the card to send both
    /// directions of every connection to one queue.
    pub sharding: Sharding,
    /// Wait for interfaces that are not there or not up at the start; else the run fails. What goes
    /// away later is waited for in either case.
    pub wait_for_interfaces: bool,
    /// Lock all memory, so that nothing on the packet path is ever paged out.
    pub lock_memory: bool,
}

impl RunOptions {
    /// Watches links the way taps are watched; each is an interface, or the two of the fibres of a
    /// link: `east+west`.
    #[must_use]
    pub fn taps(links: &[String]) -> Self {
        Self {
            links: links.iter().map(|link| Link::tap(link)).collect(),
            options: Options::default(),
            pin: true,
            wait: Wait::default(),
            sharding: Sharding::ByHash,
            wait_for_interfaces: false,
            lock_memory: true,
        }
    }
}

/// Watches interfaces until `stop` is set and tells `sink` what was found.
///
/// # Errors
/// Control mode was asked of a link of two ports, an interface could not be opened at the start, a thread could not be started, or the sink failed.
/// What was found until then has been told.
pub fn run(options: &RunOptions, stop: &AtomicBool, sink: &mut dyn Sink) -> Result<Report, Error> {
    if options.links.is_empty() {
        return Err(Error::NoInterface);
    }
    let two_ports = options.links.iter().find(|link| link.west.is_some());
    if let Some(link) = two_ports.filter(|_| options.options.ration().is_some()) {
        return Err(Error::ControlOfTwoPorts { link: link.name.clone() });
    }
    let links = Arc::new(Links::new(&options.links));
    let waits = options.wait_for_interfaces;
    let mut keeper = Keeper::start(interfaces(options), Arc::clone(&links), waits)?;
    let opened = keeper.opened(stop, || sink.waiting())?;
    let (worker_count, inputs) = (opened.queues.len(), links.ports().len());
    // One secret for all: every worker must find the same owner for a flow.
    let table = table_options(&options.options, worker_count.max(1));
    let telling = Telling::of(&options.options, sink);
    let hired = Hired::of(options, opened.queues, &table, inputs, telling);
    let mut parts = hired.parts;
    let window = telling.window_bytes(inputs, Patience::GoOn);
    let minutes = telling.minutes.then_some(options.options.minutes);
    parts.push(("windows", worker_count * WINDOWS_PER_WORKER * window));
    parts.push(("frames of the queues", opened.frame_bytes));
    let budgets = options.options.ration().map_or(0, |ration| ration.memory_bytes());
    parts.push(("budgets of the XDP programs", inputs * budgets));
    parts.push(("minutes", minutes.as_ref().map_or(0, Minutes::memory_bytes)));
    parts.extend(Exporter::memory_bytes());
    parts.push(("packets on hold", HeldTrails::memory_bytes(telling.evidence)));
    let memory = summed(parts);
    lock_memory(options.lock_memory);
    keeper.serve(hired.ends);
    let start =
        Start { memory: memory.clone(), inputs: opened.started, workers: worker_count as u32 };
    sink.start(&start).map_err(Error::Sink)?;
    let teller = Teller {
        names: Names::Interfaces(links.names()),
        community_id_seed: options.options.community_id_seed,
        run: format!("{:x}", table.seed),
        tap: CaptureQuality::default(),
    };
    let shape = Shape {
        has_fibres: links.ports().iter().map(|port| port.port.fibre.is_some()).collect(),
        trusts_queues: worker_count > 1 && options.sharding == Sharding::ByQueue,
    };
    let exporter = Exporter::new(teller, hired.inboxes, inputs, options.options.context, minutes)
        .with_payload(options.options.evidence.payload_bytes);
    let mut exporter = exporter.of_shape(shape);
    let work = |index, worker: Worker<LiveSource>| {
        if options.pin {
            pin_to_core(index);
        }
        let (mut source, result) = worker.run(stop);
        source.close();
        if result.is_err() {
            // Whoever supervises the run can start it anew.
            stop.store(true, Ordering::Relaxed);
        }
        (source, result)
    };
    let beat = |status: &mut Status, told: Timestamp| {
        status.flows_max = hired.flows_max;
        links.tell(status, told);
    };
    let (sources, cpu) = run_crew(hired.workers, work, &mut exporter, stop, sink, beat)?;
    // First: a program counts every packet for which it finds no socket.
    keeper.end();
    drop(sources);
    let mut report = exporter.report();
    report.cpu = cpu;
    report.losses.extend(links.losses());
    report.inputs = links.reports(exporter.input_frames());
    report.memory = memory;
    report.control = options.options.ration().map(|ration| links.control(&ration));
    Ok(report)
}

/// The workers of a run, before it begins.
struct Hired {
    workers: Vec<Worker<LiveSource>>,
    inboxes: Vec<Inbox>,
    /// Where queues of interfaces that are back go.
    ends: Vec<Sender<LiveQueue>>,
    /// Connections that all tables together have room for.
    flows_max: u64,
    /// What they hold.
    parts: Vec<(&'static str, usize)>,
}

impl Hired {
    /// One worker for each of `queues`.
    fn of(
        options: &RunOptions,
        queues: Vec<Vec<LiveQueue>>,
        table: &TableOptions,
        inputs: usize,
        telling: Telling,
    ) -> Self {
        let RunOptions { options, wait, sharding, .. } = options;
        let count = queues.len();
        let shares = count > 1 && *sharding == Sharding::ByHash;
        let sharding = if shares { Sharding::ByHash } else { Sharding::ByQueue };
        let keeps_packets = options.evidence.packets > 0;
        let (workers, inboxes, ends, parts) = Default::default();
        let mut hired = Self { workers, inboxes, ends, flows_max: 0, parts };
        for (queues, handover) in
            queues.into_iter().zip(Handover::mesh(count, sharding, keeps_packets))
        {
            let (end, arrivals) = unbounded();
            let source = LiveSource::new(queues, arrivals, *wait, shares);
            let shard = Shard::new(table, options.watches.div_ceil(count))
                .rationed(options.first_packets())
                .keeping(&options.evidence);
            let (outbox, inbox) = exchange(inputs, Patience::GoOn, telling);
            hired.flows_max += shard.table().capacity() as u64;
            hired.parts.extend(shard.memory_bytes());
            hired.parts.push(("hand-over rings", handover.memory_bytes()));
            hired.parts.push(("names", NameReader::memory_bytes()));
            hired.parts.push(("sampled connections", Sampler::memory_bytes()));
            let names = NameReader::new(options.names_read(), table.seed, NAMES_PER_TURN);
            let scope = options.key_scope;
            hired.workers.push(Worker::new(source, shard, outbox, handover, names, scope));
            hired.inboxes.push(inbox);
            hired.ends.push(end);
        }
        hired
    }
}

/// Each interface as it is attached to.
fn interfaces(options: &RunOptions) -> Vec<xdp::Options> {
    let attached = |interface: &xdp::Options| xdp::Options {
        capture: options.options.capture,
        batch: interface.batch.min(BATCH_MAX as u32),
        busy_poll: options.wait.busy_poll().or(interface.busy_poll),
        ..interface.clone()
    };
    options.links.iter().flat_map(Link::ports).map(attached).collect()
}

/// Adds up parts of one name.
fn summed(parts: Vec<(&'static str, usize)>) -> Memory {
    let mut sums: Vec<(&'static str, usize)> = Vec::new();
    for (name, bytes) in parts.into_iter().filter(|&(_, bytes)| bytes > 0) {
        match sums.iter_mut().find(|(known, _)| *known == name) {
            Some((_, sum)) => *sum += bytes,
            None => sums.push((name, bytes)),
        }
    }
    memory_of(sums)
}

fn lock_memory(wanted: bool) {
    if !wanted {
        return;
    }
    // What was touched is locked now, the rest if it ever is: an allocator reserves much more than it uses.
    if let Err(error) = mlockall(MlockAllFlags::MCL_CURRENT | MCL_ONFAULT) {
        tracing::warn!(
            "lock memory: {error}; pages may be swapped out (raise RLIMIT_MEMLOCK, \
             LimitMEMLOCK=infinity in the unit)"
        );
    }
}

/// Linux 4.4, mlock(2); the same number on all machines but a few that nobody taps with (asm-generic/mman.h).
const MCL_ONFAULT: MlockAllFlags = MlockAllFlags::from_bits_retain(4);

/// Pins this thread to the `index`-th core that the process may use, the first again after the last.
fn pin_to_core(index: usize) {
    let own = Pid::from_raw(0);
    let Ok(allowed) = nix::sched::sched_getaffinity(own) else { return };
    let cores: Vec<usize> =
        (0..CpuSet::count()).filter(|&core| allowed.is_set(core).unwrap_or(false)).collect();
    let mut one = CpuSet::new();
    let pinned = cores
        .get(index % cores.len().max(1))
        .is_some_and(|&core| one.set(core).is_ok() && sched_setaffinity(own, &one).is_ok());
    if !pinned {
        tracing::warn!("worker {index} could not be pinned to a core");
    }
}
