//! What is known of each service: who is connected, what it accepts, refuses and cuts.
//!
//! Only a service that was seen to accept has an entry, so that scans of closed ports fill nothing.

use std::num::NonZeroUsize;

use flowtable::{Endpoint, Happening, Look, Note, Timestamp, Watch};

use super::bounded::Bounded;
use super::burst::{Burst, BurstKind, Bursts, CUTS_MIN, Cluster, Outage};
use super::cut::{Blow, Cut, is_of_service};
use super::lesson::Lesson;
use super::recent::{Moments, Seconds, Usual, is_improbable};
use crate::verdict::Ruling;
use crate::vocabulary::Cause;

/// The services of the link, and the bursts they went through.
#[derive(Debug)]
pub(crate) struct Services {
    known: Bounded<Endpoint, Service>,
    bursts: Bursts,
}

/// What other connections of a service tell of one of its resets.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct ServiceFacts {
    /// Nanoseconds since the service last accepted a connection, before the reset.
    pub accepted_before_ns: Option<u64>,
    /// Nanoseconds until it accepted one, after the reset.
    pub accepted_after_ns: Option<u64>,
    /// It accepts and refuses in turn: some of several members refuse.
    pub is_mixed: bool,
    /// Connections refused since the last success.
    pub refused: u32,
    /// Connections open now, of those whose beginning was seen.
    pub live: u32,
    /// Handshakes of the same seconds that ended with a reset as a full accept queue sends it.
    pub overflows: u32,
    /// Handshakes of the last half minute that needed a second SYN or SYN/ACK.
    pub strained: u8,
    /// Connections opened in the same seconds.
    pub opened: u32,
    /// Connections that ended in the same seconds.
    pub ended: u32,
    /// Connections of the same seconds that were accepted and cut without a byte.
    pub turned_away: u32,
    /// Sockets of the same seconds that were closed and reset in one breath.
    pub orphans: u32,
    /// Resets of this service that have the cause this one has by itself.
    pub of_this_kind: u32,
    /// All its resets.
    pub of_all_kinds: u32,
}

/// The burst that a reset belongs to.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct BurstFacts {
    /// Its number in this run.
    pub id: u32,
    /// What happened, as far as it shows.
    pub kind: BurstKind,
    /// First cut.
    pub began: Timestamp,
    /// Nanoseconds from the first to the last cut.
    pub span_ns: u64,
    /// Connections cut.
    pub cuts: u32,
    /// Connections closed by FIN in the same moment.
    pub finished: u32,
    /// Share of the connections that were open.
    pub share: Option<f32>,
    /// Connections refused.
    pub refused: u32,
    /// How long the service was away.
    pub outage_ns: Option<u64>,
    /// The service's SYN/ACKs before and since, if they look different.
    pub moved: Option<[Look; 2]>,
    /// This reset is one of the cuts, not a refusal that followed.
    pub is_cut: bool,
}

/// One service; about 900 bytes.
#[derive(Clone, Copy, Debug, Default)]
struct Service {
    live: u32,
    opened: Moments,
    closed: Seconds,
    overflows: Seconds,
    turned_away: Seconds,
    orphans: Seconds,
    first_accept: Timestamp,
    last_accept: Timestamp,
    usual_cuts: Usual,
    usual_fins: Usual,
    clusters: [Cluster; 2],
    /// Connections closed by the server first: the current run of them, and the last great one.
    fins: [Run; 2],
    outage: Outage,
    /// The last burst, and the one before.
    burst: [Option<u32>; 2],
    /// When its SYN/ACKs last changed their look, and the time before.
    look_changed: [Timestamp; 2],
    looks: Option<[Look; 2]>,
    kinds: Kinds,
}

/// Resets by the cause that each has by itself.
#[derive(Clone, Copy, Debug)]
struct Kinds([u16; Cause::ALL.len()]);

impl Default for Kinds {
    fn default() -> Self {
        Self([0; Cause::ALL.len()])
    }
}

/// Events that follow each other closely.
#[derive(Clone, Copy, Debug, Default)]
struct Run {
    first: Timestamp,
    last: Timestamp,
    count: u32,
}

