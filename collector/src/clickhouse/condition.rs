//! Filters as conditions of SQL: the same resets that `Filter::passes_facts` means.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use classifiers::Impact;
use events::{Filter, ServerRange, Term, UtcTime};

use super::parameters::Parameters;
use super::rows::v6;
use crate::history::Ask;
use crate::store::levels::{Level, Span};

/// Where resets are counted, or connections.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Table {
    /// `rows` or `services` in steps of a level.
    Counts(&'static str, Level),
    /// Events, each in its last telling.
    Events,
}

impl Table {
    /// As it stands behind `FROM`; its columns are those of `m`.
    pub(super) fn name(self) -> String {
        match self {
            Self::Counts(name, Level::Minute) => format!("{name}_1m AS m FINAL"),
            Self::Counts(name, Level::TenMinutes) => format!("{name}_10m AS m FINAL"),
            // Days are added up from hours.
            Self::Counts(name, Level::Hour | Level::Day) => format!("{name}_1h AS m FINAL"),
            Self::Events => "events AS m FINAL".to_owned(),
        }
    }

    /// Its rows' time, to the second.
    const fn time(self) -> &'static str {
        match self {
            Self::Counts(..) => "start",
            Self::Events => "toDateTime(ts)",
        }
    }

    /// The step that a row lies in, in seconds since the Unix epoch.
    pub(super) fn step(self, step: Level) -> String {
        let step_s = step.step_s();
        format!("intDiv(toUnixTimestamp({}), {step_s}) * {step_s}", self.time())
    }

    /// How many resets.
    pub(super) const fn count(self) -> &'static str {
        match self {
            Self::Counts(..) => "sum(count)",
            Self::Events => "count()",
        }
    }

    /// The last minute with one, in minutes since the Unix epoch.
    pub(super) const fn last_minute(self) -> &'static str {
        match self {
            Self::Counts(_, Level::Minute) => "intDiv(toUnixTimestamp(max(start)), 60)",
            Self::Counts(..) => "intDiv(toUnixTimestamp(max(last)), 60)",
            Self::Events => "intDiv(toUnixTimestamp(toDateTime(max(ts))), 60)",
        }
    }

    /// The same by impact.
    pub(super) fn count_by_impact(self) -> String {
        let of = |impact: &Impact| {
            let name = impact.name();
            match self {
                Self::Counts(..) => format!("sumIf(count, impact = '{name}') AS {name}"),
                Self::Events => format!("countIf(impact = '{name}') AS {name}"),
            }
        };
        Impact::ALL.iter().map(of).collect::<Vec<_>>().join(", ")
    }

    /// Different clients: registers, or how many.
    pub(super) const fn clients(self) -> &'static str {
        match self {
            Self::Counts(..) => "maxForEach(clients) AS registers",
            Self::Events => "uniqExact(client_ip) AS counted",
        }
    }

    /// What tells servers apart.
    pub(super) const fn server(self) -> &'static str {
        match self {
            Self::Counts(..) => "server_ip, server_port, server_prefix",
            Self::Events => "server_ip, server_port, toUInt8(0) AS server_prefix",
        }
    }
}

/// Conditions that all must hold.
pub(super) struct Conditions<'p> {
    table: Table,
    all: Vec<String>,
    pub(super) parameters: &'p mut Parameters,
}

impl<'p> Conditions<'p> {
    /// Rows of whole steps; of one sensor where one is named.
    pub(super) fn of_span(
        table: Table,
        span: Span,
        ask: &Ask,
        parameters: &'p mut Parameters,
    ) -> Self {
        let ns = |second: u64| UtcTime(second.saturating_mul(1_000_000_000));
        let mut conditions = Self { table, all: Vec::new(), parameters };
        conditions.within(ns(span.from_s), ns(span.to_s), ask);
        conditions
    }

    /// Events of a time; of one sensor where one is named.
    pub(super) fn of_events(ask: &Ask, parameters: &'p mut Parameters) -> Self {
        let mut conditions = Self { table: Table::Events, all: Vec::new(), parameters };
        conditions.within(ask.from, ask.to, ask);
        conditions
    }

    fn within(&mut self, from: UtcTime, to: UtcTime, ask: &Ask) {
        for (comparison, time) in [(">=", from), ("<", to)] {
            let condition = match self.table {
                Table::Counts(..) => {
                    let second = (time.0 / 1_000_000_000).min(SECOND_MAX).to_string();
                    let mark = self.parameters.bind("UInt32", &second);
                    format!("start {comparison} toDateTime({mark}, 'UTC')")
                }
                Table::Events => {
                    let mark = self.parameters.bind("Int64", &time.0.min(NS_MAX).to_string());
                    format!("ts {comparison} fromUnixTimestamp64Nano({mark}, 'UTC')")
                }
            };
            self.all.push(condition);
        }
        if let Some(sensor) = &ask.sensor {
            let mark = self.parameters.bind("String", sensor);
            self.all.push(format!("sensor = {mark}"));
        }
    }

    /// Those resets that the filters mean; primary ones unless a filter speaks of roles.
    pub(super) fn filtered(mut self, filters: &[Filter]) -> Self {
        for filter in filters {
            self.add(filter);
        }
        if self.table == Table::Events && !filters.iter().any(Filter::is_about_role) {
            self.all.push("role = 'primary'".to_owned());
        }
        self
    }

