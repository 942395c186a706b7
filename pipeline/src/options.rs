//! What can be set, with defaults that work on a bare appliance.

use flowtable::{KeyScope, Timeouts};
use xdp::{Capture, Ration};

use crate::minutes::MinuteOptions;
use crate::names::NamesKept;
use crate::trail::EvidenceOptions;

/// How the sensor remembers and tells; the same for captures and interfaces.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which packets are looked at; for captures, which of them would have been on a live link.
    pub capture: Capture,
    /// Flows remembered by all workers together; rounded up to a power of two for each.
    pub flows: usize,
    /// Servers whose answers are remembered.
    pub servers: usize,
    /// Resets watched at a time by all workers together.
    pub watches: usize,
    /// How long flows are remembered.
    pub timeouts: Timeouts,
    /// Workers that read plain capture files together, each with room for all flows; interfaces
    /// have one a queue.
    pub read_workers: usize,
    /// What tells connections apart besides the 4-tuple.
    pub key_scope: KeyScope,
    /// Secret of the flow hash; drawn at random if absent. Fixed for repeatable replays.
    pub seed: Option<u64>,
    /// Seed of the Community ID.
    pub community_id_seed: u16,
    /// What is kept of the names that clients ask for.
    pub names: NamesKept,
    /// Also tell the verdict at once, before the watch is over.
    pub provisional: bool,
    /// Judge by other connections too; else by the connection of a reset alone, and at once.
    pub context: bool,
    /// What is kept of packets, to be told as evidence.
    pub evidence: EvidenceOptions,
    /// What bounds minutes, if the sink wants any.
    pub minutes: MinuteOptions,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            capture: Capture::All,
            flows: 1 << 20,
            servers: 1 << 16,
            // 2 % resets at 1.5 million packets a second, each watched for a second.
            watches: 1 << 15,
            timeouts: Timeouts::default(),
            read_workers: 1,
            key_scope: KeyScope::default(),
            seed: None,
            community_id_seed: 0,
            names: NamesKept::default(),
            provisional: false,
            context: true,
            evidence: EvidenceOptions::default(),
            minutes: MinuteOptions::default(),
        }
    }
}

impl Options {
    /// Names that are read; only judgement by other connections needs any.
    pub(crate) const fn names_read(&self) -> NamesKept {
        if self.context { self.names } else { NamesKept::Off }
    }

    /// The ration of control mode.
    pub(crate) const fn ration(&self) -> Option<Ration> {
        match self.capture {
            Capture::All => None,
            Capture::Control(ration) => Some(ration),
        }
    }

    /// In control mode: so many packets of a direction are seen at least before one is left out.
    pub(crate) fn first_packets(&self) -> Option<u8> {
        // Connections that only their VLAN tells apart share a budget: nothing is sure then.
        self.ration().map(|ration| if self.key_scope.vlan { 0 } else { ration.first_packets })
    }

    /// The hash seed in force.
    ///
    /// `RandomState` draws its keys from the operating system.
    pub(crate) fn seed_in_force(&self) -> u64 {
        use std::hash::{BuildHasher, RandomState};
        self.seed.unwrap_or_else(|| RandomState::new().hash_one(0x7273_7473_636f_7065u64))
    }
}
