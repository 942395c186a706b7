//! The worker's half: looks at some connections, each for a while.

use flowtable::{Direction, Marks, Segment, Timestamp};
use wire::SeqNumber;

use crate::shard::Staged;
use crate::window::Window;

/// What was seen of a connection in its time in the sample; 40 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct TapSample {
    pub(crate) hash: u64,
    /// When it was told.
    pub(crate) time: Timestamp,
    /// Connections were picked whose hash has none of these bits.
    pub(crate) mask: u64,
    /// Index of the interface, and per direction its queue.
    pub(crate) queues: [u16; 2],
    pub(crate) input: u16,
    pub(crate) was_seen: [bool; 2],
    /// Signs that the other side, seen or not, takes part: its data were acknowledged, its answer came.
    pub(crate) answers: u8,
    /// Segments that came again without having been captured twice: nobody answers.
    pub(crate) repeats: u8,
    /// Bit 2 × direction + port.
    pub(crate) ports: u8,
    /// Segments that could be told from a copy, and those that came twice.
    pub(crate) looked: u16,
    pub(crate) copies: u16,
    /// Between a segment and its copy, the last time.
    pub(crate) delay_ns: u32,
}

/// Some connections of one worker. Fixed in size.
#[derive(Debug)]
pub(crate) struct Sampler {
    places: Box<[Place; PLACES]>,
    /// Connections are looked at whose hash has none of these bits; all bits: none any more this second.
    mask: u64,
    /// The mask of the next second.
    next_mask: u64,
    /// Segments looked at this second.
    looked: u32,
}

/// One connection in the sample.
#[derive(Clone, Copy, Debug)]
struct Place {
    sample: TapSample,
    is_taken: bool,
    since: Timestamp,
    sides: [Seen; 2],
    /// Last segments that took up sequence space, to find copies.
    last: [Print; PRINTS],
    next: u8,
}

/// What a side has sent.
#[derive(Clone, Copy, Debug)]
struct Seen {
    end: SeqNumber,
    ack: SeqNumber,
    has_ack: bool,
    has_syn: bool,
    has_answered: bool,
}

/// What is alike in a segment and its copy; hop limit and MAC address need not be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Print {
    numbers: [SeqNumber; 2],
    payload_len: u32,
    timestamp: u32,
    ip_id: u16,
    window: u16,
    flags: u8,
    time: Timestamp,
}

impl Sampler {
    pub(crate) fn new() -> Self {
        Self { places: Box::new([Place::FREE; PLACES]), mask: 0, next_mask: 0, looked: 0 }
    }

    pub(crate) const fn memory_bytes() -> usize {
        size_of::<[Place; PLACES]>()
    }

    /// Whether this connection is one of those that are looked at.
    #[inline(always)]
    pub(crate) const fn wants(&self, hash: u64) -> bool {
        hash & self.mask == 0
    }

    /// Looks at a segment of such a connection. Resets may be forged, and scans are ended by them.
    #[inline(never)]
    pub(crate) fn see(&mut self, staged: &Staged) {
        self.looked += 1;
        if self.looked.is_multiple_of(LOOKED_MAX) {
            self.refine();
        }
        if staged.segment.flags.rst() {
            return;
        }
        let place = &mut self.places[(staged.hash.0 >> 40) as usize % PLACES];
        if !place.is_taken {
            place.begin(staged);
        } else if place.sample.hash != staged.hash.0 {
            return;
        }
        place.see(staged);
    }

    /// Looks at half of the connections from here on. What others have shown so far would be told as
    /// if it were all of them.
    #[cold]
    fn refine(&mut self) {
        self.next_mask = (self.mask << 1 | 1) & MASK_MAX;
        // A single connection may be all the traffic there is: enough for this second.
        self.mask = if self.looked < LOOKED_STOP { self.next_mask } else { u64::MAX };
        let mask = self.next_mask;
        for place in self.places.iter_mut().filter(|place| place.sample.hash & mask != 0) {
            place.is_taken = false;
        }
    }

