//! Merges the windows of all workers, tells their findings, adds up the report.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use classifiers::{Context, Role, Ruling, Setting, decide};
use events::{Connections, ContextReport, Report, Resets, Share, Status, UtcTime};
use flowtable::{TableCounts, Timestamp};
use wire::Skip;

use crate::arrivals::Arrivals;
use crate::budget::Budget;
use crate::error::Error;
use crate::groups::{Group, Groups};
use crate::held::{Held, Hold};
use crate::minutes::{Fact, MinuteOptions, Minutes, Snapshot};
use crate::outbox::Inbox;
use crate::sink::Sink;
use crate::tap::{Shape, Tap};
use crate::telling::Teller;
use crate::trail::HeldTrails;
use crate::window::{Counts, Finding, Window};

/// The exporter of one run.
#[derive(Debug)]
pub(crate) struct Exporter {
    teller: Teller,
    inboxes: Vec<Inbox>,
    arrivals: Arrivals,
    open: Vec<bool>,
    counts: Counts,
    input_frames: Vec<u64>,
    tables: Vec<TableCounts>,
    groups: Groups,
    context: Context,
    /// Whether other connections are asked at all.
    has_context: bool,
    budget: Budget,
    held: Held,
    trails: HeldTrails,
    tap: Tap,
    /// If anybody wants any.
    minutes: Option<Minutes>,
    /// Packet time, and when it was heard.
    clock: (Timestamp, Instant),
    is_live: bool,
    started: Instant,
    /// How it goes, as told last.
    beaten: Status,
}

impl Exporter {
    pub(crate) fn new(
        teller: Teller,
        inboxes: Vec<Inbox>,
        inputs: usize,
        has_context: bool,
        minutes: Option<MinuteOptions>,
    ) -> Self {
        Self {
            arrivals: Arrivals::new(inboxes.len(), !teller.is_live()),
            is_live: teller.is_live(),
            tap: Tap::new(teller.is_live()),
            minutes: minutes.map(|options| Minutes::new(options, &teller.names, &teller.run)),
            beaten: Status::default(),
            teller,
            open: vec![true; inboxes.len()],
            tables: vec![TableCounts::default(); inboxes.len()],
            inboxes,
            counts: Counts::default(),
            input_frames: vec![0; inputs],
            groups: Groups::new(),
            context: Context::new(),
            has_context,
            budget: Budget::default(),
            held: Held::new(),
            trails: HeldTrails::new(0),
            clock: (Timestamp(0), Instant::now()),
            started: Instant::now(),
        }
    }

    /// The same with packets to tell, of which so many bytes of payload.
    pub(crate) fn with_payload(mut self, payload_max: usize) -> Self {
        self.trails = HeldTrails::new(payload_max);
        self
    }

    /// The same for traffic that comes in this way.
    pub(crate) fn of_shape(mut self, shape: Shape) -> Self {
        self.tap.shape = shape;
        self
    }

