//! What other connections tell: of one reset, and of a run as a whole.
//!
//! | file | idea |
//! |---|---|
//! | `devices` | devices in the path: which one, where, how busy |
//! | `names` | resets by the name that was asked for |

mod devices;
mod names;

use classifiers::{Context, Setting};
use serde::{Deserialize, Serialize};

pub use devices::{DeviceItem, IdLineItem};
pub use names::{BlockedNameItem, NamesItem};

/// What other connections tell of one reset; only what is known is there.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct ContextFields {
    /// The device that sent it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<DeviceItem>,
    /// The IP-ID counter that it shares with resets in the names of other hosts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_line: Option<IdLineItem>,
    /// How connections of its server fare by the name asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub names: Option<NamesItem>,
}

impl ContextFields {
    /// The fields of a setting; `None` if nothing is known.
    #[must_use]
    pub fn of(setting: &Setting) -> Option<Self> {
        let fields = Self {
            device: setting.device.as_ref().map(Into::into),
            id_line: setting.id_line.as_ref().map(Into::into),
            names: setting.names.as_ref().map(Into::into),
        };
        (fields != Self::default()).then_some(fields)
    }

    /// What is known, in sentences.
    #[must_use]
    pub fn sentences(&self) -> Vec<String> {
        let device = self.device.iter().map(DeviceItem::sentence);
        let id_line = self.id_line.iter().map(IdLineItem::sentence);
        let names = self.names.iter().map(NamesItem::sentence);
        device.chain(id_line).chain(names).collect()
    }
}

/// What connections tell of each other over a whole run.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct ContextReport {
    /// Devices in the path, busiest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<DeviceItem>,
    /// Names that are reset while others on the same servers pass, most resets first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blocked_names: Vec<BlockedNameItem>,
    /// Requests whose name did not come whole.
    #[serde(default)]
    pub names_cut: u64,
    /// Connections whose name gave way to those of others; includes those that had ended.
    #[serde(default)]
    pub names_forgotten: u64,
}

impl ContextReport {
    /// Everything that a context has found.
    #[must_use]
    pub fn of(context: &Context) -> Self {
        let (devices, blocked) = (context.devices(), context.blocked_names());
        Self {
            devices: devices.iter().map(Into::into).collect(),
            blocked_names: blocked.iter().map(Into::into).collect(),
            names_cut: 0,
            names_forgotten: context.names_forgotten(),
        }
    }

    /// The report in words: lines with a label in front, a few of each kind.
    #[must_use]
    pub fn lines(&self) -> Vec<(&'static str, String)> {
        let more = |label, count: usize, what: &str| {
            let more = count.saturating_sub(LINES_MAX);
            (more > 0).then(|| (label, format!("{more} more {what}")))
        };
        // One reset says little of where its device sits.
        let placed: Vec<_> = self.devices.iter().filter(|device| device.resets > 1).collect();
        let devices = placed.iter().take(LINES_MAX).map(|device| ("Device", device.text()));
        let names = self.blocked_names.iter().take(LINES_MAX).map(|name| ("Blocked", name.text()));
        devices
            .chain(more("Device", placed.len(), "in the JSON report"))
            .chain(names)
            .chain(more("Blocked", self.blocked_names.len(), "names"))
            .collect()
    }
}

/// Lines of one kind; all are in the JSON.
const LINES_MAX: usize = 5;
