//! Frames out of AF_XDP queues: the source of one live worker.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use flowtable::{TapPort, Timestamp};
use wire::LinkType;
use xdp::{BusyPoll, Queue, Statistics};

use crate::clock;
use crate::source::{Frame, Receipt, Received, Source, SourceError};

/// What a worker does while its queues are empty.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Wait {
    /// Looks again a few times, then sleeps until the kernel wakes it: a tap at night costs nothing.
    #[default]
    Poll,
    /// As [`Wait::Poll`], but runs the driver's receive loop itself before it sleeps (Linux 5.11): pays
    /// off where interrupt and worker share a core. Wants `napi_defer_hard_irqs` and
    /// `gro_flush_timeout` set in `/sys/class/net/INTERFACE`.
    BusyPoll,
    /// Never sleeps: the least delay after a silence, for a whole core.
    Spin,
}

impl Wait {
    /// How queues have to be opened for it.
    pub(crate) fn busy_poll(self) -> Option<BusyPoll> {
        // 64 packets are what the kernel takes at a time by default (NAPI_POLL_WEIGHT).
        (self == Self::BusyPoll).then_some(BusyPoll { duration_us: 20, budget: 64 })
    }
}

/// The queues of one worker: queue *i* of every interface.
pub(crate) struct LiveSource {
    queues: Vec<LiveQueue>,
    /// The queue whose batch is lent.
    current: usize,
    now: Timestamp,
    published: Timestamp,
    idle_turns: u32,
    wait: Wait,
    /// How long the thread may sleep.
    wait_max: Duration,
    /// Packets of the current queue before this batch.
    before: u64,
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
    pub(crate) fn new(queues: Vec<LiveQueue>, wait: Wait, shares: bool) -> Self {
        let now = clock::now();
        let wait_max = if shares { WAIT_SHARED } else { WAIT_ALONE };
        Self { queues, current: 0, now, published: now, idle_turns: 0, wait, wait_max, before: 0 }
    }

    /// Writes the gauges for the last time.
    pub(crate) fn publish(&self) {
        for queue in &self.queues {
            // The interface may be gone; the gauge then keeps what was known last.
            let _ = queue.publish();
        }
    }

    /// Nothing is there: looks again soon, or lets the thread sleep until a packet comes.
    fn idle(&mut self) -> Result<(), xdp::Error> {
        self.idle_turns = self.idle_turns.wrapping_add(1);
        if self.wait == Wait::Spin {
            std::hint::spin_loop();
            if self.idle_turns.is_multiple_of(SPINS_BEFORE_CHECK) {
                // Nobody tells a worker that never sleeps that its interface is gone.
                self.queues.iter().try_for_each(|queue| queue.queue.check())?;
            }
            return Ok(());
        }
        if self.idle_turns < SPINS_BEFORE_WAIT {
            return Ok(());
        }
        self.idle_turns = SPINS_BEFORE_WAIT;
        let share = self.wait_max / u32::try_from(self.queues.len()).unwrap_or(1).max(1);
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
        for _ in 0..self.queues.len() {
            self.current = if self.current + 1 < self.queues.len() { self.current + 1 } else { 0 };
            let live = &mut self.queues[self.current];
            let received = live.queue.receive();
            if received > 0 {
                self.before = live.received;
                live.received += received as u64;
                self.now = clock::now();
                self.idle_turns = 0;
                self.publish_each_second();
                return Ok(Received::Frames(received));
            }
        }
        self.idle().map_err(|source| self.error(source))?;
        self.now = clock::now();
        self.publish_each_second();
        Ok(Received::Idle)
    }

    #[inline]
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
                frame: self.before + index as u64 + 1,
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
/// Some tens of milliseconds: a check is a system call.
const SPINS_BEFORE_CHECK: u32 = 1 << 20;
/// Short enough to notice a stop and to tell verdicts in time.
const WAIT_ALONE: Duration = Duration::from_millis(50);
/// A ring of 4,096 segments fills in this time at 4 million packets a second.
const WAIT_SHARED: Duration = Duration::from_millis(1);
const PUBLISH_NS: u64 = 1_000_000_000;
