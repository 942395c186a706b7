//! Questions about counts: from minutes, or from events where filters ask for what minutes do not know.

use std::collections::{BTreeMap, HashMap};

use events::{Connections, Filter, ServerRange, UtcTime};
use serde::Deserialize;

use super::answers::{CauseRow, ClientsRow, HeadRow, KindRow, ProfileRow, RankedRow};
use super::condition::{Conditions, Table, server_name};
use super::parameters::Parameters;
use super::rows::connections;
use super::search::of_server;
use super::{ClickHouse, ClickHouseError};
use crate::history::{Ask, IdleHistogram, Overview, ServerDetail, ServerList, ServerSummary};
use crate::order::ServerOrder;
use crate::store::bytes::add_connections;
use crate::store::group::Named;
use crate::store::levels::{Level, Plan};
use crate::store::profile::{Idle, Profile};
use crate::store::tally::{Series, ServerTally, Tally};

/// A question with the steps that answer it.
struct Question<'q> {
    store: &'q ClickHouse,
    ask: &'q Ask,
    plan: Plan,
    /// Where resets are counted.
    resets: Table,
}

/// What came, whatever the filters say.
#[derive(Default)]
struct Head {
    connections: Connections,
    overflow: u64,
    losses: BTreeMap<String, u64>,
}

impl ClickHouse {
    pub(crate) fn overview(&self, ask: &Ask) -> Result<Overview, ClickHouseError> {
        let question = self.question(ask);
        let mut series = Series::over(question.plan.span, question.plan.step.step_s());
        let mut head = question.head(&mut series)?;
        if question.is_about_servers() {
            head.connections = question.connections(None, &mut series)?;
        }
        let tally = tally_of(&question.resets(None, &mut series)?);
        let limit = ask.limit.min(OVERVIEW_SERVERS_MAX);
        let servers = match question.is_of_minutes() {
            true => question.ranked(&ServerOrder::default(), 0, limit)?.rows,
            false => Vec::new(),
        };
        let Head { connections, overflow, losses } = head;
        let counted = tally.overview(question.plan.span, series);
        Ok(Overview { connections, servers, overflow, losses, ..counted })
    }

    pub(crate) fn servers_by(
        &self,
        ask: &Ask,
        order: &ServerOrder,
    ) -> Result<ServerList, ClickHouseError> {
        self.question(ask).ranked(order, ask.offset, ask.limit.min(SERVERS_MAX))
    }

    /// `None` if nothing is known of it.
    pub(crate) fn server(
        &self,
        server: ServerRange,
        ask: &Ask,
    ) -> Result<Option<ServerDetail>, ClickHouseError> {
        let question = self.question(ask);
        let mut series = Series::over(question.plan.span, question.plan.step.step_s());
        let connections = question.connections(Some(server), &mut series)?;
        let kinds = question.resets(Some(server), &mut series)?;
        if kinds.is_empty() && connections == Connections::default() {
            return Ok(None);
        }
        let tally = tally_of(&kinds);
        let mut sum = ServerTally::default();
        sum.connections = connections;
        for (named, count) in &kinds {
            sum.add(named.cause, named.impact, *count);
        }
        sum.last_minute = question.last_minute(server)?;
        let profile = question.profile(server)?;
        let detail = profile.detail(server, &sum, &tally, series);
        Ok(Some(ServerDetail { events: self.events_of(server, ask)?, ..detail }))
    }

    pub(crate) fn idle(&self, ask: &Ask) -> Result<IdleHistogram, ClickHouseError> {
        let question = self.question(ask);
        let mut idle = Idle::default();
        if question.is_of_minutes() {
            idle = question.profile_of_counts(None)?.idle;
        } else {
            idle.is_cut = self.each_whole(&question.whole(), FINAL, |_, event| {
                idle.add_event(event);
            })?;
        }
        Ok(idle.histogram())
    }

