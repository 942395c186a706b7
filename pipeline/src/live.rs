//! Frames out of AF_XDP queues: the source of one live worker.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError};
use flowtable::{TapPort, Timestamp};
use wire::LinkType;
use xdp::{BusyPoll, Queue};

use crate::card_clock::CardClock;
use crate::clock;
use crate::gauge::{Gauge, Totals};
use crate::source::{BATCH_MAX, Frame, Receipt, Received, Source, SourceError};

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
///
/// The two ports of a tap are emptied together, so that both directions of a connection are judged in
/// one turn: first the frames of the one, then those of the other. More than a batch holds is taken
/// in proportion to what waits on each, so that neither direction runs far ahead of the other; at
/// the cut an answer may come a turn before what it answers.
pub(crate) struct LiveSource {
    queues: Vec<LiveQueue>,
    /// The queue whose batch is lent.
    current: usize,
    /// The queue of the other port of its link, and how many frames come before its own.
    twin: Option<(usize, usize)>,
    now: Timestamp,
    published: Timestamp,
    idle_turns: u32,
    wait: Wait,
    /// How long the thread may sleep.
    wait_max: Duration,
    /// Queues of interfaces that are back.
    arrivals: Receiver<LiveQueue>,
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
    /// Where the queue of the other port of its link is among the worker's.
    twin: Option<usize>,
    /// Times of the batch, where the card stamps packets. Not on links of two ports: two cards have two
    /// clocks, and what came first is settled otherwise there.
    card: Option<Box<CardClock>>,
}

impl LiveQueue {
    pub(crate) fn new(queue: Queue, gauge: Arc<Gauge>) -> Self {
        let (before, latest) = (gauge.totals(), gauge.latest());
        gauge.open(&queue.mode().to_string());
        let is_asked = queue.has_metadata() && gauge.port.fibre.is_none();
        Self {
            card: is_asked.then(|| Box::new(CardClock::new())),
            queue,
            received: before.received,
            judged: before.received,
            latest,
            before,
            gauge,
            twin: None,
        }
    }

    /// Takes the next batch; the one before has been judged.
    fn receive(&mut self, most: usize, now: impl FnOnce() -> Timestamp) -> usize {
        self.judged = self.received;
        let received = self.queue.receive_at_most(most);
        if received > 0 {
            self.received += received as u64;
            self.latest = now();
            if let Some(card) = &mut self.card {
                card.take(received, self.latest, |index| self.queue.metadata(index).stamp_ns);
            }
        }
        received
    }

    pub(crate) fn gauge(&self) -> Arc<Gauge> {
        Arc::clone(&self.gauge)
    }

    /// Bytes of its frames.
    pub(crate) fn memory_bytes(&self) -> usize {
        usize::try_from(self.queue.memory_bytes()).unwrap_or(usize::MAX)
    }

    fn publish(&self) {
        // Where the kernel does not say, the gauge keeps what was known last.
        if let Ok(statistics) = self.queue.statistics() {
            self.gauge.set(&self.before.and(&statistics), self.judged, self.latest);
            self.gauge.set_stamped(self.card.as_ref().is_some_and(|card| card.is_stamped()));
        }
    }

    /// Whether nothing will come through it any more. An interface that is down may come up again:
    /// whether it does is the keeper's to ask.
    fn is_over(&self) -> bool {
        self.gauge.is_revoked() || self.queue.is_gone()
    }

    /// Notes what it has brought and closes it; all of that has been judged.
    fn give_up(mut self) {
        self.judged = self.received;
        self.publish();
        drop(self.queue);
        self.gauge.close();
    }
}

impl LiveSource {
    /// `shares` says whether other workers hand segments over to this one: it must not sleep long
    /// then, since a packet of theirs does not wake it.
    pub(crate) fn new(
        queues: Vec<LiveQueue>,
        arrivals: Receiver<LiveQueue>,
        wait: Wait,
        shares: bool,
    ) -> Self {
        let now = clock::now();
        let wait_max = if shares { WAIT_SHARED } else { WAIT_ALONE };
        let (current, twin, idle_turns, published) = (0, None, 0, now);
        let mut source =
            Self { queues, current, twin, now, published, idle_turns, wait, wait_max, arrivals };
        source.find_twins();
        source
    }

