//! A record of a connection of which only a ration of the packets was taken.

use super::{FlowRecord, Side, State};
use crate::key::Direction;
use crate::time::{Tick, Ticks};
use crate::tls_record::OpenRecord;

/// How much of a connection was seen, up to the reset that is judged.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Sight {
    /// Every packet that passed.
    #[default]
    Whole,
    /// Every packet since the FIN of a side, and some before it: its numbers are known, whether they
    /// passed before is not.
    SinceFin,
    /// Others may have passed since those that are known.
    Thinned,
}

impl FlowRecord {
    /// What this record can know, where each side has its first `first_packets` taken, one more a
    /// second, and all for [`SEEN_AFTER_FIN`] after a FIN.
    ///
    /// The less in doubt: a connection met in mid-stream may have had its first packets long ago.
    #[must_use]
    pub fn sight(&self, first_packets: u8, now: Tick) -> Sight {
        let [low, high] = &self.sides;
        let nobody = low.packets == 0 && high.packets == 0;
        let is_rationed = low.packets >= first_packets || high.packets >= first_packets;
        if nobody || !(is_rationed || self.is_midstream()) {
            Sight::Whole
        } else if !self.is_midstream() && self.is_seen_since_fin(now) {
            Sight::SinceFin
        } else {
            Sight::Thinned
        }
    }

    /// Whether all that the record knows of both sides is as new as a FIN after which everything was
    /// taken: what was left out before no longer matters to it.
    fn is_seen_since_fin(&self, now: Tick) -> bool {
        // Nothing advances after a FIN, so this is when it was sent.
        let closed = self.sides.iter().filter(|side| side.has(Side::FIN)).map(|side| side.advanced);
        closed.into_iter().any(|closed| {
            let is_new = |side: &Side| side.has(Side::FIN) || side.last.since(closed) > Ticks(0);
            now.since(closed) <= SEEN_AFTER_FIN && self.sides.iter().all(is_new)
        })
    }

    /// Blanks what is only known of a connection whose every packet is seen, in the copy of the record
    /// that a reset is judged by: part of the sequence numbers, round trips but those of the
    /// handshake (an acknowledgment may answer what was sent much earlier), open TLS records.
    pub fn forget_unseen(&mut self) {
        self.state.set(State::GAP);
        for direction in [Direction::FromLow, Direction::FromHigh] {
            let index = direction.index();
            self.open_record[index] = OpenRecord::UNKNOWN;
            if !self.round_trip_has_handshake(direction) {
                self.round_trip[index] = u16::MAX;
                self.tallies[index].forget_samples();
            }
        }
    }
}

/// A FIN lifts the ration for five units of 2^30 ns at least.
const SEEN_AFTER_FIN: Ticks = Ticks::from_ms(5_300);

#[cfg(test)]
mod tests {
    use wire::{SeqNumber, TcpFlags};

    use super::*;
    use crate::segment::Segment;
    use crate::time::Timestamp;

    const LOW: Direction = Direction::FromLow;
    const HIGH: Direction = Direction::FromHigh;

    fn segment(at_ms: u64, flags: u8, seq: u32, len: u32) -> Segment {
        let mut segment = Segment::blank();
        segment.time = Timestamp((1_000_000 + at_ms) * 1_000_000);
        segment.flags = TcpFlags(u16::from(flags));
        (segment.seq, segment.ack, segment.payload_len) = (SeqNumber(seq), SeqNumber(1), len);
        segment
    }

    fn opened() -> FlowRecord {
        let mut record = FlowRecord::empty();
        record.observe(LOW, &segment(0, 2, 99, 0), [4000, 80]);
        record.observe(HIGH, &segment(20, 18, 0, 0), [4000, 80]);
        record
    }

    fn tick(at_ms: u64) -> Tick {
        segment(at_ms, 0, 0, 0).time.tick()
    }

    #[test]
    fn a_connection_of_few_packets_was_seen_whole() {
        let mut record = opened();
        assert_eq!(FlowRecord::empty().sight(4, tick(0)), Sight::Whole);
        record.observe(LOW, &segment(40, 16, 100, 0), [4000, 80]);
        record.observe(LOW, &segment(41, 16, 100, 10), [4000, 80]);
        assert_eq!(record.sight(4, tick(50)), Sight::Whole);
        record.observe(LOW, &segment(42, 16, 110, 10), [4000, 80]);
        assert_eq!(record.sight(4, tick(50)), Sight::Thinned);
    }

    #[test]
    fn after_a_fin_that_both_sides_outlived_nothing_is_missing() {
        let mut record = opened();
        for count in 0..9 {
            record.observe(LOW, &segment(40 + u64::from(count), 16, 100 + count, 1), [4000, 80]);
        }
        record.observe(HIGH, &segment(60, 16, 1, 5), [4000, 80]);
        record.observe(LOW, &segment(70, 17, 500, 0), [4000, 80]);
        let why = "what the other side sent last may be unseen";
        assert_eq!(record.sight(4, tick(80)), Sight::Thinned, "{why}");
        record.observe(HIGH, &segment(90, 16, 6, 5), [4000, 80]);
        assert_eq!(record.sight(4, tick(100)), Sight::SinceFin);
        assert_eq!(record.sight(4, tick(6_000)), Sight::Thinned);
    }

    #[test]
    fn only_the_handshake_measures_round_trips_of_a_thinned_connection() {
        let mut record = opened();
        record.observe(LOW, &segment(40, 16, 100, 7), [4000, 80]);
        let mut answer = segment(90, 16, 1, 0);
        answer.ack = SeqNumber(107);
        record.observe(HIGH, &answer, [4000, 80]);
        let mut midstream = FlowRecord::empty();
        midstream.observe(LOW, &segment(40, 16, 100, 7), [4000, 80]);
        midstream.observe(HIGH, &answer, [4000, 80]);
        midstream.observe(LOW, &segment(95, 16, 107, 7), [4000, 80]);
        answer.ack = SeqNumber(114);
        answer.time = segment(120, 0, 0, 0).time;
        midstream.observe(HIGH, &answer, [4000, 80]);
        assert_eq!(midstream.sight(4, tick(130)), Sight::Thinned);
        for record in [&mut record, &mut midstream] {
            assert!(record.round_trip(HIGH).is_some() && !record.has_gap());
            record.forget_unseen();
            assert!(record.has_gap());
        }
        assert!(midstream.round_trip(HIGH).is_none());
    }
}
