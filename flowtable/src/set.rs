//! Sixteen places for flows, as one cache line tells them: a mark and an age each.
//!
//! All sixteen are compared at once, in two vector registers of any x86-64 or arm64.

use wide::u16x16;

use crate::table::WAYS;
use crate::time::Timestamp;

/// Marks and ages of sixteen records: one cache line.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub struct Set {
    /// 0 is free.
    marks: [u16; WAYS],
    /// When the flow was last seen, and whether it is worth keeping.
    ages: [Age; WAYS],
}

const _: () = assert!(size_of::<Set>() == 64);

/// The way that can be spared first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Least {
    pub(crate) way: usize,
    pub(crate) is_established: bool,
    pub(crate) idle: Idle,
}

impl Set {
    /// Sixteen free ways.
    pub(crate) const EMPTY: Self = Self { marks: [0; WAYS], ages: [Age(0); WAYS] };

    /// The ways that bear `mark`, as bits.
    pub(crate) fn ways_with(&self, mark: u16) -> u16 {
        u16x16::new(self.marks).simd_eq(u16x16::splat(mark)).to_bitmask() as u16
    }

    /// A free way.
    pub(crate) fn free_way(&self) -> Option<usize> {
        let free = self.ways_with(0);
        (free != 0).then(|| free.trailing_zeros() as usize)
    }

    /// The occupied ways that have been silent for longer than `limit`, as bits.
    pub(crate) fn ways_idle_beyond(&self, limit: Idle, now: Timestamp) -> u16 {
        let silent = self.idle_all(now).simd_gt(u16x16::splat(limit.0));
        silent.to_bitmask() as u16 & !self.ways_with(0)
    }

    /// Of a full set: the longest silent of those not worth keeping, else the longest silent.
    pub(crate) fn least_worth(&self, now: Timestamp) -> Least {
        let established = self.ages_lanes() & u16x16::splat(Age::ESTABLISHED);
        let worthless = established ^ u16x16::splat(Age::ESTABLISHED);
        let rank = self.idle_all(now) | worthless;
        let highest = rank.reduce_max();
        let ways = rank.simd_eq(u16x16::splat(highest)).to_bitmask();
        Least {
            way: ways.ilog2() as usize,
            is_established: highest & Age::ESTABLISHED == 0,
            idle: Idle(highest & !Age::ESTABLISHED),
        }
    }

    /// Whether a way was seen within `limit`; if its time lies ahead, no, and [`Set::idle`] tells more.
    /// One comparison, for every segment.
    pub(crate) const fn is_fresh(&self, way: usize, limit: Idle, now: Timestamp) -> bool {
        self.ages[way].distance(now) <= limit.0
    }

    /// How long a way has been silent.
    pub(crate) const fn idle(&self, way: usize, now: Timestamp) -> Idle {
        self.ages[way].idle(now)
    }

    /// Puts a half-open flow into a way.
    pub(crate) fn occupy(&mut self, way: usize, mark: u16, now: Timestamp) {
        self.marks[way] = mark;
        self.ages[way] = Age::new(now, false);
    }

    /// Notes that a flow was seen. The line is written only if that changes something: most segments
    /// come within two seconds of another, and a line that stays clean need not go back to memory.
    pub(crate) fn refresh(&mut self, way: usize, now: Timestamp, is_established: bool) {
        let age = Age::new(now, is_established);
        let kept = &mut self.ages[way];
        if *kept != age {
            *kept = age;
        }
    }

    /// [`Set::refresh`] of an established flow that was seen within `limit`, which is asked in the same
    /// comparison: false, and nothing changed, for all others. Once in 18 hours, where time wraps, it is
    /// false for those as well.
    pub(crate) fn refresh_established(&mut self, way: usize, limit: Idle, now: Timestamp) -> bool {
        let age = Age::new(now, true);
        let kept = &mut self.ages[way];
        let distance = age.0.wrapping_sub(kept.0);
        if distance > limit.0 {
            return false;
        }
        if distance != 0 {
            *kept = age;
        }
        true
    }

    /// Frees a way.
    pub(crate) fn free(&mut self, way: usize) {
        self.marks[way] = 0;
    }

    /// How long each way has been silent.
    fn idle_all(&self, now: Timestamp) -> u16x16 {
        let distances = u16x16::splat(units(now)) - self.ages_lanes();
        let distances = distances & u16x16::splat(!Age::ESTABLISHED);
        let is_future = distances.simd_gt(u16x16::splat(Age::DISTANCE_MAX));
        distances & !is_future
    }

    fn ages_lanes(&self) -> u16x16 {
        u16x16::new(self.ages.map(|age| age.0))
    }
}

/// Fifteen bits of time in units of two seconds (18 hours) below one bit of worth.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Age(u16);

impl Age {
    const ESTABLISHED: u16 = 1 << 15;
    /// A distance beyond it is a timestamp from before the last one (merged captures), by up to half
    /// an hour, and must not look ancient.
    const DISTANCE_MAX: u16 = Self::ESTABLISHED - 900;

