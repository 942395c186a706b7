//! `rstscope bench live`: what a live run takes from a veth pair, beside a socket that drops all.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use events::{Event, Start, Status};
use pipeline::{Link, RunOptions, Sink, Wait};
use xdp::{Attachment, Flood, Interface};

use super::arguments::LiveArguments;
use super::live_report::{Half, LiveReport, Receiver};
use super::machine::{self, Machine};
use super::rounds::{Clocks, pin};
use super::veth::{self, RECEIVING, SENDING, with_veth};
use crate::sensor;

/// Plays all rounds; in each the sensor and the bare socket take turns, and who comes first changes.
pub(super) fn measure(arguments: &LiveArguments) -> anyhow::Result<LiveReport> {
    if let Some(why) = veth::why_not() {
        bail!(why);
    }
    let cores = machine::cores();
    let mut report = LiveReport::new(Machine::here(), arguments);
    for round in 0..arguments.rounds {
        let order = [Receiver::Sensor, Receiver::Bare];
        for turn in 0..2 {
            let receiver = order[(round as usize + turn) % 2];
            let (first, last) = (cores.first().copied(), cores.last().copied());
            let places = Places { receiver: first.unwrap_or(0), sender: last.unwrap_or(0) };
            let half = with_veth(|| match receiver {
                Receiver::Sensor => sense(arguments, places),
                Receiver::Bare => receive(arguments, places),
            })?;
            report.halves.push(half);
        }
    }
    Ok(report)
}

/// Which core does what; the same one where there is only one.
#[derive(Clone, Copy)]
struct Places {
    receiver: usize,
    sender: usize,
}

/// How the interface is attached to, by the sensor and by the bare socket alike.
fn link(arguments: &LiveArguments) -> xdp::Options {
    let mut options = xdp::Options::new(RECEIVING);
    sensor::set_queue(&mut options, &arguments.queue);
    // veth has none; asking would only warn.
    options.zero_copy = xdp::ZeroCopy::Never;
    options
}

/// The sensor's half of a round: a run as `rstscope run` makes it, its worker on the first core.
fn sense(arguments: &LiveArguments, places: Places) -> anyhow::Result<Half> {
    let options = RunOptions {
        links: vec![Link::one(link(arguments))],
        wait: sensor::wait_of(arguments.queue.wait.unwrap_or_default()),
        ..RunOptions::taps(&[])
    };
    let watched = Watched::default();
    let (report, sent) = std::thread::scope(|scope| {
        let sender = scope.spawn(|| {
            let sent = wait_for(|| watched.started.load(Ordering::Relaxed))
                .and_then(|()| send(arguments, places.sender));
            if let Ok(sent) = &sent {
                // Until all is told: the sensor says once a second what it has.
                let _late = wait_for(|| {
                    let dropped = receiving_statistics().map_or(0, |statistics| statistics.dropped);
                    watched.packets.load(Ordering::Relaxed) + dropped >= sent.packets
                });
            }
            watched.stop.store(true, Ordering::Relaxed);
            sent
        });
        let mut sink = LiveSink { watched: &watched };
        let report =
            pipeline::run(&options, &watched.stop, &mut sink).context("sense the veth pair");
        // If the sensor failed, nobody waits for its start.
        watched.started.store(true, Ordering::Relaxed);
        let sent = sender.join().expect("the sender does not panic");
        Ok::<_, anyhow::Error>((report?, sent?))
    })?;
    let mut losses: BTreeMap<String, u64> = report
        .losses
        .iter()
        .filter(|(name, _)| PACKETS_LOST.contains(&name.as_str()))
        .map(|(name, count)| (name.clone(), *count))
        .collect();
    add_veth_losses(&mut losses)?;
    let not_packets = report.losses.into_iter().filter(|(name, _)| !losses.contains_key(name));
    Ok(Half {
        receiver: Receiver::Sensor,
        sent: sent.packets,
        seconds: sent.seconds,
        taken: report.packets,
        unsaid: not_packets
            .filter(|(name, _)| !PACKETS_LOST_TWICE.contains(&name.as_str()))
            .collect(),
        losses,
        cpu_s: report.cpu.workers_s,
        exporter_cpu_s: Some(report.cpu.exporter_s),
        resets: Some(report.resets.primary),
        mode: report.inputs.first().map_or_else(String::new, |input| input.mode.clone()),
    })
}