    /// Those servers that the filters mean, whatever became of their connections.
    pub(super) fn of_servers(mut self, filters: &[Filter]) -> Self {
        for filter in filters.iter().filter(|filter| filter.is_about_server()) {
            self.add(filter);
        }
        self
    }

    /// Of one server.
    pub(super) fn of_server(mut self, server: ServerRange) -> Self {
        let ip = self.parameters.bind("IPv6", &v6(server.ip).to_string());
        let port = self.parameters.bind("UInt16", &server.port.unwrap_or(0).to_string());
        self.all.push(format!("server_ip = {ip} AND server_port = {port}"));
        let prefix = server.prefix.unwrap_or(0);
        match self.table {
            Table::Counts(..) => {
                let prefix = self.parameters.bind("UInt8", &prefix.to_string());
                self.all.push(format!("server_prefix = {prefix}"));
            }
            Table::Events if prefix > 0 || server.port.is_none() => self.all.push("0".to_owned()),
            Table::Events => {}
        }
        self
    }

    /// Whatever else must hold, in words of ours.
    pub(super) fn and(mut self, condition: impl Into<String>) -> Self {
        self.all.push(condition.into());
        self
    }

    /// All of it, as it stands behind `WHERE`.
    pub(super) fn text(self) -> String {
        self.all.join(" AND ")
    }

    fn add(&mut self, filter: &Filter) {
        let subject = filter.subject();
        let terms = filter.terms();
        let any: Vec<String> = terms.iter().map(|term| self.term(subject, *term)).collect();
        let any = if any.is_empty() { "0".to_owned() } else { any.join(" OR ") };
        let not = if filter.is_negated() { "NOT " } else { "" };
        self.all.push(format!("{not}({any})"));
    }

    fn term(&mut self, subject: &str, term: Term<'_>) -> String {
        match term {
            Term::Word(word) => format!("{subject} = {}", self.parameters.bind("String", word)),
            Term::Place { first, last, bits, port } => {
                let mut all = Vec::new();
                if let (Some(first), Some(last)) = (first, last) {
                    all.push(self.network(subject, first, last));
                    // A range of servers is meant as a whole or not at all.
                    let is_range = matches!(self.table, Table::Counts(..)) && bits > 0;
                    if is_range && subject == "server" {
                        all.push(format!("({IS_ONE} OR server_prefix >= {bits})"));
                    }
                }
                if let Some(port) = port {
                    let mark = self.parameters.bind("UInt16", &port.to_string());
                    all.push(format!("{subject}_port = {mark}"));
                    if matches!(self.table, Table::Counts(..)) {
                        // Where it is 0 there are many.
                        all.push(format!("{subject}_port != 0"));
                    }
                }
                format!("({})", all.join(" AND "))
            }
        }
    }

    fn network(&mut self, subject: &str, first: IpAddr, last: IpAddr) -> String {
        let mut between = |first: Ipv6Addr, last: Ipv6Addr| {
            let first = self.parameters.bind("IPv6", &first.to_string());
            let last = self.parameters.bind("IPv6", &last.to_string());
            format!("({subject}_ip >= {first} AND {subject}_ip <= {last})")
        };
        let inside = between(v6(first), v6(last));
        if first.is_ipv4() {
            return inside;
        }
        // Families are kept apart, though they share a column.
        let [first, last] = IPV4.map(|ip| ip.to_ipv6_mapped());
        format!("({inside} AND NOT {})", between(first, last))
    }
}

/// A server as it is named in an address: `10.0.0.5:443`, `[2001:db8::1]:443`, `[10.0.0.0/24]:443`.
pub(super) fn server_name() -> String {
    let [first, last] = IPV4.map(|ip| ip.to_ipv6_mapped());
    let is_v4 = format!("(server_ip >= toIPv6('{first}') AND server_ip <= toIPv6('{last}'))");
    // What stands before an address of the older family is "::ffff:".
    let ip = format!("if({is_v4}, substring(toString(server_ip), 8), toString(server_ip))");
    let prefix = format!("if({IS_ONE}, '', concat('/', toString(server_prefix)))");
    let port = "toString(server_port)";
    format!(
        "multiIf(server_port = 0, concat({ip}, {prefix}),
            {IS_ONE} AND {is_v4}, concat({ip}, ':', {port}),
            concat('[', {ip}, {prefix}, ']:', {port}))"
    )
}

/// A server, not a range of them: all servers of a family together bear the unspecified address and no bits of a
/// prefix either.
const IS_ONE: &str = "(server_prefix = 0 AND NOT (server_ip = toIPv6('::') OR server_ip = toIPv6('::ffff:0.0.0.0')))";
/// The first and the last address of the older family.
const IPV4: [Ipv4Addr; 2] = [Ipv4Addr::UNSPECIFIED, Ipv4Addr::BROADCAST];
/// The last second that `DateTime` knows.
const SECOND_MAX: u64 = u32::MAX as u64;
/// The last nanosecond that `DateTime64(9)` knows: 2262-04-11.
const NS_MAX: u64 = i64::MAX as u64;
