//! Resets by the name that was asked for, as they are told.

use classifiers::{BlockedName, NameFacts};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::sentence::{counted, percent};

/// How connections of a server fare, with the name of this one and with others.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct NamesItem {
    /// Keyed hash of the name, 16 hexadecimal digits.
    pub hash: String,
    /// `name`: this name is reset, others pass; `server`: the server refuses it; `all`: whatever
    /// name is asked for is reset.
    pub contrast: String,
    /// With this name: reset by a device.
    pub resets: u32,
    /// With this name: answered by the server.
    pub passes: u32,
    /// With this name: reset by the server itself.
    pub refusals: u32,
    /// With other names: reset by a device.
    pub others_reset: u32,
    /// With other names: answered by the server.
    pub others_passed: u32,
}

impl From<&NameFacts> for NamesItem {
    fn from(facts: &NameFacts) -> Self {
        let contrast = if facts.is_by_name() {
            "name"
        } else if facts.is_refused_by_server() {
            "server"
        } else {
            "all"
        };
        Self {
            hash: hash_text(facts.name),
            contrast: contrast.to_owned(),
            resets: facts.resets,
            passes: facts.passes,
            refusals: facts.refusals,
            others_reset: facts.others_reset,
            others_passed: facts.others_passed,
        }
    }
}

impl NamesItem {
    pub(super) fn sentence(&self) -> String {
        let (others_passed, others_reset) = (self.others_passed, self.others_reset);
        match self.contrast.as_str() {
            "name" => {
                let of = |reset: u32, passed: u32| {
                    let all = u64::from(reset) + u64::from(passed);
                    format!("{} of {}", percent(u64::from(reset), all), counted(all, "connection"))
                };
                format!(
                    "{} with this name {} reset on this server, {} with other names: a policy on \
                     names. Look for this name in the URL and TLS rules.",
                    of(self.resets, self.passes),
                    if self.resets + self.passes == 1 { "was" } else { "were" },
                    of(others_reset, others_passed)
                )
            }
            "server" => format!(
                "The server itself reset {} that asked for this name and served {others_passed} with \
                 other names.",
                counted(u64::from(self.refusals), "connection")
            ),
            _ => format!(
                "Whatever name is asked for on this server, the connection is reset: {} so far.",
                counted(u64::from(self.resets + others_reset), "time")
            ),
        }
    }
}

/// A name that is reset while others on the same servers pass.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct BlockedNameItem {
    /// Keyed hash of the name, 16 hexadecimal digits.
    pub hash: String,
    /// The name's first 64 bytes, if names are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Servers on which that was seen.
    pub servers: u32,
    /// Connections with it that a device reset there.
    pub resets: u32,
    /// Connections with it that passed there.
    pub passes: u32,
    /// Connections with other names that passed there.
    pub others_passed: u32,
}

impl From<&BlockedName> for BlockedNameItem {
    fn from(blocked: &BlockedName) -> Self {
        Self {
            hash: hash_text(blocked.name),
            name: blocked.plain.map(|plain| plain.as_str().to_owned()),
            servers: blocked.servers,
            resets: blocked.resets,
            passes: blocked.passes,
            others_passed: blocked.others_passed,
        }
    }
}

impl BlockedNameItem {
    /// What is blocked, and by what contrast, in words.
    pub(super) fn text(&self) -> String {
        let name = match &self.name {
            Some(name) => name.clone(),
            None => format!("name #{}", self.hash),
        };
        let servers = if self.servers == 1 {
            "on one server".to_owned()
        } else {
            format!("on {} servers", self.servers)
        };
        format!(
            "{name}: {} reset, {} passed {servers}, where {} with other names passed",
            self.resets, self.passes, self.others_passed
        )
    }
}

fn hash_text(hash: u64) -> String {
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests {
    use super::BlockedNameItem;

    impl BlockedNameItem {
        /// A name of which only the hash is known, blocked on one server.
        pub(in crate::context) fn sample() -> Self {
            Self {
                hash: "00c0ffee00c0ffee".to_owned(),
                name: None,
                servers: 1,
                resets: 5,
                passes: 0,
                others_passed: 12,
            }
        }
    }

    #[test]
    fn a_blocked_name_is_told_with_its_contrast() {
        let mut blocked = BlockedNameItem::sample();
        assert_eq!(
            blocked.text(),
            "name #00c0ffee00c0ffee: 5 reset, 0 passed on one server, where 12 with other names \
             passed"
        );
        (blocked.name, blocked.servers) = (Some("blocked.example".to_owned()), 2);
        assert!(blocked.text().starts_with("blocked.example: 5 reset, 0 passed on 2 servers"));
    }
}
