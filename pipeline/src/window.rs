//! What a worker has found and counted since it last handed over; two circulate per worker.

use classifiers::{Role, Ruling};
use flowtable::{Change, NameNote, Note, TableCounts, Timestamp, Watch};
use wire::Skip;

use crate::minutes::Tallies;
use crate::names::NameCounts;
use crate::source::Receipt;
use crate::tap::{SAMPLES_MAX, TapSample};
use crate::trail::{Head, Packets};

/// One span of a worker's work. Fixed in size; travels to the exporter and comes back empty.
#[derive(Debug)]
pub(crate) struct Window {
    /// Resets judged; never more than it was made for.
    pub(crate) findings: Vec<Finding>,
    findings_max: usize,
    /// What connections did; never more than it was made for.
    pub(crate) notes: Vec<Note>,
    /// Names that clients asked for; never more than it was made for.
    pub(crate) names: Vec<NameNote>,
    /// What some connections show of the tap; never more than it was made for.
    pub(crate) samples: Vec<TapSample>,
    /// Packets of the resets among the findings; never more than it was made for.
    pub(crate) packets: Vec<Head>,
    packets_max: usize,
    /// What became of connections by server and minute, if anybody asks.
    pub(crate) tallies: Tallies,
    /// What was counted.
    pub(crate) counts: Counts,
    /// Frames of each input.
    pub(crate) input_frames: Box<[u64]>,
    /// State of the worker's table at the end of the span; totals, not differences.
    pub(crate) table: TableCounts,
    /// Nothing follows.
    pub(crate) is_last: bool,
    /// Frames of the captures before its end, if several workers share them.
    pub(crate) walked: u64,
}

/// A reset and what is decided of it; all else that an event tells is judged when it is told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Finding {
    pub(crate) watch: Watch,
    pub(crate) ruling: Ruling,
    pub(crate) is_final: bool,
    /// Its watch ran its course.
    pub(crate) was_watched: bool,
    /// Its packets in the window.
    pub(crate) packets: Packets,
    /// The number under which the exporter holds them; 0 for none.
    pub(crate) trail: u64,
}

impl Finding {
    /// In this order one worker that had all connections would have found them.
    pub(crate) fn order(&self) -> (Timestamp, u64, u64) {
        let (reset, [_, frame]) = (self.watch.reset.time, self.watch.receipt);
        if self.is_final && self.was_watched {
            // Of those that are taken out together the youngest comes first.
            (self.watch.taken_out(), u64::MAX - reset.0, u64::MAX - frame)
        } else {
            (reset, reset.0, frame)
        }
    }
}

/// Sums of one span.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) frames: u64,
    pub(crate) bytes: u64,
    pub(crate) skips: [u64; Skip::ALL.len()],
    /// Frames of a link type that is not read.
    pub(crate) unknown_link: u64,
    pub(crate) opened: u64,
    pub(crate) midstream: u64,
    pub(crate) established: u64,
    pub(crate) closed_well: u64,
    pub(crate) reset: u64,
    /// Final verdicts by role.
    pub(crate) roles: [u64; Role::ALL.len()],
    /// Resets that could not be watched: told at once, without aftermath.
    pub(crate) unwatched: u64,
    /// Further resets of a flow that has used up its watches: neither judged nor told.
    pub(crate) resets_beyond_share: u64,
    /// Findings for which no window had room.
    pub(crate) findings_lost: u64,
    /// Resets whose packets could not be kept beside their watch.
    pub(crate) trails_refused: u64,
    /// Findings for whose packets no window had room.
    pub(crate) trails_lost: u64,
    /// Notes for which no window had room.
    pub(crate) notes_lost: u64,
    /// What became of the names that clients asked for.
    pub(crate) names: NameCounts,
    /// Segments for which the ring to their shard had no room.
    pub(crate) handover_lost: u64,
    pub(crate) first: Option<Timestamp>,
    pub(crate) last: Option<Timestamp>,
}

impl Window {
    pub(crate) fn new(
        inputs: usize,
        findings_max: usize,
        packets_max: usize,
        tallies: bool,
    ) -> Self {
        Self {
            findings: Vec::with_capacity(findings_max),
            findings_max,
            notes: Vec::with_capacity(NOTES_MAX),
            names: Vec::with_capacity(NAMES_MAX),
            samples: Vec::with_capacity(SAMPLES_MAX),
            packets: Vec::with_capacity(packets_max),
            packets_max,
            tallies: Tallies::new(tallies),
            counts: Counts::default(),
            input_frames: vec![0; inputs].into_boxed_slice(),
            table: TableCounts::default(),
            is_last: false,
            walked: 0,
        }
    }

