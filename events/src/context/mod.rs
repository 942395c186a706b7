//! What other connections told, as owned data.
//!
//! | file | what |
//! |---|---|
//! | `devices.rs` | devices in the path: which one, where, how busy |
//! | `names.rs` | resets by the name that was asked for |

mod devices;
mod names;

pub use devices::{DeviceItem, IdLineItem};
pub use names::{BlockedNameItem, NamesItem};

use classifiers::Setting;
use serde::{Deserialize, Serialize};

/// What other connections told of one reset.
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
    /// What a setting tells; `None` if it tells nothing.
    #[must_use]
    pub fn of(setting: &Setting) -> Option<Self> {
        let fields = Self {
            device: setting.device.as_ref().map(Into::into),
            id_line: setting.id_line.as_ref().map(Into::into),
            names: setting.names.as_ref().map(Into::into),
        };
        (fields != Self::default()).then_some(fields)
    }
}

/// What all connections of a run told together.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct ContextReport {
    /// Devices in the path, busiest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<DeviceItem>,
    /// Devices that were too many to be listed.
    #[serde(default)]
    pub devices_unlisted: u64,
    /// Names that are reset while others on the same servers pass, most resets first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blocked_names: Vec<BlockedNameItem>,
    /// Blocked names that were too many to be listed.
    #[serde(default)]
    pub blocked_names_unlisted: u64,
    /// Requests whose name did not come whole.
    #[serde(default)]
    pub names_cut: u64,
    /// Connections whose name gave way to those of others; includes those that had ended.
    #[serde(default)]
    pub names_forgotten: u64,
}
