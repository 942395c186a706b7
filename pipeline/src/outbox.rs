//! The worker's end of the exchange of windows with the exporter.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use classifiers::{Role, Setting, decide};
use crossbeam_channel::{Receiver, Sender, bounded};
use flowtable::{NameNote, Note, TableCounts, Watch};

use crate::options::Options;
use crate::sink::Sink;
use crate::trail::{Head, PACKETS_MAX, Packets};
use crate::window::{
    FINDINGS_LIVE, FINDINGS_REPLAYED, Finding, NAMES_MAX, NOTES_MAX, WINDOWS_PER_WORKER, Window,
};

/// What to do when the exporter has no empty window.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Patience {
    /// Wait: a file does not run away.
    Wait,
    /// Go on with the window at hand: its span grows, and what finds no room is counted.
    GoOn,
}

impl Patience {
    /// Resets that a window holds.
    pub(crate) const fn findings_max(self) -> usize {
        match self {
            Self::Wait => FINDINGS_REPLAYED,
            Self::GoOn => FINDINGS_LIVE,
        }
    }
}

impl Telling {
    /// Bytes of a window.
    pub(crate) const fn window_bytes(self, inputs: usize, patience: Patience) -> usize {
        let (findings_max, packets_max) = (patience.findings_max(), self.packets_max(patience));
        Window::memory_bytes(inputs, findings_max, packets_max, self.minutes)
    }

    /// Packets that a window holds.
    const fn packets_max(self, patience: Patience) -> usize {
        match patience {
            _ if !self.evidence => 0,
            Patience::Wait => FINDINGS_REPLAYED * PACKETS_MAX,
            Patience::GoOn => PACKETS_LIVE,
        }
    }
}

/// Fills a window and exchanges it for an empty one; never more than two windows exist.
#[derive(Debug)]
pub(crate) struct Outbox {
    window: Box<Window>,
    full: Sender<Box<Window>>,
    empty: Receiver<Box<Window>>,
    patience: Patience,
    telling: Telling,
    /// How far the source is, if its order is kept.
    walked: Option<Arc<AtomicU64>>,
}

/// What the exporter is told besides final verdicts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Telling {
    /// Verdicts at once, before the watch is over.
    pub(crate) provisional: bool,
    /// What connections do, for the judgement of others.
    pub(crate) notes: bool,
    /// What became of connections, minute by minute.
    pub(crate) minutes: bool,
    /// The packets of a reset.
    pub(crate) evidence: bool,
}

impl Telling {
    pub(crate) fn of(options: &Options, sink: &dyn Sink) -> Self {
        Self {
            provisional: options.provisional,
            notes: options.context,
            minutes: sink.wants_minutes(),
            evidence: options.evidence.packets > 0,
        }
    }
}

/// The exporter's end.
#[derive(Clone, Debug)]
pub(crate) struct Inbox {
    pub(crate) full: Receiver<Box<Window>>,
    pub(crate) empty: Sender<Box<Window>>,
}

/// Both ends of a worker's exchange.
pub(crate) fn exchange(inputs: usize, patience: Patience, telling: Telling) -> (Outbox, Inbox) {
    let (full_sender, full) = bounded(WINDOWS_PER_WORKER);
    let (empty, empty_receiver) = bounded(WINDOWS_PER_WORKER);
    let findings_max = patience.findings_max();
    let packets_max = telling.packets_max(patience);
    let window = || Box::new(Window::new(inputs, findings_max, packets_max, telling.minutes));
    for _ in 1..WINDOWS_PER_WORKER {
        empty.send(window()).expect("the channel holds every window");
    }
    let window = window();
    let (full_end, empty_end) = (full_sender, empty_receiver);
    let outbox =
        Outbox { window, full: full_end, empty: empty_end, patience, telling, walked: None };
    (outbox, Inbox { full, empty })
}

impl Outbox {
    /// Marks each window with how far the source is when it is given away.
    pub(crate) fn follow(&mut self, walked: Arc<AtomicU64>) {
        self.walked = Some(walked);
    }

    /// Whether its windows are told in the order of the source.
    pub(crate) fn keeps_order(&self) -> bool {
        self.walked.is_some()
    }

    /// The window that is being filled.
    pub(crate) fn window(&mut self) -> &mut Window {
        &mut self.window
    }