    const fn new(now: Timestamp, is_established: bool) -> Self {
        let time = units(now) & !Self::ESTABLISHED;
        Self(time | (is_established as u16) << 15)
    }

    const fn idle(self, now: Timestamp) -> Idle {
        let distance = self.distance(now);
        Idle(if distance > Self::DISTANCE_MAX { 0 } else { distance })
    }

    const fn distance(self, now: Timestamp) -> u16 {
        units(now).wrapping_sub(self.0) & !Self::ESTABLISHED
    }
}

/// A time without segments, in units of two seconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Idle(u16);

impl Idle {
    /// The longest silence that does not exceed `seconds`.
    pub(crate) const fn within_s(seconds: u32) -> Self {
        let units = seconds / 2;
        Self(if units > Age::DISTANCE_MAX as u32 { Age::DISTANCE_MAX } else { units as u16 })
    }

    /// Seconds, in steps of two.
    pub(crate) const fn seconds(self) -> u32 {
        self.0 as u32 * 2
    }
}

/// Units of two seconds since the epoch, the lowest 16 bits.
const fn units(now: Timestamp) -> u16 {
    ((now.0 as u128 * PER_TWO_SECONDS as u128) >> 64) as u16
}

/// 2^64 / (2 * 10^9), rounded up: one multiplication instead of a division with its shifts. Units are
/// shorter than two seconds by 2 in 10^11.
const PER_TWO_SECONDS: u64 = 9_223_372_037;

#[cfg(test)]
mod tests {
    use super::{Age, Idle, Set, units};
    use crate::table::WAYS;
    use crate::time::Timestamp;

    const NOW: u64 = 1_700_000_000_000_000_000;

    fn after(seconds: u64) -> Timestamp {
        Timestamp(NOW + seconds * 1_000_000_000)
    }

    #[test]
    fn marks_are_found_wherever_they_are() {
        let mut set = Set::EMPTY;
        for way in 0..WAYS {
            assert_eq!(set.free_way(), Some(way));
            set.occupy(way, 0x8000 + (way % 3) as u16, after(0));
        }
        assert_eq!(set.free_way(), None);
        for mark in 0..3 {
            let expected = (0..WAYS).filter(|way| way % 3 == mark).map(|way| 1 << way).sum();
            assert_eq!(set.ways_with(0x8000 + mark as u16), expected);
        }
        assert_eq!(set.ways_with(7), 0);
    }

    #[test]
    fn all_ways_at_once_are_as_silent_as_one_by_one() {
        let mut set = Set::EMPTY;
        // Seen up to ten hours ago, or up to half an hour ahead.
        let seen =
            |way: usize| Timestamp(NOW - 36_000_000_000_000 + way as u64 * 2_500_000_000_000);
        for way in 0..WAYS {
            set.occupy(way, 1, seen(way));
            set.refresh(way, seen(way), way % 4 != 1);
        }
        for limit_s in [0, 2, 130, 7_500, 30_000, u32::MAX] {
            let limit = Idle::within_s(limit_s);
            let one_by_one = |way: &usize| set.idle(*way, after(0)) > limit;
            let expected = (0..WAYS).filter(one_by_one).map(|way| 1 << way).sum();
            assert_eq!(set.ways_idle_beyond(limit, after(0)), expected);
        }
        let least = set.least_worth(after(0));
        assert_eq!((least.way, least.is_established), (1, false));
        assert_eq!(least.idle, set.idle(1, after(0)));
    }

    #[test]
    fn of_established_flows_the_longest_silent_gives_way_first() {
        let mut set = Set::EMPTY;
        for way in 0..WAYS {
            set.refresh(way, after(if way == 11 { 0 } else { 40 + way as u64 }), true);
        }
        let least = set.least_worth(after(100));
        assert_eq!((least.way, least.is_established, least.idle.seconds()), (11, true, 100));
    }

    #[test]
    fn only_established_flows_that_were_seen_lately_take_the_short_road() {
        let mut set = Set::EMPTY;
        let limit = Idle::within_s(130);
        set.occupy(0, 7, after(0));
        assert!(!set.refresh_established(0, limit, after(1)), "it is half-open");
        set.refresh(0, after(0), true);
        assert!(set.refresh_established(0, limit, after(130)));
        assert_eq!(set.idle(0, after(132)).seconds(), 2);
        assert!(!set.refresh_established(0, limit, after(264)), "it was silent for too long");
        assert!(!set.refresh_established(0, limit, after(120)), "its time lies ahead");
        assert_eq!(set.idle(0, after(132)).seconds(), 2, "nothing changed");
    }

    #[test]
    fn units_are_two_seconds_and_survive_their_wrap() {
        assert_eq!(units(after(2)), units(after(0)).wrapping_add(1));
        let age = Age::new(after(0), true);
        for seconds in (0..60_000).step_by(977) {
            let silent_s = age.idle(after(seconds)).seconds();
            assert!(u64::from(silent_s).abs_diff(seconds) <= 2, "{silent_s} after {seconds}");
        }
    }
}
