//! Questions about counts, answered from rollups.
//!
//! Filters that minutes cannot answer, such as one by client, are answered from the events that are kept; what
//! became of connections comes from minutes all the same.

use std::collections::BTreeMap;

use events::{Clients, Connections, Filter, ServerRange};
use rusqlite::params;

use super::Reading;
use super::bytes::{add_connections, server_key};
use super::detail;
use super::error::StoreError;
use super::group::{Group, Named};
use super::kinds::Kinds;
use super::levels::{Level, Plan, Reach, Span, at, of_at};
use super::library::{Deadline, Volume};
use super::matrix::{self, Cell};
use super::profile::{Idle, Profile};
use super::tally::{Series, ServerTallies, ServerTally, Tally};
use super::total::{self, GroupTotal, Total};
use super::writer;
use crate::history::{Ask, IdleHistogram, Overview, ServerDetail, ServerList, ServerSummary};
use crate::order::ServerOrder;

/// What a question about counts needs.
pub(super) struct Question<'q> {
    pub(super) ask: &'q Ask,
    pub(super) plan: Plan,
    main: &'q Volume,
    /// Only this one, if one is named; a name that is not known has no counts.
    sensor: Option<Option<u16>>,
    deadline: Deadline,
}

impl Question<'_> {
    /// What resets of a kind are called, and whether they are asked for, whichever server's they are.
    fn kind(&self, group: Group) -> (Named, bool) {
        let named = group.named(&self.main.words);
        let facts = named.facts(ANY_SERVER);
        let about = self.ask.filters.iter().filter(|filter| !filter.is_about_server());
        (named, about.into_iter().all(|filter| filter.passes_facts(&facts).unwrap_or(true)))
    }

    fn wants_server(&self, server: ServerRange) -> bool {
        let about = self.ask.filters.iter().filter(|filter| filter.is_about_server());
        let facts = ANY_KIND.facts(server);
        about.into_iter().all(|filter| filter.passes_facts(&facts) == Some(true))
    }

    fn is_about_servers(&self) -> bool {
        self.ask.filters.iter().any(Filter::is_about_server)
    }

    fn is_of_minutes(&self) -> bool {
        self.ask.filters.iter().all(Filter::is_of_minutes)
    }

    /// Goes through bodies of a table in order; `each` gets the first second and the body.
    fn walk(
        &self,
        table: &str,
        level: Level,
        span: Span,
        mut each: impl FnMut(i64, &[u8]),
    ) -> Result<(), StoreError> {
        let failed = self.main.failed();
        let sql = format!("SELECT at, body FROM {table}_{} WHERE at >= ? AND at < ?", level.name());
        let mut read = self.main.db.prepare_cached(&sql).map_err(&failed)?;
        let range = params![at(span.from_s, 0), at(span.to_s, 0)];
        let mut rows = read.query(range).map_err(&failed)?;
        while let Some(row) = rows.next().map_err(&failed)? {
            self.deadline.check()?;
            let key: i64 = row.get(0).map_err(&failed)?;
            if self.sensor.is_some_and(|wanted| wanted != Some(of_at(key).1)) {
                continue;
            }
            let body = row.get_ref(1).and_then(|body| Ok(body.as_blob()?)).map_err(&failed)?;
            each(key, body);
        }
        Ok(())
    }

    /// All servers that are asked for, each with its counts.
    fn servers(&self) -> Result<ServerTallies, StoreError> {
        let mut servers = ServerTallies::default();
        let ask = |group| self.kind(group);
        let mut kinds = Kinds::new(&ask);
        let wants_all = !self.is_about_servers();
        let mut add = |server, cell: &Cell<usize>, kinds: &mut Kinds<'_, _>| {
            let tally = servers.of(server);
            add_connections(&mut tally.connections, &cell.connections);
            for (kind, count) in &cell.groups {
                if let Some(named) = kinds.add_at(*kind, *count) {
                    tally.add(named.cause, named.impact, *count);
                    tally.last_minute = tally.last_minute.max(cell.last_minute);
                    tally.clients_least = tally.clients_least.max(cell.clients_least);
                }
            }
        };
        for (level, span) in &self.plan.parts {
            self.walk("matrix", *level, *span, |_, body| {
                let Some(body) = matrix::Body::read(body) else { return };
                // Asked for once a body, not once a server.
                let places: Vec<usize> =
                    body.groups.iter().map(|group| kinds.place(*group)).collect();
                let is_wanted = |server| wants_all || self.wants_server(server);
                body.walk(&places, is_wanted, |server, cell| add(server, cell, &mut kinds));
            })?;
        }
        Ok(servers)
    }

    /// Adds connections of servers step by step.
    fn add_connections(
        &self,
        series: &mut Series,
        is_meant: impl Fn(ServerRange) -> bool,
    ) -> Result<(), StoreError> {
        self.walk("matrix", self.plan.step, self.plan.span, |key, body| {
            let Some(body) = matrix::Body::read(body) else { return };
            body.walk(&body.groups, &is_meant, |_, cell| {
                series.add_connections(of_at(key).0, &cell.connections);
            });
        })
    }

    /// The keys of all steps that there are, by level.
    fn keys(&self) -> Result<Vec<(Level, Vec<i64>)>, StoreError> {
        let failed = self.main.failed();
        let mut keys = Vec::with_capacity(self.plan.parts.len());
        for (level, span) in &self.plan.parts {
            // Not the bodies: they are a hundred times as long.
            let sql = format!("SELECT at FROM total_{} WHERE at >= ? AND at < ?", level.name());
            let mut read = self.main.db.prepare_cached(&sql).map_err(&failed)?;
            let range = params![at(span.from_s, 0), at(span.to_s, 0)];
            let found = read.query_map(range, |row| row.get(0)).map_err(&failed)?;
            let found = found.collect::<rusqlite::Result<Vec<i64>>>().map_err(&failed)?;
            let is_meant =
                |key: &i64| self.sensor.is_none_or(|wanted| wanted == Some(of_at(*key).1));
            keys.push((*level, found.into_iter().filter(is_meant).collect()));
        }
        Ok(keys)
    }

    /// Goes through the rollup rows of a server that are asked for: kind, its name, body; `keys` of
    /// [`Self::keys`].
    fn each_row_of(
        &self,
        server: ServerRange,
        keys: &[(Level, Vec<i64>)],
        mut each: impl FnMut(u64, Named, &[u8]),
    ) -> Result<(), StoreError> {
        let failed = self.main.failed();
        if !self.wants_server(server) {
            return Ok(());
        }
        let server_key = server_key(server);
        for (level, keys) in keys {
            let sql = format!(
                "SELECT kind, body FROM rollup_{} WHERE at = ? AND server = ?",
                level.name()
            );
            let mut read = self.main.db.prepare_cached(&sql).map_err(&failed)?;
            for key in keys {
                self.deadline.check()?;
                let mut found = read.query(params![key, server_key]).map_err(&failed)?;
                while let Some(row) = found.next().map_err(&failed)? {
                    let kind = row.get::<_, i64>(0).map_err(&failed)? as u64;
                    let (named, is_wanted) = self.kind(Group::from_number(kind));
                    if is_wanted {
                        let body = row.get_ref(1).and_then(|body| Ok(body.as_blob()?));
                        each(kind, named, body.map_err(&failed)?);
                    }
                }
            }
        }
        Ok(())
    }

    /// The same rows, merged by kind.
    fn rows_of(
        &self,
        server: ServerRange,
        keys: &[(Level, Vec<i64>)],
    ) -> Result<Vec<events::MinuteRow>, StoreError> {
        let mut rows: BTreeMap<u64, events::MinuteRow> = BTreeMap::new();
        self.each_row_of(server, keys, |kind, named, body| {
            let Some(row) = detail::read(body, server, named) else { return };
            rows.entry(kind).and_modify(|sum| sum.merge(&row)).or_insert(row);
        })?;
        Ok(rows.into_values().collect())
    }

    fn clients_of(
        &self,
        server: ServerRange,
        keys: &[(Level, Vec<i64>)],
    ) -> Result<u64, StoreError> {
        let mut clients = Clients::default();
        self.each_row_of(server, keys, |_, _, body| detail::add_clients(body, &mut clients))?;
        Ok(clients.count())
    }

    /// Servers in an order, with what is shown of each.
    fn ranked(
        &self,
        servers: &ServerTallies,
        order: &ServerOrder,
        offset: usize,
        limit: usize,
    ) -> Result<(u64, Vec<ServerSummary>), StoreError> {
        let is_meant = |(server, tally): &(&ServerRange, &ServerTally)| {
            tally.resets.total() > 0 && order.holds(server)
        };
        let mut ranked: Vec<_> = servers.iter().filter(is_meant).collect();
        let total = ranked.len() as u64;
        ranked.sort_unstable_by(|left, right| {
            order.compare(left.1.ranked(left.0), right.1.ranked(right.0))
        });
        let keys = self.keys()?;
        let shown = ranked.into_iter().skip(offset).take(limit).enumerate();
        let rows = shown.map(|(place, (server, tally))| {
            let is_counted = self.is_of_minutes() && place < COUNTED_MAX;
            let exact = is_counted.then(|| self.clients_of(*server, &keys)).transpose()?;
            Ok(tally.summary(*server, exact.unwrap_or(tally.clients_least)))
        });
        Ok((total, rows.collect::<Result<_, StoreError>>()?))
    }
}

