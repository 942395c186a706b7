//! Hidden timers: after what silence connections are ended or forgotten, and by whom.
//!
//! Two streams of silences a path (classification.md, section 5.5): connections *ended* in mid-silence
//! by FIN or reset, where a timer is an [`atom`]; and late packets that *died* beside those that
//! passed, where it is an [`edge`]. Silences that others survived refute what only looks like one.
//!
//! | file | idea |
//! |---|---|
//! | `samples` | the last silences, bounded |
//! | `chance` | binomial and hypergeometric tails |
//! | `atom`, `edge` | the two shapes of a timer |
//! | `track` | what one path has shown |
//! | `sight` | which silence a note or a reset shows |
//! | `facts` | the answer, by value |

mod atom;
mod chance;
mod edge;
mod facts;
mod samples;
mod sight;
mod track;
#[cfg(test)]
mod worlds;

use std::num::NonZeroUsize;

use flowtable::{Endpoint, Happening, Note};

use super::bounded::Bounded;
use super::lesson::Lesson;
use crate::vocabulary::Origin;
use sight::Sight;
use track::{End, Track};

pub use facts::{Relation, TimerFacts, TimerKind, TimerOwner, TimerScope};
pub(crate) use sight::closed_silence;

/// The timers of all paths.
#[derive(Debug)]
pub(super) struct Timers {
    servers: Bounded<Endpoint, Box<Track>>,
    ports: Bounded<u16, Box<Track>>,
    site: Box<Track>,
}

/// Connections that share a timer.
#[derive(Clone, Copy, Debug)]
enum Path {
    Server(Endpoint),
    Port(u16),
    Site,
}

/// A timer of the run, and which connections show it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct TimerFound {
    /// The server, if it is one's.
    pub server: Option<Endpoint>,
    /// What is known of it.
    pub facts: TimerFacts,
}

impl Timers {
    pub(super) fn new() -> Self {
        Self {
            servers: Bounded::new(SERVERS_MAX),
            ports: Bounded::new(PORTS_MAX),
            site: Box::new(Track::EMPTY),
        }
    }

    pub(super) const fn memory_bytes() -> usize {
        let tracks = SERVERS_MAX.get() + PORTS_MAX.get() + 1;
        Bounded::<Endpoint, Box<Track>>::memory_bytes(SERVERS_MAX)
            + Bounded::<u16, Box<Track>>::memory_bytes(PORTS_MAX)
            + tracks * size_of::<Track>()
    }

    /// Takes in how a connection was closed.
    pub(super) fn note(&mut self, note: &Note) {
        let Happening::FirstFin { by_client, silence } = note.what else { return };
        if !silence.is_established {
            return;
        }
        let ended = sight::of_fin(by_client, &silence);
        let survived = sight::survived(&silence);
        if ended.is_none() && survived.is_none() {
            return;
        }
        self.each_path(note.server, |path, track| {
            if let Some(gap) = survived {
                track.survived(gap);
            }
            if let (Some(gap), Path::Server(_)) = (ended, path) {
                track.ended(sight::owner(by_client), gap, End::Fin);
            }
        });
    }

    /// Takes in a reset.
    pub(super) fn learn(&mut self, lesson: &Lesson<'_>) {
        let Some(sight) = Sight::of(lesson).filter(Sight::teaches) else { return };
        let is_decided = lesson.ruling.origin != Origin::Unknown;
        self.each_path(lesson.server, |path, track| {
            if let Some(gap) = sight.survived {
                track.survived(gap);
            }
            // What an endpoint does tells of no other server.
            if !matches!(path, Path::Server(_)) && sight.owner != TimerOwner::Device {
                return;
            }
            if let Some(gap) = sight.ended {
                track.ended(sight.owner, gap, End::Reset { hops: sight.hops, is_decided });
            }
            if let Some(gap) = sight.late {
                let owner = if is_decided { sight.owner } else { TimerOwner::Unknown };
                track.died(owner, gap, sight.hops);
            }
        });
    }

