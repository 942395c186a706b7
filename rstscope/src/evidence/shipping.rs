//! Which packets a running sensor sends on.

use classifiers::Impact;
use events::{Event, Evidence, Pseudonyms};

use super::section::{EvidenceSection, Ship};

/// What becomes of evidence.
pub(crate) struct Shipping {
    ship: Ship,
    pseudonyms: Option<Pseudonyms>,
    /// Whether the event told last is one whose packets are sent.
    is_sent: bool,
}

impl Shipping {
    /// By the configuration.
    ///
    /// # Errors
    /// The key cannot be read.
    pub(crate) fn of(section: &EvidenceSection) -> anyhow::Result<Self> {
        Ok(Self {
            ship: section.ship,
            pseudonyms: super::pseudonyms(section.pseudonymise_key_file.as_deref())?,
            is_sent: false,
        })
    }

    /// Notes the event that evidence comes right after.
    pub(crate) fn event(&mut self, event: &Event) {
        self.is_sent = match self.ship {
            Ship::None => false,
            Ship::All => true,
            Ship::Harmful => event.verdict.impact != Impact::Benign,
        };
    }

    /// What leaves the sensor of it.
    pub(crate) fn prepared(&self, evidence: &Evidence) -> Evidence {
        match &self.pseudonyms {
            Some(pseudonyms) => pseudonyms.evidence(evidence),
            None => evidence.clone(),
        }
    }

    /// Whether it is sent on; else only the sensor's own memory has it.
    pub(crate) const fn is_sent(&self) -> bool {
        self.is_sent
    }
}
