//! Whether an interface is there, up, and nobody else's.

use events::Status;
use xdp::{Interface, quoted};

use super::finding::Finding;
use super::sensor::watches;

/// What an interface is, and whether it can be attached to for a moment.
pub(super) struct Link {
    /// What was found.
    pub(super) findings: Vec<Finding>,
    /// The interface, where there is one.
    pub(super) interface: Option<Interface>,
    /// Why it cannot be attached to; nothing if it can.
    pub(super) hindrance: Option<&'static str>,
    /// Whether the host itself is reached by it.
    pub(super) is_the_hosts: bool,
}

/// Looks at the interface of that name; `running` is what the running sensor says of itself.
pub(super) fn check(name: &str, running: Option<&Status>) -> Link {
    let interface = match Interface::query(name) {
        Ok(interface) => interface,
        Err(error) => {
            let finding = Finding::fail("interface", error.to_string()).advise(
                "\"ip -br link\" lists what there is; a module of the driver may be missing",
            );
            let hindrance = Some("there is no such interface");
            let findings = vec![finding];
            return Link { findings, interface: None, hindrance, is_the_hosts: false };
        }
    };
    let (up, is_up) = up(&interface);
    let (address, is_the_hosts) = address(&interface);
    let (holder, is_held) = holder(&interface, running);
    let mut findings = vec![up];
    if is_up {
        findings.push(carrier(&interface));
    }
    findings.extend([address, holder]);
    let hindrance = match () {
        () if !is_up => Some("the interface is down"),
        () if is_the_hosts => Some("the interface carries the host's own address"),
        () if is_held => Some("somebody holds the interface"),
        () => None,
    };
    Link { findings, interface: Some(interface), hindrance, is_the_hosts }
}

fn up(interface: &Interface) -> (Finding, bool) {
    let name = interface.name();
    if interface.is_up() {
        return (Finding::ok("up", format!("driver {}", interface.driver())), true);
    }
    let finding = Finding::fail("up", "the interface is down")
        .because("nothing is received")
        .run([format!("ip link set dev {} up", quoted(name))]);
    (finding, false)
}

fn carrier(interface: &Interface) -> Finding {
    if interface.has_carrier() {
        return Finding::ok("carrier", "there is a link");
    }
    let finding = Finding::fail("carrier", "no carrier").because("nothing is received");
    match interface.peer() {
        Some(peer) if !peer.is_up() => {
            finding.run([format!("ip link set dev {} up", quoted(peer.name()))])
        }
        _ => finding.advise(
            "look at cable, transceiver, light and the switch port; \"ethtool -m\" tells the light",
        ),
    }
}

fn address(interface: &Interface) -> (Finding, bool) {
    let name = quoted(interface.name());
    if !interface.has_address() {
        return (Finding::ok("address", "none of the host's"), false);
    }
    let finding = Finding::fail("address", "the host has an address or a route on it")
        .because("captured packets are taken away from the host: it would lose its own connections")
        .run(["address", "route"].map(|what| format!("ip {what} flush dev {name}")))
        .takes_away("the host's addresses and routes there, and maybe your own session")
        .advise("watch a tap or mirror port instead, if this is how the host is reached");
    (finding, true)
}

fn holder(interface: &Interface, running: Option<&Status>) -> (Finding, bool) {
    let name = "xdp program";
    let Some(holder) = interface.holder() else {
        return (Finding::ok(name, "none of anybody else"), false);
    };
    if running.is_some_and(|status| watches(status, interface.name())) {
        return (Finding::ok(name, "the running sensor's own"), true);
    }
    let of_nobody = holder.processes.is_empty();
    let finding = Finding::fail(name, holder.to_string())
        .because("an interface has room for one XDP program");
    let finding = if of_nobody {
        finding.run([holder.removal()]).takes_away("the program of whoever attached it")
    } else {
        finding.advise(format!("stop {} first", holder.processes.join(", ")))
    };
    (finding, true)
}
