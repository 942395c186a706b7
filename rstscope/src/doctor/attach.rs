//! Native XDP, zero copy and promiscuous mode: tried, not looked up.

use xdp::{Attachment, Error, Interface, Mode, Options, Warning, quoted};

use super::finding::Finding;

/// What came of attaching for a moment.
pub(super) struct Trial {
    /// What was found.
    pub(super) findings: Vec<Finding>,
    /// Whether it went well.
    pub(super) is_attachable: bool,
    /// Whether the network stack runs the program, so that it sees what GRO made.
    pub(super) is_generic: bool,
}

/// Attaches as the sensor would, looks, and lets go.
pub(super) fn check(interface: &Interface, options: &Options) -> Trial {
    match Attachment::open(options) {
        Ok((attachment, queues)) => {
            let warnings = attachment.warnings();
            let mode = queues.first().map(xdp::Queue::mode);
            let mut findings = vec![native(interface, options, warnings)];
            findings.push(zero_copy(interface, mode, warnings));
            findings.extend(huge_pages(warnings));
            findings.push(promiscuous(interface));
            Trial { findings, is_attachable: true, is_generic: !attachment.is_native() }
        }
        Err(error) => {
            let said = anyhow::Error::from(error);
            let finding = refused(interface, &said);
            Trial { findings: vec![finding], is_attachable: false, is_generic: false }
        }
    }
}

fn native(interface: &Interface, options: &Options, warnings: &[Warning]) -> Finding {
    let name = "native xdp";
    if options.attach_mode == xdp::AttachMode::GenericOnly {
        return Finding::warn(name, "not tried: generic mode was asked for")
            .because("several times slower than in the driver")
            .advise("leave out --generic, or generic in the configuration");
    }
    let refused = warnings.iter().find_map(|warning| match warning {
        Warning::NativeRefused { reason, .. } => Some(reason),
        _ => None,
    });
    let Some(reason) = refused else {
        return Finding::ok(name, format!("tried: the driver {} runs it", interface.driver()));
    };
    let finding =
        Finding::warn(name, format!("tried: {} refuses it ({reason})", interface.driver()))
            .because("the network stack runs it instead (generic mode), several times slower");
    let queues = interface.receive_queues();
    match interface.peer() {
        Some(peer) if peer.transmit_queues() > queues => finding
            .run([format!("ethtool -L {} tx {queues}", quoted(peer.name()))])
            .advise("veth wants as many receive queues as the other end has transmit queues"),
        _ if is_virtual(interface) => finding.advise("this kind of interface may have none"),
        _ => finding.advise(
            "see \"dmesg\" for the driver's reason: often the MTU, LRO, or more queues than half of \
             what the card has",
        ),
    }
}

fn zero_copy(interface: &Interface, mode: Option<Mode>, warnings: &[Warning]) -> Finding {
    let name = "zero copy";
    let driver = interface.driver();
    let mode = mode.map_or_else(String::new, |mode| mode.to_string());
    let refused = warnings.iter().find_map(|warning| match warning {
        Warning::ZeroCopyRefused { reason, .. } => Some(reason),
        _ => None,
    });
    match refused {
        None => Finding::ok(name, format!("tried: bound, {mode}")),
        Some(_) if is_virtual(interface) => {
            Finding::ok(name, format!("tried: {mode}; {driver} has none"))
        }
        Some(reason) => Finding::warn(
            name,
            format!("tried: {driver} refuses it ({reason}), {mode}"),
        )
        .because("the kernel copies every packet, which costs the core that its interrupt runs on")
        .advise(
            "a newer kernel may have it: igb and virtio_net have with Linux 6.18, not with 6.12",
        ),
    }
}

fn huge_pages(warnings: &[Warning]) -> Option<Finding> {
    warnings.iter().find_map(|warning| match warning {
        Warning::HugePagesRefused { backing, .. } => Some(
            Finding::warn("frames in memory", format!("tried: the frames lie on {backing}"))
                .because("up to 40 % slower than on huge pages")
                .run(["sysctl -w vm.compact_memory=1"])
                .advise("memory may be too fragmented: start the sensor soon after boot"),
        ),
        _ => None,
    })
}

/// Asked while attached: the attachment holds the interface promiscuous.
fn promiscuous(interface: &Interface) -> Finding {
    let name = "promiscuous";
    match Interface::query(interface.name()) {
        Ok(now) if now.is_promiscuous() => {
            Finding::ok(name, "tried: packets for others are received")
        }
        Ok(_) => Finding::fail(name, "tried: the interface does not become promiscuous")
            .because("only packets addressed to this host are received: nothing of a mirror port")
            .advise("allow it where the interface is made: hypervisor, macvlan or SR-IOV settings"),
        Err(error) => Finding::not_checked(name, error),
    }
}

fn refused(interface: &Interface, error: &anyhow::Error) -> Finding {
    let finding = Finding::fail("attach", format!("tried: {}", crate::chain_text(error)))
        .because("the sensor cannot watch this interface");
    let name = quoted(interface.name());
    match error.downcast_ref::<Error>() {
        Some(Error::NoScatter { .. }) => finding.run([format!("ip link set dev {name} mtu 1500")]),
        Some(Error::QueueBusy { .. }) => finding.advise("\"ss --xdp -a -p\" names who holds it"),
        Some(Error::NoCarrier { .. }) => {
            finding.advise("this driver resets its link when XDP is attached: wait, and look again")
        }
        _ => finding,
    }
}

/// Interfaces without hardware: what they lack is no fault of the machine.
pub(super) fn is_virtual(interface: &Interface) -> bool {
    VIRTUAL.contains(&interface.driver())
}

const VIRTUAL: [&str; 8] =
    ["veth", "tun", "macvlan", "macvtap", "ifb", "dummy", "bridge", "unknown"];
