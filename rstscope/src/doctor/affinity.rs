//! Interrupts and workers: on which cores, on which memory node.

use std::collections::BTreeSet;

use xdp::Interface;

use super::files::Files;
use super::finding::Finding;

/// Interrupts of the card, and workers on the first of `cores`; what has no hardware is not shown.
pub(super) fn check(interface: &Interface, cores: &[u32], files: &Files) -> Vec<Finding> {
    let device = format!("sys/class/net/{}/device", interface.name());
    if !files.has(&device) {
        return Vec::new();
    }
    let card = Card {
        interrupts: interrupts(&device, files),
        node: files.number::<i32>(&format!("{device}/numa_node")).filter(|node| *node >= 0),
    };
    let queues = interface.receive_queues() as usize;
    [card.interrupts(queues, cores, files), card.workers(queues, cores, files)]
        .into_iter()
        .flatten()
        .collect()
}

struct Card {
    interrupts: Vec<Interrupt>,
    /// The memory node that the card is at, where there are several.
    node: Option<i32>,
}

/// An interrupt of a receive queue.
struct Interrupt {
    number: u32,
    cores: BTreeSet<u32>,
}

impl Card {
    fn interrupts(&self, queues: usize, cores: &[u32], files: &Files) -> Option<Finding> {
        let name = "interrupts";
        if self.interrupts.is_empty() {
            return None;
        }
        let near = self.near(files);
        let at: BTreeSet<u32> = self.interrupts.iter().flat_map(|irq| irq.cores.clone()).collect();
        let says = format!("{} on cores {}", self.interrupts.len(), list(&at));
        let is_far = near.as_ref().is_some_and(|near| at.is_disjoint(near));
        let is_crowded = queues > 1 && cores.len() > 1 && at.len() == 1;
        if !is_far && !is_crowded {
            return Some(Finding::ok(name, says));
        }
        let good: Vec<u32> = match &near {
            Some(near) => near.iter().copied().collect(),
            None => cores.to_vec(),
        };
        let commands =
            self.interrupts.iter().zip(good.iter().cycle()).map(|(irq, core)| {
                format!("echo {core} > /proc/irq/{}/smp_affinity_list", irq.number)
            });
        let why = if is_far {
            "the card is at another memory node: each packet crosses the processor's interconnect"
        } else {
            "one core takes in the packets of all queues"
        };
        Some(
            Finding::warn(name, says)
                .because(why)
                .run(commands)
                .advise("irqbalance moves them again: stop it, or tell it not to"),
        )
    }

    /// Worker *i* runs on the *i*-th core that the process may use.
    fn workers(&self, queues: usize, cores: &[u32], files: &Files) -> Option<Finding> {
        let name = "workers";
        let near = self.near(files)?;
        let at: BTreeSet<u32> = cores.iter().copied().take(queues).collect();
        let says = format!("on cores {}, the card at {}", list(&at), list(&near));
        if at.is_subset(&near) {
            return Some(Finding::ok(name, says));
        }
        Some(
            Finding::warn(name, says)
                .because("each packet crosses the processor's interconnect")
                .advise(format!(
                    "start it as \"taskset -c {0} rstscope run\", or CPUAffinity={0} in the unit",
                    list(&near)
                )),
        )
    }

    /// The cores at the card's memory node; nothing where there is only one node.
    fn near(&self, files: &Files) -> Option<BTreeSet<u32>> {
        let nodes = files.numbered("sys/devices/system/node", "node");
        let node = self.node.filter(|_| nodes.len() > 1)?;
        let cores = files.text(&format!("sys/devices/system/node/node{node}/cpulist"))?;
        Some(parse(&cores))
    }
}

