//! A run on live interfaces: one pinned worker a queue.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use events::{ControlReport, InputReport, Memory, Report, Start, StartInput, Status};
use flowtable::Timestamp;
use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::mman::{MlockAllFlags, mlockall};
use nix::unistd::Pid;
use xdp::{Attachment, Queue, Ration};

use crate::crew::run_crew;
use crate::error::Error;
use crate::exporter::{Exporter, named};
use crate::gauge::Gauge;
use crate::handover::{Handover, Sharding};
use crate::link::{Link, Port};
use crate::live::{LiveQueue, LiveSource, Wait};
use crate::names::{NAMES_PER_TURN, NameReader};
use crate::options::Options;
use crate::outbox::{Patience, Telling, exchange};
use crate::read::{memory_of, table_options};
use crate::shard::Shard;
use crate::sink::Sink;
use crate::source::BATCH_MAX;
use crate::telling::{Names, Teller};
use crate::window::{WINDOWS_PER_WORKER, Window};
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
            lock_memory: true,
        }
    }
}

/// Watches interfaces until `stop` is set and tells `sink` what was found.
///
/// # Errors
/// An interface could not be opened or went away, a thread could not be started, or the sink
/// failed. What was found until then has been told.
pub fn run(options: &RunOptions, stop: &AtomicBool, sink: &mut dyn Sink) -> Result<Report, Error> {
    let mut links = Links::open(options)?;
    let worker_count = links.workers.len();
    let sharding = if worker_count > 1 { options.sharding } else { Sharding::ByQueue };
    let inputs = links.names.len();
    let (mut workers, mut inboxes, mut parts) = (Vec::new(), Vec::new(), Vec::new());
    let mut flows_max = 0;
    // One secret for all: every worker must find the same owner for a flow.
    let table = table_options(&options.options, worker_count);
    let sources = std::mem::take(&mut links.workers);
    for (source, handover) in sources.into_iter().zip(Handover::mesh(worker_count, sharding)) {
        let shard = Shard::new(&table, options.options.watches.div_ceil(worker_count))
            .rationed(options.options.first_packets());
        let (outbox, inbox) = exchange(inputs, Patience::GoOn, Telling::of(&options.options));
        flows_max += shard.table().capacity() as u64;
        parts.extend(shard.memory_bytes());
        parts.push(("hand-over rings", handover.memory_bytes()));
        let names = NameReader::new(options.options.names_read(), table.seed, NAMES_PER_TURN);
        parts.push(("names", NameReader::memory_bytes()));
        let key_scope = options.options.key_scope;
        workers.push(Worker::new(source, shard, outbox, handover, names, key_scope));
        inboxes.push(inbox);
    }
    let window = Window::memory_bytes(inputs, Patience::GoOn.findings_max());
    parts.push(("windows", worker_count * WINDOWS_PER_WORKER * window));
    parts.push(("frames of the queues", links.frame_bytes));
    let budgets = options.options.ration().map_or(0, |ration| ration.memory_bytes());
    parts.push(("budgets of the XDP programs", inputs * budgets));
    parts.extend(Exporter::memory_bytes());
    let memory = summed(parts);
    lock_memory(options.lock_memory);
    let start = Start {
        memory: memory.clone(),
        inputs: links.started.clone(),
        workers: worker_count as u32,
    };
    sink.start(&start).map_err(Error::Sink)?;
    let teller = Teller {
        names: Names::Interfaces(links.names.clone()),
        community_id_seed: options.options.community_id_seed,
        run: format!("{:x}", table.seed),
    };
    let mut exporter = Exporter::new(teller, inboxes, inputs, options.options.context);
    let work = |index, worker: Worker<LiveSource>| {
        if options.pin {
            pin_to_core(index);
        }
        let (mut source, result) = worker.run(stop);
        source.close();
        if result.is_err() {
            // One link is gone: the run ends, so that whoever supervises it can start it anew.
            stop.store(true, Ordering::Relaxed);
        }
        (source, result)
    };
    let beat = |status: &mut Status, told: Timestamp| {
        status.flows_max = flows_max;
        links.tell(status, told);
    };
    let (_, cpu) = run_crew(workers, work, &mut exporter, stop, sink, beat)?;
    let mut report = exporter.report();
    report.cpu = cpu;
    report.losses.extend(links.losses());
    report.inputs = links.reports(exporter.input_frames());
    report.memory = memory;
    report.control = options.options.ration().map(|ration| links.control(&ration));
    Ok(report)
}

/// The open interfaces.
struct Links {
    attachments: Vec<Attachment>,
    names: Vec<String>,
    started: Vec<StartInput>,
    gauges: Vec<Arc<Gauge>>,
    workers: Vec<LiveSource>,
    frame_bytes: usize,
}

