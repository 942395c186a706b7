//! Resets and connections, counted by the minute: what a collector adds up.
//!
//! ```text
//! worker: SYN, handshake, FINs, reset -> Tallies of a window --+
//! exporter: a final ruling            -> Fact ------------------+--> Open (a minute) -> events::Minute
//! ```
//!
//! A minute is one of packet time. It is told when nothing more can come for it: 10 s after its end (a
//! watch takes 5 s at most, windows come once a second), or when the last of its findings on hold is
//! told, 37 s after. What comes later all the same, because a clock was set or a window was late, is told
//! as further parts.
//!
//! | file | idea |
//! |---|---|
//! | `mod.rs` | [`Minutes`]: which minutes are open, when one is told |
//! | `fact.rs` | [`Fact`]: what is counted of a reset |
//! | `tallies.rs` | [`Tallies`]: connections by server, counted by a worker in a table of fixed size |
//! | `open.rs` | [`Open`]: one minute, and the guard that bounds its rows |
//! | `row.rs` | [`Row`]: resets of one key |
//! | `histogram.rs`, `few_clients.rs` | what a row knows of quantities and of clients |
//! | `scans.rs` | sources whose attempts are too scattered for rows |
//! | `tell.rs` | from an open minute to parts of [`events::Minute`] |

mod fact;
mod few_clients;
mod histogram;
mod open;
mod row;
mod scans;
mod tallies;
mod tell;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io;

use events::{Connections, Minute, Status};
use flowtable::Timestamp;

pub(crate) use fact::Fact;
pub(crate) use tallies::{Tallies, Tally};

use crate::telling::Names;
use open::Open;
use tell::Telling;

/// What bounds minutes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MinuteOptions {
    /// Rows of resets in a minute, and as many of servers; what is beyond goes to rows of whole networks.
    pub keys_max: usize,
}

impl Default for MinuteOptions {
    fn default() -> Self {
        Self { keys_max: 20_000 }
    }
}

/// Counts minutes of packet time.
#[derive(Debug)]
pub(crate) struct Minutes {
    options: MinuteOptions,
    /// By their number since the Unix epoch.
    open: BTreeMap<u64, Open>,
    /// Whether empty minutes are told too: time goes on while no packet comes.
    is_live: bool,
    telling: Telling,
    /// The minute that the clock is in, and what was true when it came there.
    now: Option<(u64, Snapshot)>,
    cells: usize,
}

/// What is known of a whole run at one moment.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Snapshot {
    pub(crate) status: Status,
    pub(crate) connections: Connections,
}

impl Minutes {
    /// `names` and `run` are what events are named by.
    pub(crate) fn new(options: MinuteOptions, names: &Names, run: &str) -> Self {
        let (files, is_live) = match names {
            Names::Files(files) => (files.clone(), false),
            Names::Interfaces(_) => (Vec::new(), true),
        };
        let run = if is_live { run.to_owned() } else { files.join("\n") };
        Self {
            options,
            open: BTreeMap::new(),
            is_live,
            telling: Telling::new(run, files),
            now: None,
            cells: 0,
        }
    }

    /// Bytes held at most.
    pub(crate) const fn memory_bytes(options: &MinuteOptions) -> usize {
        OPEN_SUM * Open::memory_bytes(options) + (CELLS_MAX + CELLS_OVER) * CELL_BYTES
    }

    /// Counts a reset.
    pub(crate) fn add(&mut self, fact: &Fact) {
        let (number, keys_max) = (number_of(fact.time), self.options.keys_max);
        let has_room = self.cells < CELLS_MAX;
        let open = self.open.entry(number).or_insert_with(|| Open::new(keys_max));
        self.cells += open.add(fact, has_room);
    }

    /// Counts what a worker has counted of connections.
    pub(crate) fn take(&mut self, tallies: &Tallies) {
        let keys_max = self.options.keys_max;
        for (number, server, tally) in tallies.iter() {
            let open = self.open.entry(number).or_insert_with(|| Open::new(keys_max));
            open.count(server, tally);
        }
    }

    /// A reset of this time is on hold: its minute waits for it.
    pub(crate) fn hold(&mut self, time: Timestamp) {
        let keys_max = self.options.keys_max;
        self.open.entry(number_of(time)).or_insert_with(|| Open::new(keys_max)).held += 1;
    }