    /// Takes in queues of interfaces that are back.
    fn adopt(&mut self) -> bool {
        let before = self.queues.len();
        self.queues.extend(self.arrivals.try_iter());
        self.find_twins();
        self.queues.len() > before
    }

    /// Closes queues that have become useless; the flows they have brought stay.
    fn give_up(&mut self, is_over: impl Fn(&LiveQueue) -> bool) {
        while let Some(index) = self.queues.iter().position(&is_over) {
            self.queues.swap_remove(index).give_up();
            (self.current, self.twin) = (0, None);
        }
        self.find_twins();
    }

    fn find_twins(&mut self) {
        for index in 0..self.queues.len() {
            let is_twin = |other: &LiveQueue| self.queues[index].gauge.is_twin(&other.gauge);
            self.queues[index].twin = self.queues.iter().position(is_twin);
        }
    }

    /// Writes the gauges for the last time: all that was lent has been judged.
    pub(crate) fn close(&mut self) {
        for queue in &mut self.queues {
            queue.judged = queue.received;
        }
        self.publish();
    }

    fn publish(&self) {
        self.queues.iter().for_each(LiveQueue::publish);
    }

    /// Takes the next batch of the current queue, and of its twin.
    fn take(&mut self) -> usize {
        let is_second = |live: &LiveQueue| live.gauge.port.port != TapPort(0);
        self.twin = None;
        match self.queues[self.current].twin {
            None => self.queues[self.current].receive(BATCH_MAX, clock::now),
            // Its frames come with those of the first port.
            Some(_) if is_second(&self.queues[self.current]) => 0,
            Some(twin) => self.take_both(twin),
        }
    }

    fn take_both(&mut self, twin: usize) -> usize {
        let pair = self.queues.get_disjoint_mut([self.current, twin]);
        let [first, second] = pair.expect("a queue is not its own twin");
        let batch = BATCH_MAX.min(first.queue.batch()).min(second.queue.batch());
        let [of_first, of_second] = shares(waiting(&mut first.queue, &mut second.queue), batch);
        let before = first.receive(of_first, clock::now);
        let received = before + second.receive(of_second, clock::now);
        let now = first.latest.max(second.latest);
        (first.latest, second.latest) = (now, now);
        self.twin = Some((twin, before));
        received
    }

    /// Nothing is there: looks again soon, or lets the thread sleep until a packet comes.
    fn idle(&mut self) -> Result<(), SourceError> {
        self.idle_turns = self.idle_turns.wrapping_add(1);
        if self.wait == Wait::Spin {
            std::hint::spin_loop();
            if self.idle_turns.is_multiple_of(SPINS_BEFORE_CHECK) {
                // Nobody tells a worker that never sleeps that its interface is gone.
                self.give_up(LiveQueue::is_over);
                self.adopt();
            }
            return Ok(());
        }
        if self.idle_turns < SPINS_BEFORE_WAIT {
            return Ok(());
        }
        self.idle_turns = SPINS_BEFORE_WAIT;
        if self.adopt() {
            return Ok(());
        }
        if self.queues.is_empty() {
            self.wait_for_queue();
            return Ok(());
        }
        // On all at once: what comes in on one must not wait for another.
        let queues = self.queues.iter().map(|live| &live.queue);
        let is_readable = Queue::wait_any(queues, self.wait_max).map_err(|source| {
            let name = "all queues of a worker".to_owned();
            SourceError::Receive { name, source }
        })?;
        if !is_readable {
            self.give_up(LiveQueue::is_over);
        }
        Ok(())
    }

    /// Every interface is gone: sleeps until one is back.
    fn wait_for_queue(&mut self) {
        match self.arrivals.recv_timeout(self.wait_max) {
            Ok(queue) => self.queues.push(queue),
            Err(RecvTimeoutError::Timeout) => {}
            // The keeper has ended: so will the run.
            Err(RecvTimeoutError::Disconnected) => std::thread::sleep(self.wait_max),
        }
    }
}

