//! Bursts, devices and disagreements, added up from events, whichever store they lie in.

use std::collections::{BTreeMap, BTreeSet};

use events::{Agreement, BurstFields, CorroborationItem, Endpoint, Event, UtcTime};

use super::group::Named;
use super::tally::{named_rows, worst_first};
use crate::history::{Ask, BurstRow, DeviceRow, DisagreementRow, RowList};
use crate::impacts::ImpactCounts;

/// Bursts while they are added up, from the newest event on.
#[derive(Default)]
pub(crate) struct Bursts(BTreeMap<(String, Endpoint, UtcTime), BurstRow>);

impl Bursts {
    /// Adds an event, if it was part of one.
    pub(crate) fn add(&mut self, sensor: &str, event: &Event) {
        let Some(burst) = event.context.as_ref().and_then(|context| context.burst.as_ref()) else {
            return;
        };
        let key = (sensor.to_owned(), event.server, burst.first);
        let last = UtcTime(burst.first.0.saturating_add(span_ns(burst)));
        // Newest first: the first one that is met knows most.
        let row = self.0.entry(key).or_insert_with(|| BurstRow {
            first: burst.first,
            last,
            server: event.server,
            events: 0,
            sentence: burst.sentence(),
            example: event.id.clone(),
        });
        row.events += 1;
        row.last = row.last.max(last);
    }

    /// Newest first.
    pub(crate) fn list(self, ask: &Ask, is_cut: bool) -> RowList<BurstRow> {
        let mut rows: Vec<BurstRow> = self.0.into_values().collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.first));
        RowList { rows: page(rows, ask), is_cut }
    }
}

/// Devices while they are added up.
#[derive(Default)]
pub(crate) struct Devices(BTreeMap<DeviceKey, DeviceTally>);

/// Sensor, name and first reset of a device: its number begins anew with every run of the sensor.
type DeviceKey = (String, String, u64);

impl Devices {
    /// Adds an event, if its sensor has a name for the device.
    pub(crate) fn add(&mut self, sensor: &str, event: &Event) {
        let Some(device) = event.context.as_ref().and_then(|context| context.device.as_ref())
        else {
            return;
        };
        let key = (sensor.to_owned(), format!("device {}", device.id), device.first.0);
        let tally = self.0.entry(key).or_default();
        let hops = Some(device.hops);
        tally.hops =
            Some(tally.hops.map_or(hops, |known| known.filter(|known| Some(*known) == hops)));
        let verdict = &event.verdict;
        let named = Named {
            origin: verdict.origin,
            cause: verdict.cause,
            stage: verdict.stage,
            impact: verdict.impact,
        };
        tally.add(named, event.server, 1, event.ts, &event.id);
    }

    /// Adds resets of a device that has no name: those of one origin are one. The last of them is `id`.
    pub(crate) fn add_nameless(
        &mut self,
        sensor: &str,
        named: Named,
        server: Endpoint,
        count: u64,
        last: UtcTime,
        id: &str,
    ) {
        let key = (sensor.to_owned(), named.origin.name().to_owned(), 0);
        self.0.entry(key).or_default().add(named, server, count, last, id);
    }

    /// Most harmful first.
    pub(crate) fn list(self, ask: &Ask, is_cut: bool) -> RowList<DeviceRow> {
        let mut rows: Vec<DeviceRow> =
            self.0.into_iter().map(|(key, tally)| tally.row(key)).collect();
        rows.sort_by(|left, right| worst_first(&left.resets, &right.resets));
        RowList { rows: page(rows, ask), is_cut }
    }
}

#[derive(Default)]
struct DeviceTally {
    hops: Option<Option<u8>>,
    resets: ImpactCounts,
    causes: BTreeMap<&'static str, ImpactCounts>,
    servers: BTreeSet<Endpoint>,
    last: UtcTime,
    example: String,
}

impl DeviceTally {
    fn add(&mut self, named: Named, server: Endpoint, count: u64, last: UtcTime, id: &str) {
        self.resets.add(named.impact, count);
        self.causes.entry(named.cause.name()).or_default().add(named.impact, count);
        self.servers.insert(server);
        if last >= self.last {
            (self.last, self.example) = (last, id.to_owned());
        }
    }

    fn row(self, (sensor, device, _): DeviceKey) -> DeviceRow {
        let causes = self.causes.iter().map(|(name, counts)| (*name, counts));
        DeviceRow {
            sensor,
            device,
            hops: self.hops.flatten(),
            resets: self.resets,
            causes: named_rows(causes),
            servers: self.servers.len() as u64,
            last: self.last,
            example: self.example,
        }
    }
}

/// Sessions whose logged culprit is wrong while they are added up, from the newest event on.
#[derive(Default)]
pub(crate) struct Disagreements(BTreeMap<(String, String, String, String, bool), DisagreementRow>);

impl Disagreements {
    /// Adds what logs say of an event, where they are wrong.
    pub(crate) fn add(&mut self, event: &Event) {
        for item in &event.corroboration {
            if !item.is_culprit_wrong(event.verdict.origin) {
                continue;
            }
            let rule = item.rule.clone().unwrap_or_default();
            let origin = event.verdict.origin.name().to_owned();
            let is_refined = item.agreement == Agreement::Refined;
            let key =
                (item.source.clone(), rule.clone(), item.said.clone(), origin.clone(), is_refined);
            let row = self.0.entry(key).or_insert_with(|| disagreement(item, rule, origin, event));
            row.count += 1;
        }
    }

    /// Most frequent first.
    pub(crate) fn list(self, ask: &Ask, is_cut: bool) -> RowList<DisagreementRow> {
        let mut rows: Vec<DisagreementRow> = self.0.into_values().collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.count));
        RowList { rows: page(rows, ask), is_cut }
    }
}

fn disagreement(
    item: &CorroborationItem,
    rule: String,
    origin: String,
    event: &Event,
) -> DisagreementRow {
    DisagreementRow {
        source: item.source.clone(),
        rule,
        said: item.said.clone(),
        origin,
        agreement: item.agreement,
        count: 0,
        example: event.id.clone(),
        item: item.clone(),
    }
}

fn page<T>(rows: Vec<T>, ask: &Ask) -> Vec<T> {
    rows.into_iter().skip(ask.offset).take(ask.limit.min(ROWS_MAX)).collect()
}

fn span_ns(burst: &BurstFields) -> u64 {
    (burst.span_s.clamp(0.0, 86_400.0) * 1e9) as u64
}

/// Rows of one answer at most.
pub(crate) const ROWS_MAX: usize = 10_000;
/// Events whose JSON is read for one answer: about a second's work. The newest ones.
pub(crate) const WHOLE_EVENTS_MAX: u32 = 20_000;