    fn question<'q>(&'q self, ask: &'q Ask) -> Question<'q> {
        let plan = Plan::new(ask.from, ask.to, super::now_s(), &super::reach());
        let is_of_minutes = ask.filters.iter().all(Filter::is_of_minutes);
        let resets = if is_of_minutes { Table::Counts("rows", plan.step) } else { Table::Events };
        Question { store: self, ask, plan, resets }
    }
}

impl Question<'_> {
    fn is_of_minutes(&self) -> bool {
        self.resets != Table::Events
    }

    fn is_about_servers(&self) -> bool {
        self.ask.filters.iter().any(Filter::is_about_server)
    }

    /// What is asked, over the whole steps that counts are told in.
    fn whole(&self) -> Ask {
        let (from, to) = (UtcTime(self.plan.span.from_s * NS), UtcTime(self.plan.span.to_s * NS));
        Ask { from, to, ..self.ask.clone() }
    }

    /// Conditions of resets that are meant; those whose verdict is final.
    fn wanted<'p>(
        &self,
        server: Option<ServerRange>,
        parameters: &'p mut Parameters,
    ) -> Conditions<'p> {
        let conditions = Conditions::of_span(self.resets, self.plan.span, self.ask, parameters)
            .filtered(&self.ask.filters);
        let conditions = match self.resets {
            Table::Events => conditions.and(FINAL),
            Table::Counts(..) => conditions,
        };
        match server {
            Some(server) => conditions.of_server(server),
            None => conditions,
        }
    }

    /// Connections, overflow and losses of all that came, connections step by step.
    fn head(&self, series: &mut Series) -> Result<Head, ClickHouseError> {
        let mut parameters = Parameters::default();
        let table = Table::Counts("minutes", Level::Minute);
        let conditions =
            Conditions::of_span(table, self.plan.span, self.ask, &mut parameters).text();
        let sql = format!(
            "SELECT {} AS at, {}, sum(m.overflow) AS overflow, sumMap(m.losses) AS losses
             FROM minutes AS m FINAL WHERE {conditions} GROUP BY at",
            table.step(self.plan.step),
            connection_sums(),
        );
        let mut head = Head::default();
        for row in self.store.client.rows::<HeadRow>("ask for minutes", &sql, &parameters)? {
            if !self.is_about_servers() {
                series.add_connections(row.at, &row.connections);
            }
            add_connections(&mut head.connections, &row.connections);
            head.overflow = head.overflow.saturating_add(row.overflow);
            for (name, count) in row.losses {
                *head.losses.entry(name).or_default() += count;
            }
        }
        Ok(head)
    }

    /// What became of connections of the servers that are meant, or of one.
    fn connections(
        &self,
        server: Option<ServerRange>,
        series: &mut Series,
    ) -> Result<Connections, ClickHouseError> {
        let mut parameters = Parameters::default();
        let table = Table::Counts("services", self.plan.step);
        let conditions = Conditions::of_span(table, self.plan.span, self.ask, &mut parameters)
            .of_servers(&self.ask.filters);
        let conditions = match server {
            Some(server) => conditions.of_server(server).text(),
            None => conditions.text(),
        };
        let sql = format!(
            "SELECT {} AS at, {} FROM {} WHERE {conditions} GROUP BY at",
            table.step(self.plan.step),
            connection_sums(),
            table.name(),
        );
        let mut sum = Connections::default();
        for row in self.store.client.rows::<HeadRow>("ask for connections", &sql, &parameters)? {
            series.add_connections(row.at, &row.connections);
            add_connections(&mut sum, &row.connections);
        }
        Ok(sum)
    }

    /// Resets by kind, of all servers that are meant or of one; step by step into `series`.
    fn resets(
        &self,
        server: Option<ServerRange>,
        series: &mut Series,
    ) -> Result<Vec<(Named, u64)>, ClickHouseError> {
        let client = &self.store.client;
        let mut parameters = Parameters::default();
        let conditions = self.wanted(server, &mut parameters).text();
        let (table, count) = (self.resets.name(), self.resets.count());
        let sql = format!(
            "SELECT {} AS at, cause, impact, {count} AS n FROM {table} WHERE {conditions}
             GROUP BY at, cause, impact",
            self.resets.step(self.plan.step),
        );
        for row in client.rows::<KindRow>("ask for resets by time", &sql, &parameters)? {
            series.add(row.at, row.named(), row.n);
        }
        let sql = format!(
            "SELECT origin, cause, stage, impact, {count} AS n FROM {table} WHERE {conditions}
             GROUP BY origin, cause, stage, impact"
        );
        let rows = client.rows::<KindRow>("ask for resets", &sql, &parameters)?;
        Ok(rows.iter().map(|row| (row.named(), row.n)).collect())
    }

    fn last_minute(&self, server: ServerRange) -> Result<u64, ClickHouseError> {
        #[derive(Deserialize)]
        struct Row {
            last: u64,
        }
        let mut parameters = Parameters::default();
        let conditions = self.wanted(Some(server), &mut parameters).text();
        let sql = format!(
            "SELECT {} AS last FROM {} WHERE {conditions}",
            self.resets.last_minute(),
            self.resets.name()
        );
        let rows: Vec<Row> = self.store.client.rows("ask for the last reset", &sql, &parameters)?;
        Ok(rows.first().map_or(0, |row| row.last))
    }

    /// Servers in an order, with what is shown of each.
    fn ranked(
        &self,
        order: &ServerOrder,
        offset: usize,
        limit: usize,
    ) -> Result<ServerList, ClickHouseError> {
        let mut parameters = Parameters::default();
        let wanted = self.wanted(None, &mut parameters).text();
        let services = Table::Counts("services", self.plan.step);
        let meant = Conditions::of_span(services, self.plan.span, self.ask, &mut parameters)
            .of_servers(&self.ask.filters)
            .text();
        let search = match order.search() {
            Some(text) => {
                let mark = parameters.bind("String", text);
                format!("WHERE position({}, {mark}) > 0", server_name())
            }
            None => String::new(),
        };
        let resets = self.resets;
        let (server, count, last, table) =
            (resets.server(), resets.count_by_impact(), resets.last_minute(), resets.name());
        let connections = connection_columns(|name| format!("s.{name} AS {name}"));
        let sql = format!(
            "SELECT r.server_ip AS server_ip, r.server_port AS server_port, r.server_prefix AS server_prefix,
                aborted, refused, benign, unknown, last_minute, count() OVER () AS total, {connections}
             FROM (SELECT {server}, {count}, {last} AS last_minute
                   FROM {table} WHERE {wanted} GROUP BY server_ip, server_port, server_prefix
                   HAVING aborted + refused + benign + unknown > 0) AS r
             LEFT JOIN (SELECT server_ip, server_port, server_prefix, {}
                   FROM {} WHERE {meant} GROUP BY server_ip, server_port, server_prefix) AS s
             USING (server_ip, server_port, server_prefix)
             {search}
             ORDER BY {}
             LIMIT {limit} OFFSET {offset}",
            connection_sums(),
            services.name(),
            order.sql(),
        );
        let rows: Vec<RankedRow> = self.store.client.rows("ask for servers", &sql, &parameters)?;
        let total = match rows.first() {
            Some(row) => row.total,
            None if offset > 0 => self.ranked(order, 0, 1)?.total,
            None => 0,
        };
        Ok(ServerList { total, rows: self.summaries(&rows)? })
    }

    /// What is shown of servers beside their counts: causes and clients.
    fn summaries(&self, ranked: &[RankedRow]) -> Result<Vec<ServerSummary>, ClickHouseError> {
        let mut shown = Vec::with_capacity(ranked.len());
        for some in ranked.chunks(SERVERS_IN_SQL_MAX) {
            let mut tallies: HashMap<ServerRange, (ServerTally, u64)> = HashMap::new();
            let places: Vec<String> = some.iter().map(|row| row.server.tuple()).collect();
            let list = format!("[{}]", places.join(","));
            let mut parameters = Parameters::default();
            let prefix = if self.is_of_minutes() { "server_prefix" } else { "toUInt8(0)" };
            let mark = parameters.bind("Array(Tuple(IPv6, UInt16, UInt8))", &list);
            let condition = format!("(server_ip, server_port, {prefix}) IN {mark}");
            let wanted = self.wanted(None, &mut parameters).and(condition).text();
            let (server, table) = (self.resets.server(), self.resets.name());
            let by = "server_ip, server_port, server_prefix";
            let sql = format!(
                "SELECT {server}, cause, impact, {} AS n FROM {table} WHERE {wanted}
                 GROUP BY {by}, cause, impact",
                self.resets.count(),
            );
            for row in self.store.client.rows::<CauseRow>(
                "ask for causes of servers",
                &sql,
                &parameters,
            )? {
                let (tally, _) = tallies.entry(row.server.range()).or_default();
                let named = row.kind.named();
                tally.add(named.cause, named.impact, row.kind.n);
            }
            let sql = format!(
                "SELECT {server}, {} FROM {table} WHERE {wanted} GROUP BY {by}",
                self.resets.clients()
            );
            for row in self.store.client.rows::<ClientsRow>(
                "ask for clients of servers",
                &sql,
                &parameters,
            )? {
                tallies.entry(row.server.range()).or_default().1 = row.count();
            }
            shown.extend(some.iter().map(|row| row.summary(&mut tallies)));
        }
        Ok(shown)
    }

    /// What the resets of a server have in common.
    fn profile(&self, server: ServerRange) -> Result<Profile, ClickHouseError> {
        if self.is_of_minutes() {
            return self.profile_of_counts(Some(server));
        }
        let mut profile = Profile::default();
        if let Some(ask) = of_server(&self.whole(), server) {
            let store = self.store;
            profile.idle.is_cut =
                store.each_whole(&ask, FINAL, |_, event| profile.add_event(event))?;
        }
        Ok(profile)
    }

    /// The same from minutes, of one server or of all that are meant.
    fn profile_of_counts(&self, server: Option<ServerRange>) -> Result<Profile, ClickHouseError> {
        let mut parameters = Parameters::default();
        let conditions = self.wanted(server, &mut parameters).text();
        let spread = |name: &str| {
            format!("sum({name}_count), sum({name}_sum), sum({name}_zeros), sumMap({name}_buckets)")
        };
        let sql = format!(
            "SELECT {}, tuple({}) AS age, tuple({}) AS idle, tuple({}) AS bytes,
                sumMap(idle_timers) AS timers,
                arraySlice(arraySort(top -> (-toInt64(top.2), top.1),
                    CAST(sumMap(top_clients), 'Array(Tuple(String, UInt64))')), 1, {TOP_READ}) AS top
             FROM {} WHERE {conditions}",
            self.resets.clients(),
            spread("age"),
            spread("idle"),
            spread("bytes"),
            self.resets.name(),
        );
        let rows: Vec<ProfileRow> =
            self.store.client.rows("ask for histograms", &sql, &parameters)?;
        Ok(rows.into_iter().next().map_or_else(Profile::default, ProfileRow::profile))
    }
}

fn tally_of(kinds: &[(Named, u64)]) -> Tally {
    let mut tally = Tally::default();
    for (named, count) in kinds {
        tally.add(*named, *count);
    }
    tally
}

/// What became of connections, summed up, of a table that is called `m`.
fn connection_sums() -> String {
    connection_columns(|name| format!("sum(m.{name}) AS {name}"))
}

/// A column for each count of connections.
fn connection_columns(column: impl Fn(&str) -> String) -> String {
    connections(&Connections::default()).map(|(name, _)| column(name)).join(", ")
}

/// Whose verdict is final: the last bit of its version.
pub(super) const FINAL: &str = "version % 2 = 1";

const OVERVIEW_SERVERS_MAX: usize = 10;
/// Servers of one answer at most.
const SERVERS_MAX: usize = 100_000;
/// Servers that are named in one question: it stays shorter than what proxies let through.
const SERVERS_IN_SQL_MAX: usize = 100;
/// Clients with most resets that are read; fewer are shown.
const TOP_READ: usize = 64;
const NS: u64 = 1_000_000_000;