    /// The timer that a reset is due to, or that it is not due to any.
    pub(super) fn ask(&mut self, lesson: &Lesson<'_>) -> Option<TimerFacts> {
        let sight = Sight::of(lesson).filter(Sight::asks)?;
        let server = lesson.server;
        let mut best: Option<TimerFacts> = None;
        for path in [Path::Server(server), Path::Port(server.port), Path::Site] {
            let Some(track) = self.track(path) else { continue };
            let facts = match (sight.ended, sight.late, sight.closed) {
                (Some(gap), ..) => track.about_end(sight.owner, gap),
                (_, Some(gap), _) => track.about_death(gap),
                (.., Some(gap)) => track.about_end(sight.owner, gap).filter(is_at),
                _ => None,
            };
            let Some(facts) = facts else { continue };
            let facts = path.placed(facts);
            if is_at(&facts) {
                return Some(facts);
            }
            best = best.or(Some(facts));
        }
        best
    }

    /// Every timer that shows, the widest scope that shows it, most often seen first.
    pub(super) fn found(&self) -> Vec<TimerFound> {
        let servers = self.servers.iter().map(|(&server, track)| (Path::Server(server), track));
        let ports = self.ports.iter().map(|(&port, track)| (Path::Port(port), track));
        let mut all: Vec<TimerFound> = servers
            .chain(ports)
            .chain([(Path::Site, &self.site)])
            .flat_map(|(path, track)| track.timers().map(move |facts| path.found(facts)))
            .collect();
        all.sort_by_key(|found| {
            (std::cmp::Reverse(found.facts.above), found.server, found.facts.port)
        });
        let shown = all.iter().filter(|one| !is_told_elsewhere(one, &all)).copied();
        shown.take(TOLD_MAX).collect()
    }

    fn each_path(&mut self, server: Endpoint, mut show: impl FnMut(Path, &mut Track)) {
        let new = || Box::new(Track::EMPTY);
        show(Path::Server(server), self.servers.entry(server, new));
        show(Path::Port(server.port), self.ports.entry(server.port, new));
        show(Path::Site, &mut self.site);
    }

    fn track(&mut self, path: Path) -> Option<&mut Track> {
        match path {
            Path::Server(server) => self.servers.peek_mut(&server).map(Box::as_mut),
            Path::Port(port) => self.ports.peek_mut(&port).map(Box::as_mut),
            Path::Site => Some(&mut self.site),
        }
    }
}

impl Path {
    const fn scope(self) -> TimerScope {
        match self {
            Self::Server(_) => TimerScope::Server,
            Self::Port(_) => TimerScope::Port,
            Self::Site => TimerScope::Site,
        }
    }

    const fn port(self) -> Option<u16> {
        match self {
            Self::Server(server) => Some(server.port),
            Self::Port(port) => Some(port),
            Self::Site => None,
        }
    }

    const fn placed(self, facts: TimerFacts) -> TimerFacts {
        TimerFacts { scope: self.scope(), port: self.port(), ..facts }
    }

    const fn found(self, facts: TimerFacts) -> TimerFound {
        let server = if let Self::Server(server) = self { Some(server) } else { None };
        TimerFound { server, facts: self.placed(facts) }
    }
}

/// A device's timer shows at each of its servers, at their port and at the site: it is told once,
/// for one server if one alone shows it, else for the widest.
fn is_told_elsewhere(one: &TimerFound, all: &[TimerFound]) -> bool {
    let alike = |other: &&TimerFound| {
        other.facts.kind == one.facts.kind
            && other.facts.owner == one.facts.owner
            && other.facts.low <= one.facts.high
            && one.facts.low <= other.facts.high
            && (one.facts.port == other.facts.port
                || one.facts.port.is_none()
                || other.facts.port.is_none())
    };
    let mut others = all.iter().filter(alike).filter(|other| other.facts.scope != one.facts.scope);
    let of_one = |other: &TimerFound| other.server.is_some();
    match one.facts.scope {
        // Those of several servers add up to more than any of them.
        TimerScope::Server => others.any(|other| other.facts.above * 4 > one.facts.above * 5),
        TimerScope::Port => others.any(|other| {
            if of_one(other) {
                other.facts.above * 5 >= one.facts.above * 4
            } else {
                other.facts.above * 4 > one.facts.above * 5
            }
        }),
        TimerScope::Site => others.any(|other| other.facts.above * 5 >= one.facts.above * 4),
    }
}

fn is_at(facts: &TimerFacts) -> bool {
    facts.relation == Relation::At
}

/// Servers whose timers are looked for at a time.
const SERVERS_MAX: NonZeroUsize = NonZeroUsize::new(2_048).expect("not zero");
/// The same for ports.
const PORTS_MAX: NonZeroUsize = NonZeroUsize::new(128).expect("not zero");
/// Timers in a report.
const TOLD_MAX: usize = 64;
