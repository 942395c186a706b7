//! What is done to packets before they are seen.

use xdp::{HintKind, Interface, quoted};

use super::finding::Finding;

/// VLAN stripping, LRO, GRO, and checksums that a local sender leaves out.
pub(super) fn check(interface: &Interface, is_generic: bool) -> Vec<Finding> {
    let hints = interface.hints(interface.receive_queues());
    let commands = |kind| {
        let hint = hints.iter().find(|hint| hint.kind == kind);
        hint.map(|hint| hint.commands.clone())
    };
    let mut findings = vec![
        match commands(HintKind::VlanStripping) {
            None => Finding::ok("vlan tags", "stay on the packets"),
            Some(commands) => Finding::warn("vlan tags", "are taken off by the card (rxvlan)")
                .because("connections of different VLANs cannot be told apart, nor named by VLAN")
                .run(commands),
        },
        match commands(HintKind::LargeReceive) {
            None => Finding::ok("lro", "off"),
            Some(commands) => Finding::fail("lro", "on: the card merges packets")
                .because("what was never on the wire is judged: segments, hop limits, IP IDs")
                .run(commands),
        },
        match commands(HintKind::GenericReceive) {
            None => Finding::ok("gro", "off"),
            Some(_) if !is_generic => Finding::ok("gro", "on, after native XDP: does no harm"),
            Some(commands) => Finding::fail("gro", "on, before generic XDP: packets are merged")
                .because("merged packets are not what was on the wire, and large ones are lost")
                .run(commands),
        },
    ];
    findings.extend(checksums(interface));
    findings
}

/// On veth the sender's stack leaves the checksum to a card that there is not.
fn checksums(interface: &Interface) -> Option<Finding> {
    let name = "checksums";
    if interface.driver() != "veth" {
        return None;
    }
    let Some(peer) = interface.peer() else {
        let why = "the other end is in another network namespace; there: \"ethtool -K IF tx off\"";
        return Some(Finding::not_checked(name, why));
    };
    Some(if peer.leaves_checksums() {
        Finding::warn(name, format!("{} sends packets without a checksum", peer.name()))
            .because("a reset with a wrong checksum, which is a proof, cannot be told from others")
            .run([format!("ethtool -K {} tx off", quoted(peer.name()))])
    } else {
        Finding::ok(name, "whole")
    })
}