    /// Bytes the exporter holds, by what for.
    pub(crate) fn memory_bytes() -> [(&'static str, usize); 4] {
        [
            ("tap health", Tap::memory_bytes()),
            ("groups of the report", Groups::memory_bytes()),
            ("cross-flow context", Context::memory_bytes()),
            ("findings on hold", Held::memory_bytes()),
        ]
    }

    /// Tells windows until every worker has given its last; `beat` is called about once a second with
    /// the packet time up to which all is heard.
    ///
    /// # Errors
    /// The sink failed, or a worker vanished.
    pub(crate) fn run(
        &mut self,
        sink: &mut dyn Sink,
        mut beat: impl FnMut(&mut Status, Timestamp),
    ) -> Result<(), Error> {
        let mut next_beat = Instant::now() + BEAT;
        while self.open.contains(&true) {
            let windows = self.arrivals.next(&self.inboxes, &self.open, next_beat)?;
            self.take(windows, sink)?;
            if Instant::now() >= next_beat {
                next_beat = Instant::now() + BEAT;
                self.tell_due(sink)?;
                let mut status = self.status();
                beat(&mut status, self.clock.0);
                sink.status(&status).map_err(Error::Sink)?;
                self.beaten = status;
                self.tell_minutes(sink)?;
            }
        }
        while let Some(finding) = self.held.rest() {
            self.tell(&finding, sink)?;
        }
        let mut status = self.status();
        beat(&mut status, self.clock.0);
        self.beaten = status;
        let snapshot = self.snapshot();
        let Some(minutes) = &mut self.minutes else { return Ok(()) };
        minutes.rest(&snapshot, &mut |minute| sink.minute(minute)).map_err(Error::Sink)
    }

    /// Takes in windows that end together.
    fn take(
        &mut self,
        mut windows: Vec<(usize, Box<Window>)>,
        sink: &mut dyn Sink,
    ) -> Result<(), Error> {
        if sink.wants_events() {
            windows.iter_mut().for_each(|(_, window)| self.trails.take_in(window));
        }
        for (_, window) in &windows {
            self.set_clock(window);
        }
        for name in in_order(&windows, |window| &window.names, |name| name.time) {
            self.context.name(name);
        }
        self.context.notes(&in_order(&windows, |window| &window.notes, |note| note.time));
        for finding in in_order(&windows, |window| &window.findings, Finding::order) {
            self.hear(finding, sink)?;
        }
        for (_, window) in &windows {
            window.samples.iter().for_each(|sample| self.tap.take(sample));
        }
        self.tell_due(sink)?;
        for (worker, window) in windows {
            self.give_back(worker, window);
        }
        self.tap.look(self.clock.0, self.truncated());
        self.teller.tap = self.tap.quality();
        self.tell_minutes(sink)
    }

    /// Tells minutes of which nothing more can come.
    fn tell_minutes(&mut self, sink: &mut dyn Sink) -> Result<(), Error> {
        if self.clock.0 == Timestamp(0) {
            // Before the first frame packet time is not known.
            return Ok(());
        }
        let Some(mut minutes) = self.minutes.take() else { return Ok(()) };
        let (now, snapshot) = (self.now(), || self.snapshot());
        let told = minutes.due(now, snapshot, &mut |minute| sink.minute(minute));
        self.minutes = Some(minutes);
        told.map_err(Error::Sink)
    }

    /// What is true now, for the end of a minute.
    fn snapshot(&self) -> Snapshot {
        let mut status = self.status();
        if self.is_live {
            // Queues and what they lost are known once a second.
            status = Status { tap: status.tap, ..self.beaten.clone() };
        } else {
            // Of packet time: the same whenever a capture is read.
            let span = self.counts.first.zip(self.counts.last);
            status.uptime_s = span.map_or(0.0, |(first, last)| last.since_ns(first) as f64 / 1e9);
        }
        Snapshot { status, connections: self.connections() }
    }

    /// Packet time.
    fn now(&self) -> Timestamp {
        let (time, heard) = self.clock;
        // A quiet link sends no windows; packet time goes on all the same.
        let quiet = if self.is_live { heard.elapsed() } else { Duration::ZERO };
        time.plus_ns(u64::try_from(quiet.as_nanos()).unwrap_or(u64::MAX))
    }

    /// Adds up what a window has counted and returns it, unless it is the worker's last.
    fn give_back(&mut self, worker: usize, mut window: Box<Window>) {
        self.counts.add(&window.counts);
        if let Some(minutes) = &mut self.minutes {
            minutes.take(&window.tallies);
        }
        for (sum, more) in self.input_frames.iter_mut().zip(&window.input_frames) {
            *sum += more;
        }
        self.tables[worker] = window.table;
        if window.is_last {
            self.open[worker] = false;
            return;
        }
        window.clear();
        // The worker may have ended since: then nobody needs an empty window.
        let _ = self.inboxes[worker].empty.send(window);
    }

    /// Learns from a finding and lets it wait; provisional ones are told at once.
    fn hear(&mut self, finding: &Finding, sink: &mut dyn Sink) -> Result<(), Error> {
        if !finding.is_final {
            return self.emit(finding, &Setting::NONE, sink);
        }
        if !self.has_context {
            return self.count_and_emit(finding, &Setting::NONE, sink);
        }
        if !self.budget.admits(finding.watch.reset.time) {
            return self.tell_unlearned(finding, sink);
        }
        let is_open = self.context.learn(&finding.watch, &finding.ruling);
        let hold = if is_open { Hold::Rhythm } else { Hold::Burst };
        let oldest = self.held.make_room(hold);
        self.held.push(self.clock.0, finding, hold);
        if let Some(minutes) = &mut self.minutes {
            minutes.hold(finding.watch.reset.time);
        }
        oldest.map_or(Ok(()), |oldest| self.tell(&oldest, sink))
    }

    fn tell_due(&mut self, sink: &mut dyn Sink) -> Result<(), Error> {
        let now = self.now();
        while let Some(finding) = self.held.due(now) {
            self.tell(&finding, sink)?;
        }
        Ok(())
    }

    /// Tells a reset of a flood at once, by what is known of the flood.
    fn tell_unlearned(&mut self, finding: &Finding, sink: &mut dyn Sink) -> Result<(), Error> {
        let setting = self.context.setting_in_flood(&finding.watch, &finding.ruling);
        self.count_and_emit(finding, &setting, sink)
    }

    /// Tells a finding by what other connections tell of it.
    fn tell(&mut self, finding: &Finding, sink: &mut dyn Sink) -> Result<(), Error> {
        let is_told = sink.wants_events();
        let setting = self.context.setting(&finding.watch, &finding.ruling, is_told);
        if let Some(minutes) = &mut self.minutes {
            minutes.release(finding.watch.reset.time);
        }
        self.count_and_emit(finding, &setting, sink)
    }

    /// Counts a finding by what is decided of it in its setting, and tells it.
    fn count_and_emit(
        &mut self,
        finding: &Finding,
        setting: &Setting,
        sink: &mut dyn Sink,
    ) -> Result<(), Error> {
        if setting.bears_on(&finding.watch) {
            self.count(finding, &decide(&finding.watch, finding.was_watched, setting));
        } else {
            self.count(finding, &finding.ruling);
        }
        self.emit(finding, setting, sink)
    }

    fn emit(
        &mut self,
        finding: &Finding,
        setting: &Setting,
        sink: &mut dyn Sink,
    ) -> Result<(), Error> {
        if !sink.wants_events() {
            return Ok(());
        }
        let event = self.teller.event(finding, setting);
        sink.emit(&event).map_err(Error::Sink)?;
        if finding.trail == 0 {
            return Ok(());
        }
        // Other connections may have made it the echo of another reset.
        if event.verdict.role != Role::Primary {
            self.trails.forget(finding.trail);
        } else if let Some(evidence) = self.trails.evidence(finding.trail, &finding.watch, &event) {
            sink.evidence(&evidence).map_err(Error::Sink)?;
        }
        Ok(())
    }

    /// Counts a primary reset in its group.
    fn count(&mut self, finding: &Finding, ruling: &Ruling) {
        if ruling.role == Role::Primary {
            if let Some(minutes) = &mut self.minutes {
                minutes.add(&Fact::of(finding, ruling));
            }
            self.groups.count(&Group {
                origin: ruling.origin,
                cause: ruling.cause,
                impact: ruling.impact,
                server: finding.server(),
            });
        }
    }

    fn set_clock(&mut self, window: &Window) {
        let Some(last) = window.counts.last else { return };
        let (known, _) = self.clock;
        // Workers are some time apart; a clock that was set back is another matter.
        if last > known || known.since_ns(last) > CLOCK_BACK_NS {
            self.clock = (last, Instant::now());
        }
    }

    fn table(&self) -> TableCounts {
        self.tables.iter().fold(TableCounts::default(), |sum, table| TableCounts {
            occupied: sum.occupied + table.occupied,
            timed_out: sum.timed_out + table.timed_out,
            unanswered: sum.unanswered + table.unanswered,
            evicted_half_open: sum.evicted_half_open + table.evicted_half_open,
            evicted_idle: sum.evicted_idle + table.evicted_idle,
            not_remembered: sum.not_remembered + table.not_remembered,
        })
    }

    fn status(&self) -> Status {
        Status {
            uptime_s: self.started.elapsed().as_secs_f64(),
            packets: self.counts.frames,
            bytes: self.counts.bytes,
            flows: self.table().occupied,
            connections: self.connections(),
            skips: self.skips(),
            resets: self.counts.roles[Role::Primary as usize],
            losses: self.losses(),
            tap: self.tap.health().clone(),
            ..Status::default()
        }
    }

    /// Frames that end within a header.
    const fn truncated(&self) -> Share {
        Share { part: self.counts.skips[Skip::Truncated as usize], whole: self.counts.frames }
    }

    fn connections(&self) -> Connections {
        let (counts, table) = (&self.counts, self.table());
        Connections {
            opened: counts.opened,
            midstream: counts.midstream,
            established: counts.established,
            closed_well: counts.closed_well,
            reset: counts.reset,
            timed_out: table.timed_out,
            unanswered: table.unanswered,
            still_open: (counts.opened + counts.midstream)
                .saturating_sub(counts.closed_well)
                .saturating_sub(counts.reset)
                .saturating_sub(table.timed_out + table.unanswered)
                .min(table.occupied),
        }
    }

    /// Frames that were not judged, by reason.
    fn skips(&self) -> BTreeMap<String, u64> {
        let counts = &self.counts;
        let skips = Skip::ALL.iter().map(|skip| (skip.name(), counts.skips[*skip as usize]));
        named(skips.chain([("unknown_link_type", counts.unknown_link)]))
    }

    /// What was lost inside the sensor, by name; the kernel's losses are added by live runs.
    fn losses(&self) -> BTreeMap<String, u64> {
        let table = self.table();
        let losses = [
            ("flows_evicted_half_open", table.evicted_half_open),
            ("flows_evicted_idle", table.evicted_idle),
            ("segments_of_unremembered_flows", table.not_remembered),
            ("resets_without_watch", self.counts.unwatched),
            ("resets_beyond_flow_share", self.counts.resets_beyond_share),
            ("findings_without_window", self.counts.findings_lost),
            ("notes_without_window", self.counts.notes_lost),
            ("evidence_without_room", self.counts.trails_refused),
            ("evidence_without_window", self.counts.trails_lost),
            ("evidence_dropped_on_hold", self.trails.dropped()),
            ("names_not_read", self.counts.names.unread),
            ("names_without_window", self.counts.names.lost),
            ("findings_told_before_context", self.held.cut_short()),
            ("resets_beyond_context_budget", self.budget.beyond()),
            ("handover_ring_full", self.counts.handover_lost),
        ];
        named(losses)
    }

    /// The report of the whole run; inputs and memory are the caller's to fill in.
    pub(crate) fn report(&self) -> Report {
        let counts = &self.counts;
        let role = |role: Role| counts.roles[role as usize];
        let by = self.groups.by_count();
        Report {
            packets: counts.frames,
            bytes: counts.bytes,
            first: counts.first.map(|time| UtcTime(time.0)),
            last: counts.last.map(|time| UtcTime(time.0)),
            connections: self.connections(),
            resets: Resets {
                primary: role(Role::Primary),
                secondary: role(Role::Secondary),
                duplicate: role(Role::Duplicate),
            },
            by_unlisted: self.groups.unlisted(),
            skips: self.skips(),
            losses: self.losses(),
            workers: self.tables.len() as u32,
            tap: self.tap.since_start(self.truncated()),
            context: ContextReport {
                names_cut: counts.names.cut,
                ..ContextReport::of(&self.context, &by)
            },
            by,
            ..Report::default()
        }
    }

    /// Gives up the exchange: a worker that waits for an empty window is not kept waiting.
    pub(crate) fn hang_up(&mut self) {
        self.inboxes.clear();
    }

    /// Frames of each input.
    pub(crate) fn input_frames(&self) -> &[u64] {
        &self.input_frames
    }
}

/// What windows that end together hold of one kind, as one worker would have told it.
fn in_order<'w, T, K: Ord>(
    windows: &'w [(usize, Box<Window>)],
    of: impl Fn(&'w Window) -> &'w Vec<T>,
    key: impl Fn(&T) -> K,
) -> Vec<&'w T> {
    let mut all: Vec<&T> = windows.iter().flat_map(|(_, window)| of(window)).collect();
    if windows.len() > 1 {
        all.sort_by_key(|item| key(item));
    }
    all
}

/// The counters that are not zero, by name.
pub(crate) fn named<'n>(
    counters: impl IntoIterator<Item = (&'n str, u64)>,
) -> BTreeMap<String, u64> {
    counters
        .into_iter()
        .filter(|&(_, count)| count > 0)
        .map(|(name, count)| (name.to_owned(), count))
        .collect()
}

/// How often a live run tells how it goes.
const BEAT: Duration = Duration::from_secs(1);
/// Further back than workers are apart.
const CLOCK_BACK_NS: u64 = 10_000_000_000;
