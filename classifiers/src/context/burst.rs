//! Many connections of one service cut together: what happened to it, and who came back.
//!
//! Cuts of one service that follow each other closely gather in a [`Cluster`]; one that is large
//! and improbable becomes a [`Burst`] with a number. What the service refuses meanwhile, when it
//! accepts again and what its SYN/ACKs look like then tell a restart from a reboot from a failover.

use std::collections::VecDeque;

use flowtable::{Endpoint, Look, Timestamp};
use wire::Address;

use super::cut::Cut;
use super::recent::is_improbable;

/// The latest bursts of all services, by number.
#[derive(Debug)]
pub(crate) struct Bursts {
    known: VecDeque<Burst>,
    next_id: u32,
}

/// Cuts of one service, close together.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cluster {
    pub(crate) first: Timestamp,
    pub(crate) last: Timestamp,
    pub(crate) cuts: u32,
    /// Bare resets that answered a segment.
    replies: u32,
    /// Bare resets right at the end of the handshake.
    overflows: u32,
    /// Connections that were met in mid-stream.
    midstream: u32,
    /// Connections that may have expired by themselves.
    doubtful: u32,
    /// Shortest and longest silence of both sides before, nanoseconds.
    idle_ns: [u64; 2],
    /// The server's last segment in any of the connections, resets left out.
    sign_of_life: Timestamp,
    client: Address,
    has_several_clients: bool,
    /// Connections of the service that were open just before.
    live: u32,
}

/// What a service refused since it last accepted, and when it accepted again.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Outage {
    /// First refusal.
    pub first: Timestamp,
    /// Last refusal.
    pub last: Timestamp,
    /// How many.
    pub refused: u32,
    /// First connection that was accepted after the last refusal.
    pub back: Option<Timestamp>,
    /// How often it went back to refusing after it had accepted: some of several members refuse.
    pub relapses: u32,
}

/// A burst, as far as it is known.
#[derive(Clone, Copy, Debug)]
pub struct Burst {
    /// Its number in this run, from 1.
    pub id: u32,
    /// The service.
    pub server: Endpoint,
    cluster: Cluster,
    /// Old connections that were reset later, when their clients spoke again.
    late: u32,
    /// Connections that the service closed by FIN in the same moment.
    finished: u32,
    /// What it refused.
    pub outage: Outage,
    /// Its SYN/ACKs before and since, if they look different.
    pub moved: Option<[Look; 2]>,
    accepted: Option<Timestamp>,
}

/// What happened to a service.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BurstKind {
    /// All connections cut; the service came back, or was never seen away.
    Restart,
    /// All connections cut, new ones refused, and it was not seen again.
    Down,
    /// Silence, then the host knew none of its connections.
    Reboot,
    /// Another machine answers under the same address.
    Failover,
    /// The host knew none of its connections, without having been silent.
    StateLost,
    /// A part of the connections cut while the rest was served: one process or member of several.
    Part,
    /// Handshakes cut because too many came.
    Overload,
}

impl BurstKind {
    /// The name used in events.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Restart => "restart",
            Self::Down => "down",
            Self::Reboot => "reboot",
            Self::Failover => "failover",
            Self::StateLost => "state_lost",
            Self::Part => "part",
            Self::Overload => "overload",
        }
    }
}

impl Bursts {
    pub(crate) fn new() -> Self {
        Self { known: VecDeque::with_capacity(BURSTS_MAX), next_id: 1 }
    }

    pub(crate) const fn memory_bytes() -> usize {
        BURSTS_MAX * size_of::<Burst>()
    }

    /// Gives a cluster a number; the oldest burst is forgotten for it if need be.
    pub(crate) fn begin(&mut self, server: Endpoint, cluster: Cluster) -> &mut Burst {
        if self.known.len() == BURSTS_MAX {
            self.known.pop_front();
        }
        let id = self.next_id;
        self.next_id = self.next_id.wrapping_add(1).max(1);
        self.known.push_back(Burst {
            id,
            server,
            cluster,
            late: 0,
            finished: 0,
            outage: Outage::default(),
            moved: None,
            accepted: None,
        });
        self.known.back_mut().expect("it was just put there")
    }