    /// Bytes of one window.
    pub(crate) const fn memory_bytes(
        inputs: usize,
        findings_max: usize,
        packets_max: usize,
        tallies: bool,
    ) -> usize {
        findings_max * size_of::<Finding>()
            + packets_max * size_of::<Head>()
            + NOTES_MAX * size_of::<Note>()
            + NAMES_MAX * size_of::<NameNote>()
            + SAMPLES_MAX * size_of::<TapSample>()
            + if tallies { Tallies::memory_bytes() } else { 0 }
            + inputs * 8
            + size_of::<Self>()
    }

    pub(crate) const fn is_full(&self) -> bool {
        self.findings.len() >= self.findings_max
    }

    /// Takes in the packets of a finding; `None` if there is no room for them.
    pub(crate) fn add_packets(&mut self, heads: &[Head], judged: u8) -> Option<Packets> {
        let (start, len) = (self.packets.len() as u32, heads.len() as u8);
        if self.packets.len() + heads.len() > self.packets_max {
            return None;
        }
        self.packets.extend_from_slice(heads);
        Some(Packets { start, len, judged })
    }

    pub(crate) const fn is_blank(&self) -> bool {
        let Counts { frames, opened, midstream, reset, handover_lost, .. } = self.counts;
        let tells = self.findings.len() + self.notes.len() + self.names.len() + self.samples.len();
        tells == 0 && frames + opened + midstream + reset + handover_lost == 0
    }

    /// Makes it as good as new.
    pub(crate) fn clear(&mut self) {
        self.findings.clear();
        self.notes.clear();
        self.names.clear();
        self.samples.clear();
        self.packets.clear();
        self.tallies.clear();
        self.counts = Counts::default();
        self.input_frames.fill(0);
        self.is_last = false;
    }
}

impl Counts {
    /// Notes the frames of a batch; `latest` is the latest of their times.
    pub(crate) fn frames(
        &mut self,
        frames: usize,
        bytes: u64,
        first: Timestamp,
        latest: Timestamp,
    ) {
        self.frames += frames as u64;
        self.bytes += bytes;
        self.first = self.first.or(Some(first));
        self.last = self.last.max(Some(latest));
    }

    /// Notes what a segment changed for its connection.
    pub(crate) fn change(&mut self, change: Change, is_new_midstream: bool) {
        self.opened += u64::from(change.opened);
        self.established += u64::from(change.established);
        self.closed_well += u64::from(change.closed_well);
        self.reset += u64::from(change.reset);
        self.midstream += u64::from(is_new_midstream);
    }

    /// Adds the sums of another span.
    pub(crate) fn add(&mut self, other: &Self) {
        self.frames += other.frames;
        self.bytes += other.bytes;
        for (sum, more) in self.skips.iter_mut().zip(other.skips) {
            *sum += more;
        }
        for (sum, more) in self.roles.iter_mut().zip(other.roles) {
            *sum += more;
        }
        self.unknown_link += other.unknown_link;
        self.opened += other.opened;
        self.midstream += other.midstream;
        self.established += other.established;
        self.closed_well += other.closed_well;
        self.reset += other.reset;
        self.unwatched += other.unwatched;
        self.resets_beyond_share += other.resets_beyond_share;
        self.findings_lost += other.findings_lost;
        self.notes_lost += other.notes_lost;
        self.trails_refused += other.trails_refused;
        self.trails_lost += other.trails_lost;
        self.names.add(&other.names);
        self.handover_lost += other.handover_lost;
        self.first = match (self.first, other.first) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        self.last = self.last.max(other.last);
    }
}

/// A receipt as a watch carries it.
pub(crate) const fn pack(receipt: Receipt) -> [u64; 2] {
    [(receipt.input as u64) << 16 | receipt.queue as u64, receipt.frame]
}

/// The receipt that a watch carried.
pub(crate) const fn unpack([place, frame]: [u64; 2]) -> Receipt {
    Receipt { input: (place >> 16) as u16, queue: place as u16, frame }
}

/// Resets in one window of a capture: what finds no room waits, and a small window stays in cache.
pub(crate) const FINDINGS_REPLAYED: usize = 256;
/// Resets in one window of a live worker: what finds no room is counted as lost.
pub(crate) const FINDINGS_LIVE: usize = 2_048;
/// Notes in one window; four a connection.
pub(crate) const NOTES_MAX: usize = 4_096;
/// Names in one window; one a connection.
pub(crate) const NAMES_MAX: usize = 1_024;
/// One is filled while the other is told.
pub(crate) const WINDOWS_PER_WORKER: usize = 2;