impl Reading<'_> {
    /// # Errors
    /// The store cannot be read, or not in time.
    pub(super) fn overview(&self, ask: &Ask) -> Result<Overview, StoreError> {
        self.with_counts(ask, |question| {
            let mut tally = Tally::default();
            let mut series = Series::over(question.plan.span, question.plan.step.step_s());
            let mut head = Total::default();
            let servers = question.servers()?;
            let counts_all = question.is_of_minutes() && !question.is_about_servers();
            add_head(question, &mut head, counts_all.then_some(&mut tally), &mut series)?;
            if question.is_of_minutes() && !counts_all {
                add_resets(question, None, &mut tally, &mut series)?;
            } else if !counts_all {
                self.add_events(question, None, &mut tally, &mut series)?;
            }
            if question.is_about_servers() {
                head.connections = Connections::default();
                for tally in servers.iter().map(|(_, tally)| tally) {
                    add_connections(&mut head.connections, &tally.connections);
                }
            }
            let worst = if question.is_of_minutes() {
                question
                    .ranked(
                        &servers,
                        &ServerOrder::default(),
                        0,
                        ask.limit.min(OVERVIEW_SERVERS_MAX),
                    )?
                    .1
            } else {
                Vec::new()
            };
            let Total { connections, overflow, losses, .. } = head;
            let counted = tally.overview(question.plan.span, series);
            Ok(Overview { connections, servers: worst, overflow, losses, ..counted })
        })
    }

    /// # Errors
    /// The store cannot be read, or not in time.
    pub(super) fn servers(&self, ask: &Ask, order: &ServerOrder) -> Result<ServerList, StoreError> {
        self.with_counts(ask, |question| {
            let mut servers = question.servers()?;
            if !question.is_of_minutes() {
                self.add_servers_of_events(question, &mut servers)?;
            }
            let (total, mut rows) =
                question.ranked(&servers, order, ask.offset, ask.limit.min(SERVERS_MAX))?;
            if !question.is_of_minutes() {
                self.count_clients(question, &mut rows)?;
            }
            Ok(ServerList { total, rows })
        })
    }

    /// # Errors
    /// The store cannot be read, or not in time.
    pub(super) fn server(
        &self,
        server: ServerRange,
        ask: &Ask,
    ) -> Result<Option<ServerDetail>, StoreError> {
        let detail = self.with_counts(ask, |question| {
            let mut all = question.servers()?;
            if !question.is_of_minutes() {
                self.add_servers_of_events(question, &mut all)?;
            }
            let Some(of_server) = all.get(&server) else { return Ok(None) };
            let mut tally = Tally::default();
            let mut series = Series::over(question.plan.span, question.plan.step.step_s());
            let profile = if question.is_of_minutes() {
                add_resets(question, Some(server), &mut tally, &mut series)?;
                let mut profile = Profile::default();
                question
                    .rows_of(server, &question.keys()?)?
                    .iter()
                    .for_each(|row| profile.add_row(row));
                profile
            } else {
                question.add_connections(&mut series, |one| one == server)?;
                self.add_events(question, Some(server), &mut tally, &mut series)?;
                self.profile_of_events(question, server)?
            };
            Ok(Some(profile.detail(server, of_server, &tally, series)))
        })?;
        let Some(mut detail) = detail else { return Ok(None) };
        detail.events = self.events_of(server, ask)?;
        Ok(Some(detail))
    }

    /// # Errors
    /// The store cannot be read, or not in time.
    pub(super) fn idle(&self, ask: &Ask) -> Result<IdleHistogram, StoreError> {
        self.with_counts(ask, |question| {
            let mut idle = Idle::default();
            if !question.is_of_minutes() {
                self.add_idle_of_events(question, &mut idle)?;
            } else if question.is_about_servers() {
                let (servers, keys) = (question.servers()?, question.keys()?);
                for (server, tally) in servers.iter() {
                    if tally.resets.total() > 0 {
                        for row in question.rows_of(*server, &keys)? {
                            idle.add(&row.idle_before_s, &row.idle_timers);
                        }
                    }
                }
            } else {
                for (level, span) in &question.plan.parts {
                    question.walk("total", *level, *span, |_, body| {
                        total::walk(body, |group, _, silences| {
                            let mut sum = GroupTotal::default();
                            if question.kind(group).1 && sum.read_idle(silences).is_some() {
                                idle.add(&sum.idle, &sum.timers);
                            }
                        });
                    })?;
                }
            }
            Ok(idle.histogram())
        })
    }

    fn with_counts<T: Default>(
        &self,
        ask: &Ask,
        answer: impl FnOnce(&Question<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let Some(main) = self.library.open(writer::MAIN, &writer::SCHEMA)? else {
            return Ok(T::default());
        };
        let failed = main.failed();
        // One snapshot for all tables, whatever is written meanwhile.
        main.db.execute_batch("BEGIN").map_err(&failed)?;
        let sensor = ask.sensor.as_deref().map(|name| main.words.sensor_number(name));
        let reach = Reach::read(&main.db, self.options, self.now_s).map_err(&failed)?;
        let plan = Plan::new(ask.from, ask.to, self.now_s, &reach);
        let question = Question { ask, plan, main: &main, sensor, deadline: self.deadline };
        let answered = answer(&question);
        drop(main.db.execute_batch("COMMIT"));
        self.library.close(main);
        answered
    }
}