    pub(crate) fn find(&mut self, id: u32) -> Option<&mut Burst> {
        let first = self.known.front()?.id;
        self.known.get_mut(id.wrapping_sub(first) as usize).filter(|burst| burst.id == id)
    }

    /// Every burst that is one, in the order of their numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Burst> {
        self.known.iter().filter(|burst| burst.holds())
    }
}

impl Cluster {
    /// The first of its cuts, and how many connections were live just before it.
    pub(crate) fn new(cut: &Cut, live: u32) -> Self {
        let mut cluster = Self {
            first: cut.time,
            last: cut.time,
            idle_ns: [u64::MAX, 0],
            client: cut.client,
            live,
            ..Self::default()
        };
        cluster.take(cut);
        cluster
    }

    /// Connections that were closed by FIN instead, so that there is nothing to cut.
    pub(crate) fn of_fins(first: Timestamp, last: Timestamp, live: u32) -> Self {
        Self { first, last, live, ..Self::default() }
    }

    /// Whether a cut belongs to it by its time.
    pub(crate) fn reaches(&self, time: Timestamp) -> bool {
        let whole = self.last.max(time).since_ns(self.first.min(time));
        self.last.0 > 0
            && self.first.since_ns(time) <= GAP_NS
            && time.since_ns(self.last) <= GAP_NS
            && whole <= SPAN_MAX_NS
    }

    pub(crate) fn take(&mut self, cut: &Cut) {
        self.first = self.first.min(cut.time);
        self.last = self.last.max(cut.time);
        self.cuts = self.cuts.saturating_add(1);
        self.replies += u32::from(cut.is_reply);
        self.overflows += u32::from(cut.is_overflow);
        self.midstream += u32::from(cut.is_midstream);
        self.doubtful += u32::from(cut.is_doubtful);
        let [shortest, longest] = &mut self.idle_ns;
        *shortest = (*shortest).min(cut.idle_ns);
        *longest = (*longest).max(cut.idle_ns);
        self.sign_of_life = self.sign_of_life.max(cut.server_spoke);
        self.has_several_clients |= cut.client != self.client;
    }

    /// Whether so many so close together cannot be the service's habit: `usual` cuts a second, and
    /// `opened` connections that began in the same time. If the service `moved`, those that had
    /// been silent for long are not doubtful any more.
    pub(crate) fn is_unusual(&self, usual: f32, opened: u32, moved: bool) -> bool {
        let cuts = if moved { self.cuts } else { self.cuts - self.doubtful };
        let span_s = self.last.since_ns(self.first) as f32 / 1e9;
        // A service that ends each connection this way cuts as many as come.
        let as_they_come = opened * 2 > cuts;
        let is_own_accord = (self.replies + self.overflows) * 2 <= self.cuts;
        cuts >= CUTS_MIN
            && is_improbable(cuts, usual, span_s.max(WINDOW_S))
            && !(as_they_come && is_own_accord)
    }

    /// One idle timer, started at the same time: the silences are as long as each other.
    fn is_timer(&self) -> bool {
        let [shortest, longest] = self.idle_ns;
        shortest >= TIMER_NS_MIN && longest - shortest <= (longest / 50).max(TIMER_SLACK_NS)
    }
}