    /// It is told.
    pub(crate) fn release(&mut self, time: Timestamp) {
        // Not there if the minute had to be told before.
        if let Some(open) = self.open.get_mut(&number_of(time)) {
            open.held = open.held.saturating_sub(1);
        }
    }

    /// Packet time has come to `now`: tells the minutes of which nothing more can come, each in its parts.
    ///
    /// # Errors
    /// What `tell` said.
    pub(crate) fn due(
        &mut self,
        now: Timestamp,
        snapshot: impl FnOnce() -> Snapshot,
        tell: Tell<'_>,
    ) -> io::Result<()> {
        let is_new_minute = self.now.as_ref().is_none_or(|(then, _)| *then != number_of(now));
        if !is_new_minute && self.next_due(now).is_none() {
            return Ok(());
        }
        let snapshot = snapshot();
        if is_new_minute {
            self.pass(number_of(now), &snapshot);
        }
        while let Some(number) = self.next_due(now) {
            self.tell(number, &snapshot, tell)?;
        }
        Ok(())
    }

    /// Tells all that is left.
    ///
    /// # Errors
    /// What `tell` said.
    pub(crate) fn rest(&mut self, snapshot: &Snapshot, tell: Tell<'_>) -> io::Result<()> {
        if let Some((number, _)) = self.now {
            // The minute under way ends with the run.
            self.pass(number, snapshot);
        }
        while let Some((&number, _)) = self.open.first_key_value() {
            self.tell(number, snapshot, tell)?;
        }
        Ok(())
    }

    /// The oldest minute, if nothing more can come for it, or there are too many.
    fn next_due(&self, now: Timestamp) -> Option<u64> {
        let rows = || self.open.values().map(Open::len).sum::<usize>();
        let (&number, open) = self.open.first_key_value()?;
        let is_crowded =
            self.open.len() > 1 && (self.open.len() > OPEN_MAX || rows() > self.rows_max());
        let end = Timestamp(number.saturating_add(1).saturating_mul(MINUTE_NS));
        let late_ns = now.since_ns(end);
        let is_quiet = late_ns >= LATENESS_NS && (open.held == 0 || late_ns >= LATENESS_MAX_NS);
        (is_quiet || is_crowded).then_some(number)
    }

    const fn rows_max(&self) -> usize {
        (OPEN_SUM - 1) * 2 * self.options.keys_max
    }

    /// The clock leaves the minute that it was in.
    fn pass(&mut self, number: u64, snapshot: &Snapshot) {
        let Some((left, before)) = self.now.replace((number, snapshot.clone())) else {
            // Before the first minute nothing was counted.
            self.now = Some((number, Snapshot::default()));
            return;
        };
        let keys_max = self.options.keys_max;
        let says_something = before.connections != snapshot.connections
            || before.status.losses != snapshot.status.losses;
        if self.is_live || says_something || self.open.contains_key(&left) {
            let open = self.open.entry(left).or_insert_with(|| Open::new(keys_max));
            open.end(&before, snapshot);
        }
    }

    fn tell(&mut self, number: u64, snapshot: &Snapshot, tell: Tell<'_>) -> io::Result<()> {
        let Some(open) = self.open.remove(&number) else { return Ok(()) };
        self.cells = self.cells.saturating_sub(open.cells());
        self.telling.tell(number, open, snapshot, tell)
    }
}

/// Takes a part of a minute; one at a time, since large minutes are tens of megabytes.
pub(crate) type Tell<'t> = &'t mut dyn FnMut(&Minute) -> io::Result<()>;

/// The minute of a time.
pub(crate) const fn number_of(time: Timestamp) -> u64 {
    time.0 / MINUTE_NS
}

/// Seconds of a minute, told with each.
const MINUTE_S: u32 = 60;
const MINUTE_NS: u64 = MINUTE_S as u64 * 1_000_000_000;
/// A watch of 5 s, windows of 1 s, workers that are some seconds apart.
const LATENESS_NS: u64 = 10_000_000_000;
/// After that nothing is on hold any more, unless the clock was set.
const LATENESS_MAX_NS: u64 = 60_000_000_000;
/// Minutes open at a time; captures may jump about.
const OPEN_MAX: usize = 64;
/// Full minutes that there is room for: two, while a third is told.
const OPEN_SUM: usize = 3;
/// What rows may add to their fixed size, together: buckets of histograms, registers of clients.
const CELLS_MAX: usize = 1 << 21;
/// What the last row to find room may take beyond that.
const CELLS_OVER: usize = 1 << 10;
const CELL_BYTES: usize = 8;
