//! What other connections tell: of one reset, and of a run as a whole.
//!
//! Every sentence that takes numbers of more than one connection is here, beside the fields that
//! hold them.
//!
//! | file | idea |
//! |---|---|
//! | `service` | what the service accepts, refuses and cuts besides |
//! | `burst` | restarts, reboots, failovers: many connections cut together |
//! | `timers` | idle timers, by number and by name |
//! | `names` | resets by the name that was asked for |
//! | `source` | scans, health checks, limits: what a source does besides |
//! | `crowd` | floods, shaping, failed translations: what many connections have in common |
//! | `devices` | devices in the path: which one, where, how busy |

mod burst;
mod crowd;
mod devices;
mod names;
mod service;
mod source;
mod timers;

use classifiers::{Context, Setting};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::Endpoint;
use crate::report::GroupCount;
use crate::sentence::capitalised;

pub use burst::{BurstFields, BurstItem};
pub use crowd::{DesyncFields, FloodFields, FloodItem, GuessFields, ShapingFields, SiblingFields};
pub use devices::{DeviceItem, IdLineItem};
pub use names::{BlockedNameItem, NamesItem};
pub use service::ServiceFields;
pub use source::{
    CheckerItem, HealthCheckFields, HealthCheckItem, LimitFields, LimitItem, ScanFields,
};
pub use timers::{TimerFields, TimerReport};

/// What other connections tell of one reset; only what is known is there.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct ContextFields {
    /// The service that the reset names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceFields>,
    /// The burst of resets that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<BurstFields>,
    /// The idle timer that it is due to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timer: Option<TimerFields>,
    /// How connections of its server fare by the name asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub names: Option<NamesItem>,
    /// The scan it is part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scan: Option<ScanFields>,
    /// The health check it is part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_check: Option<HealthCheckFields>,
    /// The limit on connections that it fits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<LimitFields>,
    /// How its client's connections fare at many servers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shaping: Option<ShapingFields>,
    /// The flood that it is part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flood: Option<FloodFields>,
    /// The connection that its lone segment belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub desync: Option<DesyncFields>,
    /// The connection for whose sake it was given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sibling: Option<SiblingFields>,
    /// Guesses at other connections of the same hosts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guesses: Option<GuessFields>,
    /// The device that sent it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<DeviceItem>,
    /// The IP-ID counter that it shares with resets in the names of other hosts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_line: Option<IdLineItem>,
}

impl ContextFields {
    /// The fields of a setting; `None` if nothing is known.
    #[must_use]
    pub fn of(setting: &Setting) -> Option<Self> {
        let fields = Self {
            service: setting.service.as_ref().map(Into::into),
            burst: setting.burst.as_ref().map(Into::into),
            timer: setting.timer.as_ref().and_then(TimerFields::at),
            names: setting.names.as_ref().map(Into::into),
            scan: setting.scan.as_ref().map(Into::into),
            health_check: setting.rhythm.as_ref().map(Into::into),
            limit: setting.limit.as_ref().map(Into::into),
            shaping: setting.shaping.as_ref().map(Into::into),
            flood: setting.flood.as_ref().map(Into::into),
            desync: setting.desync.as_ref().map(Into::into),
            sibling: setting.sibling.as_ref().map(Into::into),
            guesses: setting.guesses.as_ref().map(Into::into),
            device: setting.device.as_ref().map(Into::into),
            id_line: setting.id_line.as_ref().map(Into::into),
        };
        (fields != Self::default()).then_some(fields)
    }

    /// What is known, a sentence each; `server` is whom the connection called.
    #[must_use]
    pub fn sentences(&self, server: Endpoint) -> Vec<String> {
        let path = server.to_string();
        let sibling = self.sibling.as_ref().map(|sibling| sibling.sentence(server));
        let of_services = self
            .burst
            .iter()
            .map(BurstFields::sentence)
            .chain(self.timer.iter().map(|timer| format!("{}.", timer.sentence(&path))))
            .chain(self.service.iter().flat_map(ServiceFields::sentences));
        let of_sources = [
            self.health_check.as_ref().map(HealthCheckFields::sentence),
            self.scan.as_ref().map(ScanFields::sentence),
            self.limit.as_ref().map(LimitFields::sentence),
            self.shaping.as_ref().map(ShapingFields::sentence),
            self.flood.as_ref().and_then(FloodFields::sentence),
            self.desync.as_ref().map(DesyncFields::sentence),
            sibling,
            self.guesses.as_ref().map(GuessFields::sentence),
        ];
        let of_devices = self
            .device
            .iter()
            .filter(|device| device.is_known())
            .map(DeviceItem::sentence)
            .chain(self.id_line.iter().map(IdLineItem::sentence))
            .chain(self.names.iter().map(NamesItem::sentence));
        of_services
            .chain(of_sources.into_iter().flatten().map(|text| format!("{text}.")))
            .chain(of_devices)
            .map(|sentence| capitalised(&sentence))
            .collect()
    }
}

