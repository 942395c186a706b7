//! What is asked of [`Recent`]. Under the lock things are only copied; searching is done after it.

use std::collections::HashMap;
use std::time::SystemTime;

use classifiers::Role;
use events::{Event, EventStatus, Filter, Status, UtcTime, explain};

use super::kept::KeptEvent;
use super::{Counts, Histogram, Recent, Servers, State};
use crate::answers::{CountedFrom, EventPage, EventSheet, Numbered, Snapshot, StatusPage};
use crate::delivery_state::DeliveryState;
use crate::health::{Health, Signs};
use crate::receive::ReceiveState;

/// Which events are meant.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Question {
    /// All must hold. Only primary resets are meant unless one is about roles.
    pub filters: Vec<Filter>,
    /// Events with greater numbers only; without it the last ones.
    pub after: Option<u64>,
    /// Rows or events at most.
    pub limit: usize,
}

impl Question {
    fn passes(&self, event: &Event) -> bool {
        let any_role = self.filters.iter().any(Filter::is_about_role);
        (any_role || event.verdict.role == Role::Primary)
            && self.filters.iter().all(|filter| filter.passes(event))
    }
}

impl Recent {
    /// What a screen draws. With filters, what is counted are events that are still kept.
    #[must_use]
    pub fn snapshot(&self, question: &Question) -> Snapshot {
        let state = self.state();
        let mut snapshot = self.frame(&state);
        let (counts, servers) = if question.filters.is_empty() {
            let counted = (state.counts.clone(), state.servers.clone());
            drop(state);
            counted
        } else {
            snapshot.counted_from = CountedFrom::KeptEvents;
            let kept = state.kept.after(question.after.unwrap_or(0));
            drop(state);
            self.count(question, &kept)
        };
        snapshot.resets = counts.total();
        snapshot.by_origin = counts.by_origin();
        snapshot.by_cause = counts.by_cause();
        (snapshot.by_server, snapshot.other_servers) = servers.rows(question.limit);
        snapshot
    }

    /// How the run goes, and what it began with.
    #[must_use]
    pub fn status_page(&self) -> StatusPage {
        let state = self.state();
        StatusPage {
            sensor: self.sensor.name.clone(),
            run: self.run.clone(),
            version: self.sensor.version.clone(),
            health: self.health_of(&state),
            start: state.start.clone(),
            status: state.status.clone(),
            delivery: state.delivery.clone(),
        }
    }

    /// Events in the order they were told.
    #[must_use]
    pub fn events(&self, question: &Question) -> EventPage {
        let after = question.after.unwrap_or(0);
        let (kept, last) = {
            let state = self.state();
            (state.kept.after(after), state.kept.last())
        };
        // A number from another run: begin anew.
        if after > last {
            return self.events(&Question { after: Some(0), ..question.clone() });
        }
        let missed = match question.after {
            Some(after) => last - after - kept.len() as u64,
            None => 0,
        };
        let latest = latest(&kept);
        let fits = |kept: &&KeptEvent| question.passes(&kept.event) && is_latest(kept, &latest);
        let fitting: Vec<&KeptEvent> = kept.iter().filter(fits).collect();
        let surplus = fitting.len().saturating_sub(question.limit);
        let chosen = match question.after {
            Some(_) => &fitting[..fitting.len() - surplus],
            None => &fitting[surplus..],
        };
        let next = match chosen.last() {
            Some(event) if question.after.is_some() && surplus > 0 => event.number,
            _ => last,
        };
        let events = chosen.iter().map(|kept| numbered(kept)).collect();
        EventPage { run: self.run.clone(), events, next, missed }
    }

    /// The event of this name with its proof sheet, wrapped to `width` columns; the last one that was told, if
    /// it was told twice.
    #[must_use]
    pub fn sheet(&self, id: &str, width: usize) -> Option<EventSheet> {
        let kept = self.state().kept.after(0);
        let found = kept.iter().rev().find(|kept| kept.event.id == id)?;
        Some(EventSheet {
            number: found.number,
            sensor: (*found.sensor).to_owned(),
            event: (*found.event).clone(),
            sheet: explain::proof_sheet(&found.event, width),
        })
    }

