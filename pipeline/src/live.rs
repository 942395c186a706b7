//! Frames out of AF_XDP queues: the source of one live worker.

use std::sync::Arc;
use std::time::Duration;

use flowtable::{TapPort, Timestamp};
use wire::LinkType;
use xdp::{BusyPoll, Queue};

use crate::clock;
use crate::gauge::{Gauge, Totals};
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
}

/// One queue and what it has brought.
pub(crate) struct LiveQueue {
    queue: Queue,
    gauge: Arc<Gauge>,
    /// What the gauge said before this socket.
    before: Totals,
    /// Packets lent, and those of them that the worker has taken in.
    received: u64,
    judged: u64,
    /// Time of the last batch.
    latest: Timestamp,
}

impl LiveQueue {
    pub(crate) fn new(queue: Queue, gauge: Arc<Gauge>) -> Self {
        let (before, latest) = (gauge.totals(), gauge.latest());
        gauge.set_mode(&queue.mode().to_string());
        gauge.set_up(true);
        Self { queue, received: before.received, judged: before.received, latest, before, gauge }
    }

    /// Takes the next batch; the one before has been judged.
    fn receive(&mut self, now: impl FnOnce() -> Timestamp) -> usize {
        self.judged = self.received;
        let received = self.queue.receive();
        if received > 0 {
            self.received += received as u64;
            self.latest = now();
        }
        received
    }

    fn publish(&self) -> Result<(), xdp::Error> {
        let totals = self.before.and(&self.queue.statistics()?);
        self.gauge.set(&totals, self.judged, self.latest);
        Ok(())
    }
}

impl LiveSource {
    /// `shares` says whether other workers hand segments over to this one: it must not sleep long
    /// then, since a packet of theirs does not wake it.
    pub(crate) fn new(queues: Vec<LiveQueue>, wait: Wait, shares: bool) -> Self {
        let now = clock::now();
        let wait_max = if shares { WAIT_SHARED } else { WAIT_ALONE };
        Self { queues, current: 0, now, published: now, idle_turns: 0, wait, wait_max }
    }

    /// Writes the gauges for the last time: all that was lent has been judged.
    pub(crate) fn close(&mut self) {
        for queue in &mut self.queues {
            queue.judged = queue.received;
        }
        self.publish();
    }

    fn publish(&self) {
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
            let received = self.queues[self.current].receive(clock::now);
            if received > 0 {
                self.now = self.queues[self.current].latest;
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
                input: live.gauge.input,
                queue: live.gauge.queue,
                frame: live.judged + index as u64 + 1,
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
