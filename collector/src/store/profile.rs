//! What resets of a server, or of any, have in common: silences, clients, how far connections had come.

use std::collections::BTreeMap;
use std::net::IpAddr;

use events::{ClientCount, Clients, Event, MinuteRow, Spread, TOP_CLIENTS};

use crate::history::{IdleHistogram, IdleTimer};

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

    /// Clients with most resets first.
    pub(crate) fn top_clients(&self) -> Vec<ClientCount> {
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
