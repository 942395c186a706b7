//! Made-up traffic in memory, lent to a worker in rounds whose cost is measured.

use benches::Traffic;
use nix::sched::{CpuSet, sched_setaffinity};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;
use pipeline::{BATCH_MAX, Frame, Receipt, Received, Source, SourceError};

use super::machine;

/// A source of recorded frames for [`pipeline::replay`].
///
/// All connections open first, unmeasured; then come rounds without resets, then as many with. The
/// frames of a round are made before its clock starts, so only the worker's loop is measured: what
/// it does with the frames, and lending them.
///
/// Shape: the first 128 bytes of a frame lie in memory of their own (64 where no frame is longer),
/// and it runs on into those of the next: the sensor reads headers and the first bytes of data, so
/// full-size copies would only measure how memory is filled.
pub(super) struct Rounds {
    traffic: Traffic,
    plan: Plan,
    memory: Vec<u8>,
    lens: Vec<u16>,
    stride: usize,
    /// The frame that the next batch begins with.
    next: usize,
    /// The first frame of the batch that is lent.
    lent: usize,
    /// Frames lent in earlier rounds.
    earlier: u64,
    opened: u64,
    now: pipeline::Timestamp,
    started: Option<Clocks>,
    rounds: Vec<Round>,
    /// Huge pages of this process while it ran.
    huge_bytes: u64,
}

/// What is measured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    /// Rounds without resets, and as many with.
    pub(super) rounds: u32,
    /// Packets of a round.
    pub(super) packets: usize,
    /// Thousandths of the packets that are resets in the later half.
    pub(super) resets_per_mille: u64,
    /// Longest frame.
    pub(super) frame_len_max: usize,
    /// The core to measure on.
    pub(super) core: Option<usize>,
    /// Packets a second by the packets' clock.
    pub(super) rate: u64,
}

/// One measured round.
#[derive(Clone, Copy, Debug)]
pub(super) struct Round {
    pub(super) has_resets: bool,
    pub(super) packets: u64,
    /// Bytes of the frames without check sequence.
    pub(super) bytes: u64,
    /// Processor time of the worker's thread.
    pub(super) cpu_ns: u64,
    /// Time that passed meanwhile.
    pub(super) wall_ns: u64,
}

/// Both clocks at one moment.
#[derive(Clone, Copy)]
pub(super) struct Clocks {
    /// Processor time of this thread.
    pub(super) cpu_ns: u64,
    pub(super) wall_ns: u64,
}

impl Rounds {
    pub(super) fn new(traffic: Traffic, plan: Plan) -> Self {
        let stride = if plan.frame_len_max <= 64 { 64 } else { 128 };
        Self {
            traffic,
            plan,
            memory: vec![0; plan.packets * stride + plan.frame_len_max],
            lens: Vec::with_capacity(plan.packets),
            stride,
            next: 0,
            lent: 0,
            earlier: 0,
            opened: 0,
            now: pipeline::Timestamp(START_NS),
            started: None,
            rounds: Vec::new(),
            huge_bytes: 0,
        }
    }

    /// What was measured, in order.
    pub(super) fn rounds(&self) -> &[Round] {
        &self.rounds
    }

    /// Frames lent, the unmeasured ones too.
    pub(super) fn lent(&self) -> u64 {
        self.earlier
    }

    /// Huge pages of this process when measuring began, bytes.
    pub(super) fn huge_bytes(&self) -> u64 {
        self.huge_bytes
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.memory.len() + 2 * self.lens.capacity()
    }

    /// Ends a round and makes the frames of the next; false after the last.
    fn begin_round(&mut self) -> bool {
        if let Some(started) = self.started.take() {
            let ended = Clocks::now();
            self.rounds.push(Round {
                has_resets: self.has_resets(),
                packets: self.lens.len() as u64,
                bytes: self.lens.iter().map(|&len| u64::from(len)).sum(),
                cpu_ns: ended.cpu_ns.saturating_sub(started.cpu_ns),
                wall_ns: ended.wall_ns.saturating_sub(started.wall_ns),
            });
        }
        self.earlier += self.lens.len() as u64;
        (self.next, self.lent) = (0, 0);
        self.lens.clear();
        let to_open = self.traffic.warm_up_len() - self.opened;
        if to_open > 0 {
            self.open(to_open);
            return true;
        }
        if self.rounds.len() as u32 >= 2 * self.plan.rounds {
            return false;
        }
        let share = if self.has_resets() { self.plan.resets_per_mille } else { 0 };
        self.traffic.set_resets_per_mille(share);
        let mut frame = Vec::new();
        for _ in 0..self.plan.packets {
            self.traffic.next_frame(&mut frame);
            self.keep(&frame);
        }
        if self.rounds.is_empty() {
            self.huge_bytes = machine::huge_bytes();
        }
        self.started = Some(Clocks::now());
        true
    }

