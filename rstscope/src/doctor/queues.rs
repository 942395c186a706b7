//! Queues against cores, how packets are spread over them, and how much each holds.

use xdp::{HintKind, Interface, ReceiveHash, quoted};

use super::attach::is_virtual;
use super::files::Files;
use super::finding::Finding;
use super::machine::is_kernel;

/// All three, for so many cores; `by_queue` says that the sensor relies on a symmetric hash.
pub(super) fn check(
    interface: &Interface,
    cores: u32,
    by_queue: bool,
    files: &Files,
) -> Vec<Finding> {
    let mut findings = vec![count(interface, cores)];
    findings.push(match ReceiveHash::query(interface.name()) {
        Ok(hash) => spreading(interface, &hash, by_queue, files),
        Err(_) if interface.receive_queues() == 1 => one_queue(),
        Err(error) => Finding::not_checked(HASH, untold(interface, &error)),
    });
    findings.extend(ring(interface));
    findings
}

fn count(interface: &Interface, cores: u32) -> Finding {
    let queues = interface.receive_queues();
    let says = format!("{queues} for {cores} cores");
    if queues <= cores {
        return Finding::ok("queues", says);
    }
    let finding = Finding::warn("queues", says)
        .because("each queue has a worker: several share a core, and hand segments to each other");
    let hints = interface.hints(cores);
    let Some(hint) = hints.into_iter().find(|hint| hint.kind == HintKind::Queues) else {
        return finding.advise("the driver lets nobody set them: run the sensor on more cores");
    };
    // veth wants no fewer than the other end sends to.
    let other_end = interface.peer().filter(|peer| peer.transmit_queues() > cores);
    let first = other_end.map(|peer| format!("ethtool -L {} tx {cores}", quoted(peer.name())));
    finding.run(first.into_iter().chain(hint.commands))
}

fn spreading(interface: &Interface, hash: &ReceiveHash, by_queue: bool, files: &Files) -> Finding {
    let name = quoted(interface.name());
    if interface.receive_queues() == 1 {
        return one_queue();
    }
    let by_connection = interface.spreading().by_connection;
    if hash.is_symmetric() && by_connection {
        return Finding::ok(HASH, "the same for both directions of a connection");
    }
    let (says, finding): (&str, fn(&'static str, String) -> Finding) = if by_queue {
        ("and the sensor relies on it (symmetric_queues)", |name, says| Finding::fail(name, says))
    } else {
        ("so workers hand segments to each other", |name, says| Finding::warn(name, says))
    };
    let finding =
        finding(HASH, format!("not the same for both directions of a connection, {says}"))
            .because("the two directions of a connection come by different queues");
    let hints = interface.hints(interface.receive_queues());
    let hint = hints.into_iter().find(|hint| hint.kind == HintKind::SymmetricHash);
    let mut commands = hint.map(|hint| hint.commands).unwrap_or_default();
    let own = format!("rstscope doctor --interface {name} --symmetric-hash");
    if is_kernel(files, KERNEL_SETS_HASH) {
        // Cards that make the directions alike themselves need no special key.
        match commands.first_mut() {
            Some(key) => *key = format!("{own} || {key}"),
            None => commands.push(own),
        }
    }
    if commands.is_empty() {
        return finding
            .advise("this card takes no key: one queue (\"ethtool -L\") keeps them together");
    }
    finding.run(commands)
}

fn untold(interface: &Interface, error: &std::io::Error) -> String {
    let driver = interface.driver();
    match error.kind() {
        std::io::ErrorKind::Unsupported => format!("driver {driver} has none to tell"),
        _ => format!("driver {driver}: {error}"),
    }
}

fn one_queue() -> Finding {
    Finding::ok(HASH, "one queue: both directions of a connection meet")
}

fn ring(interface: &Interface) -> Option<Finding> {
    let name = "receive ring";
    let Some(ring) = interface.ring() else {
        return (!is_virtual(interface)).then(|| {
            Finding::not_checked(name, format!("driver {} does not tell", interface.driver()))
        });
    };
    let wanted = ring.packets_max.min(RING_WANTED);
    let says = format!("{} packets of at most {}", ring.packets, ring.packets_max);
    Some(if ring.packets >= wanted {
        Finding::ok(name, says)
    } else {
        Finding::warn(name, says)
            .because("a burst overflows it while the host is busy: packets are lost in the card")
            .run([format!("ethtool -G {} rx {wanted}", quoted(interface.name()))])
    })
}

const HASH: &str = "receive hash";
/// `ETHTOOL_MSG_RSS_SET`.
const KERNEL_SETS_HASH: (u32, u32) = (6, 17);
/// 1,024 short packets are 69 us of 10 Gbit/s; much longer rings fall out of the cache.
const RING_WANTED: u32 = 1024;