    /// Tells what has been looked at long enough, about once a second; `is_last` tells all.
    pub(crate) fn tell(&mut self, now: Timestamp, is_last: bool, window: &mut Window) {
        for place in self.places.iter_mut().filter(|place| place.is_taken) {
            let is_due = now.since_ns(place.since) >= LOOK_NS || now < place.since || is_last;
            if is_due && window.samples.len() < SAMPLES_MAX {
                place.is_taken = false;
                let sample = TapSample { time: now, mask: self.next_mask, ..place.sample };
                if sample.tells() {
                    window.samples.push(sample);
                }
            }
        }
        if self.looked < LOOKED_MIN {
            self.next_mask >>= 1;
        }
        (self.mask, self.looked) = (self.next_mask, 0);
    }
}

impl TapSample {
    pub(super) const BLANK: Self = Self {
        hash: 0,
        time: Timestamp(0),
        mask: 0,
        queues: [0; 2],
        input: 0,
        was_seen: [false; 2],
        answers: 0,
        repeats: 0,
        ports: 0,
        looked: 0,
        copies: 0,
        delay_ns: 0,
    };

    /// Whether it says anything: a lonely SYN, say, does not.
    const fn tells(&self) -> bool {
        self.was_seen[0] && self.was_seen[1] || self.answers > 0 || self.copies > 0
    }
}

impl Place {
    const FREE: Self = Self {
        sample: TapSample::BLANK,
        is_taken: false,
        since: Timestamp(0),
        sides: [Seen::NOTHING; 2],
        last: [Print::NONE; PRINTS],
        next: 0,
    };

    fn begin(&mut self, staged: &Staged) {
        let (hash, input) = (staged.hash.0, staged.receipt.input);
        let sample = TapSample { hash, input, ..TapSample::BLANK };
        *self = Self { sample, is_taken: true, since: staged.segment.time, ..Self::FREE };
    }

    fn see(&mut self, staged: &Staged) {
        let Staged { segment, direction, receipt, .. } = staged;
        let index = direction.index();
        let sample = &mut self.sample;
        sample.was_seen[index] = true;
        sample.queues[index] = receipt.queue;
        sample.ports |= 1 << (2 * index + usize::from(segment.port.0 != 0));
        let is_copy = self.find_copy(*direction, segment);
        let (side, sample) = (&mut self.sides[index], &mut self.sample);
        if let Some(delay_ns) = is_copy {
            sample.copies = sample.copies.saturating_add(1);
            sample.delay_ns = u32::try_from(delay_ns).unwrap_or(u32::MAX);
        } else if side.repeats(segment) {
            sample.repeats = sample.repeats.saturating_add(1);
        } else if side.shows_answer(segment) {
            sample.answers = sample.answers.saturating_add(1);
        }
        side.note(segment);
    }

    /// The time since the original, if this is a copy.
    fn find_copy(&mut self, direction: Direction, segment: &Segment) -> Option<u64> {
        // Acknowledgments alone may well be sent again and again.
        if !segment.occupies() {
            return None;
        }
        self.sample.looked = self.sample.looked.saturating_add(1);
        let print = Print::of(direction, segment);
        let has_id = segment.ip_id != 0 && !segment.marks.has(Marks::V6);
        // Where nothing names a packet, only what no timer can have sent again is a copy.
        let within_ns = if has_id { COPY_WITH_ID_NS } else { COPY_WITHOUT_ID_NS };
        let is_original = |earlier: &&Print| earlier.is_like(&print);
        let original = self.last.iter().find(is_original).copied();
        self.last[usize::from(self.next) % PRINTS] = print;
        self.next = self.next.wrapping_add(1);
        let delay_ns = segment.time.since_ns(original?.time);
        (delay_ns <= within_ns).then_some(delay_ns)
    }
}

impl Seen {
    const NOTHING: Self = Self {
        end: SeqNumber(0),
        ack: SeqNumber(0),
        has_ack: false,
        has_syn: false,
        has_answered: false,
    };

    /// Whether it sends something again: it was not heard.
    fn repeats(&self, segment: &Segment) -> bool {
        let is_known = self.has_ack || self.has_syn;
        segment.occupies() && is_known && segment.end().distance_from(self.end) <= 0
    }

    /// Whether the segment shows that the other side takes part: it acknowledges more than before, or
    /// follows a SYN of its own, which somebody must have answered.
    fn shows_answer(&self, segment: &Segment) -> bool {
        let flags = segment.flags;
        let is_more = self.has_ack && flags.ack() && segment.ack.distance_from(self.ack) > 0;
        let is_first_after_syn = self.has_syn && !self.has_answered && !flags.syn() && flags.ack();
        is_more || is_first_after_syn
    }

