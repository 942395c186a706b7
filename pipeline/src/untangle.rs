//! The order of segments that came in on the two fibres of a tap within one turn.
//!
//! Each fibre has a receive queue of its own, and a worker empties both in one turn. What came first
//! on which of them nobody has noted, unless the card stamps packets: the SYN of one fibre and the
//! SYN/ACK of the other lie side by side. TCP's own numbers tell: what acknowledges something came
//! after it. So the segments of one connection change places among themselves until no
//! acknowledgment stands before what it acknowledges; the order on each fibre stays as it was.

use flowtable::Direction;
use wire::SeqNumber;

use crate::batch::{Batch, Short};
use crate::source::BATCH_MAX;

/// What the order of two segments of a connection depends on.
#[derive(Clone, Copy, Debug)]
struct Told {
    direction: Direction,
    /// After what it occupies of the sequence space, if it does.
    end: Option<SeqNumber>,
    ack: Option<SeqNumber>,
    is_reset: bool,
    is_opening: bool,
    time_ns: u64,
}

impl Told {
    /// Whether it acknowledges `other`, which the other side must have sent before.
    fn acknowledges(&self, other: &Self) -> bool {
        let ahead = |(ack, end): (SeqNumber, SeqNumber)| ack.distance_from(end);
        let reaches = |pair| (0..WINDOW_MAX).contains(&ahead(pair));
        self.direction != other.direction && self.ack.zip(other.end).is_some_and(reaches)
    }

    /// Whether `self`, of the first fibre, came before `other`, of the second.
    fn is_before(&self, other: &Self) -> bool {
        let (is_answer, is_answered) = (self.acknowledges(other), other.acknowledges(self));
        if is_answer != is_answered {
            return is_answered;
        }
        if self.time_ns != other.time_ns {
            return self.time_ns < other.time_ns;
        }
        match (self.is_reset, other.is_reset) {
            // A reset is judged by all that was there: what may have come before it did, but for a
            // SYN that it does not answer, which begins another connection.
            (false, true) => !self.is_opening,
            (true, false) => other.is_opening,
            _ => true,
        }
    }
}

impl Batch {
    /// Puts the segments of connections that came in on both fibres in the order in which they can
    /// have been sent.
    #[inline(never)]
    pub(crate) fn untangle(&mut self) {
        let len = self.len();
        let mut on_first = Few::default();
        for short in self.shorts[..len].iter().filter(|short| !self.is_second(short)) {
            on_first.add(short.hash.0);
        }
        let mut done: u64 = 0;
        for place in 0..len {
            let short = &self.shorts[place];
            let is_candidate = self.is_second(short) && on_first.may_have(short.hash.0);
            if is_candidate && done & (1 << place) == 0 {
                done |= self.untangle_flow(place);
            }
        }
    }

    /// The connection of the segment at `place`; returns the places of all its segments, as bits.
    fn untangle_flow(&mut self, place: usize) -> u64 {
        let hash = self.shorts[place].hash;
        let (mut all, mut len) = (0_u64, 0);
        let mut places = [0_u8; BATCH_MAX];
        let (mut first, mut second) = (Line::new(), Line::new());
        for place in 0..self.len() {
            let short = &self.shorts[place];
            if short.hash != hash {
                continue;
            }
            all |= 1 << place;
            (places[len], len) = (place as u8, len + 1);
            let line = if self.is_second(short) { &mut second } else { &mut first };
            line.push(place);
        }
        let mut sorted = [0_u8; BATCH_MAX];
        for to in &mut sorted[..len] {
            let is_first = match (first.head(), second.head()) {
                (Some(one), Some(other)) => self.told(one).is_before(&self.told(other)),
                (head, _) => head.is_some(),
            };
            let line = if is_first { &mut first } else { &mut second };
            *to = line.pop();
        }
        let (places, sorted) = (&places[..len], &sorted[..len]);
        if places != sorted {
            for (copy, &from) in self.moving.iter_mut().zip(sorted) {
                *copy = self.shorts[usize::from(from)];
            }
            for (copy, &to) in self.moving.iter().zip(places) {
                self.shorts[usize::from(to)] = *copy;
            }
        }
        all
    }

    fn is_second(&self, short: &Short) -> bool {
        match short.whole {
            Some(whole) => self.wholes[usize::from(whole)].segment.port.0 != 0,
            None => short.plain.is_on_second_port(),
        }
    }