    /// Judges a reset as it comes in.
    pub(crate) fn provisional(&mut self, watch: &Watch) {
        if self.telling.provisional {
            let ruling = decide(watch, false, &Setting::NONE);
            let (packets, trail) = (Packets::default(), 0);
            let (is_final, was_watched) = (false, false);
            self.push(
                Finding { watch: *watch, ruling, is_final, was_watched, packets, trail },
                &[],
            );
        }
    }

    /// Waits from now on: the worker is done, and what it still has to tell must not be lost.
    pub(crate) fn be_patient(&mut self) {
        self.patience = Patience::Wait;
    }

    /// Judges a reset for good. `was_watched` says whether its watch ran its course; if not, what
    /// became of its receiver is not known. `heads` are its packets, of which the reset is `judged`.
    pub(crate) fn finish(&mut self, watch: &Watch, was_watched: bool, heads: &[Head], judged: u8) {
        // By its connection alone: what others tell is added where all workers meet.
        let ruling = decide(watch, was_watched, &Setting::NONE);
        // Counted even if it finds no room: the loss has a name of its own.
        self.window.counts.roles[ruling.role as usize] += 1;
        let heads = if ruling.role == Role::Primary { heads } else { &[] };
        let packets = Packets { judged, ..Packets::default() };
        let (watch, is_final, trail) = (*watch, true, 0);
        self.push(Finding { watch, ruling, is_final, was_watched, packets, trail }, heads);
    }

    /// Whether anybody listens to notes.
    pub(crate) const fn wants_notes(&self) -> bool {
        self.telling.notes
    }

    /// Notes what a connection did, for the judgement of others.
    pub(crate) fn note(&mut self, note: Note) {
        if self.has_room(|window| window.notes.len() < NOTES_MAX) {
            self.window.notes.push(note);
        } else {
            self.window.counts.notes_lost += 1;
        }
    }

    /// Tells the name that a client asked for.
    pub(crate) fn name(&mut self, name: NameNote) {
        if self.has_room(|window| window.names.len() < NAMES_MAX) {
            self.window.names.push(name);
        } else {
            self.window.counts.names.lost += 1;
        }
    }

    /// Gives the window away if the exporter has an empty one for it.
    pub(crate) fn hand_over(&mut self, table: TableCounts) {
        if self.window.is_blank() {
            return;
        }
        self.window.table = table;
        self.swap();
    }

    /// Gives the last window away; the worker is done.
    pub(crate) fn close(mut self, table: TableCounts) {
        self.window.table = table;
        self.window.is_last = true;
        self.mark();
        // An exporter that is gone has failed already and said why.
        let _ = self.full.send(self.window);
    }

    /// Inlined, so that a finding of 700 bytes is written where it stays.
    #[inline]
    fn push(&mut self, finding: Finding, heads: &[Head]) {
        if self.has_room(|window| !window.is_full()) {
            let judged = finding.packets.judged;
            self.window.findings.push(finding);
            if !heads.is_empty() {
                self.add_packets(heads, judged);
            }
        } else {
            self.window.counts.findings_lost += 1;
        }
    }

    /// Puts its packets beside the finding pushed last.
    fn add_packets(&mut self, heads: &[Head], judged: u8) {
        match (self.window.add_packets(heads, judged), self.window.findings.last_mut()) {
            (Some(packets), Some(finding)) => finding.packets = packets,
            _ => self.window.counts.trails_lost += 1,
        }
    }

    /// Whether there is room in this window, or in the next one.
    fn has_room(&mut self, in_window: impl Fn(&Window) -> bool) -> bool {
        in_window(&self.window) || {
            self.swap();
            in_window(&self.window)
        }
    }

    fn mark(&mut self) {
        self.window.walked = self.walked.as_ref().map_or(0, |it| it.load(Ordering::Relaxed));
    }

    fn swap(&mut self) {
        let empty = match self.patience {
            Patience::Wait => self.empty.recv().ok(),
            Patience::GoOn => self.empty.try_recv().ok(),
        };
        if let Some(mut empty) = empty {
            empty.table = self.window.table;
            self.mark();
            let full = std::mem::replace(&mut self.window, empty);
            let _ = self.full.send(full);
        }
    }
}

/// Packets in one window of a live worker: those of 480 resets.
const PACKETS_LIVE: usize = 8_192;
