//! When packets came, by the clock of the network card.
//!
//! A card counts nanoseconds from anywhere and at a pace of its own. So its stamps say how far packets lie
//! apart, and the system's clock says where that is: whoever takes a batch at `now` knows that its last
//! packet came before. The shortest time between a stamp and its `now`, over the last one to two
//! seconds, is taken for the distance of the two clocks; it is too long by what the quickest packet
//! needed from the card to us, some microseconds on a busy link. Drift is followed within two
//! seconds. A card that is set anew, by PTP perhaps, is begun with anew.

use std::num::NonZeroU64;

use flowtable::Timestamp;

use crate::source::BATCH_MAX;

/// The times of one batch of one queue.
#[derive(Debug)]
pub(crate) struct CardClock {
    times: [Timestamp; BATCH_MAX],
    /// System minus card, nanoseconds: the least of this second and of the one before.
    distance: Option<i64>,
    distance_before: Option<i64>,
    /// When this second began.
    since: Timestamp,
    /// Time of the last packet: no queue goes back in time.
    latest: Timestamp,
    is_stamped: bool,
}

impl CardClock {
    pub(crate) const fn new() -> Self {
        let zero = Timestamp(0);
        Self {
            times: [zero; BATCH_MAX],
            distance: None,
            distance_before: None,
            since: zero,
            latest: zero,
            is_stamped: false,
        }
    }

    /// Takes the stamps of a batch of `count` packets that was taken at `now`.
    pub(crate) fn take(
        &mut self,
        count: usize,
        now: Timestamp,
        stamp: impl Fn(usize) -> Option<NonZeroU64>,
    ) {
        let last = count.checked_sub(1).and_then(&stamp);
        self.is_stamped = last.is_some();
        if let Some(last) = last {
            self.learn(now, now.0.wrapping_sub(last.get()) as i64);
        }
        let distance = self.distance();
        // Unless the system's clock was set back.
        self.latest = if self.latest.0 > now.0 { Timestamp(0) } else { self.latest };
        for (index, time) in self.times.iter_mut().enumerate().take(count) {
            let came = match (stamp(index), distance) {
                (Some(stamp), Some(distance)) => stamp.get().wrapping_add_signed(distance),
                _ => now.0,
            };
            // A stamp from the future is not one of this batch.
            let came = came.min(now.0).max(self.latest.0);
            self.latest = Timestamp(came);
            *time = self.latest;
        }
    }

    /// When packet `index` of the batch came.
    #[inline]
    pub(crate) fn time(&self, index: usize) -> Timestamp {
        self.times[index]
    }

    /// Whether the card stamped the last packet that came.
    pub(crate) const fn is_stamped(&self) -> bool {
        self.is_stamped
    }

    fn learn(&mut self, now: Timestamp, seen: i64) {
        // What is less is taken in any case.
        if self.distance().is_some_and(|known| seen.saturating_sub(known) > RISE_NS) {
            (self.distance, self.distance_before) = (None, None);
        }
        if now.0 < self.since.0 || now.since_ns(self.since) >= SECOND_NS {
            (self.distance_before, self.distance) = (self.distance, None);
            self.since = now;
        }
        self.distance = Some(self.distance.map_or(seen, |known| known.min(seen)));
    }

    fn distance(&self) -> Option<i64> {
        self.distance.into_iter().chain(self.distance_before).min()
    }
}

const SECOND_NS: u64 = 1_000_000_000;
/// A clock was set, or a worker stood still so long: then the next packet that is quick sets it right.
const RISE_NS: i64 = 50_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    /// A card whose clock is `ahead_ns` ahead, and stamps that packets waited for so long.
    fn taken(clock: &mut CardClock, ahead_ns: u64, now: u64, waited_ns: &[u64]) -> Vec<u64> {
        let stamp = |index: usize| NonZeroU64::new(now + ahead_ns - waited_ns[index]);
        clock.take(waited_ns.len(), Timestamp(now), stamp);
        (0..waited_ns.len()).map(|index| clock.time(index).0).collect()
    }

    #[test]
    fn packets_of_a_batch_lie_as_far_apart_as_the_card_says() {
        let mut clock = CardClock::new();
        let times = taken(&mut clock, 77, 1_000_000, &[900, 500, 0]);
        assert_eq!(times, [999_100, 999_500, 1_000_000]);
        assert!(clock.is_stamped());
    }

    #[test]
    fn the_quickest_packet_tells_the_distance_of_the_clocks() {
        let mut clock = CardClock::new();
        taken(&mut clock, 77, 1_000_000, &[5]);
        assert_eq!(taken(&mut clock, 77, 2_000_000, &[4_000]), [1_996_005]);
        assert_eq!(taken(&mut clock, 77, 3_000_000, &[2]), [3_000_000]);
        assert_eq!(taken(&mut clock, 77, 4_000_000, &[4_000]), [3_996_002]);
    }

    #[test]
    fn drift_is_followed_and_a_clock_that_was_set_is_begun_with_anew() {
        let mut clock = CardClock::new();
        taken(&mut clock, 1_000_000, SECOND_NS, &[0]);
        // The card is slow: 50 microseconds behind after each second.
        for second in 2..10 {
            let ahead_ns = 1_000_000 - second * 50_000;
            let now = second * SECOND_NS;
            let late_ns = now - taken(&mut clock, ahead_ns, now, &[0])[0];
            assert!(late_ns <= 100_000, "{late_ns} in second {second}");
        }
        let now = 10 * SECOND_NS;
        assert_eq!(taken(&mut clock, 1 << 60, now, &[10, 0]), [now - 10, now]);
    }

    #[test]
    fn a_card_set_back_a_little_makes_no_packet_older_than_it_is() {
        let mut clock = CardClock::new();
        taken(&mut clock, 900_000_000, 2 * SECOND_NS, &[0]);
        let now = 2 * SECOND_NS + 300_000_000;
        assert_eq!(taken(&mut clock, 700_000_000, now, &[10, 0]), [now - 10, now]);
        assert_eq!(taken(&mut clock, 700_000_000, now + 500, &[500]), [now]);
    }

    #[test]
    fn without_stamps_the_batch_has_one_time() {
        let mut clock = CardClock::new();
        clock.take(2, Timestamp(500), |_| None);
        assert_eq!((clock.time(0), clock.time(1)), (Timestamp(500), Timestamp(500)));
        assert!(!clock.is_stamped());
    }

    #[test]
    fn no_queue_goes_back_in_time_unless_the_system_does() {
        let mut clock = CardClock::new();
        taken(&mut clock, 77, 1_000_000, &[0]);
        assert_eq!(taken(&mut clock, 77, 2_000_000, &[1_500_000]), [1_000_000]);
        assert_eq!(taken(&mut clock, 77, 600_000, &[100]), [599_900]);
    }
}