impl Services {
    pub(crate) fn new() -> Self {
        Self { known: Bounded::new(SERVICES_MAX), bursts: Bursts::new() }
    }

    pub(crate) const fn memory_bytes() -> usize {
        Bounded::<Endpoint, Service>::memory_bytes(SERVICES_MAX) + Bursts::memory_bytes()
    }

    /// Takes in what a connection of a service did.
    pub(crate) fn note(&mut self, note: &Note) {
        let (time, bursts) = (note.time, &mut self.bursts);
        match note.what {
            Happening::Established => {
                self.known.entry(note.server, Service::default).accept(time, bursts);
            }
            Happening::FirstFin { by_client: false, .. } => {
                if let Some(service) = self.known.peek_mut(&note.server) {
                    service.finish(time);
                }
            }
            Happening::FirstFin { .. } | Happening::Answered { .. } => {}
            Happening::Closed => {
                if let Some(service) = self.known.peek_mut(&note.server) {
                    service.end(time);
                }
            }
            Happening::NewLook { before, now } => {
                if let Some(service) = self.known.peek_mut(&note.server) {
                    service.change_look(time, [before, now], bursts);
                }
            }
        }
    }

    /// Takes in a reset.
    pub(crate) fn learn(&mut self, lesson: &Lesson<'_>) {
        let server = lesson.server;
        let Some(service) = self.known.peek_mut(&server) else { return };
        let Some(blow) = Blow::of(lesson) else { return };
        let kind = &mut service.kinds.0[lesson.ruling.cause as usize];
        *kind = kind.saturating_add(1);
        match blow {
            Blow::Refused(time) => service.refuse(server, time, &mut self.bursts),
            Blow::Cut(cut) => service.cut(server, &cut, &mut self.bursts),
            Blow::Ended(time) => service.end(time),
        }
    }

    /// What is known of the service that a reset names, if it is known at all, and the burst that
    /// the reset belongs to. Unless all is told, only facts that may give it a cause are wanted.
    pub(crate) fn ask(
        &mut self,
        lesson: &Lesson<'_>,
        is_told: bool,
    ) -> (Option<ServiceFacts>, Option<BurstFacts>) {
        let service = self.known.peek(&lesson.server).filter(|_| lesson.is_primary());
        let Some(service) = service else { return (None, None) };
        let is_wanted = is_told || is_of_service(&lesson.case);
        let facts = is_wanted.then(|| service.facts(lesson.watch, lesson.ruling));
        (facts, self.bursts.ask(service.burst, lesson))
    }

    /// Services that gave way to others.
    pub(crate) const fn forgotten(&self) -> u64 {
        self.known.evicted()
    }

    /// Every burst so far.
    pub(crate) fn bursts(&self) -> impl Iterator<Item = &Burst> {
        self.bursts.iter()
    }
}

impl Bursts {
    /// The burst of a service that a reset belongs to.
    fn ask(&mut self, ids: [Option<u32>; 2], lesson: &Lesson<'_>) -> Option<BurstFacts> {
        ids[0]?;
        let blow = Blow::of(lesson)?;
        ids.into_iter().flatten().find_map(|id| {
            let burst = self.find(id).filter(|burst| burst.holds())?;
            let is_cut = match blow {
                Blow::Cut(cut) => burst.reaches(cut.time) || burst.left_behind(&cut),
                _ => false,
            };
            let is_refused = matches!(blow, Blow::Refused(time) if burst.outage_covers(time));
            (is_cut || is_refused).then(|| BurstFacts::of(burst, is_cut))
        })
    }
}

impl BurstFacts {
    fn of(burst: &Burst, is_cut: bool) -> Self {
        Self {
            id: burst.id,
            kind: burst.kind(),
            began: burst.first(),
            span_ns: burst.last().since_ns(burst.first()),
            cuts: burst.cuts(),
            finished: burst.finished(),
            share: burst.share(),
            refused: burst.outage.refused,
            outage_ns: burst.outage_ns(),
            moved: burst.moved,
            is_cut,
        }
    }
}