impl Outage {
    /// Takes in a refusal; `last_accept` is the latest connection that was accepted.
    pub(crate) fn refuse(&mut self, time: Timestamp, last_accept: Timestamp) {
        let later = Some(last_accept).filter(|&accept| accept > time);
        let apart = time.since_ns(self.last).max(self.first.since_ns(time));
        if self.refused == 0 || apart > OUTAGE_GAP_NS {
            *self = Self { first: time, last: time, refused: 1, back: later, relapses: 0 };
            return;
        }
        if self.back.is_some_and(|back| back < time) {
            self.relapses = self.relapses.saturating_add(1);
            self.back = later;
        }
        self.first = self.first.min(time);
        self.last = self.last.max(time);
        self.refused = self.refused.saturating_add(1);
    }

    /// Takes in a connection that was accepted.
    pub(crate) fn accept(&mut self, time: Timestamp) {
        if self.refused > 0 && time > self.last && self.back.is_none() {
            self.back = Some(time);
        }
    }

    /// Whether the service accepts and refuses in turn.
    #[must_use]
    pub const fn is_mixed(&self) -> bool {
        self.relapses >= RELAPSES_MIN
    }
}

impl Burst {
    /// Whether a cut at `time` is one of it.
    pub(crate) fn reaches(&self, time: Timestamp) -> bool {
        self.cluster.reaches(time)
    }

    pub(crate) fn take(&mut self, cut: &Cut) {
        self.cluster.take(cut);
    }

    /// Whether a bare reset of an old connection at `time` belongs to what happened then.
    pub(crate) fn left_behind(&self, cut: &Cut) -> bool {
        let opened_before = cut.opened_s < self.first().seconds();
        let since_ns = cut.time.since_ns(self.last());
        cut.is_reply && opened_before && since_ns > 0 && since_ns <= LATE_NS
    }

    pub(crate) fn take_late(&mut self) {
        self.late = self.late.saturating_add(1);
    }

    /// Whether a refusal at `time` is of its outage.
    pub(crate) fn outage_covers(&self, time: Timestamp) -> bool {
        self.outage.refused > 0 && self.outage.first <= time && time <= self.outage.last
    }

    pub(crate) fn finish(&mut self, count: u32) {
        self.finished = count;
    }

    /// Takes in what the service refuses, if that began with this burst.
    pub(crate) fn refuse(&mut self, outage: Outage) {
        let from_ns = self.first().since_ns(outage.first);
        let until_ns = outage.first.since_ns(self.last());
        if outage.refused > 0 && from_ns <= BEFORE_NS && until_ns <= REFUSES_WITHIN_NS {
            self.outage = outage;
        }
    }

    /// Whether something at `time` may still be of this burst's doing.
    pub(crate) fn concerns(&self, time: Timestamp) -> bool {
        self.first().since_ns(time) <= BEFORE_NS && time.since_ns(self.last()) <= LATE_NS
    }

    /// Takes in that the service accepted a connection.
    pub(crate) fn accept(&mut self, time: Timestamp) {
        if time > self.last() && self.accepted.is_none() {
            self.accepted = Some(time);
        }
    }

    /// First cut.
    #[must_use]
    pub const fn first(&self) -> Timestamp {
        self.cluster.first
    }

    /// Last cut, late ones left out.
    #[must_use]
    pub const fn last(&self) -> Timestamp {
        self.cluster.last
    }

    /// Connections cut, those included whose clients spoke later.
    #[must_use]
    pub const fn cuts(&self) -> u32 {
        self.cluster.cuts + self.late
    }

    /// Connections closed by FIN in the same moment.
    #[must_use]
    pub const fn finished(&self) -> u32 {
        self.finished
    }

    /// Share of the connections that were open; `None` if most were opened before the capture.
    #[must_use]
    pub fn share(&self) -> Option<f32> {
        let Cluster { cuts, live, midstream, .. } = self.cluster;
        let gone = cuts + self.finished;
        (midstream * 2 <= cuts).then(|| gone as f32 / live.max(gone) as f32)
    }

    /// Nanoseconds in which the host said nothing before it knew its connections no more.
    #[must_use]
    pub fn silence_ns(&self) -> Option<u64> {
        let silence_ns = self.first().since_ns(self.cluster.sign_of_life);
        (self.is_by_reply() && silence_ns >= SILENCE_NS).then_some(silence_ns)
    }