    /// Whether the round that is being made or measured has resets.
    fn has_resets(&self) -> bool {
        self.rounds.len() as u32 >= self.plan.rounds
    }

    fn open(&mut self, to_open: u64) {
        if self.opened == 0
            && let Some(core) = self.plan.core
        {
            pin(core);
        }
        let mut frame = Vec::new();
        for _ in 0..to_open.min(self.plan.packets as u64) {
            self.traffic.next_frame(&mut frame);
            self.opened += 1;
            self.keep(&frame);
        }
    }

    fn keep(&mut self, frame: &[u8]) {
        let start = self.lens.len() * self.stride;
        let kept = frame.len().min(self.stride);
        self.memory[start..start + kept].copy_from_slice(&frame[..kept]);
        self.lens.push(frame.len() as u16);
    }
}

impl Source for Rounds {
    fn receive(&mut self) -> Result<Received, SourceError> {
        if self.next == self.lens.len() && !self.begin_round() {
            return Ok(Received::End);
        }
        self.lent = self.next;
        let count = BATCH_MAX.min(self.lens.len() - self.next);
        self.next += count;
        // As live: one time a batch.
        let passed_ns =
            (self.earlier + self.next as u64) as u128 * 1_000_000_000 / u128::from(self.plan.rate);
        self.now = pipeline::Timestamp(START_NS + passed_ns as u64);
        Ok(Received::Frames(count))
    }

    fn frame(&self, index: usize) -> Frame<'_> {
        let at = self.lent + index;
        let start = at * self.stride;
        Frame {
            bytes: &self.memory[start..start + usize::from(self.lens[at])],
            time: self.now,
            link: Some(pipeline::LinkType::Ethernet),
            port: pipeline::TapPort(0),
            receipt: Receipt { input: 0, queue: 0, frame: self.earlier + at as u64 + 1 },
        }
    }
}

impl Clocks {
    pub(super) fn now() -> Self {
        Self {
            cpu_ns: clock_ns(ClockId::CLOCK_THREAD_CPUTIME_ID),
            wall_ns: clock_ns(ClockId::CLOCK_MONOTONIC),
        }
    }
}

fn clock_ns(clock: ClockId) -> u64 {
    let now = clock_gettime(clock).expect("Linux has these clocks");
    now.tv_sec() as u64 * 1_000_000_000 + now.tv_nsec() as u64
}

/// Pins the calling thread.
pub(super) fn pin(core: usize) {
    let mut one = CpuSet::new();
    let pinned = one.set(core).and_then(|()| sched_setaffinity(Pid::from_raw(0), &one));
    if let Err(error) = pinned {
        tracing::warn!("pin to core {core}: {error}");
    }
}

/// Some time in 2023; the packets' clock begins here.
const START_NS: u64 = 1_700_000_000_000_000_000;

#[cfg(test)]
mod tests {
    use benches::{Mix, Options};

    use super::*;

    #[test]
    fn rounds_are_lent_whole_in_both_kinds_after_all_connections_are_open() {
        let start = benches::Start::Handshakes;
        let traffic =
            Traffic::new(&Options { mix: Mix::Small, flows: 100, start, ..Options::default() });
        let plan = Plan {
            rounds: 2,
            packets: 1000,
            resets_per_mille: 100,
            frame_len_max: 60,
            core: None,
            rate: 1_000_000,
        };
        let mut source = Rounds::new(traffic, plan);
        let (mut lent, mut resets, mut last) = (0, [0; 5], 0);
        while let Received::Frames(count) = source.receive().unwrap() {
            for index in 0..count {
                let frame = source.frame(index);
                assert_eq!(frame.bytes.len(), 60);
                assert_eq!(frame.receipt.frame, lent + 1);
                lent += 1;
                resets[lent.saturating_sub(300).div_ceil(1000) as usize] +=
                    u32::from(frame.bytes[47] & benches::Frame::RST != 0);
            }
            assert!(source.now.0 > last);
            last = source.now.0;
        }
        assert_eq!((lent, source.lent()), (4300, 4300));
        assert_eq!(resets[..3], [0; 3]);
        assert!(resets[3] > 50 && resets[4] > 50, "{resets:?}");
        assert!(source.rounds().iter().all(|round| round.packets == 1000 && round.bytes == 60_000));
        let kinds: Vec<bool> = source.rounds().iter().map(|round| round.has_resets).collect();
        assert_eq!(kinds, [false, false, true, true]);
    }
}
