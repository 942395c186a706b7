//! How many connections were open at a moment that is a few seconds past.

use flowtable::Timestamp;

/// A count with its latest changes: resets are learned seconds after they came, and what matters
/// is how many connections there were then. Never below 0; notes that were lost make it wrong.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Live {
    count: u32,
    next: u8,
    /// Which of the changes were ends, as bits.
    ends: u32,
    changes: [Timestamp; CHANGES],
}

impl Live {
    /// None is open.
    pub(crate) const NONE: Self =
        Self { count: 0, next: 0, ends: 0, changes: [Timestamp(0); CHANGES] };

    /// How many are open by what is known so far.
    pub(crate) const fn now(&self) -> u32 {
        self.count
    }

    /// One more since `time`.
    pub(crate) fn opened(&mut self, time: Timestamp) {
        self.count = self.count.saturating_add(1);
        self.push(time, false);
    }

    /// One less since `time`.
    pub(crate) fn closed(&mut self, time: Timestamp) {
        if self.count > 0 {
            self.count -= 1;
            self.push(time, true);
        }
    }

    /// How many were open at `time`; `None` if more has changed since than is remembered.
    pub(crate) fn at(&self, time: Timestamp) -> Option<u32> {
        let oldest = self.changes[usize::from(self.next) % CHANGES];
        if oldest > time {
            return None;
        }
        let is_later = |place: &usize| self.changes[*place] > time;
        let step = |place: usize| if self.ends >> place & 1 == 1 { -1 } else { 1 };
        let later: i64 = (0..CHANGES).filter(is_later).map(step).sum();
        u32::try_from((i64::from(self.count) - later).max(0)).ok()
    }

    fn push(&mut self, time: Timestamp, is_end: bool) {
        let place = usize::from(self.next) % CHANGES;
        self.changes[place] = time;
        self.ends = self.ends & !(1 << place) | u32::from(is_end) << place;
        self.next = (self.next + 1) % CHANGES as u8;
    }
}

/// As many as there are bits of `ends`.
const CHANGES: usize = 32;

#[cfg(test)]
mod tests {
    use flowtable::Timestamp;

    use super::Live;

    #[test]
    fn the_past_is_known_as_far_as_it_is_remembered() {
        let mut live = Live::NONE;
        live.closed(Timestamp(5));
        for time in 10..20 {
            live.opened(Timestamp(time));
        }
        live.closed(Timestamp(30));
        assert_eq!(live.now(), 9);
        assert_eq!(live.at(Timestamp(25)), Some(10));
        assert_eq!(live.at(Timestamp(14)), Some(5));
        assert_eq!(live.at(Timestamp(1)), Some(0));
        for time in 40..80 {
            live.opened(Timestamp(time));
        }
        assert_eq!(live.at(Timestamp(14)), None);
        assert_eq!(live.at(Timestamp(79)), Some(49));
    }
}