    /// Nanoseconds from the first cut, or the last sign of life, until it served again.
    #[must_use]
    pub fn outage_ns(&self) -> Option<u64> {
        let back = self.outage.back;
        if self.silence_ns().is_some() {
            return Some(back.unwrap_or(self.first()).since_ns(self.cluster.sign_of_life));
        }
        back.map(|time| time.since_ns(self.first()))
    }

    /// Whether the service was seen to accept afterwards.
    #[must_use]
    pub const fn came_back(&self) -> bool {
        self.accepted.is_some() || self.outage.back.is_some()
    }

    /// Whether it cannot be taken for something that happens to connections one by one.
    pub(crate) fn holds(&self) -> bool {
        let was_seen_away = self.outage.refused > 0 || self.moved.is_some();
        let share = self.share();
        // One client whose sessions are ended is not the service.
        let several =
            self.cluster.has_several_clients || share.is_some_and(|s| s >= ALL) || was_seen_away;
        let many = share.is_some_and(|share| share >= SHARE_MIN)
            || (share.is_none() && (was_seen_away || self.silence_ns().is_some()));
        match self.kind() {
            BurstKind::Overload => true,
            BurstKind::Failover => many,
            _ => {
                several && many && (!self.cluster.is_timer() || was_seen_away || self.is_by_reply())
            }
        }
    }

    /// What happened, as far as it shows.
    #[must_use]
    pub fn kind(&self) -> BurstKind {
        let Outage { refused, back, .. } = self.outage;
        if self.cluster.overflows * 2 > self.cluster.cuts {
            BurstKind::Overload
        } else if self.moved.is_some() {
            BurstKind::Failover
        } else if self.silence_ns().is_some() {
            BurstKind::Reboot
        } else if self.is_by_reply() && refused == 0 {
            BurstKind::StateLost
        } else if self.outage.is_mixed() {
            BurstKind::Part
        } else if refused > 0 {
            if back.is_some() { BurstKind::Restart } else { BurstKind::Down }
        } else if self.share().is_some_and(|share| share < ALL) {
            BurstKind::Part
        } else {
            BurstKind::Restart
        }
    }

    const fn is_by_reply(&self) -> bool {
        self.cluster.replies * 2 > self.cluster.cuts
    }
}

/// Bursts that are remembered.
const BURSTS_MAX: usize = 1_024;
/// A burst has at least so many (classification.md, section 5.5) ...
pub(crate) const CUTS_MIN: u32 = 8;
/// ... within this time, and this share of the live connections.
const WINDOW_S: f32 = 2.0;
const SHARE_MIN: f32 = 0.3;
/// All, but for some that ended by themselves.
const ALL: f32 = 0.8;
/// Cuts further apart are of two clusters.
const GAP_NS: u64 = 500_000_000;
/// A process with many thousand connections needs some time to die.
const SPAN_MAX_NS: u64 = 10_000_000_000;
/// Shorter silences are no timer's.
const TIMER_NS_MIN: u64 = 4_900_000_000;
const TIMER_SLACK_NS: u64 = 1_000_000_000;
/// An orderly end refuses new connections before it cuts the old ones.
const BEFORE_NS: u64 = 2_000_000_000;
/// So much later clients still find their connections gone, and the service may come back.
const LATE_NS: u64 = 600_000_000_000;
/// Nobody may have called at once.
const REFUSES_WITHIN_NS: u64 = 30_000_000_000;
/// Refusals further apart are of two outages.
const OUTAGE_GAP_NS: u64 = 120_000_000_000;
/// Once may be a listener that was opened twice.
const RELAPSES_MIN: u32 = 2;
/// A host that is away for less has not rebooted.
const SILENCE_NS: u64 = 1_000_000_000;
