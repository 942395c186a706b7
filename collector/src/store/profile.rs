//! What resets of a server, or of any, have in common: silences, clients, how far connections had come.

use std::collections::BTreeMap;
use std::net::IpAddr;

use events::{ClientCount, Clients, Event, MinuteRow, ServerRange, Spread, TOP_CLIENTS};

use super::tally::{Series, ServerTally, Tally};
use crate::history::{IdleHistogram, IdleTimer, ServerDetail};

/// Resets of one server while they are added up.
#[derive(Default)]
pub(crate) struct Profile {
    pub(crate) clients: Clients,
    pub(crate) time_to_reset_s: Spread,
    pub(crate) bytes_before: Spread,
    pub(crate) idle: Idle,
    pub(crate) top: BTreeMap<IpAddr, u64>,
}

impl Profile {
    pub(crate) fn add_row(&mut self, row: &MinuteRow) {
        self.clients.merge(&row.clients);
        self.time_to_reset_s.merge(&row.time_to_reset_s);
        self.bytes_before.merge(&row.bytes_before);
        self.idle.add(&row.idle_before_s, &row.idle_timers);
        for client in &row.top_clients {
            *self.top.entry(client.ip).or_default() += client.count;
        }
    }

    pub(crate) fn add_event(&mut self, event: &Event) {
        self.clients.add(event.client.ip);
        if let Some(age_s) = event.age_s {
            self.time_to_reset_s.add(age_s);
        }
        self.bytes_before.add(event.bytes.client.saturating_add(event.bytes.server) as f64);
        self.idle.add_event(event);
        *self.top.entry(event.client.ip).or_default() += 1;
    }

    /// All that is shown of a server, but for its events.
    pub(crate) fn detail(
        self,
        server: ServerRange,
        sum: &ServerTally,
        tally: &Tally,
        series: Series,
    ) -> ServerDetail {
        ServerDetail {
            summary: sum.summary(server, self.clients.count()),
            step_s: series.step_s as u32,
            series: series.steps,
            by_origin: tally.by_origin(),
            by_cause: tally.by_cause(),
            by_stage: tally.by_stage(),
            top_clients: self.top_clients(),
            time_to_reset_s: self.time_to_reset_s,
            idle: self.idle.histogram(),
            bytes_before: self.bytes_before,
            events: Vec::new(),
        }
    }

    /// Clients with most resets first.
    fn top_clients(&self) -> Vec<ClientCount> {
        let mut top: Vec<ClientCount> =
            self.top.iter().map(|(&ip, &count)| ClientCount { ip, count }).collect();
        top.sort_by_key(|client| (std::cmp::Reverse(client.count), client.ip));
        top.truncate(TOP_CLIENTS);
        top
    }
}

/// Silences while they are added up.
#[derive(Default)]
pub(crate) struct Idle {
    spread: Spread,
    /// Whether there were more events than were read.
    pub(crate) is_cut: bool,
    timers: BTreeMap<u32, u64>,
}

impl Idle {
    pub(crate) fn add(&mut self, spread: &Spread, timers: &BTreeMap<u32, u64>) {
        self.spread.merge(spread);
        for (timer, count) in timers {
            *self.timers.entry(*timer).or_default() += count;
        }
    }

    pub(crate) fn add_event(&mut self, event: &Event) {
        let Some(idle_s) = event.idle_before_s else { return };
        self.spread.add(idle_s);
        if let Some(timer) = events::idle_timer(idle_s) {
            *self.timers.entry(timer).or_default() += 1;
        }
    }

    pub(crate) fn histogram(self) -> IdleHistogram {
        let timers = self.timers.into_iter().map(|(seconds, count)| IdleTimer {
            seconds,
            count,
            products: events::idle_timer_products(seconds),
        });
        IdleHistogram { timers: timers.collect(), spread: self.spread, is_cut: self.is_cut }
    }
}