    /// Whether it works, and if not, why.
    #[must_use]
    pub fn health(&self) -> Health {
        self.health_of(&self.state())
    }

    pub(super) fn health_of(&self, state: &State) -> Health {
        if let (Some(receive), true) = (&state.receive, self.sensor.interfaces.is_empty()) {
            return Health::of_receivers(state.heard.elapsed().as_secs_f64(), receive);
        }
        let queues = &state.status.queues;
        let has_nothing_to_watch =
            self.sensor.interfaces.is_empty() && queues.is_empty() && state.start.inputs.is_empty();
        if has_nothing_to_watch {
            // Only the past is offered.
            return Health { is_alive: true, is_ready: true, problems: Vec::new() };
        }
        let mut bound: Vec<(&str, bool)> =
            queues.iter().map(|queue| (queue.interface.as_str(), queue.is_up)).collect();
        if bound.is_empty() {
            // Before the first status, and of captures: what was opened is there.
            bound.extend(state.start.inputs.iter().map(|input| (input.name.as_str(), true)));
        }
        Health::of(&Signs {
            silence_s: state.heard.elapsed().as_secs_f64(),
            interfaces: &self.sensor.interfaces,
            bound: &bound,
        })
    }

    /// Version of the program.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.sensor.version
    }

    /// A copy of what metrics are made of.
    pub(crate) fn facts(&self) -> Facts {
        let state = self.state();
        Facts {
            version: self.sensor.version.clone(),
            interfaces: self.sensor.interfaces.clone(),
            status: state.status.clone(),
            counts: state.counts.clone(),
            time_to_reset: state.time_to_reset.clone(),
            idle_before: state.idle_before.clone(),
            delivery: state.delivery.clone(),
            receive: state.receive.clone(),
            health: self.health_of(&state),
        }
    }

    /// A snapshot without its tables.
    fn frame(&self, state: &State) -> Snapshot {
        Snapshot {
            time: now(),
            sensor: self.sensor.name.clone(),
            run: self.run.clone(),
            health: self.health_of(state),
            status: state.status.clone(),
            series: state.series.steps(),
            series_step_s: state.series.step_s(),
            delivery: state.delivery.clone(),
            ..Snapshot::default()
        }
    }

    fn count(&self, question: &Question, kept: &[KeptEvent]) -> (Counts, Servers) {
        let (mut counts, mut servers) = (Counts::new(), Servers::new(self.servers_kept));
        let latest = latest(kept);
        // Told anew, it is the same reset.
        for KeptEvent { event, .. } in kept.iter().filter(|kept| is_latest(kept, &latest)) {
            if event.status == EventStatus::Final && question.passes(event) {
                let verdict = &event.verdict;
                counts.add(verdict.cause, verdict.origin, verdict.impact);
                servers.add(event);
            }
        }
        (counts, servers)
    }
}

/// What metrics are made of.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub(crate) version: String,
    pub(crate) interfaces: Vec<String>,
    pub(crate) status: Status,
    pub(crate) counts: Counts,
    pub(crate) time_to_reset: Histogram,
    pub(crate) idle_before: Histogram,
    pub(crate) delivery: DeliveryState,
    pub(crate) receive: Option<ReceiveState>,
    pub(crate) health: Health,
}

/// The number of the last telling of each event that was told more than once; empty if none was.
fn latest(kept: &[KeptEvent]) -> HashMap<&str, u64> {
    let is_told_once = |event: &Event| event.status == EventStatus::Final && event.revision == 0;
    if kept.iter().all(|kept| is_told_once(&kept.event)) {
        return HashMap::new();
    }
    kept.iter().map(|kept| (kept.event.id.as_str(), kept.number)).collect()
}

fn is_latest(kept: &KeptEvent, latest: &HashMap<&str, u64>) -> bool {
    latest.get(kept.event.id.as_str()).is_none_or(|number| *number == kept.number)
}

fn numbered(kept: &KeptEvent) -> Numbered {
    let sensor = (*kept.sensor).to_owned();
    Numbered { number: kept.number, sensor, event: (*kept.event).clone() }
}

fn now() -> UtcTime {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    UtcTime(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}
