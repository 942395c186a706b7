//! The last silences of a path: how connections ended, and what others survived.

use flowtable::Ticks;

/// The latest silences that ended in one way; older ones are forgotten.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recent {
    gaps: [Ticks; Self::MAX],
    seen: u32,
}

impl Recent {
    /// Most that are remembered: enough to be sure of a timer, few enough to follow its changes.
    pub(super) const MAX: usize = 64;

    pub(super) const EMPTY: Self = Self { gaps: [Ticks(0); Self::MAX], seen: 0 };

    pub(super) fn push(&mut self, gap: Ticks) {
        self.gaps[self.seen as usize % Self::MAX] = gap;
        // Wraps to a full ring, not to an empty one.
        self.seen = self.seen.checked_add(1).unwrap_or(Self::MAX as u32);
    }

    /// How many there were in all.
    pub(super) const fn seen(&self) -> u32 {
        self.seen
    }

    /// Shortest first.
    pub(super) fn sorted(&self) -> Sorted {
        let len = Self::MAX.min(self.seen as usize);
        let mut gaps = self.gaps;
        gaps[..len].sort_unstable();
        Sorted { gaps, len }
    }
}

/// Silences in order, the shortest first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sorted {
    gaps: [Ticks; Recent::MAX],
    len: usize,
}

impl Sorted {
    pub(super) fn as_slice(&self) -> &[Ticks] {
        &self.gaps[..self.len]
    }

    /// Without those from `low` to `high`.
    pub(super) fn without(&self, low: Ticks, high: Ticks) -> Self {
        let mut rest = Self { gaps: self.gaps, len: 0 };
        for &gap in self.as_slice() {
            if gap < low || gap > high {
                rest.gaps[rest.len] = gap;
                rest.len += 1;
            }
        }
        rest
    }
}

/// The longest silences that connections survived, one a connection, of the last two generations.
///
/// A timer shows in them as an edge near their upper end, so the many short ones are only counted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Survived {
    now: Longest,
    before: Longest,
}

impl Survived {
    pub(super) const EMPTY: Self = Self { now: Longest::EMPTY, before: Longest::EMPTY };

    pub(super) fn push(&mut self, gap: Ticks) {
        self.now.push(gap);
    }

    /// Begins a generation and forgets the one before the last.
    pub(super) fn turn(&mut self) {
        self.before = std::mem::replace(&mut self.now, Longest::EMPTY);
    }

    /// How many are remembered, those that are only counted included.
    pub(super) const fn count(&self) -> u32 {
        self.now.count.saturating_add(self.before.count)
    }

    /// How many lasted at least as long as `gap`; no more than [`Survived::MAX`].
    pub(super) fn at_least(&self, gap: Ticks) -> u32 {
        [&self.now, &self.before].iter().map(|longest| longest.at_least(gap)).sum()
    }

    /// The longest of them, shortest first.
    pub(super) fn sorted(&self) -> Sorted {
        let mut sorted = Sorted { gaps: [Ticks(0); Recent::MAX], len: Self::MAX };
        let (now, before) = (self.now.as_slice(), self.before.as_slice());
        sorted.len = now.len() + before.len();
        sorted.gaps[..now.len()].copy_from_slice(now);
        sorted.gaps[now.len()..sorted.len].copy_from_slice(before);
        sorted.gaps[..sorted.len].sort_unstable();
        sorted
    }

    /// Most that are remembered one by one.
    pub(super) const MAX: usize = 2 * Longest::MAX;
}

/// The longest silences of one generation, longest first.
#[derive(Clone, Copy, Debug)]
struct Longest {
    gaps: [Ticks; Self::MAX],
    count: u32,
}

impl Longest {
    const MAX: usize = Recent::MAX / 2;

    const EMPTY: Self = Self { gaps: [Ticks(0); Self::MAX], count: 0 };

    fn push(&mut self, gap: Ticks) {
        let len = self.as_slice().len();
        self.count = self.count.saturating_add(1);
        let place = self.gaps[..len].partition_point(|&longer| longer >= gap);
        if place < Self::MAX {
            self.gaps.copy_within(place..len.min(Self::MAX - 1), place + 1);
            self.gaps[place] = gap;
        }
    }

    fn as_slice(&self) -> &[Ticks] {
        &self.gaps[..Self::MAX.min(self.count as usize)]
    }

    fn at_least(&self, gap: Ticks) -> u32 {
        self.as_slice().partition_point(|&longer| longer >= gap) as u32
    }
}

#[cfg(test)]
mod tests {
    use flowtable::Ticks;

    use super::{Recent, Survived};

    #[test]
    fn the_latest_ends_are_remembered_in_order() {
        let mut recent = Recent::EMPTY;
        assert!(recent.sorted().as_slice().is_empty());
        for gap in (0..100).rev() {
            recent.push(Ticks(gap));
        }
        let sorted = recent.sorted();
        assert!(sorted.as_slice().iter().map(|gap| gap.0).eq(0..64));
        assert!(sorted.without(Ticks(10), Ticks(59)).as_slice().len() == 14);
        assert_eq!(recent.seen(), 100);
    }

    #[test]
    fn the_longest_survivors_of_two_generations_are_remembered() {
        let mut survived = Survived::EMPTY;
        for gap in [5, 900, 7] {
            survived.push(Ticks(gap));
        }
        survived.turn();
        for gap in (0..1_000).chain((0..1_000).rev()) {
            survived.push(Ticks(gap));
        }
        assert_eq!(survived.count(), 2_003);
        assert_eq!(survived.at_least(Ticks(998)), 4);
        assert_eq!(survived.at_least(Ticks(1)), 35, "the first generation was not longer");
        assert_eq!(survived.sorted().as_slice().len(), 35);
        assert_eq!(survived.sorted().as_slice()[34], Ticks(999));
        survived.turn();
        survived.turn();
        assert_eq!((survived.count(), survived.at_least(Ticks(0))), (0, 0));
    }
}
