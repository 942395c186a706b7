//! Questions about single events.

use std::collections::HashSet;
use std::net::Ipv6Addr;

use classifiers::{Cause, Impact, Origin, Stage};
use events::{Agreement, Endpoint, Event, Evidence, Filter, ServerRange, Status, UtcTime, explain};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::condition::Conditions;
use super::parameters::Parameters;
use super::{ClickHouse, ClickHouseError};
use crate::history::{
    Ask, BurstRow, DeviceRow, DisagreementRow, EventDetail, EventList, EventRow, RowList, SensorRow,
};
use crate::store::facts::id_number;
use crate::store::gathered::{Bursts, Devices, Disagreements, ROWS_MAX, WHOLE_EVENTS_MAX};
use crate::store::group::Named;

#[derive(Deserialize)]
struct Row {
    id: String,
    sensor: String,
    ns: u64,
    client_ip: Ipv6Addr,
    client_port: u16,
    server_ip: Ipv6Addr,
    server_port: u16,
    origin: String,
    origin_confidence: f64,
    cause: String,
    cause_confidence: f64,
    impact: String,
    stage: String,
    agreement: String,
}

impl Row {
    fn listed(self) -> EventRow {
        let at = |ip: Ipv6Addr, port| Endpoint { ip: ip.to_canonical(), port };
        EventRow {
            ts: UtcTime(self.ns),
            client: at(self.client_ip, self.client_port),
            server: at(self.server_ip, self.server_port),
            agreement: serde_json::from_value::<Agreement>(self.agreement.into()).ok(),
            id: self.id,
            sensor: self.sensor,
            origin: self.origin,
            origin_confidence: self.origin_confidence,
            cause: self.cause,
            cause_confidence: self.cause_confidence,
            impact: self.impact,
            stage: self.stage,
            has_evidence: false,
        }
    }
}

/// An event's or its packets' own text.
#[derive(Deserialize)]
struct Told {
    #[serde(default)]
    sensor: String,
    json: String,
}

/// Resets of devices that have no name, of one kind and server.
#[derive(Deserialize)]
struct NamelessRow {
    sensor: String,
    server_ip: Ipv6Addr,
    server_port: u16,
    origin: String,
    cause: String,
    impact: String,
    n: u64,
    ns: u64,
    last_id: String,
}

impl ClickHouse {
    pub(crate) fn history(&self, ask: &Ask) -> Result<EventList, ClickHouseError> {
        ask.check_offset().map_err(ClickHouseError::TooFar)?;
        let limit = ask.limit.min(ROWS_MAX);
        let mut parameters = Parameters::default();
        let wanted = Conditions::of_events(ask, &mut parameters).filtered(&ask.filters).text();
        let mut rows = self.listed(&wanted, &parameters, limit + 1, ask.offset)?;
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        self.mark_evidence(&mut rows)?;
        Ok(EventList { rows, has_more })
    }

    /// Newest first.
    fn listed(
        &self,
        wanted: &str,
        parameters: &Parameters,
        limit: usize,
        offset: usize,
    ) -> Result<Vec<EventRow>, ClickHouseError> {
        let sql = format!(
            "SELECT m.id AS id, sensor, toUnixTimestamp64Nano(m.ts) AS ns, client_ip, client_port,
                server_ip, server_port, origin, origin_confidence, cause, cause_confidence, impact, stage,
                agreement
             FROM events AS m FINAL WHERE {wanted}
             ORDER BY m.ts DESC, m.id DESC LIMIT {limit} OFFSET {offset}"
        );
        let rows = self.client.rows::<Row>("ask for events", &sql, parameters)?;
        Ok(rows.into_iter().map(Row::listed).collect())
    }

    pub(super) fn events_of(
        &self,
        server: ServerRange,
        ask: &Ask,
    ) -> Result<Vec<EventRow>, ClickHouseError> {
        let Some(ask) = of_server(ask, server) else { return Ok(Vec::new()) };
        Ok(self.history(&Ask { limit: EVENTS_OF_SERVER, offset: 0, ..ask })?.rows)
    }

    /// `None` if it is not kept.
    pub(crate) fn event(&self, id: &str) -> Result<Option<EventDetail>, ClickHouseError> {
        if id_number(id).is_none() {
            return Ok(None);
        }
        let mut parameters = Parameters::default();
        let mark = parameters.bind("String", id);
        // Not FINAL: that would look at all there is for one.
        let sql = format!(
            "SELECT sensor, json FROM events WHERE id = toFixedString({mark}, 16) ORDER BY version DESC LIMIT 1"
        );
        let told: Vec<Told> = self.client.rows("ask for an event", &sql, &parameters)?;
        let Some(Told { sensor, json }) = told.into_iter().next() else { return Ok(None) };
        let event: Event = self.own("ask for an event", &json)?;
        let sheet = explain::proof_sheet(&event, SHEET_WIDTH);
        let same_connection = self.same_connection(&event)?;
        let ladder = self.evidence(id)?.map_or_else(Vec::new, |evidence| evidence.ladder());
        Ok(Some(EventDetail { sensor, sheet, ladder, same_connection, event }))
    }

