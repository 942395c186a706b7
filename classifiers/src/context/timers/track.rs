//! What one path has shown of its timers.

use flowtable::Ticks;

use super::atom::Atom;
use super::edge::Edge;
use super::facts::{Relation, TimerFacts, TimerKind, TimerOwner};
use super::samples::{Recent, Survived};

/// The silences of one path, by who ended them; about 2.6 KiB.
#[derive(Clone, Copy, Debug)]
pub(super) struct Track {
    by_client: Ends,
    by_server: Ends,
    by_device: Ends,
    late: Deaths,
}

impl Track {
    pub(super) const EMPTY: Self = Self {
        by_client: Ends::EMPTY,
        by_server: Ends::EMPTY,
        by_device: Ends::EMPTY,
        late: Deaths::EMPTY,
    };

    /// A connection went on after a silence.
    pub(super) fn survived(&mut self, gap: Ticks) {
        for ends in [&mut self.by_client, &mut self.by_server, &mut self.by_device] {
            ends.survived.push(gap);
        }
        self.late.survived.push(gap);
    }

    /// A connection was ended in mid-silence.
    pub(super) fn ended(&mut self, owner: TimerOwner, gap: Ticks, by: End) {
        let Some(ends) = self.ends_mut(owner) else { return };
        ends.push(gap, by);
    }

    /// The first packet after a silence drew a reset.
    pub(super) fn died(&mut self, owner: TimerOwner, gap: Ticks, hops: u8) {
        let late = &mut self.late;
        late.died.push(gap);
        late.hops.note(hops);
        late.owners[owner as usize] = late.owners[owner as usize].saturating_add(1);
        if late.died.seen().is_multiple_of(Recent::MAX as u32) {
            late.survived.turn();
            late.owners = late.owners.map(|count| count / 2);
        }
    }

    /// What `owner`'s ends in mid-silence tell of one more of them.
    pub(super) fn about_end(&mut self, owner: TimerOwner, gap: Ticks) -> Option<TimerFacts> {
        self.ends_mut(owner)?.about(owner, gap)
    }

    /// What the fate of late packets tells of one more of them.
    pub(super) fn about_death(&self, gap: Ticks) -> Option<TimerFacts> {
        let edge = self.late.edge()?;
        let facts = self.late.facts(&edge);
        edge.holds(gap).then_some(facts)
    }

    /// Every timer that shows.
    pub(super) fn timers(&self) -> impl Iterator<Item = TimerFacts> {
        let owners = [TimerOwner::Client, TimerOwner::Server, TimerOwner::Device];
        let ends = [self.by_client, self.by_server, self.by_device];
        let of_ends = owners.into_iter().zip(ends).flat_map(|(owner, mut ends)| {
            ends.look_now();
            let found = ends.found;
            found.into_iter().flatten().filter_map(move |atom| ends.facts(owner, &atom))
        });
        of_ends.chain(self.late.edge().map(|edge| self.late.facts(&edge)))
    }

    fn ends_mut(&mut self, owner: TimerOwner) -> Option<&mut Ends> {
        match owner {
            TimerOwner::Client => Some(&mut self.by_client),
            TimerOwner::Server => Some(&mut self.by_server),
            TimerOwner::Device => Some(&mut self.by_device),
            TimerOwner::Unknown => None,
        }
    }
}

/// How a connection was ended in mid-silence.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum End {
    Fin,
    Reset {
        /// Hops behind it.
        hops: u8,
        /// Whether it is known who sent it.
        is_decided: bool,
    },
}

/// Ends in mid-silence that one party made.
#[derive(Clone, Copy, Debug)]
struct Ends {
    gaps: Recent,
    survived: Survived,
    /// How many of the ends were FINs.
    fins: u32,
    /// How many may have been another's.
    undecided: u32,
    hops: Hops,
    /// The timers among the first `looked_at` ends.
    found: [Option<Atom>; Self::TIMERS_MAX],
    looked_at: u32,
}

impl Ends {
    /// Two virtual servers behind one address have two timers.
    const TIMERS_MAX: usize = 2;

    const EMPTY: Self = Self {
        gaps: Recent::EMPTY,
        survived: Survived::EMPTY,
        fins: 0,
        undecided: 0,
        hops: Hops::Unseen,
        found: [None; Self::TIMERS_MAX],
        looked_at: 0,
    };

    fn push(&mut self, gap: Ticks, by: End) {
        self.gaps.push(gap);
        match by {
            End::Fin => self.fins = self.fins.saturating_add(1),
            End::Reset { hops, is_decided } => {
                self.hops.note(hops);
                self.undecided = self.undecided.saturating_add(u32::from(!is_decided));
            }
        }
        // Survivors are compared with the ends of about the same time.
        if self.gaps.seen().is_multiple_of(Recent::MAX as u32) {
            self.survived.turn();
        }
    }

    /// Looks for timers, if there is enough new to look at.
    fn look(&mut self) {
        let seen = self.gaps.seen();
        if seen.wrapping_sub(self.looked_at) < LOOK_EVERY.min(seen / 8 + 1) {
            return;
        }
        self.look_now();
    }

