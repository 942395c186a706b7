//! Metrics of interfaces, queues, the tap, and of what was lost.

use std::collections::BTreeMap;

use events::{Share, TapFaultKind};

use super::text::{Kind, Text};
use crate::recent::Facts;

pub(super) fn encode(text: &mut Text, facts: &Facts) {
    queues(text, facts);
    losses(text, facts);
    links(text, facts);
    tap(text, facts);
    process(text, facts);
}

fn queues(text: &mut Text, facts: &Facts) {
    let queues = &facts.status.queues;
    let numbers: Vec<String> = queues.iter().map(|queue| queue.queue.to_string()).collect();
    let labelled = || {
        queues.iter().zip(&numbers).map(|(queue, number)| {
            (queue, [("interface", queue.interface.as_str()), ("queue", number.as_str())])
        })
    };
    let help = "Packets that the kernel gave to the sensor.";
    let mut family = text.family("rst_sensor_capture_packets_total", Kind::Counter, help);
    for (queue, labels) in labelled() {
        family.sample(&labels, queue.packets);
    }
    let help = "Packets that a worker has taken in. Less than captured only for those in flight.";
    let mut family = text.family("rst_sensor_judged_packets_total", Kind::Counter, help);
    for (queue, labels) in labelled() {
        family.sample(&labels, queue.judged);
    }
    let help = "Packets that were lost on a queue, by reason. Packets of reason kernel_fill_ring_empty are \
                also counted as kernel_receive_dropped by the kernel's copy mode: do not add these two.";
    let mut family = text.family("rst_sensor_capture_dropped_packets_total", Kind::Counter, help);
    for (queue, [interface, number]) in labelled() {
        for (reason, count) in &queue.losses {
            family.sample(&[interface, number, ("reason", reason)], count);
        }
    }
}

fn losses(text: &mut Text, facts: &Facts) {
    let help = "All that was lost, by reason: packets on all queues together (the same packets as in \
                rst_sensor_capture_dropped_packets_total), flows, findings. kernel_fill_ring_empty is also \
                counted as kernel_receive_dropped by the kernel's copy mode: do not add these two.";
    let mut family = text.family("rst_sensor_lost_total", Kind::Counter, help);
    for (reason, count) in &facts.status.losses {
        family.sample(&[("reason", reason)], count);
    }
    let help = "Packets that were not judged because they are not TCP, or not whole, by reason; not a loss.";
    let mut family = text.family("rst_sensor_skipped_packets_total", Kind::Counter, help);
    for (reason, count) in &facts.status.skips {
        family.sample(&[("reason", reason)], count);
    }
}

/// Interfaces that shall be watched and those that are, and whether frames can come on one of their queues.
fn links(text: &mut Text, facts: &Facts) {
    let mut links: BTreeMap<&str, bool> =
        facts.interfaces.iter().map(|name| (name.as_str(), false)).collect();
    for queue in &facts.status.queues {
        *links.entry(&queue.interface).or_default() |= queue.is_up;
    }
    let help = "1 if an interface is there, up, has a carrier and is bound; 0 if not.";
    let mut family = text.family("rst_sensor_link_up", Kind::Gauge, help);
    for (interface, is_up) in links {
        family.sample(&[("interface", interface)], u8::from(is_up));
    }
}

fn tap(text: &mut Text, facts: &Facts) {
    let tap = &facts.status.tap;
    let help = "1 if the tap shows the traffic wrongly: verdicts are then not to be trusted.";
    let mut family = text.family("rst_sensor_tap_fault", Kind::Gauge, help);
    for (kind, name) in TAP_FAULTS {
        let is_seen = tap.has(kind);
        family.sample(&[("kind", name)], u8::from(is_seen));
    }
    let help = "From 0 to 1: connections of which one direction comes (one_sided), segments that come twice \
                (duplicated), connections on two queues (split); over the last minute.";
    let mut family = text.family("rst_sensor_tap_ratio", Kind::Gauge, help);
    let shares: [(&str, Share); 3] =
        [("one_sided", tap.one_sided), ("duplicated", tap.duplicated), ("split", tap.split)];
    for (name, share) in shares {
        family.sample(&[("kind", name)], share.value());
    }
}

fn process(text: &mut Text, facts: &Facts) {
    let help = "How far telling is behind judging, in seconds of packet time.";
    let mut family = text.family("rst_sensor_exporter_lag_seconds", Kind::Gauge, help);
    family.sample(&[], facts.status.exporter_lag_s);
    let help = "Since the start.";
    let mut family = text.family("rst_sensor_uptime_seconds", Kind::Gauge, help);
    family.sample(&[], facts.status.uptime_s);
    let help = "1 if packets can come and are judged: what /readyz says.";
    let mut family = text.family("rst_sensor_ready", Kind::Gauge, help);
    family.sample(&[], u8::from(facts.health.is_ready));
}

/// The names that events bear in JSON.
const TAP_FAULTS: [(TapFaultKind, &str); 5] = [
    (TapFaultKind::OneSided, "one_sided"),
    (TapFaultKind::Duplicated, "duplicated"),
    (TapFaultKind::SplitQueues, "split_queues"),
    (TapFaultKind::MixedFibres, "mixed_fibres"),
    (TapFaultKind::Truncated, "truncated"),
];

#[cfg(test)]
mod tests {
    use super::TAP_FAULTS;

    #[test]
    fn faults_have_the_names_that_json_gives_them() {
        for (kind, name) in TAP_FAULTS {
            assert_eq!(serde_json::to_value(kind).unwrap(), name);
        }
    }
}
