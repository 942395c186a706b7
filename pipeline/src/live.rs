//! Frames out of AF_XDP queues: the source of one live worker.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use flowtable::{TapPort, Timestamp};
use wire::LinkType;
use xdp::{Queue, Statistics};

use crate::clock;
use crate::source::{BATCH_MAX, Frame, Receipt, Received, Source, SourceError};

const _: () = assert!(xdp::BATCH_MAX <= BATCH_MAX);

/// The queues of one worker: queue *i* of every interface.
pub(crate) struct LiveSource {
    queues: Vec<LiveQueue>,
    /// The queue whose batch is lent.
    current: usize,
    now: Timestamp,
    published: Timestamp,
    idle_turns: u32,
    /// How long the thread may sleep.
    wait: Duration,
    batch: u64,
}

/// One queue and what it has brought.
pub(crate) struct LiveQueue {
    queue: Queue,
    input: u16,
    received: u64,
    gauge: Arc<Gauge>,
}

/// What a queue has brought and lost, for whoever reports it; written once a second.
#[derive(Debug, Default)]
pub(crate) struct Gauge {
    packets: AtomicU64,
    receive_ring_full: AtomicU64,
    receive_dropped: AtomicU64,
    fill_ring_empty: AtomicU64,
    invalid_descriptors: AtomicU64,
}

impl LiveQueue {
    pub(crate) fn new(queue: Queue, input: u16) -> Self {
        Self { queue, input, received: 0, gauge: Arc::default() }
    }

    pub(crate) fn gauge(&self) -> Arc<Gauge> {
        Arc::clone(&self.gauge)
    }

    fn publish(&self) -> Result<(), xdp::Error> {
        self.gauge.set(&self.queue.statistics()?);
        Ok(())
    }
}

impl Gauge {
    fn set(&self, statistics: &Statistics) {
        let set = |cell: &AtomicU64, value| cell.store(value, Ordering::Relaxed);
        set(&self.packets, statistics.packets);
        set(&self.receive_ring_full, statistics.rx_ring_full);
        set(&self.receive_dropped, statistics.rx_dropped);
        set(&self.fill_ring_empty, statistics.rx_fill_ring_empty_descs);
        set(&self.invalid_descriptors, statistics.rx_invalid_descs);
    }

    /// Packets lent so far.
    pub(crate) fn packets(&self) -> u64 {
        self.packets.load(Ordering::Relaxed)
    }

    /// The kernel's counters of what went wrong, by name.
    ///
    /// In copy mode `kernel_fill_ring_empty` counts packets that are also in
    /// `kernel_receive_dropped`: they must not be added.
    pub(crate) fn losses(&self) -> [(&'static str, u64); 4] {
        let get = |cell: &AtomicU64| cell.load(Ordering::Relaxed);
        [
            ("kernel_receive_ring_full", get(&self.receive_ring_full)),
            ("kernel_receive_dropped", get(&self.receive_dropped)),
            ("kernel_fill_ring_empty", get(&self.fill_ring_empty)),
            ("kernel_invalid_descriptors", get(&self.invalid_descriptors)),
        ]
    }
}

impl LiveSource {
    /// `shares` says whether other workers hand segments over to this one: it must not sleep long
    /// then, since a packet of theirs does not wake it.
    pub(crate) fn new(queues: Vec<LiveQueue>, shares: bool) -> Self {
        let now = clock::now();
        let wait = if shares { WAIT_SHARED } else { WAIT_ALONE };
        Self { queues, current: 0, now, published: now, idle_turns: 0, wait, batch: 0 }
    }

    /// Writes the gauges for the last time.
    pub(crate) fn publish(&self) {
        for queue in &self.queues {
            // The interface may be gone; the gauge then keeps what was known last.
            let _ = queue.publish();
        }
    }

    /// Lets the thread sleep until a packet comes: a tap at night should cost nothing.
    fn wait(&mut self) -> Result<(), xdp::Error> {
        self.idle_turns = self.idle_turns.saturating_add(1);
        if self.idle_turns < SPINS_BEFORE_WAIT {
            return Ok(());
        }
        let share = self.wait / u32::try_from(self.queues.len()).unwrap_or(1).max(1);
        for queue in &self.queues {
            if queue.queue.wait(share)? {
                break;
            }
        }
        Ok(())
    }

    fn error(&self, source: xdp::Error) -> SourceError {
        SourceError::Interface { source }
    }
}

impl Source for LiveSource {
    fn receive(&mut self) -> Result<Received, SourceError> {
        for step in 1..=self.queues.len() {
            let next = (self.current + step) % self.queues.len();
            let received = self.queues[next].queue.receive();
            if received > 0 {
                self.now = clock::now();
                self.current = next;
                self.idle_turns = 0;
                self.queues[next].received += received as u64;
                self.batch = received as u64;
                self.publish_each_second();
                return Ok(Received::Frames(received));
            }
        }
        self.wait().map_err(|source| self.error(source))?;
        self.now = clock::now();
        self.publish_each_second();
        Ok(Received::Idle)
    }

    fn frame(&self, index: usize) -> Frame<'_> {
        let live = &self.queues[self.current];
        Frame {
            bytes: live.queue.frame(index),
            time: self.now,
            link: Some(LinkType::Ethernet),
            port: TapPort(0),
            receipt: Receipt {
                input: live.input,
                queue: live.queue.id() as u16,
                frame: live.received - self.batch + index as u64 + 1,
            },
        }
    }

    fn clock(&self) -> Option<Timestamp> {
        Some(self.now)
    }
}

impl LiveSource {
    fn publish_each_second(&mut self) {
        if self.now.since_ns(self.published) >= PUBLISH_NS {
            self.published = self.now;
            self.publish();
        }
    }
}

/// Empty turns before the thread sleeps; at line rate the next batch is there sooner.
const SPINS_BEFORE_WAIT: u32 = 64;
/// Short enough to notice a stop and to tell verdicts in time.
const WAIT_ALONE: Duration = Duration::from_millis(50);
/// A ring of 4,096 segments fills in this time at 4 million packets a second.
const WAIT_SHARED: Duration = Duration::from_millis(1);
const PUBLISH_NS: u64 = 1_000_000_000;