    fn told(&self, place: usize) -> Told {
        let short = &self.shorts[place];
        let Some(whole) = short.whole else {
            let plain = &short.plain;
            return Told {
                direction: short.direction,
                end: (plain.payload_len > 0).then_some(plain.seq + plain.payload_len),
                ack: Some(plain.ack),
                is_reset: false,
                is_opening: false,
                time_ns: short.time.0,
            };
        };
        let staged = &self.wholes[usize::from(whole)];
        let (segment, flags) = (&staged.segment, staged.segment.flags);
        Told {
            direction: staged.direction,
            end: (segment.occupies() && !flags.rst()).then(|| segment.end()),
            ack: flags.ack().then_some(segment.ack),
            is_reset: flags.rst(),
            is_opening: flags.syn() && !flags.ack(),
            time_ns: segment.time.0,
        }
    }
}

/// Places of segments in the order of one fibre.
struct Line {
    places: [u8; BATCH_MAX],
    next: usize,
    len: usize,
}

impl Line {
    const fn new() -> Self {
        Self { places: [0; BATCH_MAX], next: 0, len: 0 }
    }

    const fn push(&mut self, place: usize) {
        self.places[self.len] = place as u8;
        self.len += 1;
    }

    fn head(&self) -> Option<usize> {
        (self.next < self.len).then(|| usize::from(self.places[self.next]))
    }

    const fn pop(&mut self) -> u8 {
        self.next += 1;
        self.places[self.next - 1]
    }
}

/// Which hashes there may be: a filter of 256 bits for at most [`BATCH_MAX`] of them.
#[derive(Clone, Copy, Default)]
struct Few([u64; 4]);

impl Few {
    const fn add(&mut self, hash: u64) {
        self.0[(hash >> 6 & 3) as usize] |= 1 << (hash & 63);
    }

    const fn may_have(&self, hash: u64) -> bool {
        self.0[(hash >> 6 & 3) as usize] & (1 << (hash & 63)) != 0
    }
}

/// Numbers further apart do not belong together (RFC 7323, section 2.3).
const WINDOW_MAX: i32 = 1 << 30;

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers from 400 on are the high side's.
    fn told(seq: u32, len: u32, ack: Option<u32>) -> Told {
        let is_low = seq < 400 || seq == 9_000;
        Told {
            direction: if is_low { Direction::FromLow } else { Direction::FromHigh },
            end: (len > 0).then(|| SeqNumber(seq) + len),
            ack: ack.map(SeqNumber),
            is_reset: false,
            is_opening: false,
            time_ns: 1,
        }
    }

    #[test]
    fn an_answer_comes_after_what_it_acknowledges_on_whichever_fibre() {
        let (syn, answer) =
            (Told { is_opening: true, ..told(99, 1, None) }, told(499, 1, Some(100)));
        assert!(syn.is_before(&answer) && !answer.is_before(&syn));
        let (data, ack) = (told(100, 50, Some(500)), told(500, 0, Some(150)));
        assert!(data.is_before(&ack) && !ack.is_before(&data));
    }

    #[test]
    fn a_reset_comes_last_but_before_a_connection_that_begins_anew() {
        let reset = Told { is_reset: true, end: None, ..told(500, 0, None) };
        let (data, syn) =
            (told(100, 50, Some(500)), Told { is_opening: true, ..told(9_000, 1, None) });
        assert!(data.is_before(&reset) && !reset.is_before(&data));
        assert!(reset.is_before(&syn) && !syn.is_before(&reset));
        let refusal = Told { ack: Some(SeqNumber(9_001)), ..reset };
        assert!(syn.is_before(&refusal) && !refusal.is_before(&syn));
    }

    #[test]
    fn stamps_decide_where_numbers_do_not() {
        let (early, late) =
            (told(100, 50, Some(500)), Told { time_ns: 2, ..told(500, 50, Some(100)) });
        assert!(early.is_before(&late) && !late.is_before(&early));
    }

    #[test]
    fn an_acknowledgment_of_long_ago_orders_nothing() {
        let (old, new) = (told(0x8000_0000, 0, Some(1)), told(0x9000_0000, 10, Some(1)));
        assert!(!old.acknowledges(&new));
    }
}
