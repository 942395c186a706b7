//! Resets added up by name, step and server.

use std::collections::HashMap;

use classifiers::{Cause, Impact, Origin, Stage};
use events::{Connections, ServerRange, UtcTime};

use super::bytes::add_connections;
use super::group::Named;
use super::kinds::StepCounts;
use super::levels::Span;
use super::places::Places;
use crate::answers::NameRow;
use crate::history::{Overview, ServerSummary, Step};
use crate::impacts::ImpactCounts;
use crate::order::Ranked;

/// Resets by each of the words that lists show.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) resets: ImpactCounts,
    origins: HashMap<Origin, ImpactCounts>,
    causes: HashMap<Cause, ImpactCounts>,
    stages: HashMap<Stage, ImpactCounts>,
}

impl Tally {
    pub(crate) fn add(&mut self, named: Named, count: u64) {
        let Named { origin, cause, stage, impact } = named;
        self.resets.add(impact, count);
        self.origins.entry(origin).or_default().add(impact, count);
        self.causes.entry(cause).or_default().add(impact, count);
        self.stages.entry(stage).or_default().add(impact, count);
    }

    pub(super) fn by_origin(&self) -> Vec<NameRow> {
        named_rows(self.origins.iter().map(|(origin, counts)| (origin.name(), counts)))
    }

    pub(super) fn by_cause(&self) -> Vec<NameRow> {
        named_rows(self.causes.iter().map(|(cause, counts)| (cause.name(), counts)))
    }

    pub(super) fn by_stage(&self) -> Vec<NameRow> {
        named_rows(self.stages.iter().map(|(stage, counts)| (stage.name(), counts)))
    }

    /// What an overview says of resets.
    pub(crate) fn overview(&self, span: Span, series: Series) -> Overview {
        Overview {
            from: UtcTime(span.from_s * NS),
            to: UtcTime(span.to_s * NS),
            step_s: series.step_s as u32,
            resets: self.resets,
            by_origin: self.by_origin(),
            by_cause: self.by_cause(),
            by_stage: self.by_stage(),
            series: series.steps,
            ..Overview::default()
        }
    }
}

/// Most harmful first.
pub(crate) fn named_rows<'c>(
    rows: impl Iterator<Item = (&'static str, &'c ImpactCounts)>,
) -> Vec<NameRow> {
    let mut rows: Vec<NameRow> =
        rows.map(|(name, counts)| NameRow { name: name.to_owned(), counts: *counts }).collect();
    rows.sort_by(|left, right| {
        worst_first(&left.counts, &right.counts).then_with(|| left.name.cmp(&right.name))
    });
    rows
}

/// More harm before less, then more resets before fewer.
pub(crate) fn worst_first(left: &ImpactCounts, right: &ImpactCounts) -> std::cmp::Ordering {
    (right.harmful(), right.total()).cmp(&(left.harmful(), left.total()))
}

/// A series without holes.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    from_s: u64,
    pub(super) step_s: u64,
    pub(crate) steps: Vec<Step>,
}

impl Series {
    pub(crate) fn over(span: Span, step_s: u64) -> Self {
        let step = |start: u64| Step { time: UtcTime(start * NS), ..Step::default() };
        let starts = (span.from_s..span.to_s).step_by(step_s as usize);
        Self { from_s: span.from_s, step_s, steps: starts.map(step).collect() }
    }

    fn at(&mut self, second: u64) -> Option<&mut Step> {
        let index = second.checked_sub(self.from_s)? / self.step_s;
        self.steps.get_mut(usize::try_from(index).ok()?)
    }

    pub(crate) fn add_connections(&mut self, second: u64, connections: &Connections) {
        if let Some(step) = self.at(second) {
            add_connections(&mut step.connections, connections);
        }
    }

    /// Adds all resets of a step.
    pub(super) fn add_step(&mut self, second: u64, counts: &StepCounts) {
        let Some(step) = self.at(second) else { return };
        step.resets.merge(&counts.resets);
        for (cause, count) in Cause::ALL.iter().zip(counts.harmful).filter(|(_, count)| *count > 0)
        {
            match step.harmful_by_cause.get_mut(cause.name()) {
                Some(sum) => *sum += count,
                None => drop(step.harmful_by_cause.insert(cause.name().to_owned(), count)),
            }
        }
    }

    pub(crate) fn add(&mut self, second: u64, named: Named, count: u64) {
        let Some(step) = self.at(second) else { return };
        step.resets.add(named.impact, count);
        if ImpactCounts::is_harmful(named.impact) {
            *step.harmful_by_cause.entry(named.cause.name().to_owned()).or_default() += count;
        }
    }
}

/// Servers while they are added up.
#[derive(Default)]
pub(super) struct ServerTallies {
    places: Places<ServerRange>,
    tallies: Vec<ServerTally>,
}

impl ServerTallies {
    /// Of a server, empty if it is new.
    pub(super) fn of(&mut self, server: ServerRange) -> &mut ServerTally {
        let place = self.places.of(server);
        if place == self.tallies.len() {
            self.tallies.push(ServerTally::default());
        }
        &mut self.tallies[place]
    }

    pub(super) fn get(&self, server: &ServerRange) -> Option<&ServerTally> {
        self.places.get(server).map(|place| &self.tallies[place])
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&ServerRange, &ServerTally)> {
        self.places.keys().iter().zip(&self.tallies)
    }

    /// Keeps what is said of connections only.
    pub(super) fn forget_resets(&mut self) {
        self.tallies.iter_mut().for_each(ServerTally::forget_resets);
    }
}

/// A server while it is added up.
#[derive(Clone, Debug, Default)]
pub(crate) struct ServerTally {
    pub(crate) connections: Connections,
    pub(crate) resets: ImpactCounts,
    /// Few: a server has resets of some kinds only.
    causes: Vec<(Cause, ImpactCounts)>,
    pub(crate) last_minute: u64,
    pub(crate) clients_least: u64,
}

impl ServerTally {
    pub(crate) const fn ranked<'r>(&'r self, server: &'r ServerRange) -> Ranked<'r> {
        let (resets, connections) = (&self.resets, &self.connections);
        Ranked { server, resets, connections, last: self.last_minute }
    }

    pub(crate) fn add(&mut self, cause: Cause, impact: Impact, count: u64) {
        self.resets.add(impact, count);
        match self.causes.iter_mut().find(|(known, _)| *known == cause) {
            Some((_, counts)) => counts.add(impact, count),
            None => {
                let mut counts = ImpactCounts::default();
                counts.add(impact, count);
                self.causes.push((cause, counts));
            }
        }
    }

    fn forget_resets(&mut self) {
        *self = Self { connections: self.connections, ..Self::default() };
    }

    pub(crate) fn summary(&self, server: ServerRange, clients: u64) -> ServerSummary {
        let mut causes =
            named_rows(self.causes.iter().map(|(cause, counts)| (cause.name(), counts)));
        causes.truncate(CAUSES_SHOWN);
        ServerSummary {
            server,
            connections: self.connections,
            resets: self.resets,
            clients,
            causes,
            last: UtcTime(self.last_minute.saturating_mul(60 * NS)),
        }
    }
}

const CAUSES_SHOWN: usize = 3;
const NS: u64 = 1_000_000_000;
