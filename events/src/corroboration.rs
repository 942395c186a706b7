//! What logs of firewalls and servers say of a reset that was seen on the wire.

use classifiers::{Cause, Origin};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::Event;
use crate::time::UtcTime;

/// One log line that speaks of the same connection.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct CorroborationItem {
    /// What it does to the verdict.
    pub agreement: Agreement,
    /// Name of the machine that wrote the log.
    pub source: String,
    /// What wrote it: `pan_os`, `fortigate`, `cisco_asa`, `haproxy`, `nginx`.
    pub product: String,
    /// Its own word for the end of the connection: `tcp-rst-from-server`, `TCP Reset-O`, `SD--`; `nothing` if it
    /// logged none.
    pub said: String,
    /// The policy rule that it names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The threat that it names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threat: Option<String>,
    /// When it says that the connection ended, by its own clock.
    pub ts: UtcTime,
    /// By how much its clock is ahead of ours, seconds; absent while that is not learned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_offset_s: Option<f64>,
    /// Which addresses matched: `original`, `client_translated`, `server_translated`, `both_translated`; of a
    /// proxy `front`, the connection that it accepted, or `back`, the one that it made; `none` of what was not logged.
    pub matched: String,
    /// Community ID of the same connection by its other addresses, where they are told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub community_id_nat: Option<String>,
    /// What follows, in a sentence.
    pub sentence: String,
    /// The line itself, cut at 1024 bytes; "" where there is none.
    pub line: String,
}

impl CorroborationItem {
    /// Whether the log names a culprit that the packets do not: it is contradicted, or it took for an endpoint's
    /// what, by `origin`, the packets' verdict, was a device's or an attacker's.
    #[must_use]
    pub const fn is_culprit_wrong(&self, origin: Origin) -> bool {
        let is_forged = origin.is_device() || matches!(origin, Origin::BlindAttacker);
        match self.agreement {
            Agreement::Contradicted => true,
            Agreement::Refined => is_forged,
            Agreement::Confirmed | Agreement::Neutral | Agreement::Absent => false,
        }
    }

    /// What it does to the verdict, in a word, and what follows.
    #[must_use]
    pub fn told(&self) -> String {
        let word = match self.agreement {
            Agreement::Confirmed => "Confirmed",
            Agreement::Contradicted => "CONTRADICTED",
            Agreement::Refined => "Refined",
            Agreement::Neutral => "Beside it",
            Agreement::Absent => "Not logged",
        };
        format!("{word}: {}", self.sentence)
    }
}

/// What a log line does to a verdict.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Agreement {
    /// It says the same.
    Confirmed,
    /// It says something else.
    Contradicted,
    /// Both are right, and together they say more.
    Refined,
    /// It speaks of the connection and not of its end.
    Neutral,
    /// It says nothing, though it logs the other sessions between these: never a proof.
    Absent,
}

impl Agreement {
    /// What several logs make of a verdict, taken together: what speaks against it counts most.
    #[must_use]
    pub fn of_all(items: impl Iterator<Item = Self>) -> Option<Self> {
        items.min_by_key(|agreement| match agreement {
            Self::Contradicted => 0,
            Self::Refined => 1,
            Self::Confirmed => 2,
            Self::Neutral => 3,
            Self::Absent => 4,
        })
    }
}

/// What packets and logs say together. The passive verdict stands beside it, unchanged.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Conclusion {
    /// Who.
    #[serde(with = "crate::names::origin")]
    #[schemars(with = "crate::names::origin::Names")]
    pub origin: Origin,
    /// Probability of `origin`.
    pub origin_confidence: f64,
    /// Why.
    #[serde(with = "crate::names::cause")]
    #[schemars(with = "crate::names::cause::Names")]
    pub cause: Cause,
    /// Probability of `cause`.
    pub cause_confidence: f64,
    /// What follows, in a sentence.
    pub sentence: String,
}

/// What logs tell beside the packets, one line a sentence; last what both say together.
pub(crate) fn sentences(event: &Event) -> Vec<String> {
    let line = |item: &CorroborationItem| {
        let known = item.community_id_nat.as_ref();
        let known = known.map_or(String::new(), |id| format!(" Its other Community ID: {id}."));
        format!("{}{known}", item.told())
    };
    let mut sentences: Vec<String> = event.corroboration.iter().map(line).collect();
    sentences.extend(event.conclusion.as_ref().map(|said| {
        format!(
            "Packets and logs together: {} ({:.2}), {} ({:.2}).",
            said.origin.name(),
            said.origin_confidence,
            said.cause.name(),
            said.cause_confidence
        )
    }));
    sentences
}

#[cfg(test)]
mod tests {
    use super::Agreement::{self, Confirmed, Contradicted, Neutral, Refined};

    #[test]
    fn what_speaks_against_a_verdict_counts_most_in_whatever_order() {
        let of_all = |all: &[Agreement]| Agreement::of_all(all.iter().copied());
        assert_eq!(of_all(&[]), None);
        assert_eq!(of_all(&[Neutral, Confirmed]), Some(Confirmed));
        assert_eq!(of_all(&[Confirmed, Refined, Neutral]), Some(Refined));
        assert_eq!(of_all(&[Confirmed, Contradicted, Refined]), Some(Contradicted));
    }
}
