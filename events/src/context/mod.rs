//! What other connections tell: of one reset, and of a run as a whole.
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

use std::time::{Duration, UNIX_EPOCH};

use classifiers::{Context, Setting};
use serde::{Deserialize, Serialize};

use crate::event::Endpoint;
use crate::sentence::capitalised;
use crate::time::UtcTime;

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
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
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
        let of_services = self
            .burst
            .iter()
            .map(BurstFields::sentence)
            .chain(self.service.iter().flat_map(ServiceFields::sentences))
            .chain(self.timer.iter().map(|timer| format!("{}.", timer.sentence(&path))));
        let of_sources = [
            self.health_check.as_ref().map(HealthCheckFields::sentence),
            self.scan.as_ref().map(ScanFields::sentence),
            self.limit.as_ref().map(LimitFields::sentence),
            self.shaping.as_ref().map(ShapingFields::sentence),
            self.flood.as_ref().and_then(FloodFields::sentence),
            self.desync.as_ref().map(DesyncFields::sentence),
            self.sibling.as_ref().map(SiblingFields::sentence),
            self.guesses.as_ref().map(GuessFields::sentence),
        ];
        let of_devices = self
            .device
            .iter()
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
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
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
    /// Everything that a context has found; what the exporter alone knows is its to fill in.
    #[must_use]
    pub fn of(context: &Context) -> Self {
        Self {
            bursts: context.bursts().map(BurstItem::from).collect(),
            timers: context.timers().iter().map(TimerReport::from).collect(),
            devices: context.devices().iter().map(Into::into).collect(),
            blocked_names: context.blocked_names().iter().map(Into::into).collect(),
            forgotten: context.forgotten(),
            names_forgotten: context.names_forgotten(),
            ..Self::default()
        }
    }

    /// The report in words: lines with a label in front, a few of each kind.
    #[must_use]
    pub fn lines(&self) -> Vec<(&'static str, String)> {
        let mut lines = Vec::new();
        let largest = burst::largest(&self.bursts, LINES_MAX).map(BurstItem::sentence);
        few(&mut lines, "Service", self.bursts.len(), largest);
        let timers = self.timers.iter().map(|timer| timer.text.clone());
        few(&mut lines, "Idle timer", self.timers.len(), timers);
        few(&mut lines, "Scan", self.scans.len(), self.scans.iter().map(ScanFields::sentence));
        let checks = self.health_checks.iter().map(HealthCheckItem::sentence);
        few(&mut lines, "Health check", self.health_checks.len(), checks);
        few(&mut lines, "Limit", self.limits.len(), self.limits.iter().map(LimitItem::sentence));
        few(&mut lines, "Flood", self.floods.len(), self.floods.iter().map(FloodItem::sentence));
        // One reset says little of where its device sits.
        let placed: Vec<_> = self.devices.iter().filter(|device| device.resets > 1).collect();
        few(&mut lines, "Device", placed.len(), placed.iter().map(|device| device.text()));
        let names = self.blocked_names.iter().map(BlockedNameItem::text);
        few(&mut lines, "Blocked", self.blocked_names.len(), names);
        lines
    }
}

/// Adds the first lines of a kind, and how many more there are.
fn few(
    lines: &mut Vec<(&'static str, String)>,
    label: &'static str,
    count: usize,
    texts: impl Iterator<Item = String>,
) {
    lines.extend(texts.take(LINES_MAX).map(|text| (label, text)));
    let more = count.saturating_sub(LINES_MAX);
    if more > 0 {
        lines.push((label, format!("{more} more in the JSON report")));
    }
}

/// A time to the second, as reports tell it.
fn clock(time: UtcTime) -> String {
    let instant = UNIX_EPOCH + Duration::from_nanos(time.0);
    humantime::format_rfc3339_seconds(instant).to_string()
}

/// Lines of one kind; all are in the JSON.
const LINES_MAX: usize = 5;
