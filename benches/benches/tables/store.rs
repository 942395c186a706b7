//! What a flow table must do, so that tables can be compared.

use std::mem::MaybeUninit;

use flowtable::{Pages, Timestamp};

/// What is known of a flow after a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Seen {
    HalfOpen,
    Established,
    Over,
}

/// A store of at most so many flows of 128 bytes each, under one rule of who gives way: half-open and
/// closed flows first, established ones only after [`YIELD_S`] of silence.
pub(crate) trait Store {
    const NAME: &'static str;

    fn new(flows: usize, pages: &mut Advice) -> Self;

    /// Takes in a segment; false if there is no place for its flow.
    fn take(&mut self, hash: u64, now: Timestamp, seen: Seen) -> bool;

    fn contains(&self, hash: u64) -> bool;

    /// Forgets a little of what is old; called once a batch.
    fn sweep(&mut self, now: Timestamp);

    fn memory_bytes(&self) -> usize;
}

/// Timeouts of all stores, in seconds.
pub(crate) const ESTABLISHED_S: u32 = 7_500;
pub(crate) const OTHERS_S: u32 = 130;
pub(crate) const YIELD_S: u32 = 300;

/// A flow of the stores that are not ours: as large as ours.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(128))]
pub(crate) struct Record {
    pub(crate) hash: u64,
    pub(crate) last_s: u32,
    pub(crate) segments: u32,
    pub(crate) seen: Seen,
}

const _: () = assert!(size_of::<Record>() == 128);

impl Record {
    pub(crate) const fn new(hash: u64, now: Timestamp) -> Self {
        Self { hash, last_s: now.seconds(), segments: 0, seen: Seen::HalfOpen }
    }

    pub(crate) fn note(&mut self, now: Timestamp, seen: Seen) {
        self.last_s = now.seconds();
        self.segments = self.segments.wrapping_add(1);
        self.seen = seen;
    }

    pub(crate) const fn silent_s(&self, now: Timestamp) -> u32 {
        now.seconds().saturating_sub(self.last_s)
    }

    pub(crate) fn is_expired(&self, now: Timestamp) -> bool {
        let is_established = self.seen == Seen::Established;
        self.silent_s(now) > if is_established { ESTABLISHED_S } else { OTHERS_S }
    }

    /// How willingly it is forgotten; `None` if it must be kept.
    pub(crate) fn rank(&self, now: Timestamp) -> Option<u32> {
        let silent_s = self.silent_s(now);
        match self.seen {
            Seen::Established if silent_s < YIELD_S => None,
            Seen::Established => Some(silent_s),
            Seen::HalfOpen | Seen::Over => Some(silent_s | 1 << 31),
        }
    }
}

/// Whether to ask for huge pages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Advice {
    pub(crate) huge: bool,
}

impl Pages for Advice {
    fn prepare<T>(&mut self, memory: &mut [MaybeUninit<T>]) {
        if self.huge
            && let Err(error) = xdp::prefer_huge_pages(memory)
        {
            println!("SKIPPED: no huge pages: {error}");
        }
    }
}

impl Advice {
    /// So many copies on the pages that were asked for.
    pub(crate) fn filled<T: Clone>(&mut self, value: T, len: usize) -> Box<[T]> {
        let mut values = Vec::with_capacity(len);
        self.prepare(values.spare_capacity_mut());
        values.resize(len, value);
        values.into_boxed_slice()
    }
}
