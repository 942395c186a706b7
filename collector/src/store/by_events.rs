//! Counts that minutes cannot tell, such as those of one client: from the events that are kept.

use std::collections::HashMap;

use events::{Clients, Endpoint, Event, EventStatus, Filter, ServerRange, UtcTime};

use super::error::StoreError;
use super::profile::{Idle, Profile};
use super::row::Stored;
use super::search::ANY;
use super::sums::{COUNTED_MAX, Question};
use super::tally::{Series, ServerTallies, Tally};
use super::{Reading, levels::Span};
use crate::history::{Ask, ServerSummary};

impl Reading<'_> {
    /// Resets of all servers that are asked for, or of one.
    pub(super) fn add_events(
        &self,
        question: &Question<'_>,
        server: Option<ServerRange>,
        tally: &mut Tally,
        series: &mut Series,
    ) -> Result<(), StoreError> {
        self.each_final(&whole(question), |event| {
            if server.is_some_and(|server| server != event.server.into()) {
                return;
            }
            let named = event.named();
            tally.add(named, 1);
            series.add(event.ts.0 / NS, named, 1);
        })
    }

    /// Resets by server; what is said of connections stays.
    pub(super) fn add_servers_of_events(
        &self,
        question: &Question<'_>,
        servers: &mut ServerTallies,
    ) -> Result<(), StoreError> {
        servers.forget_resets();
        self.each_final(&whole(question), |event| {
            let tally = servers.of(event.server.into());
            tally.add(event.cause, event.impact, 1);
            tally.last_minute = tally.last_minute.max(event.ts.0 / (60 * NS));
            tally.clients_least = 1;
        })
    }

    /// Counts the clients of servers that are shown, the first ones of a long list.
    pub(super) fn count_clients(
        &self,
        question: &Question<'_>,
        rows: &mut [ServerSummary],
    ) -> Result<(), StoreError> {
        let counted = rows.iter().take(COUNTED_MAX);
        let mut clients: HashMap<ServerRange, Clients> =
            counted.map(|row| (row.server, Clients::default())).collect();
        self.each_final(&whole(question), |event| {
            if let Some(clients) = clients.get_mut(&event.server.into()) {
                clients.add(event.client.ip);
            }
        })?;
        for row in rows {
            row.clients = clients.get(&row.server).map_or(row.clients, Clients::count);
        }
        Ok(())
    }

    /// What the resets of a server have in common; with all that events say, and so of the newest ones.
    pub(super) fn profile_of_events(
        &self,
        question: &Question<'_>,
        server: ServerRange,
    ) -> Result<Profile, StoreError> {
        let mut profile = Profile::default();
        if let Some(ask) = of_server(&whole(question), server) {
            profile.idle.is_cut = self.each_whole(&ask, ANY, |_, event| {
                if is_final(event) {
                    profile.add_event(event);
                }
            })?;
        }
        Ok(profile)
    }

    /// The same of silences only, of all servers.
    pub(super) fn add_idle_of_events(
        &self,
        question: &Question<'_>,
        idle: &mut Idle,
    ) -> Result<(), StoreError> {
        idle.is_cut = self.each_whole(&whole(question), ANY, |_, event| {
            if is_final(event) {
                idle.add_event(event);
            }
        })?;
        Ok(())
    }

    fn each_final(&self, ask: &Ask, mut each: impl FnMut(&Stored)) -> Result<(), StoreError> {
        self.each_event(ask, ANY, |_, event| {
            if event.status == EventStatus::Final {
                each(event);
            }
            Ok(())
        })
    }
}

/// What is asked, over the whole steps that counts are told in.
fn whole(question: &Question<'_>) -> Ask {
    let Span { from_s, to_s } = question.plan.span;
    Ask { from: UtcTime(from_s * NS), to: UtcTime(to_s * NS), ..question.ask.clone() }
}

/// The same of one server; `None` of a range of them, which has no events of its own.
pub(super) fn of_server(ask: &Ask, server: ServerRange) -> Option<Ask> {
    let port = server.port.filter(|_| server.prefix.is_none())?;
    let endpoint = Endpoint { ip: server.ip, port };
    let filter: Filter = format!("server={endpoint}").parse().ok()?;
    let filters = ask.filters.iter().cloned().chain([filter]).collect();
    Some(Ask { filters, ..ask.clone() })
}

fn is_final(event: &Event) -> bool {
    event.status == EventStatus::Final
}

const NS: u64 = 1_000_000_000;
