//! The same segments for every store: steady connections, churn, a SYN flood, a scan.

use flowtable::Timestamp;

use crate::store::Seen;

#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub(crate) enum Mix {
    /// Segments of established flows, at random.
    Hit,
    /// Connections of six segments: every sixth segment begins a new one and ends the oldest.
    Churn,
    /// Nine of ten segments are SYNs of nobody; the tenth is of an established flow.
    Flood,
    /// Ever new targets are asked and refuse: eight of ten segments.
    Scan,
}

/// One segment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) hash: u64,
    pub(crate) now: Timestamp,
    pub(crate) seen: Seen,
}

/// Segments without end, a microsecond apart.
pub(crate) struct Script {
    mix: Mix,
    /// Connections that live at a time.
    live: u64,
    /// The oldest that lives.
    oldest: u64,
    count: u64,
    random: u64,
}

impl Script {
    pub(crate) const fn new(mix: Mix, live: u64) -> Self {
        Self { mix, live, oldest: 0, count: 0, random: 0 }
    }

    /// The segments that make all connections established.
    pub(crate) fn opening(&self) -> impl Iterator<Item = Step> + use<> {
        (0..self.live).map(|id| Step { hash: mixed(id), now: START, seen: Seen::Established })
    }

    pub(crate) fn next(&mut self) -> Step {
        self.count += 1;
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let random = mixed(self.random);
        let now = START.plus_ns(self.count * 1_000);
        let known = self.oldest + (((random >> 32) * self.live) >> 32);
        let step = |id, seen| Step { hash: mixed(id), now, seen };
        let (tenth, sixth) = (self.count % 10, self.count % 6);
        match self.mix {
            Mix::Churn if sixth == 0 => {
                self.oldest += 1;
                step(self.oldest + self.live - 1, Seen::HalfOpen)
            }
            Mix::Churn if sixth == 1 => step(self.oldest, Seen::Over),
            Mix::Flood if tenth != 0 => step(NOBODY + self.count, Seen::HalfOpen),
            Mix::Scan if tenth > 1 && tenth % 2 == 0 => step(NOBODY + self.count, Seen::HalfOpen),
            Mix::Scan if tenth > 1 => step(NOBODY + self.count - 1, Seen::Over),
            _ => step(known, Seen::Established),
        }
    }

    /// Hashes of the connections that a store should still know.
    pub(crate) fn living(&self) -> impl Iterator<Item = u64> + use<> {
        (self.oldest + 1..self.oldest + self.live).map(mixed)
    }
}

/// The last steps of SplitMix64: as good as a keyed hash for a table, and no two alike.
const fn mixed(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ value >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ value >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ value >> 31
}

const START: Timestamp = Timestamp(1_700_000_000_000_000_000);
/// First of those who never were connections.
const NOBODY: u64 = 1 << 40;
