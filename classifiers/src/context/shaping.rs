//! Traffic shaping by reset: a device that resets one client's connections to many servers, by how
//! much it transfers or how many it holds and not by what it says (classification.md, 5.5).

use std::hash::BuildHasher;
use std::num::NonZeroUsize;

use flowtable::{Happening, Note, Timestamp};
use foldhash::quality::RandomState;
use wire::Address;

use super::bounded::Bounded;
use super::distinct::PerMinute;
use super::lesson::Lesson;
use super::live::Live;

/// One client's connections are reset by a device, whoever its servers are.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Shaping {
    /// Its servers that were hit within the last minute, about.
    pub servers: u32,
    /// Its connections reset by a device, of the last ones.
    pub resets: u32,
    /// What sets them apart from those that passed.
    pub by: ShapedBy,
}

/// What the connections that were reset have in common.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ShapedBy {
    /// More were open at once than when others ended well.
    Concurrency {
        /// Open when one was reset, on average.
        reset_beside: u32,
        /// Open when one ended well, on average.
        passed_beside: u32,
    },
    /// Much was transferred.
    Volume {
        /// Bytes both ways, median.
        median: u32,
    },
    /// From some moment on all were reset, after others had ended well.
    Onset,
}

/// Clients and what becomes of their connections.
#[derive(Debug)]
pub(crate) struct Loads {
    clients: Bounded<Address, Load>,
    hasher: RandomState,
}

#[derive(Clone, Copy, Debug)]
struct Load {
    live: Live,
    servers: PerMinute,
    resets: Recent,
    passes: Recent,
}

/// The last connections that ended one way.
#[derive(Clone, Copy, Debug)]
struct Recent {
    ends: [End; REMEMBERED],
    next: u8,
}

#[derive(Clone, Copy, Debug)]
struct End {
    time: Timestamp,
    beside: u32,
    bytes: u32,
}

impl Default for Loads {
    fn default() -> Self {
        Self { clients: Bounded::new(CLIENTS), hasher: RandomState::default() }
    }
}

impl Loads {
    pub(crate) const fn memory_bytes() -> usize {
        Bounded::<Address, Load>::memory_bytes(CLIENTS)
    }

    pub(crate) fn note(&mut self, note: &Note) {
        match note.what {
            Happening::Established => {
                let client = note.client.address;
                if let Some(load) = self.clients.admit(client, note.time, || Load::NONE) {
                    load.live.opened(note.time);
                }
            }
            Happening::Closed => {
                if let Some(load) = self.clients.peek_mut(&note.client.address) {
                    let beside = load.live.now();
                    load.passes.push(End { time: note.time, beside, bytes: 0 });
                    load.live.closed(note.time);
                }
            }
            Happening::FirstFin { .. } | Happening::NewLook { .. } | Happening::Answered { .. } => {
            }
        }
    }

    pub(crate) fn learn(&mut self, lesson: &Lesson<'_>) {
        if !lesson.ends_connection() {
            return;
        }
        let (before, time) = (&lesson.watch.before, lesson.watch.reset.time);
        let Some(load) = self.clients.peek_mut(&lesson.client.address) else { return };
        if lesson.ruling.origin.is_device() {
            let client = before.client();
            let server = self.hasher.hash_one(lesson.server.address);
            let beside = load.live.at(time).unwrap_or_else(|| load.live.now());
            let bytes = before.bytes(client).saturating_add(before.bytes(client.opposite()));
            load.resets.push(End { time, beside, bytes });
            load.servers.add(server, time);
        }
        load.live.closed(time);
    }

    /// What is known of the client whose connection a device reset.
    pub(crate) fn ask(&self, lesson: &Lesson<'_>) -> Option<Shaping> {
        if !lesson.ruling.origin.is_device() {
            return None;
        }
        self.clients.peek(&lesson.client.address)?.shaping(lesson.watch.reset.time)
    }
}

impl Load {
    const NONE: Self = Self {
        live: Live::NONE,
        servers: PerMinute::EMPTY,
        resets: Recent::NONE,
        passes: Recent::NONE,
    };