    /// Other resets of the same addresses and ports, of the day before to the day after.
    fn same_connection(&self, event: &Event) -> Result<Vec<EventRow>, ClickHouseError> {
        let day = event.ts.0 / DAY_NS;
        let ask = Ask {
            from: UtcTime(day.saturating_sub(1) * DAY_NS),
            to: UtcTime((day + 2).saturating_mul(DAY_NS)),
            filters: Vec::new(),
            sensor: None,
            limit: SAME_MAX,
            offset: 0,
        };
        let mut parameters = Parameters::default();
        let community = parameters.bind("String", &event.community_id);
        let own = parameters.bind("String", &event.id);
        let wanted = Conditions::of_events(&ask, &mut parameters)
            .and(format!("m.community_id = {community} AND m.id != {own}"))
            .text();
        let mut rows = self.listed(&wanted, &parameters, SAME_MAX, 0)?;
        self.mark_evidence(&mut rows)?;
        Ok(rows)
    }

    fn mark_evidence(&self, rows: &mut [EventRow]) -> Result<(), ClickHouseError> {
        #[derive(Deserialize)]
        struct Kept {
            event: String,
        }
        for some in rows.chunks_mut(IDS_IN_SQL_MAX) {
            let mut parameters = Parameters::default();
            let ids = parameters.bind_all("String", some.iter().map(|row| row.id.as_str()));
            let sql = format!("SELECT DISTINCT event FROM evidence WHERE event IN {ids}");
            let kept: Vec<Kept> = self.client.rows("look for packets", &sql, &parameters)?;
            let kept: HashSet<String> = kept.into_iter().map(|row| row.event).collect();
            some.iter_mut().for_each(|row| row.has_evidence = kept.contains(&row.id));
        }
        Ok(())
    }

    pub(crate) fn evidence(&self, id: &str) -> Result<Option<Evidence>, ClickHouseError> {
        if id_number(id).is_none() {
            return Ok(None);
        }
        let mut parameters = Parameters::default();
        let mark = parameters.bind("String", id);
        let sql =
            format!("SELECT json FROM evidence WHERE event = toFixedString({mark}, 16) LIMIT 1");
        let told: Vec<Told> = self.client.rows("ask for packets", &sql, &parameters)?;
        told.first().map(|told| self.own("ask for packets", &told.json)).transpose()
    }

    pub(crate) fn bursts(&self, ask: &Ask) -> Result<RowList<BurstRow>, ClickHouseError> {
        let mut bursts = Bursts::default();
        let is_cut = self.each_whole(ask, "in_burst", |sensor, event| bursts.add(sensor, event))?;
        Ok(bursts.list(ask, is_cut))
    }

    pub(crate) fn devices(&self, ask: &Ask) -> Result<RowList<DeviceRow>, ClickHouseError> {
        let mut devices = Devices::default();
        let mut is_cut =
            self.each_whole(ask, "has_device", |sensor, event| devices.add(sensor, event))?;
        let mut parameters = Parameters::default();
        let names = Origin::ALL.iter().filter(|origin| origin.is_device());
        let origins = parameters.bind_all("String", names.map(|origin| origin.name()));
        let wanted = Conditions::of_events(ask, &mut parameters)
            .filtered(&ask.filters)
            .and(format!("origin IN {origins} AND NOT has_device"))
            .text();
        let sql = format!(
            "SELECT sensor, server_ip, server_port, origin, cause, impact, count() AS n,
                toUnixTimestamp64Nano(max(m.ts)) AS ns, argMax(m.id, m.ts) AS last_id
             FROM events AS m FINAL WHERE {wanted}
             GROUP BY sensor, server_ip, server_port, origin, cause, impact
             ORDER BY n DESC LIMIT {}",
            NAMELESS_MAX + 1,
        );
        let rows: Vec<NamelessRow> = self.client.rows("ask for devices", &sql, &parameters)?;
        is_cut |= rows.len() > NAMELESS_MAX;
        for row in rows.iter().take(NAMELESS_MAX) {
            let named = Named {
                origin: Origin::from_name(&row.origin).unwrap_or(Origin::Unknown),
                cause: Cause::from_name(&row.cause).unwrap_or(Cause::Unknown),
                stage: Stage::Later,
                impact: Impact::from_name(&row.impact).unwrap_or(Impact::Unknown),
            };
            let server = Endpoint { ip: row.server_ip.to_canonical(), port: row.server_port };
            let last = UtcTime(row.ns);
            devices.add_nameless(&row.sensor, named, server, row.n, last, &row.last_id);
        }
        Ok(devices.list(ask, is_cut))
    }

