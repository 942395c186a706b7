//! `[evidence]` of the configuration.

use std::path::PathBuf;

use anyhow::ensure;
use clap::ValueEnum;
use pipeline::EvidenceOptions;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The last packets of connections, kept for those that are reset.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct EvidenceSection {
    /// Latest packets of all connections that each worker remembers, 1024 to 16777216, rounded up to a
    /// power of two, 260 bytes each; 0 keeps none.
    pub(crate) packets: usize,
    /// Bytes of payload kept of each packet, 0 to 128; a packet is kept up to 128 bytes in all.
    pub(crate) payload_bytes: usize,
    /// Whose packets are sent on with their events: `harmful` (aborted, refused or not judged), `all` or
    /// `none`.
    pub(crate) ship: Ship,
    /// File with a key (64 hexadecimal digits) by which addresses in packets are replaced before they leave
    /// the sensor; events keep theirs. Absent: packets keep theirs too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pseudonymise_key_file: Option<PathBuf>,
}

/// Values of `evidence.ship`.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema, ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Ship {
    /// Of resets that cost something, or may have.
    #[default]
    Harmful,
    /// Of all primary resets.
    All,
    /// Of none: the sensor's memory alone has them (api.evidence_bytes).
    None,
}

impl Default for EvidenceSection {
    fn default() -> Self {
        Self {
            packets: EvidenceOptions::usual().packets,
            payload_bytes: 0,
            ship: Ship::default(),
            pseudonymise_key_file: None,
        }
    }
}

impl EvidenceSection {
    /// What the packet path is told.
    pub(crate) const fn options(&self) -> EvidenceOptions {
        EvidenceOptions { packets: self.packets, payload_bytes: self.payload_bytes }
    }
}

/// Checks limits.
///
/// # Errors
/// The first that does not hold, by its name.
pub(crate) fn check(evidence: &EvidenceSection) -> anyhow::Result<()> {
    let EvidenceSection { packets, payload_bytes, .. } = evidence;
    ensure!(
        *packets == 0 || (1024..=1 << 24).contains(packets),
        "evidence.packets = {packets}: 0 to keep none, or 1024 to 16777216"
    );
    ensure!(*payload_bytes <= 128, "evidence.payload_bytes = {payload_bytes}: 0 to 128");
    Ok(())
}