    fn note(&mut self, segment: &Segment) {
        let flags = segment.flags;
        let is_first = !self.has_ack && !self.has_syn;
        if is_first || segment.end().distance_from(self.end) > 0 {
            self.end = segment.end();
        }
        if flags.ack() && (!self.has_ack || segment.ack.distance_from(self.ack) > 0) {
            self.ack = segment.ack;
        }
        self.has_ack |= flags.ack();
        self.has_syn |= flags.syn();
        self.has_answered |= !flags.syn();
    }
}

impl Print {
    const NONE: Self = Self {
        numbers: [SeqNumber(0); 2],
        payload_len: 0,
        timestamp: 0,
        ip_id: 0,
        window: 0,
        flags: 0,
        time: Timestamp(0),
    };

    fn of(direction: Direction, segment: &Segment) -> Self {
        Self {
            numbers: [segment.seq, segment.ack],
            payload_len: segment.payload_len,
            timestamp: segment.timestamps.map_or(0, |stamps| stamps.value),
            ip_id: segment.ip_id,
            window: segment.window,
            // The lowest bit is FIN; NS, in the reserved bits, is nobody's any more.
            flags: (segment.flags.0 & 0x7f) as u8 | (direction.index() as u8) << 7,
            time: segment.time,
        }
    }

    fn is_like(&self, other: &Self) -> bool {
        self.time != Timestamp(0) && *self == Self { time: self.time, ..*other }
    }
}

/// Connections looked at at a time.
const PLACES: usize = 128;
/// Segments remembered of each, to find copies that come interleaved.
const PRINTS: usize = 4;
/// Samples in one window.
pub(crate) const SAMPLES_MAX: usize = 128;
/// How long a connection is looked at: both directions have spoken by then.
const LOOK_NS: u64 = 3_000_000_000;
/// Segments looked at in a second: each time that there are so many, half of the connections will do;
/// below the lower number twice as many can be had. Each costs some 1,000 instructions.
const LOOKED_MAX: u32 = 256;
const LOOKED_MIN: u32 = 64;
/// After so many, the coarsest sample is not coarse enough.
const LOOKED_STOP: u32 = 16 * LOOKED_MAX;
/// One connection in 4,096 at least.
const MASK_MAX: u64 = 0xfff;
/// A mirror port that shows a packet twice does so within a moment.
const COPY_WITH_ID_NS: u64 = 100_000_000;
/// The shortest retransmission takes longer.
const COPY_WITHOUT_ID_NS: u64 = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_connection_that_is_all_the_traffic_costs_no_more_than_its_second() {
        let (mut sampler, mut window) = (Sampler::new(), Window::new(1, 1, 0, false));
        let mut staged = Staged::blank();
        // One that every sample holds.
        (staged.segment.time, staged.hash.0) = (Timestamp(1), 1 << 40);
        let looked = (0..1_000_000).take_while(|_| {
            let is_wanted = sampler.wants(staged.hash.0);
            sampler.see(&staged);
            is_wanted
        });
        assert_eq!(looked.count(), LOOKED_STOP as usize);
        sampler.tell(Timestamp(2), false, &mut window);
        assert!(sampler.wants(1 << 40), "the next second begins anew");
        assert!(!sampler.wants(1), "with fewer of them");
    }

    #[test]
    fn a_fast_link_is_sampled_from_its_first_second_on() {
        let (mut sampler, mut window) = (Sampler::new(), Window::new(1, 1, 0, false));
        let (packets, connections) = (1_000_000_u64, 20_000_u64);
        let mut staged = Staged::blank();
        for number in 0..packets {
            let connection = number % connections;
            let hash = connection.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            staged.hash.0 = hash ^ hash >> 32;
            staged.segment.time = Timestamp(1 + number * 1_000_000_000 / packets);
            if sampler.wants(staged.hash.0) {
                sampler.see(&staged);
            }
        }
        assert!(sampler.looked < LOOKED_STOP, "it never went blind: {}", sampler.looked);
        let whole = |place: &&Place| place.is_taken && sampler.wants(place.sample.hash);
        let seen = sampler.places.iter().filter(whole).count();
        assert!(seen >= 3, "{seen} of {connections} connections are looked at");
        sampler.tell(Timestamp(1_000_000_001), false, &mut window);
        let mask = sampler.mask;
        assert!(mask > 0xff && mask <= MASK_MAX, "and goes on with as many: {mask:#x}");
    }
}