/// Interrupts of the device, or for virtio of the device beneath, that are for received packets as far
/// as their names tell.
fn interrupts(device: &str, files: &Files) -> Vec<Interrupt> {
    let own = files.numbered(&format!("{device}/msi_irqs"), "");
    let numbers =
        if own.is_empty() { files.numbered(&format!("{device}/../msi_irqs"), "") } else { own };
    let table = files.text("proc/interrupts").unwrap_or_default();
    let receives = |number: &u32| {
        let line = table.lines().find_map(|line| {
            line.trim_start().strip_prefix(&number.to_string())?.strip_prefix(':')
        });
        line.and_then(|line| line.split_ascii_whitespace().last())
            .is_some_and(|name| !OTHERS.iter().any(|other| name.contains(other)))
    };
    numbers
        .into_iter()
        .map(|(number, _)| number)
        .filter(receives)
        .filter_map(|number| {
            let folder = format!("proc/irq/{number}");
            let cores = files
                .text(&format!("{folder}/effective_affinity_list"))
                .filter(|list| !list.is_empty())
                .or_else(|| files.text(&format!("{folder}/smp_affinity_list")))?;
            Some(Interrupt { number, cores: parse(&cores) })
        })
        .collect()
}

/// `0-3,8` as the kernel writes it.
fn parse(list: &str) -> BTreeSet<u32> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.trim().parse().ok()?..=last.trim().parse().ok()?)
    };
    list.split(',').filter_map(range).flatten().collect()
}

/// The opposite of [`parse`].
fn list(cores: &BTreeSet<u32>) -> String {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for &core in cores {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == core => *last = core,
            _ => ranges.push((core, core)),
        }
    }
    let text = |&(first, last): &(u32, u32)| {
        if first == last { first.to_string() } else { format!("{first}-{last}") }
    };
    ranges.iter().map(text).collect::<Vec<_>>().join(",")
}

/// Parts of names of interrupts that no received packet raises.
const OTHERS: [&str; 7] = ["config", "output", "control", "async", "mgmnt", "misc", "-tx-"];

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    const INTERRUPTS: &str = "           CPU0       CPU1       CPU2       CPU3\n \
         40:  0  0  0  0  PCI-MSIX-0000:01:00.0 0-edge  eth1\n \
         41:  9  0  0  0  PCI-MSIX-0000:01:00.0 1-edge  eth1-TxRx-0\n \
         42:  7  0  0  0  PCI-MSIX-0000:01:00.0 2-edge  eth1-TxRx-1\n \
         43:  0  0  0  0  PCI-MSIX-0000:01:00.0 3-edge  mlx5_async0@pci\n";

    fn machine(effective: &str) -> (tempfile::TempDir, Files) {
        Files::made_of(&[
            ("proc/interrupts", INTERRUPTS),
            ("proc/irq/41/effective_affinity_list", effective),
            ("proc/irq/42/effective_affinity_list", effective),
            ("device/msi_irqs/41", "msix"),
            ("device/msi_irqs/42", "msix"),
            ("device/msi_irqs/43", "msix"),
            ("sys/devices/system/node/node0/cpulist", "0-1"),
            ("sys/devices/system/node/node1/cpulist", "2-3"),
        ])
    }

    #[test]
    fn lists_of_cores_are_read_and_written() {
        assert_eq!(list(&parse("0-2,5,7-8")), "0-2,5,7-8");
        assert_eq!(list(&parse("")), "");
    }

    #[test]
    fn interrupts_that_crowd_on_one_core_are_spread() {
        let (_root, files) = machine("0");
        let card = Card { interrupts: interrupts("device", &files), node: None };
        let found = card.interrupts(2, &[0, 1, 2, 3], &files).unwrap();
        assert_eq!(found.level, Level::Warn);
        assert_eq!(
            found.commands(),
            ["echo 0 > /proc/irq/41/smp_affinity_list", "echo 1 > /proc/irq/42/smp_affinity_list"]
        );
        assert!(card.workers(2, &[0, 1], &files).is_none(), "nobody says where the card is");
    }

    #[test]
    fn interrupts_and_workers_far_from_the_card_are_found() {
        let (_root, files) = machine("0-1");
        let card = Card { interrupts: interrupts("device", &files), node: Some(1) };
        let found = card.interrupts(2, &[0, 1, 2, 3], &files).unwrap();
        assert_eq!(found.commands()[0], "echo 2 > /proc/irq/41/smp_affinity_list");
        assert_eq!(card.workers(2, &[0, 1, 2, 3], &files).unwrap().level, Level::Warn);
        assert_eq!(card.workers(2, &[2, 3], &files).unwrap().level, Level::Ok);
        let card = Card { node: Some(0), ..card };
        assert_eq!(card.interrupts(2, &[0, 1], &files).unwrap().level, Level::Ok);
    }
}