    fn shaping(&self, now: Timestamp) -> Option<Shaping> {
        let resets = self.resets.near(now, MINUTE_NS);
        let servers = self.servers.count(now);
        if resets.len() < RESETS_MIN || servers < SERVERS_MIN {
            return None;
        }
        let passes = self.passes.near(now, 5 * MINUTE_NS);
        let told = |by| Some(Shaping { servers, resets: resets.len() as u32, by });
        let mut volumes: Vec<u32> = resets.iter().map(|end| end.bytes).collect();
        volumes.sort_unstable();
        let median = volumes[volumes.len() / 2];
        if median >= VOLUME_MIN {
            return told(ShapedBy::Volume { median });
        }
        if passes.len() < PASSES_MIN {
            return None;
        }
        let (reset_beside, passed_beside) = (mean_beside(&resets), mean_beside(&passes));
        if reset_beside >= CONCURRENCY_MIN && reset_beside >= 2 * passed_beside {
            return told(ShapedBy::Concurrency { reset_beside, passed_beside });
        }
        let first = resets.iter().map(|end| end.time).min()?;
        let passed_since = passes.iter().filter(|end| end.time > first).count();
        if passed_since == 0 { told(ShapedBy::Onset) } else { None }
    }
}

impl Recent {
    const NONE: Self =
        Self { ends: [End { time: Timestamp(0), beside: 0, bytes: 0 }; REMEMBERED], next: 0 };

    fn push(&mut self, end: End) {
        self.ends[usize::from(self.next) % REMEMBERED] = end;
        self.next = (self.next + 1) % REMEMBERED as u8;
    }

    fn near(&self, now: Timestamp, within_ns: u64) -> Vec<End> {
        let is_near = |end: &&End| now.apart_ns(end.time) <= within_ns && end.time.0 > 0;
        self.ends.iter().filter(is_near).copied().collect()
    }
}

fn mean_beside(ends: &[End]) -> u32 {
    let sum: u64 = ends.iter().map(|end| u64::from(end.beside)).sum();
    u32::try_from(sum / (ends.len() as u64).max(1)).unwrap_or(u32::MAX)
}

const CLIENTS: NonZeroUsize = NonZeroUsize::new(4_096).expect("not zero");
const REMEMBERED: usize = 16;
const RESETS_MIN: usize = 5;
const SERVERS_MIN: u32 = 3;
const PASSES_MIN: usize = 3;
/// Fewer connections at a time are nothing that anybody shapes.
const CONCURRENCY_MIN: u32 = 6;
/// More than any request or greeting that a content rule looks at.
const VOLUME_MIN: u32 = 8 << 10;
const MINUTE_NS: u64 = 60_000_000_000;

#[cfg(test)]
mod tests {
    use std::hash::BuildHasher;

    use flowtable::Timestamp;
    use foldhash::quality::FixedState;

    use super::{End, Load, ShapedBy};

    fn ends(from_s: u64, count: u64, beside: u32, bytes: u32) -> impl Iterator<Item = End> {
        (0..count).map(move |second| End {
            time: Timestamp((from_s + second) * 1_000_000_000),
            beside,
            bytes,
        })
    }

    fn load(resets: impl Iterator<Item = End>, passes: impl Iterator<Item = End>) -> Load {
        let mut load = Load::NONE;
        resets.for_each(|end| {
            load.servers.add(FixedState::with_seed(1).hash_one(end.time), end.time);
            load.resets.push(end);
        });
        passes.for_each(|end| load.passes.push(end));
        load
    }

    #[test]
    fn shaping_shows_by_what_the_resets_have_in_common() {
        let now = Timestamp(1_010 * 1_000_000_000);
        let by = |load: &Load| load.shaping(now).map(|shaping| shaping.by);
        let crowded = load(ends(1_000, 6, 20, 900), ends(1_000, 6, 3, 0));
        let told = ShapedBy::Concurrency { reset_beside: 20, passed_beside: 3 };
        assert_eq!(by(&crowded), Some(told));
        let heavy = load(ends(1_000, 6, 2, 1 << 20), ends(1_000, 6, 2, 0));
        assert_eq!(by(&heavy), Some(ShapedBy::Volume { median: 1 << 20 }));
        let from_then_on = load(ends(1_000, 6, 2, 900), ends(900, 6, 2, 0));
        assert_eq!(by(&from_then_on), Some(ShapedBy::Onset));
    }

    #[test]
    fn a_word_that_is_forbidden_everywhere_is_no_shaping() {
        let now = Timestamp(1_010 * 1_000_000_000);
        let by_name = load(ends(1_000, 6, 2, 900), ends(1_000, 6, 2, 0));
        assert_eq!(by_name.shaping(now), None);
        let too_few = load(ends(1_000, 4, 20, 1 << 20), ends(1_000, 6, 2, 0));
        assert_eq!(too_few.shaping(now), None);
    }
}