impl Service {
    fn accept(&mut self, time: Timestamp, bursts: &mut Bursts) {
        if self.last_accept.since_ns(time) > CLOCK_BACK_NS {
            // Another capture, or a clock that was set: nothing of before can be compared.
            *self = Self { kinds: self.kinds, ..Self::default() };
        }
        self.live = self.live.saturating_add(1);
        self.opened.add(time);
        if self.first_accept == Timestamp(0) {
            self.first_accept = time;
        }
        self.last_accept = self.last_accept.max(time);
        self.outage.accept(time);
        if let Some(burst) = self.burst_at(time, bursts) {
            burst.accept(time);
            burst.outage.accept(time);
        }
    }

    fn end(&mut self, time: Timestamp) {
        self.live = self.live.saturating_sub(1);
        self.closed.add(time);
    }

    fn finish(&mut self, time: Timestamp) {
        self.usual_fins.add(time);
        let [run, great] = &mut self.fins;
        run.add(time);
        if run.count >= CUTS_MIN {
            *great = *run;
        }
    }

    fn change_look(&mut self, time: Timestamp, looks: [Look; 2], bursts: &mut Bursts) {
        self.look_changed = [time, self.look_changed[0]];
        self.looks = Some(looks);
        if let Some(burst) = self.burst_at(time, bursts) {
            burst.moved = self.moved_at(burst.first());
        }
    }

    /// The change of looks at about `time`, unless they keep changing.
    fn moved_at(&self, time: Timestamp) -> Option<[Look; 2]> {
        let [changed, before] = self.look_changed;
        let is_near =
            changed.since_ns(time) <= MOVED_WITHIN_NS && time.since_ns(changed) <= CLOSE_NS;
        let is_first = before == Timestamp(0) || changed.since_ns(before) > STEADY_NS;
        self.looks.filter(|_| is_near && is_first)
    }

    fn refuse(&mut self, server: Endpoint, time: Timestamp, bursts: &mut Bursts) {
        self.outage.refuse(time, self.last_accept);
        let outage = self.outage;
        if let Some(burst) = self.burst_at(time, bursts) {
            burst.refuse(outage);
        } else if let Some(run) = self.great_run(outage.first) {
            // All its connections had no unread data: they were closed by FIN.
            let burst = bursts
                .begin(server, Cluster::of_fins(run.first, run.last, self.live_at(run.first)));
            self.burst = [Some(burst.id), self.burst[0]];
            burst.finish(run.count);
            burst.refuse(outage);
        }
    }

    fn cut(&mut self, server: Endpoint, cut: &Cut, bursts: &mut Bursts) {
        let time = cut.time;
        let live = self.live_at(time);
        if cut.is_orphan {
            self.orphans.add(time);
        }
        if cut.is_overflow {
            self.overflows.add(time);
        }
        if cut.is_turned_away {
            self.turned_away.add(time);
        }
        if !cut.is_open {
            return self.end(time);
        }
        if !cut.is_midstream {
            self.live = self.live.saturating_sub(1);
        }
        self.usual_cuts.add(time);
        if let Some(burst) = self.burst_at(time, bursts) {
            if burst.reaches(time) {
                return burst.take(cut);
            }
            if burst.left_behind(cut) {
                return burst.take_late();
            }
        }
        let cluster = self.gather(cut, live);
        let usual = self.usual_cuts.rate_without(cluster.cuts, time);
        let opened = self.opened.within(cluster.first, cluster.last);
        let moved = self.moved_at(cluster.first);
        if cluster.is_unusual(usual, opened, moved.is_some()) {
            let burst = bursts.begin(server, cluster);
            self.burst = [Some(burst.id), self.burst[0]];
            self.clusters = [Cluster::default(); 2];
            burst.moved = moved;
            burst.refuse(self.outage);
            if self.last_accept > cluster.last {
                burst.accept(self.last_accept);
            }
            if let Some(run) = self.great_run(cluster.last) {
                burst.finish(run.count);
            }
        }
    }

