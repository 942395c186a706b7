//! What is shown. Knows no terminal: keys and answers come in, questions go out, `view/` draws it.

use std::time::{Duration, Instant};

use collector::{EventSheet, ImpactCounts, Numbered, Snapshot};
use events::Status;

use super::feed::{Answer, Ask, Told};

/// All that the view needs.
#[derive(Debug, Default)]
pub(crate) struct Screen {
    /// URL of the sensor, or names of captures.
    pub(crate) source: String,
    pub(crate) is_live: bool,
    pub(crate) snapshot: Option<Box<Snapshot>>,
    /// The status before, for rates of queues.
    pub(crate) before: Option<Status>,
    /// Why the sensor does not answer.
    pub(crate) problem: Option<String>,
    pub(crate) harmful_only: bool,
    pub(crate) is_paused: bool,
    pub(crate) shows_help: bool,
    /// Filters in force.
    pub(crate) only: Vec<String>,
    /// A filter while it is typed, and what is wrong with it.
    pub(crate) typed: Option<(String, Option<String>)>,
    pub(crate) pane: Pane,
    /// The name of the row that is chosen in each pane; the first if there is none of that name.
    pub(crate) chosen: [Option<String>; PANES],
    /// Events of the row that was entered.
    pub(crate) list: Option<List>,
    /// The event that was entered.
    pub(crate) sheet: Option<Sheet>,
    pub(crate) size: (u16, u16),
    pub(super) is_over: bool,
    /// When the last answers of each kind were asked for, while they have not come.
    asked: Option<Instant>,
    asked_list: Option<Instant>,
    due: Option<Instant>,
}

/// The tables.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Pane {
    Origin,
    Cause,
    #[default]
    Server,
}

impl Pane {
    pub(crate) const ALL: [Self; PANES] = [Self::Origin, Self::Cause, Self::Server];

    /// The key of its filters.
    pub(crate) const fn key(self) -> &'static str {
        match self {
            Self::Origin => "origin",
            Self::Cause => "cause",
            Self::Server => "server",
        }
    }
}

/// A row of a table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) counts: ImpactCounts,
}

/// Events of one origin, cause or server.
#[derive(Debug)]
pub(crate) struct List {
    /// The filter that leads here.
    pub(crate) only: String,
    /// Newest first; `None` until they have come.
    pub(crate) events: Option<Vec<Numbered>>,
    /// The event that is chosen, by number.
    pub(crate) chosen: Option<u64>,
    due: bool,
}

impl List {
    pub(crate) fn index(&self) -> usize {
        let events = self.events.as_deref().unwrap_or_default();
        let is_chosen = |event: &Numbered| Some(event.number) == self.chosen;
        events.iter().position(is_chosen).unwrap_or(0)
    }
}

/// One event as it is explained.
#[derive(Debug)]
pub(crate) struct Sheet {
    pub(crate) id: String,
    /// `None` until it has come.
    pub(crate) told: Option<Box<EventSheet>>,
    /// Lines above the first one shown.
    pub(crate) scroll: usize,
    /// Columns that it was asked for, 0 before.
    width: usize,
}

impl Screen {
    pub(crate) fn live(source: String) -> Self {
        Self { source, is_live: true, ..Self::default() }
    }

    pub(crate) fn of_captures(source: String) -> Self {
        Self { source, ..Self::default() }
    }

    pub(crate) fn only(mut self, only: &[String]) -> Self {
        self.only = only.to_vec();
        self
    }

    pub(crate) const fn harmful(mut self, harmful_only: bool) -> Self {
        self.harmful_only = harmful_only;
        self
    }

    pub(crate) const fn is_over(&self) -> bool {
        self.is_over
    }

    pub(crate) const fn resize(&mut self, width: u16, height: u16) {
        self.size = (width, height);
    }

    /// Rows of a table that are shown, most harmful first.
    pub(crate) fn rows(&self, pane: Pane) -> Vec<Row> {
        let Some(snapshot) = &self.snapshot else { return Vec::new() };
        let of_names = |rows: &[collector::NameRow]| {
            rows.iter().map(|row| Row { name: row.name.clone(), counts: row.counts }).collect()
        };
        let mut rows: Vec<Row> = match pane {
            Pane::Origin => of_names(&snapshot.by_origin),
            Pane::Cause => of_names(&snapshot.by_cause),
            Pane::Server => {
                let row = |row: &collector::ServerRow| Row {
                    name: row.server.to_string(),
                    counts: row.counts,
                };
                snapshot.by_server.iter().map(row).collect()
            }
        };
        rows.retain(|row| self.count(&row.counts) > 0);
        rows
    }

    /// What is counted now: harm, or everything.
    pub(crate) const fn count(&self, counts: &ImpactCounts) -> u64 {
        if self.harmful_only { counts.harmful() } else { counts.total() }
    }

