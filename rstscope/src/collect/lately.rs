//! Which records were heard lately, so that a batch that is sent again is not shown again.

use std::collections::{HashSet, VecDeque};

use collector::Arrival;

/// The last records that were heard, by the session of their sensor and their number in it.
///
/// The store knows all of them; here those of a few seconds are enough, because what is sent again comes soon, and
/// what comes again later (the spool of a sensor that was away) was not answered, so mostly not heard either.
#[derive(Debug)]
pub(super) struct Lately {
    known: HashSet<Name>,
    /// The same, oldest first.
    order: VecDeque<Name>,
    kept_max: usize,
}

/// Session and number.
type Name = (u64, u64);

impl Lately {
    pub(super) fn new(kept_max: usize) -> Self {
        Self { known: HashSet::new(), order: VecDeque::new(), kept_max }
    }

    /// Whether it was not heard before; from now on it was.
    pub(super) fn is_new(&mut self, arrival: &Arrival) -> bool {
        let name = (arrival.session, arrival.sequence);
        if !self.known.insert(name) {
            return false;
        }
        if self.order.len() == self.kept_max
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        self.order.push_back(name);
        true
    }
}

/// Records that are remembered: 4 MiB at most.
pub(super) const LATELY: usize = 65_536;

#[cfg(test)]
mod tests {
    use collector::Arrival;
    use events::RecordKind;

    use super::Lately;

    #[test]
    fn the_last_ones_are_known_and_those_before_them_forgotten() {
        let arrival = |session, sequence| Arrival {
            session,
            sequence,
            sensor: "a".to_owned(),
            kind: RecordKind::Event,
            is_test: false,
            json: b"{}".as_slice().into(),
        };
        let mut lately = Lately::new(3);
        let heard = [(1, 1), (1, 2), (2, 1), (1, 2), (1, 1), (3, 1), (1, 1), (1, 2)];
        let is_new = heard.map(|(session, sequence)| lately.is_new(&arrival(session, sequence)));
        // The fourth of its kind pushes out the first; that one, told again, the second.
        assert_eq!(is_new, [true, true, true, false, false, true, true, true]);
        assert_eq!((lately.known.len(), lately.order.len()), (3, 3));
    }
}