    /// Adds a cut to the cluster it belongs to, the older one giving way to a new one.
    fn gather(&mut self, cut: &Cut, live: u32) -> Cluster {
        let near = self.clusters.iter_mut().find(|cluster| cluster.reaches(cut.time));
        if let Some(cluster) = near {
            cluster.take(cut);
            return *cluster;
        }
        let cluster = Cluster::new(cut, live);
        self.clusters = [cluster, self.clusters[0]];
        cluster
    }

    /// Connections that were open just before `time`, of those whose beginning was seen.
    fn live_at(&self, time: Timestamp) -> u32 {
        (self.live + self.closed.after(time)).saturating_sub(self.opened.after(time))
    }

    /// Connections that the server closed together shortly before `time`, if that is unusual.
    fn great_run(&self, time: Timestamp) -> Option<Run> {
        let run = self.fins[1];
        let usual = self.usual_fins.rate_without(run.count, run.last);
        let is_near = time.since_ns(run.last) <= CLOSE_NS && run.first.since_ns(time) <= CLOSE_NS;
        (run.count >= CUTS_MIN && is_near && is_improbable(run.count, usual, 2.0)).then_some(run)
    }

    /// The last burst, if something at `time` may be of its doing.
    fn burst_at<'b>(&self, time: Timestamp, bursts: &'b mut Bursts) -> Option<&'b mut Burst> {
        bursts.find(self.burst[0]?).filter(|burst| burst.concerns(time))
    }

    /// The last connection accepted before a reset; the first one of all if that is not known.
    fn accepted_before(&self, watch: &Watch) -> Option<Timestamp> {
        let time = watch.reset.time;
        let by_host = watch.accepted_s.map(|second| Timestamp(u64::from(second) * NS_PER_S));
        [Some(self.last_accept), by_host, Some(self.first_accept)]
            .into_iter()
            .flatten()
            .find(|&accept| accept.0 > 0 && accept <= time)
    }

    fn facts(&self, watch: &Watch, verdict: &Ruling) -> ServiceFacts {
        let time = watch.reset.time;
        let strained = watch.host.map_or(0, |host| host.strained_handshakes(time));
        ServiceFacts {
            accepted_before_ns: self.accepted_before(watch).map(|accept| time.since_ns(accept)),
            accepted_after_ns: self.opened.next_ns(time),
            is_mixed: self.outage.is_mixed(),
            refused: self.outage.refused,
            live: self.live,
            overflows: self.overflows.around(time, LATELY_NS),
            strained,
            opened: self.opened.around(time, LATELY_NS),
            ended: self.closed.around(time, LATELY_NS),
            turned_away: self.turned_away.around(time, LATELY_NS),
            orphans: self.orphans.around(time, LATELY_NS),
            of_this_kind: u32::from(self.kinds.0[verdict.cause as usize]),
            of_all_kinds: self.kinds.0.iter().map(|&count| u32::from(count)).sum(),
        }
    }
}

impl Run {
    fn add(&mut self, time: Timestamp) {
        let is_near =
            self.first.since_ns(time) <= RUN_GAP_NS && time.since_ns(self.last) <= RUN_GAP_NS;
        if self.count == 0 || !is_near {
            *self = Self { first: time, last: time, count: 0 };
        }
        self.first = self.first.min(time);
        self.last = self.last.max(time);
        self.count = self.count.saturating_add(1);
    }
}

const NS_PER_S: u64 = 1_000_000_000;
/// Services that are remembered: about 15 MB.
const SERVICES_MAX: NonZeroUsize = NonZeroUsize::new(1 << 14).expect("it is not zero");
/// What happened so shortly before or after a reset belongs to the same trouble.
const LATELY_NS: u64 = 6_000_000_000;
/// Further back than workers and late verdicts are apart.
const CLOCK_BACK_NS: u64 = 60_000_000_000;
/// Events so close together have one reason.
const CLOSE_NS: u64 = 3_000_000_000;
/// FINs further apart are of two runs.
const RUN_GAP_NS: u64 = 300_000_000;
/// Another machine may take so long to take over.
const MOVED_WITHIN_NS: u64 = 60_000_000_000;
/// SYN/ACKs whose look changed twice within this time say nothing: several machines take turns.
const STEADY_NS: u64 = 600_000_000_000;

#[cfg(test)]
mod tests;
