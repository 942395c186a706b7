//! The service that a reset names, as its other connections show it.

use classifiers::ServiceFacts;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::burst::seconds;
use crate::sentence::{counted, percent, span_text};

/// What other connections of the same service did around the reset.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct ServiceFields {
    /// Seconds since it last accepted a connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted_before_s: Option<f64>,
    /// Seconds until it accepted one, as far as it was waited for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted_after_s: Option<f64>,
    /// It accepted and refused in turn.
    #[serde(default, skip_serializing_if = "is_false")]
    pub mixed: bool,
    /// Connections open, of those whose beginning was seen.
    pub live: u32,
    /// Connections refused lately.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub refused: u32,
    /// Handshakes reset in the same seconds as a full accept queue resets them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub overflows: u32,
    /// Handshakes that needed a second SYN or SYN/ACK lately.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub strained: u32,
    /// Connections accepted and cut without a byte in the same seconds.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub turned_away: u32,
    /// Sockets closed and reset in one breath in the same seconds.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub orphans: u32,
    /// Resets of this service that have the cause that this one has by itself.
    pub of_this_kind: u32,
    /// All resets of this service, as far as they bear on it.
    pub of_all_kinds: u32,
}

impl From<&ServiceFacts> for ServiceFields {
    fn from(facts: &ServiceFacts) -> Self {
        Self {
            accepted_before_s: facts.accepted_before_ns.map(seconds),
            accepted_after_s: facts.accepted_after_ns.map(seconds),
            mixed: facts.is_mixed,
            live: facts.live,
            refused: facts.refused,
            overflows: facts.overflows,
            strained: u32::from(facts.strained),
            turned_away: facts.turned_away,
            orphans: facts.orphans,
            of_this_kind: facts.of_this_kind,
            of_all_kinds: facts.of_all_kinds,
        }
    }
}

impl ServiceFields {
    /// What is worth telling of it.
    pub(super) fn sentences(&self) -> Vec<String> {
        let accepted = match (self.accepted_before_s, self.accepted_after_s) {
            (Some(before), Some(after)) => Some(format!(
                "The service accepted a connection {} before, and the next {} after.",
                span_text(before),
                span_text(after)
            )),
            (Some(before), None) => Some(format!(
                "The service accepted its last connection {} before.",
                span_text(before)
            )),
            (None, Some(after)) => Some(format!(
                "The service accepted its first connection {} after.",
                span_text(after)
            )),
            (None, None) => None,
        };
        let is_about_opening = self.refused > 0 || self.overflows > 0;
        let mixed =
            "It accepts and refuses in turn: one of several members behind this address refuses.";
        let strained = match self.strained {
            0 => String::new(),
            1 => ", 1 needed a second attempt".to_owned(),
            strained => format!(", {strained} needed a second attempt"),
        };
        let overflows = format!(
            "{} were reset like this in the same seconds{strained}.",
            counted(u64::from(self.overflows), "handshake")
        );
        let (of_this_kind, of_all_kinds) =
            (u64::from(self.of_this_kind), u64::from(self.of_all_kinds));
        let kinds = format!(
            "{} of the {} of this service are of this kind.",
            percent(of_this_kind, of_all_kinds),
            counted(of_all_kinds, "reset")
        );
        [
            (self.overflows > 1).then_some(overflows),
            self.mixed.then(|| mixed.to_owned()),
            accepted.filter(|_| is_about_opening),
            (self.of_all_kinds >= MANY).then_some(kinds),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature.
const fn is_zero(count: &u32) -> bool {
    *count == 0
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature.
const fn is_false(is: &bool) -> bool {
    !*is
}

/// A share of fewer resets says nothing.
const MANY: u32 = 20;
