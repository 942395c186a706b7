//! What to tell a network card, so that little but TCP reaches the sensor, and both directions of a
//! connection together. Said, never done.
//!
//! Commands are those of ethtool(8), version 6.1; what a card can be told is asked of its driver.

use std::fmt;

use crate::ethtool::{Offloads, Spreading};
use crate::interface::Interface;
use crate::receive_hash::symmetric_key;
use crate::shell::quoted;

/// What a [`Hint`] is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HintKind {
    /// How many queues there are.
    Queues,
    /// VLAN tags are taken off.
    VlanStripping,
    /// The card merges packets.
    LargeReceive,
    /// The network stack merges packets, which is seen in generic mode only.
    GenericReceive,
    /// Both directions of a connection to one queue.
    SymmetricHash,
    /// What the card can drop itself.
    Rules,
}

/// One thing to do, or to know.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hint {
    /// What it is about.
    pub kind: HintKind,
    /// What for, as a sentence without its full stop.
    pub why: String,
    /// The commands, in their order; none where there is nothing to set.
    pub commands: Vec<String>,
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "# {}", self.why)?;
        self.commands.iter().try_for_each(|command| write!(f, "\n{command}"))
    }
}

impl Interface {
    /// What can be set on this interface for `workers` cores.
    #[must_use]
    pub fn hints(&self, workers: u32) -> Vec<Hint> {
        let facts = Facts {
            name: self.name(),
            driver: self.driver(),
            queues: self.receive_queues(),
            spreading: self.spreading(),
            offloads: self.offloads(),
        };
        facts.hints(workers)
    }
}

/// What an interface is and can be told.
struct Facts<'n> {
    name: &'n str,
    driver: &'n str,
    queues: u32,
    spreading: Spreading,
    offloads: Offloads,
}

impl Facts<'_> {
    fn hints(&self, workers: u32) -> Vec<Hint> {
        let Spreading { key_len, rules, .. } = self.spreading;
        let mut hints = Vec::new();
        hints.extend(self.queues(workers));
        hints.extend(self.offloads());
        if key_len == 0 && !rules {
            let why = format!(
                "driver {}: neither a hash key nor rules can be set; with several queues the \
                 workers hand segments over to each other",
                self.driver
            );
            hints.push(Hint { kind: HintKind::SymmetricHash, why, commands: Vec::new() });
            return hints;
        }
        hints.push(self.key());
        hints.extend(rules.then(|| self.rules()));
        hints
    }

    /// One queue a worker.
    fn queues(&self, workers: u32) -> Option<Hint> {
        let Spreading { combined_max, receive_max, .. } = self.spreading;
        let (kind, most) =
            if combined_max > 0 { ("combined", combined_max) } else { ("rx", receive_max) };
        let wanted = workers.clamp(1, most.max(1));
        (most > 1 && wanted != self.queues).then(|| Hint {
            kind: HintKind::Queues,
            why: format!(
                "a receive queue for each core that shall work: now {}, at most {most}",
                self.queues
            ),
            commands: vec![format!("ethtool -L {} {kind} {wanted}", quoted(self.name))],
        })
    }

    fn offloads(&self) -> Vec<Hint> {
        let Offloads { vlan, large_receive, generic_receive } = self.offloads;
        let off = [
            (vlan, HintKind::VlanStripping, "rxvlan", "whole packets: VLAN tags stay on"),
            (large_receive, HintKind::LargeReceive, "lro", "packets as on the wire: none merged"),
            (
                generic_receive,
                HintKind::GenericReceive,
                "gro",
                "packets as on the wire, where XDP runs in the network stack (generic mode)",
            ),
        ];
        let is_on = off.into_iter().filter(|(is_on, ..)| *is_on);
        is_on
            .map(|(_, kind, feature, why)| Hint {
                kind,
                why: why.to_owned(),
                commands: vec![format!("ethtool -K {} {feature} off", quoted(self.name))],
            })
            .collect()
    }

    /// Both directions of a connection to one queue: a key that repeats after 16 bits hashes them
    /// alike (Woo and Park, "Scalable TCP Session Monitoring with Symmetric Receive-side Scaling").
    fn key(&self) -> Hint {
        let Spreading { key_len, by_connection, .. } = self.spreading;
        let kind = HintKind::SymmetricHash;
        if key_len == 0 {
            let why = "the hash key cannot be set: the directions of a connection may come by two \
                       queues, and the workers hand segments over to each other";
            return Hint { kind, why: why.to_owned(), commands: Vec::new() };
        }
        let key = symmetric_key(key_len as usize);
        let key: Vec<String> = key.iter().map(|byte| format!("{byte:02x}")).collect();
        let name = quoted(self.name);
        let mut commands = vec![format!("ethtool -X {name} hkey {}", key.join(":"))];
        if !by_connection {
            let fields = |kind| format!("ethtool -N {name} rx-flow-hash {kind} sdfn");
            commands.extend(["tcp4", "tcp6"].map(fields));
        }
        Hint { kind, why: "both directions of a connection to one queue".to_owned(), commands }
    }

    fn rules(&self) -> Hint {
        let name = quoted(self.name);
        let drop = |kind| format!("ethtool -U {name} flow-type {kind} action -1");
        let mut commands = vec![format!("ethtool -K {name} ntuple on")];
        commands.extend(["udp4", "udp6"].map(drop));
        let why = "UDP never leaves the card; not where VXLAN, Geneve, GTP-U or other tunnels over \
                   UDP carry TCP. Not every card takes every rule";
        Hint { kind: HintKind::Rules, why: why.to_owned(), commands }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(facts: &Facts<'_>, workers: u32) -> Vec<String> {
        facts.hints(workers).into_iter().flat_map(|hint| hint.commands).collect()
    }

    fn card() -> Facts<'static> {
        Facts {
            name: "eth1",
            driver: "any",
            queues: 16,
            spreading: Spreading {
                combined_max: 64,
                receive_max: 0,
                key_len: 40,
                by_connection: false,
                rules: true,
            },
            offloads: Offloads { vlan: true, large_receive: false, generic_receive: true },
        }
    }

    #[test]
    fn a_card_is_told_queues_key_fields_and_rules() {
        let key = ["6d:5a"; 20].join(":");
        assert_eq!(
            told(&card(), 4),
            [
                "ethtool -L eth1 combined 4".to_owned(),
                "ethtool -K eth1 rxvlan off".to_owned(),
                "ethtool -K eth1 gro off".to_owned(),
                format!("ethtool -X eth1 hkey {key}"),
                "ethtool -N eth1 rx-flow-hash tcp4 sdfn".to_owned(),
                "ethtool -N eth1 rx-flow-hash tcp6 sdfn".to_owned(),
                "ethtool -K eth1 ntuple on".to_owned(),
                "ethtool -U eth1 flow-type udp4 action -1".to_owned(),
                "ethtool -U eth1 flow-type udp6 action -1".to_owned(),
            ]
        );
    }

    #[test]
    fn what_cannot_be_told_or_is_so_already_is_not_said() {
        let mut facts = card();
        facts.offloads = Offloads::default();
        facts.spreading = Spreading { by_connection: true, rules: false, ..facts.spreading };
        assert_eq!(told(&facts, 16).len(), 1);
        facts.spreading = Spreading::default();
        let hints = facts.hints(4);
        assert_eq!(hints.len(), 1);
        assert!(
            hints[0].why.contains("neither a hash key nor rules") && hints[0].commands.is_empty()
        );
    }

    #[test]
    fn loopback_can_be_told_nothing_of_spreading() {
        assert_eq!(Interface::query("lo").unwrap().spreading(), Spreading::default());
    }
}
