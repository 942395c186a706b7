//! Frames in memory, dealt to queues as a card deals them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use benches::{Options, Traffic};
use flowtable::{TapPort, Timestamp};
use pipeline::{BATCH_MAX, Frame, Receipt, Received, Source, SourceError};
use wire::LinkType;

/// Who gets a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Dealing {
    /// Both directions of a connection come in on one queue: symmetric RSS.
    Connections,
    /// Each direction comes in on a queue of its own choice: RSS with the key it is delivered with.
    Directions,
}

/// A queue with all that it will ever receive.
///
/// It never runs more than [`AHEAD`] packets of packet time ahead of the other queues, and ends only
/// when all of them are empty: what they hand over must find room and a worker.
pub(crate) struct Queue {
    bytes: Vec<u8>,
    frames: Vec<Entry>,
    next: usize,
    lent: usize,
    own: usize,
    ahead_ns: u64,
    /// Packet time up to which each queue has lent; [`EMPTY`] at its end.
    times: Arc<[AtomicU64]>,
}

/// Where a frame lies.
#[derive(Clone, Copy, Debug)]
struct Entry {
    start: u32,
    len: u32,
    time: Timestamp,
}

impl Queue {
    /// Plays `packets` packets of traffic into so many queues.
    pub(crate) fn deal(
        options: &Options,
        packets: u64,
        queues: usize,
        dealing: Dealing,
    ) -> Vec<Self> {
        let times: Arc<[AtomicU64]> = (0..queues).map(|_| AtomicU64::new(0)).collect();
        let queue = |own| Self {
            bytes: Vec::new(),
            frames: Vec::new(),
            next: 0,
            lent: 0,
            own,
            ahead_ns: AHEAD * 1_000_000_000 / options.rate.max(1),
            times: Arc::clone(&times),
        };
        let mut dealt: Vec<Self> = (0..queues).map(queue).collect();
        let (mut traffic, mut frame) = (Traffic::new(options), Vec::new());
        for _ in 0..packets {
            let time = Timestamp(traffic.next_frame(&mut frame));
            let queue = &mut dealt[dealing.queue(&frame, queues)];
            let start = u32::try_from(queue.bytes.len()).expect("4 GiB of frames are enough");
            queue.frames.push(Entry { start, len: frame.len() as u32, time });
            queue.bytes.extend_from_slice(&frame);
        }
        dealt
    }

    /// Frames that it will bring.
    pub(crate) fn len(&self) -> usize {
        self.frames.len()
    }

    fn publish(&self, time: u64) {
        self.times[self.own].store(time, Ordering::Release);
    }

    fn slowest(&self) -> u64 {
        self.times.iter().map(|time| time.load(Ordering::Acquire)).min().unwrap_or(EMPTY)
    }
}

impl Source for Queue {
    fn receive(&mut self) -> Result<Received, SourceError> {
        self.next += std::mem::take(&mut self.lent);
        let Some(first) = self.frames.get(self.next) else {
            self.publish(EMPTY);
            if self.slowest() == EMPTY {
                return Ok(Received::End);
            }
            std::thread::sleep(PAUSE);
            return Ok(Received::Idle);
        };
        self.publish(first.time.0);
        if first.time.0 > self.slowest().saturating_add(self.ahead_ns) {
            std::thread::sleep(PAUSE);
            return Ok(Received::Idle);
        }
        self.lent = (self.frames.len() - self.next).min(BATCH_MAX);
        Ok(Received::Frames(self.lent))
    }

    fn frame(&self, index: usize) -> Frame<'_> {
        let Entry { start, len, time } = self.frames[self.next + index];
        Frame {
            bytes: &self.bytes[start as usize..][..len as usize],
            time,
            link: Some(LinkType::Ethernet),
            port: TapPort(0),
            receipt: Receipt {
                input: 0,
                queue: self.own as u16,
                frame: (self.next + index) as u64 + 1,
            },
        }
    }
}

impl Dealing {
    /// The queue of an IPv4 TCP frame in plain Ethernet.
    fn queue(self, frame: &[u8], queues: usize) -> usize {
        let word = |at: usize| {
            u64::from(u32::from_be_bytes([frame[at], frame[at + 1], frame[at + 2], frame[at + 3]]))
        };
        let ports = word(34);
        let [source, target] = [word(26) << 16 | ports >> 16, word(30) << 16 | ports & 0xffff];
        let mixed = match self {
            Self::Connections => source.wrapping_add(target),
            Self::Directions => source.wrapping_mul(3).wrapping_add(target),
        };
        // Fibonacci hashing: the upper bits of the product are well mixed.
        let hash = mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        ((hash * queues as u64) >> 32) as usize
    }
}

/// A queue that has ended.
const EMPTY: u64 = u64::MAX;
/// What so many packets hand over fits a ring of 4,096 segments.
const AHEAD: u64 = 4_096;
/// Asleep, a worker takes no processor time; spinning would be counted as work.
const PAUSE: Duration = Duration::from_micros(100);