/// Connections, overflow and losses; connections step by step unless only some servers are meant. All resets
/// that are wanted with them, where they go into `resets`.
fn add_head(
    question: &Question<'_>,
    head: &mut Total,
    resets: Option<&mut Tally>,
    series: &mut Series,
) -> Result<(), StoreError> {
    let Plan { step, span, .. } = question.plan;
    let ask = |group| question.kind(group);
    let mut kinds = Kinds::new(&ask);
    let is_counted = resets.is_some();
    question.walk("total", step, span, |key, body| {
        let (second, _) = of_at(key);
        let total = total::walk(body, |group, count, _| {
            if is_counted {
                kinds.add(group, count);
            }
        });
        kinds.tell(second, series);
        let Some(total) = total else { return };
        head.merge_head(&total);
        if !question.is_about_servers() {
            series.add_connections(second, &total.connections);
        }
    })?;
    if let Some(tally) = resets {
        kinds.sum(tally);
    }
    if question.is_about_servers() {
        question.add_connections(series, |server| question.wants_server(server))?;
    }
    Ok(())
}

/// Resets from minutes; of the servers that are asked for, or of one.
fn add_resets(
    question: &Question<'_>,
    server: Option<ServerRange>,
    tally: &mut Tally,
    series: &mut Series,
) -> Result<(), StoreError> {
    let Plan { step, span, .. } = question.plan;
    let ask = |group| question.kind(group);
    let mut kinds = Kinds::new(&ask);
    let is_meant =
        |one: ServerRange| server.is_none_or(|server| server == one) && question.wants_server(one);
    question.walk("matrix", step, span, |key, body| {
        let (second, _) = of_at(key);
        let Some(body) = matrix::Body::read(body) else { return };
        let places: Vec<usize> = body.groups.iter().map(|group| kinds.place(*group)).collect();
        body.walk(&places, is_meant, |_, cell| {
            if server.is_some() {
                series.add_connections(second, &cell.connections);
            }
            for (kind, count) in &cell.groups {
                kinds.add_at(*kind, *count);
            }
        });
        kinds.tell(second, series);
    })?;
    kinds.sum(tally);
    Ok(())
}

const ANY_SERVER: ServerRange = ServerRange {
    ip: std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED),
    port: None,
    prefix: Some(0),
};

const ANY_KIND: Named = Named {
    origin: classifiers::Origin::Unknown,
    cause: classifiers::Cause::Unknown,
    stage: classifiers::Stage::Later,
    impact: classifiers::Impact::Unknown,
};

const OVERVIEW_SERVERS_MAX: usize = 10;
/// Servers of one answer at most.
const SERVERS_MAX: usize = 100_000;
/// Servers whose clients are counted over the whole time; of the others of a long list it is told how many there
/// were at least.
pub(super) const COUNTED_MAX: usize = 500;