impl Links {
    /// Opens every interface; worker *i* gets queue *i* of each.
    fn open(options: &RunOptions) -> Result<Self, Error> {
        if options.links.is_empty() {
            return Err(Error::NoInterface);
        }
        let mut links = Self {
            attachments: Vec::new(),
            names: Vec::new(),
            started: Vec::new(),
            gauges: Vec::new(),
            workers: Vec::new(),
            frame_bytes: 0,
        };
        let mut queues_of_workers: Vec<Vec<LiveQueue>> = Vec::new();
        for (input, (port, interface)) in Port::all(&options.links).into_iter().enumerate() {
            let (attachment, queues) = Attachment::open(&xdp::Options {
                capture: options.options.capture,
                batch: interface.batch.min(BATCH_MAX as u32),
                busy_poll: options.wait.busy_poll().or(interface.busy_poll),
                ..interface.clone()
            })?;
            for warning in attachment.warnings() {
                tracing::warn!("{}: {warning}", interface.interface);
            }
            for (worker, queue) in queues.into_iter().enumerate() {
                if queues_of_workers.len() <= worker {
                    queues_of_workers.push(Vec::new());
                }
                let live = links.add(&interface.interface, input, port, queue);
                queues_of_workers[worker].push(live);
            }
            links.names.push(interface.interface.clone());
            links.attachments.push(attachment);
        }
        let shares = queues_of_workers.len() > 1 && options.sharding == Sharding::ByHash;
        links.workers = queues_of_workers
            .into_iter()
            .map(|queues| LiveSource::new(queues, options.wait, shares))
            .collect();
        Ok(links)
    }

    fn add(&mut self, name: &str, input: usize, port: Port, queue: Queue) -> LiveQueue {
        self.started.push(StartInput {
            name: name.to_owned(),
            queue: Some(queue.id() as u16),
            mode: queue.mode().to_string(),
        });
        self.frame_bytes += usize::try_from(queue.memory_bytes()).unwrap_or(usize::MAX);
        let gauge = Arc::new(Gauge::new(input as u16, port, queue.id() as u16));
        self.gauges.push(Arc::clone(&gauge));
        LiveQueue::new(queue, gauge)
    }

    /// Adds what only live runs know; the exporter has told all up to `told`, in packet time.
    fn tell(&self, status: &mut Status, told: Timestamp) {
        status.losses.extend(self.losses());
        let latest = self.gauges.iter().map(|gauge| gauge.latest()).max().unwrap_or_default();
        status.exporter_lag_s = latest.since_ns(told) as f64 / 1e9;
        let status_of = |gauge: &Arc<Gauge>| gauge.status(&self.names[usize::from(gauge.input)]);
        status.queues = self.gauges.iter().map(status_of).collect();
    }

    /// What the kernel and the XDP programs lost, by name.
    fn losses(&self) -> BTreeMap<String, u64> {
        let mut sums: BTreeMap<&'static str, u64> = BTreeMap::new();
        for gauge in &self.gauges {
            for (name, count) in gauge.losses() {
                *sums.entry(name).or_default() += count;
            }
        }
        for attachment in &self.attachments {
            if let Ok(counters) = attachment.counters() {
                *sums.entry("xdp_no_socket").or_default() += counters.no_socket;
            }
        }
        named(sums)
    }

    /// What the XDP programs left out on purpose.
    fn control(&self, ration: &Ration) -> ControlReport {
        let counters = self.attachments.iter().filter_map(|attachment| attachment.counters().ok());
        let left_out = counters.map(|counters| counters.left_out).sum();
        ControlReport { first_packets: ration.first_packets, left_out }
    }

    fn reports(&self, frames: &[u64]) -> Vec<InputReport> {
        let report = |(input, name): (usize, &String)| {
            let mode = self.started.iter().find(|start| start.name == *name);
            let lent: u64 = self
                .gauges
                .iter()
                .filter(|gauge| usize::from(gauge.input) == input)
                .map(|gauge| gauge.received())
                .sum();
            InputReport {
                name: name.clone(),
                mode: mode.map_or_else(String::new, |start| start.mode.clone()),
                packets: frames.get(input).copied().unwrap_or(0).max(lent),
                problem: None,
            }
        };
        self.names.iter().enumerate().map(report).collect()
    }
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
    if let Err(error) = mlockall(MlockAllFlags::MCL_CURRENT) {
        tracing::warn!(
            "lock memory: {error}; pages may be swapped out (raise RLIMIT_MEMLOCK, \
             LimitMEMLOCK=infinity in the unit)"
        );
    }
}

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