/// What connections tell of each other over a whole run; most telling first in each list.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct ContextReport {
    /// Services that restarted, died or moved, in the order of time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bursts: Vec<BurstItem>,
    /// Idle timers, most often seen first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub timers: Vec<TimerReport>,
    /// Sources that scan.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scans: Vec<ScanFields>,
    /// Services whose resets are, in part, health checks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub health_checks: Vec<HealthCheckItem>,
    /// Limits on connections that showed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<LimitItem>,
    /// Servers under a flood or protected from one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub floods: Vec<FloodItem>,
    /// Devices in the path, busiest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<DeviceItem>,
    /// Names that are reset while others on the same servers pass, most resets first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blocked_names: Vec<BlockedNameItem>,
    /// Entries of the bounded tables that gave way to others: what they knew is not in the verdicts.
    #[serde(default)]
    pub forgotten: u64,
    /// Requests whose name did not come whole.
    #[serde(default)]
    pub names_cut: u64,
    /// Connections whose name gave way to those of others; includes those that had ended.
    #[serde(default)]
    pub names_forgotten: u64,
}

impl ContextReport {
    /// Everything that a context has found; `groups` are the resets of the run, counted. What the
    /// exporter alone knows is its to fill in.
    #[must_use]
    pub fn of(context: &Context, groups: &[GroupCount]) -> Self {
        Self {
            scans: context.scanners().iter().map(Into::into).collect(),
            health_checks: HealthCheckItem::of_all(context, groups),
            limits: context.limits().iter().map(Into::into).collect(),
            floods: context.floods().iter().map(Into::into).collect(),
            bursts: context.bursts().map(BurstItem::from).collect(),
            timers: context.timers().iter().map(TimerReport::from).collect(),
            devices: context.devices().iter().map(Into::into).collect(),
            blocked_names: context.blocked_names().iter().map(Into::into).collect(),
            forgotten: context.forgotten(),
            names_forgotten: context.names_forgotten(),
            ..Self::default()
        }
    }

    /// The report in words: lines with a label in front, what needs somebody's action first, the
    /// largest few of each kind.
    #[must_use]
    pub fn lines(&self) -> Vec<(&'static str, String)> {
        let mut lines = Lines::default();
        let bursts = burst::largest(&self.bursts, LINES_MAX).map(BurstItem::sentence);
        lines.add(("Service", "services"), self.bursts.len(), bursts);
        let devices: Vec<_> = self.devices.iter().filter(|device| device.is_known()).collect();
        let texts = devices.iter().map(|device| device.text());
        lines.add(("Device", "devices"), devices.len(), texts);
        let names = self.blocked_names.iter().map(BlockedNameItem::text);
        lines.add(("Blocked", "blocked names"), self.blocked_names.len(), names);
        let timers = self.timers.iter().map(|timer| timer.text.clone());
        lines.add(("Idle timer", "idle timers"), self.timers.len(), timers);
        let limits = self.limits.iter().map(LimitItem::sentence);
        lines.add(("Limit", "limits"), self.limits.len(), limits);
        let floods = self.floods.iter().map(FloodItem::sentence);
        lines.add(("Flood", "floods"), self.floods.len(), floods);
        let scans = self.scans.iter().map(ScanFields::sentence);
        lines.add(("Scan", "scans"), self.scans.len(), scans);
        let checks = self.health_checks.iter().map(HealthCheckItem::sentence);
        lines.add(
            ("Health check", "services under health checks"),
            self.health_checks.len(),
            checks,
        );
        if !lines.more.is_empty() {
            let more = lines.more.join(", ");
            lines.told.push(("More", format!("{more}; --summary --format json has them all")));
        }
        lines.told
    }
}

/// Lines of a report, and what they leave out.
#[derive(Default)]
struct Lines {
    told: Vec<(&'static str, String)>,
    more: Vec<String>,
}

impl Lines {
    /// Adds the first of `count` texts; `names` is the label and what several of them are called.
    fn add(
        &mut self,
        (label, several): (&'static str, &str),
        count: usize,
        texts: impl Iterator<Item = String>,
    ) {
        self.told.extend(texts.take(LINES_MAX).map(|text| (label, capitalised(&text))));
        if let Some(more) = count.checked_sub(LINES_MAX).filter(|more| *more > 0) {
            self.more.push(format!("{more} more {several}"));
        }
    }
}

/// Lines of one kind; all are in the JSON.
const LINES_MAX: usize = 3;

#[cfg(test)]
mod tests {
    use super::{BlockedNameItem, ContextReport};

    #[test]
    fn a_report_tells_a_few_of_a_kind_and_how_many_more_there_are() {
        let blocked = BlockedNameItem::sample();
        let report = ContextReport { blocked_names: vec![blocked; 5], ..ContextReport::default() };
        let lines = report.lines();
        let labels: Vec<&str> = lines.iter().map(|(label, _)| *label).collect();
        assert_eq!(labels, ["Blocked", "Blocked", "Blocked", "More"]);
        assert_eq!(lines[3].1, "2 more blocked names; --summary --format json has them all");
        assert_eq!(ContextReport::default().lines(), []);
    }
}