    pub(crate) fn disagreements(
        &self,
        ask: &Ask,
    ) -> Result<RowList<DisagreementRow>, ClickHouseError> {
        let mut disagreements = Disagreements::default();
        let disagrees = "agreement IN ('contradicted', 'refined')";
        let is_cut = self.each_whole(ask, disagrees, |_, event| disagreements.add(event))?;
        Ok(disagreements.list(ask, is_cut))
    }

    pub(crate) fn sensors(&self) -> Result<Vec<SensorRow>, ClickHouseError> {
        #[derive(Deserialize)]
        struct Row {
            sensor: String,
            last_s: u64,
            status: String,
            came: u64,
            repeated: u64,
            missing: u64,
        }
        let rows: Vec<Row> =
            self.client.rows("ask for sensors", SENSORS, &Parameters::default())?;
        let row = |row: Row| SensorRow {
            sensor: row.sensor,
            last: UtcTime(row.last_s.saturating_mul(1_000_000_000)),
            status: serde_json::from_str::<Status>(&row.status).unwrap_or_default(),
            records: row.came,
            repeated: row.repeated,
            missing: row.missing,
        };
        Ok(rows.into_iter().map(row).collect())
    }

    /// Goes through events that are asked for, newest first, with all they say: the newest
    /// [`WHOLE_EVENTS_MAX`]. Whether there are more.
    pub(super) fn each_whole(
        &self,
        ask: &Ask,
        condition: &str,
        mut each: impl FnMut(&str, &Event),
    ) -> Result<bool, ClickHouseError> {
        let what = "ask for whole events";
        let most = WHOLE_EVENTS_MAX as usize;
        let mut parameters = Parameters::default();
        let wanted = Conditions::of_events(ask, &mut parameters)
            .filtered(&ask.filters)
            .and(condition)
            .text();
        let sql = format!(
            "SELECT sensor, json FROM events AS m FINAL WHERE {wanted}
             ORDER BY m.ts DESC, m.id DESC LIMIT {}",
            most + 1
        );
        let told: Vec<Told> = self.client.rows(what, &sql, &parameters)?;
        for Told { sensor, json } in told.iter().take(most) {
            match serde_json::from_str::<Event>(json) {
                Ok(event) => each(sensor, &event),
                Err(error) => tracing::warn!("an event in ClickHouse cannot be read: {error}"),
            }
        }
        Ok(told.len() > most)
    }

    fn own<T: DeserializeOwned>(&self, what: &str, json: &str) -> Result<T, ClickHouseError> {
        serde_json::from_str(json)
            .map_err(|error| self.client.failed(what, format!("text that is not ours: {error}")))
    }
}

/// The same of one server; `None` of a range of them, which has no events of its own.
pub(super) fn of_server(ask: &Ask, server: ServerRange) -> Option<Ask> {
    let port = server.port.filter(|_| server.prefix.is_none())?;
    let filter: Filter = format!("server={}", Endpoint { ip: server.ip, port }).parse().ok()?;
    let filters = ask.filters.iter().cloned().chain([filter]).collect();
    Some(Ask { filters, ..ask.clone() })
}

/// What came of each sensor. Numbers are of one line for all runs of a spool: a gap between two runs is one.
const SENSORS: &str = "
    SELECT l.sensor AS sensor, last_s, status, came, came - known AS repeated,
        greatest(last_number - first_number + 1, different) - different AS missing
    FROM (SELECT sensor, sum(s.came) AS came, sum(s.known) AS known, min(s.low) AS first_number,
            max(s.high) AS last_number, groupBitmapMerge(s.bits) AS different
          FROM (SELECT sensor, session, sum(r.records) AS came, groupBitmapMerge(r.numbers) AS known,
                    min(r.first) AS low, max(r.last) AS high, groupBitmapMergeState(r.numbers) AS bits
                FROM ledger AS r GROUP BY sensor, session) AS s
          GROUP BY sensor) AS l
    LEFT JOIN (SELECT sensor, toUnixTimestamp(max(m.start)) AS last_s, argMax(m.status, m.start) AS status
          FROM minutes AS m GROUP BY sensor) AS m USING (sensor)
    ORDER BY sensor";

const EVENTS_OF_SERVER: usize = 20;
const SAME_MAX: usize = 20;
/// Events that are named in one question: it stays shorter than what proxies let through.
const IDS_IN_SQL_MAX: usize = 200;
/// Kinds of resets of devices without a name, by server, that one answer is made of.
const NAMELESS_MAX: usize = 100_000;
const SHEET_WIDTH: usize = 80;
const DAY_NS: u64 = 86_400_000_000_000;