impl Source for LiveSource {
    fn receive(&mut self) -> Result<Received, SourceError> {
        self.tend_each_second();
        for _ in 0..self.queues.len() {
            self.current = if self.current + 1 < self.queues.len() { self.current + 1 } else { 0 };
            let received = self.take();
            if received > 0 {
                self.now = self.queues[self.current].latest;
                self.idle_turns = 0;
                return Ok(Received::Frames(received));
            }
        }
        self.idle()?;
        self.now = clock::now();
        Ok(Received::Idle)
    }

    #[inline]
    fn frame(&self, index: usize) -> Frame<'_> {
        let (live, index) = match self.twin {
            Some((twin, before)) if index >= before => (&self.queues[twin], index - before),
            _ => (&self.queues[self.current], index),
        };
        Frame {
            bytes: live.queue.frame(index),
            time: live.card.as_ref().map_or(self.now, |card| card.time(index)),
            link: Some(LinkType::Ethernet),
            port: live.gauge.port.port,
            receipt: Receipt {
                input: live.gauge.input,
                queue: live.gauge.queue,
                frame: live.judged + index as u64 + 1,
            },
        }
    }

    fn is_of_two_ports(&self) -> bool {
        self.twin.is_some()
    }

    fn clock(&self) -> Option<Timestamp> {
        Some(self.now)
    }
}

impl LiveSource {
    /// Between two batches, when none is lent.
    fn tend_each_second(&mut self) {
        // A clock that was set back must not keep it from being done.
        if self.now.since_ns(self.published) >= PUBLISH_NS || self.now < self.published {
            self.published = self.now;
            self.publish();
            self.give_up(|live| live.gauge.is_revoked());
            self.adopt();
        }
    }
}

/// What waits on two queues at one moment.
///
/// Whoever looks at one after the other may be interrupted between, and then sees an answer on the
/// second without the question on the first. So both counts hold for the moment at which the first
/// was read, unless the second keeps growing meanwhile: on a busy link looks are closer together
/// than any answer.
fn waiting(first: &mut Queue, second: &mut Queue) -> [usize; 2] {
    let mut of_second = second.waiting();
    for _ in 0..LOOKS_MAX {
        let of_first = first.waiting();
        let before = std::mem::replace(&mut of_second, second.waiting());
        if before == of_second {
            return [of_first, of_second];
        }
    }
    [first.waiting(), of_second]
}

/// How many of so many waiting packets of two queues are taken in a batch of both, so that both come
/// to their ends together.
fn shares([first, second]: [usize; 2], batch: usize) -> [usize; 2] {
    // One of each at least.
    let (sum, batch) = (first + second, batch.max(2));
    if sum <= batch {
        return [first, second];
    }
    let least = usize::from(first > 0);
    let of_first = (batch * first / sum).clamp(least, batch - usize::from(second > 0));
    [of_first, batch - of_first]
}

/// Looks at two queues before what they say is good enough.
const LOOKS_MAX: u32 = 4;
/// Empty turns before the thread sleeps; at line rate the next batch is there sooner.
const SPINS_BEFORE_WAIT: u32 = 64;
/// Some tens of milliseconds: a check is a system call.
const SPINS_BEFORE_CHECK: u32 = 1 << 20;
/// Short enough to notice a stop and to tell verdicts in time.
const WAIT_ALONE: Duration = Duration::from_millis(50);
/// A ring of 4,096 segments fills in this time at 4 million packets a second.
const WAIT_SHARED: Duration = Duration::from_millis(1);
const PUBLISH_NS: u64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_queues_are_emptied_in_proportion_to_what_waits() {
        assert_eq!(shares([0, 5], 64), [0, 5]);
        assert_eq!(shares([60, 4], 64), [60, 4]);
        assert_eq!(shares([3_000, 1_000], 64), [48, 16]);
        assert_eq!(shares([8_000, 1], 64), [63, 1], "nobody waits for ever");
        assert_eq!(shares([0, 8_000], 64), [0, 64]);
        assert_eq!(shares([60, 20], 16), [12, 4], "no queue lends more than its batch");
        assert_eq!(shares([8_000, 1], 1), [1, 1]);
    }
}