/// The bare half: takes packets, looks at none, gives them back.
fn receive(arguments: &LiveArguments, places: Places) -> anyhow::Result<Half> {
    let mut options = link(arguments);
    let wait = sensor::wait_of(arguments.queue.wait.unwrap_or_default());
    if wait == Wait::BusyPoll {
        options.busy_poll = Some(xdp::BusyPoll { duration_us: 20, budget: 64 });
    }
    let (_attachment, mut queues) = Attachment::open(&options)?;
    let mut queue = queues.pop().context("a veth pair has a queue")?;
    let done = AtomicBool::new(false);
    let (sent, taken, cpu_ns) = std::thread::scope(|scope| {
        let sender = scope.spawn(|| {
            let sent = send(arguments, places.sender);
            done.store(true, Ordering::Relaxed);
            sent
        });
        pin(places.receiver);
        let started = Clocks::now();
        let (mut taken, mut idle_turns) = (0, 0);
        loop {
            let was_done = done.load(Ordering::Relaxed);
            let received = queue.receive();
            taken += received as u64;
            if received > 0 {
                idle_turns = 0;
                continue;
            }
            if was_done {
                break;
            }
            idle_turns += 1;
            if wait == Wait::Spin {
                std::hint::spin_loop();
            } else if idle_turns >= SPINS_BEFORE_WAIT {
                queue.wait(WAIT)?;
            }
        }
        let cpu_ns = Clocks::now().cpu_ns - started.cpu_ns;
        let sent = sender.join().expect("the sender does not panic")?;
        Ok::<_, anyhow::Error>((sent, taken, cpu_ns))
    })?;
    let statistics = queue.statistics()?;
    let mut losses = BTreeMap::from([
        (RING_FULL.to_owned(), statistics.rx_ring_full),
        (NO_FRAME.to_owned(), statistics.rx_dropped),
    ]);
    add_veth_losses(&mut losses)?;
    Ok(Half {
        receiver: Receiver::Bare,
        sent: sent.packets,
        seconds: sent.seconds,
        taken,
        losses,
        unsaid: BTreeMap::new(),
        cpu_s: cpu_ns as f64 / 1e9,
        exporter_cpu_s: None,
        resets: None,
        mode: queue.mode().to_string(),
    })
}

/// veth counts what found its queue full together with what the socket lost.
fn add_veth_losses(losses: &mut BTreeMap<String, u64>) -> anyhow::Result<()> {
    let of_socket: u64 = [RING_FULL, NO_FRAME].iter().filter_map(|name| losses.get(*name)).sum();
    let dropped = receiving_statistics()?.dropped;
    losses.insert(VETH_FULL.to_owned(), dropped.saturating_sub(of_socket));
    losses.retain(|_, count| *count > 0);
    Ok(())
}

fn receiving_statistics() -> Result<xdp::InterfaceStatistics, xdp::Error> {
    Ok(Interface::query(RECEIVING)?.statistics())
}

/// What went into the veth pair.
struct Sent {
    packets: u64,
    seconds: f64,
}

/// Sends for as long as was asked for, from one core.
fn send(arguments: &LiveArguments, core: usize) -> anyhow::Result<Sent> {
    let flood = Flood::conversations(SENDING, arguments.flows, arguments.resets)?;
    pin(core);
    let frame = vec![0; arguments.size as usize];
    let started = Instant::now();
    let wanted = Duration::from_secs_f64(arguments.seconds);
    let mut packets = 0;
    while started.elapsed() < wanted {
        let due = match arguments.rate {
            None => AT_A_TIME,
            Some(rate) => {
                let due = (started.elapsed().as_secs_f64() * rate as f64) as u64;
                u32::try_from(due.saturating_sub(packets)).unwrap_or(AT_A_TIME).min(AT_A_TIME)
            }
        };
        if due > 0 {
            flood.send(&frame, due)?;
            packets += u64::from(due);
        }
        if arguments.rate.is_some() {
            std::thread::sleep(PACE);
        }
    }
    Ok(Sent { packets, seconds: started.elapsed().as_secs_f64() })
}

/// Fails after some seconds.
fn wait_for(done: impl Fn() -> bool) -> anyhow::Result<()> {
    let started = Instant::now();
    while !done() {
        if started.elapsed() > PATIENCE {
            bail!("the sensor has not said anything for {} s", PATIENCE.as_secs());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// What the sensor says while it runs.
#[derive(Default)]
struct Watched {
    started: AtomicBool,
    packets: AtomicU64,
    stop: AtomicBool,
}

struct LiveSink<'w> {
    watched: &'w Watched,
}

impl Sink for LiveSink<'_> {
    fn start(&mut self, _: &Start) -> io::Result<()> {
        self.watched.started.store(true, Ordering::Relaxed);
        Ok(())
    }

    fn wants_events(&self) -> bool {
        false
    }

    fn emit(&mut self, _: &Event) -> io::Result<()> {
        Ok(())
    }

    fn status(&mut self, status: &Status) -> io::Result<()> {
        self.watched.packets.store(status.packets, Ordering::Relaxed);
        Ok(())
    }
}

const RING_FULL: &str = "kernel_receive_ring_full";
const NO_FRAME: &str = "kernel_receive_dropped";
const VETH_FULL: &str = "veth_queue_full";
/// Losses that are packets.
const PACKETS_LOST: [&str; 4] = [RING_FULL, NO_FRAME, "xdp_no_socket", "handover_ring_full"];
/// Counts the packets of [`NO_FRAME`] once more.
const PACKETS_LOST_TWICE: [&str; 1] = ["kernel_fill_ring_empty"];
/// One system call: some milliseconds.
const AT_A_TIME: u32 = 1 << 15;
const PACE: Duration = Duration::from_micros(200);
/// A busy kernel takes its time to find huge pages and to lock memory.
const PATIENCE: Duration = Duration::from_secs(60);
/// As the sensor waits.
const SPINS_BEFORE_WAIT: u32 = 64;
const WAIT: Duration = Duration::from_millis(50);