    fn look_now(&mut self) {
        self.looked_at = self.gaps.seen();
        let mut rest = self.gaps.sorted();
        self.found = [None; Self::TIMERS_MAX];
        for place in &mut self.found {
            let Some(atom) = Atom::most_telling(&rest) else { return };
            rest = rest.without(atom.low, atom.high);
            *place = Some(atom);
        }
    }

    fn about(&mut self, owner: TimerOwner, gap: Ticks) -> Option<TimerFacts> {
        self.look();
        let timers = self.found.iter().flatten();
        let mut known = timers.filter_map(|atom| Some((atom, self.facts(owner, atom)?)));
        let first = known.next();
        if let Some((_, facts)) = first.into_iter().chain(known).find(|(atom, _)| atom.holds(gap)) {
            return Some(facts);
        }
        match first {
            _ if gap < LONG => None,
            Some((_, facts)) => Some(TimerFacts { relation: Relation::Elsewhere, ..facts }),
            None => self.scattered(owner),
        }
    }

    /// Many ends, and no two alike: whoever makes them has no timer.
    fn scattered(&self, owner: TimerOwner) -> Option<TimerFacts> {
        let gaps = self.gaps.sorted();
        let long = &gaps.as_slice()[gaps.as_slice().partition_point(|&gap| gap < LONG)..];
        if long.len() < SCATTERED_MIN || self.found != [None; Self::TIMERS_MAX] {
            return None;
        }
        // What a slow sweep does is not scattered, even if it makes no atom.
        let quarters = (long[long.len() / 4], long[long.len() * 3 / 4]);
        (quarters.1.0 / 3 * 2 > quarters.0.0).then(|| TimerFacts {
            relation: Relation::Scattered,
            above: long.len() as u32,
            below: self.survived.count(),
            ..TimerFacts::nothing(owner, TimerKind::Ends)
        })
    }

    /// The facts of a timer, unless survivors refute it.
    fn facts(&self, owner: TimerOwner, atom: &Atom) -> Option<TimerFacts> {
        let against = self.survived.at_least(atom.refuted_from());
        (against as usize * AGAINST_SHARE <= atom.count).then(|| TimerFacts {
            low: atom.low,
            high: atom.high,
            above: atom.count as u32,
            below: self.survived.count() - against,
            against,
            by_fin: self.fins * 2 > self.gaps.seen(),
            hops: self.hops.agreed(),
            ..TimerFacts::nothing(self.owner(owner), TimerKind::Ends)
        })
    }

    /// Whose the timer is, if that can be told.
    const fn owner(&self, named: TimerOwner) -> TimerOwner {
        if self.undecided > self.gaps.seen() / 2 { TimerOwner::Unknown } else { named }
    }
}

/// Late packets that drew a reset.
#[derive(Clone, Copy, Debug)]
struct Deaths {
    died: Recent,
    survived: Survived,
    hops: Hops,
    /// By whom, lately.
    owners: [u16; TimerOwner::COUNT],
}

impl Deaths {
    const EMPTY: Self = Self {
        died: Recent::EMPTY,
        survived: Survived::EMPTY,
        hops: Hops::Unseen,
        owners: [0; TimerOwner::COUNT],
    };

    fn edge(&self) -> Option<Edge> {
        Edge::between(&self.died.sorted(), &self.survived.sorted())
    }

    fn facts(&self, edge: &Edge) -> TimerFacts {
        let all: u32 = self.owners.iter().map(|&count| u32::from(count)).sum();
        let most = |owner: &TimerOwner| u32::from(self.owners[*owner as usize]) * 3 > all * 2;
        let owner = TimerOwner::ALL.into_iter().find(most).unwrap_or(TimerOwner::Unknown);
        TimerFacts {
            low: edge.low,
            high: edge.high,
            above: edge.above as u32,
            below: self.survived.count() - self.survived.at_least(edge.high),
            against: edge.against as u32,
            hops: self.hops.agreed(),
            ..TimerFacts::nothing(owner, TimerKind::Forgets)
        }
    }
}

/// The distance that resets come from, as long as it is always the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Hops {
    Unseen,
    Always(u8),
    Mixed,
}

impl Hops {
    fn note(&mut self, hops: u8) {
        *self = match *self {
            Self::Unseen => Self::Always(hops),
            Self::Always(known) if known == hops => *self,
            _ => Self::Mixed,
        };
    }

    const fn agreed(self) -> Option<u8> {
        if let Self::Always(hops) = self { Some(hops) } else { None }
    }
}

/// How many more ends it takes to look again, at most.
const LOOK_EVERY: u32 = 16;
/// A timer that every third connection outlives is none.
const AGAINST_SHARE: usize = 3;
/// So many ends without an atom have no timer.
const SCATTERED_MIN: usize = 8;
/// Silences that may be taken for a timer's.
const LONG: Ticks = Ticks::from_ms(1_900);