    /// The row that is chosen in a pane.
    pub(crate) fn index(&self, pane: Pane, rows: &[Row]) -> usize {
        let chosen = self.chosen[pane as usize].as_deref();
        rows.iter().position(|row| Some(row.name.as_str()) == chosen).unwrap_or(0)
    }

    /// Takes in what the feed has told.
    pub(crate) fn take(&mut self, answer: Answer) {
        let told = match answer.told {
            Ok(told) => told,
            Err(problem) => {
                self.problem = Some(problem);
                self.forget(&answer.ask);
                return;
            }
        };
        match (told, answer.ask) {
            (Told::Snapshot(snapshot), ask) => {
                self.problem = None;
                self.forget(&ask);
                let old = self.snapshot.replace(snapshot);
                let run = self.snapshot.as_ref().map(|snapshot| snapshot.run.clone());
                // Another run counts from the beginning.
                let same = old.filter(|old| Some(&old.run) == run.as_ref());
                self.before = same.map(|old| old.status);
            }
            (Told::Events(page), ask) => {
                self.forget(&ask);
                let is_wanted = ask == Ask::Events { only: self.list_filters() };
                if let Some(list) = self.list.as_mut().filter(|_| is_wanted) {
                    let mut events = page.events;
                    events.reverse();
                    list.chosen = list.chosen.or_else(|| events.first().map(|event| event.number));
                    list.events = Some(events);
                }
            }
            (Told::Sheet(told), _) => {
                if let Some(sheet) = self.sheet.as_mut().filter(|sheet| sheet.id == told.event.id) {
                    sheet.told = Some(told);
                }
            }
        }
    }

    /// An answer, good or bad, has come.
    fn forget(&mut self, ask: &Ask) {
        match ask {
            Ask::Snapshot { .. } => self.asked = None,
            Ask::Events { .. } => self.asked_list = None,
            Ask::Sheet { .. } => {}
        }
    }

    /// What has to be asked now.
    pub(crate) fn asks(&mut self, now: Instant) -> Vec<Ask> {
        let mut asks = Vec::new();
        let is_due = self.due.is_none_or(|due| now >= due) && !self.is_paused;
        if is_due || self.snapshot.is_none() && self.due.is_none() {
            self.due = Some(now + INTERVAL);
            if self.asked.is_none() {
                self.asked = Some(now);
                asks.push(Ask::Snapshot { only: self.only.clone() });
            }
            if let Some(list) = &mut self.list {
                list.due = true;
            }
        }
        let only = self.list_filters();
        if let Some(list) = self.list.as_mut().filter(|list| list.due)
            && self.asked_list.is_none()
        {
            list.due = false;
            self.asked_list = Some(now);
            asks.push(Ask::Events { only });
        }
        let width = usize::from(self.size.0).saturating_sub(SHEET_MARGIN);
        if let Some(sheet) = self.sheet.as_mut().filter(|sheet| sheet.width != width) {
            sheet.width = width;
            asks.push(Ask::Sheet { id: sheet.id.clone(), width });
        }
        asks
    }

    /// Filters of the list: those in force, the row that was entered, and harm.
    fn list_filters(&self) -> Vec<String> {
        let mut only = self.only.clone();
        only.extend(self.list.as_ref().map(|list| list.only.clone()));
        if self.harmful_only {
            only.push(HARMFUL.to_owned());
        }
        only
    }

    /// Shows the events of the row that is chosen.
    pub(super) fn enter_row(&mut self) {
        let rows = self.rows(self.pane);
        if let Some(row) = rows.get(self.index(self.pane, &rows)) {
            let only = format!("{}={}", self.pane.key(), row.name);
            self.list = Some(List { only, events: None, chosen: None, due: true });
        }
    }

    /// Shows the proof sheet of the event that is chosen.
    pub(super) fn enter_event(&mut self) {
        let Some(list) = &self.list else { return };
        let events = list.events.as_deref().unwrap_or_default();
        if let Some(event) = events.get(list.index()) {
            let id = event.event.id.clone();
            self.sheet = Some(Sheet { id, told: None, scroll: 0, width: 0 });
        }
    }

    /// Everything is asked anew: a filter has changed.
    pub(super) fn refresh(&mut self) {
        self.due = None;
        self.asked = None;
        self.asked_list = None;
        self.before = None;
        if let Some(list) = &mut self.list {
            list.due = true;
            list.events = None;
        }
    }
}

/// How many tables there are.
pub(crate) const PANES: usize = 3;
/// How often a sensor is asked.
const INTERVAL: Duration = Duration::from_secs(1);
/// Columns beside a proof sheet.
const SHEET_MARGIN: usize = 2;
/// What did harm: see [`ImpactCounts::harmful`].
const HARMFUL: &str = "impact=aborted,refused";
