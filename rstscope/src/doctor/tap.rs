//! What the traffic tells: half conversations, packets twice, directions on different queues, losses.

use events::{Share, Status, TapFaultKind, TapHealth};

use super::finding::Finding;
use super::watch::Watched;

/// The tap as a status tells it; `by_queue` says that the sensor relies on a symmetric hash.
pub(super) fn check(status: &Status, by_queue: bool) -> Vec<Finding> {
    let mut findings = vec![one_sided(status), duplicated(status), split(status, by_queue)];
    findings.extend(others(status));
    findings
}

/// What was lost while watching, by cause.
pub(super) fn losses(watched: &Watched) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (interface, counted) in &watched.counted {
        let lost = counted.fifo_errors + counted.missed;
        if lost > 0 {
            findings.push(
                Finding::warn("lost in the card", format!("{lost} of {} packets", counted.packets))
                    .because("the card had no room for them: bursts, or a host that is too slow")
                    .advise(format!("longer rings (\"ethtool -G {interface} rx N\"), more queues"))
                    .of(interface),
            );
        }
    }
    findings.extend(lost(&watched.status).into_iter().map(|finding| finding.of("tap")));
    if findings.is_empty() {
        let packets = watched.status.packets;
        let says = format!("nothing of {packets} packets in {} s", watched.seconds);
        findings.push(Finding::ok("lost", says).of("tap"));
    }
    findings
}

/// What the running sensor says it lost, by name.
pub(super) fn lost(status: &Status) -> Vec<Finding> {
    let lost = status.losses.iter().filter(|(name, count)| **count > 0 && !is_told_twice(name));
    lost.map(|(name, count)| {
        let advice = ADVICE.iter().find(|(known, _)| known == name);
        let advice = advice.map_or("\"rstscope top\" shows when and where", |(_, advice)| advice);
        Finding::warn("lost", format!("{count} by {name}, beside {} packets", status.packets))
            .because("resets among them are not seen, and others are judged with less evidence")
            .advise(advice)
    })
    .collect()
}

fn one_sided(status: &Status) -> Finding {
    let (name, share) = ("both directions", status.tap.one_sided);
    let what = "connections show one direction only";
    if !status.tap.has(TapFaultKind::OneSided) {
        return told(name, share, what, TapHealth::CONNECTIONS_LEAST, status);
    }
    Finding::fail(name, format!("{} of {} {what}", share.part, share.whole))
        .because("with half a conversation neither sender nor cause can be told: verdicts are wrong")
        .advise(
            "mirror both directions: \"monitor session 1 source interface X both\" on many switches; \
             for an optical tap give both ports: --interface EAST+WEST",
        )
}

fn duplicated(status: &Status) -> Finding {
    let (name, share) = ("packets once", status.tap.duplicated);
    let what = "segments came twice";
    if !status.tap.has(TapFaultKind::Duplicated) {
        return told(name, share, what, TapHealth::SEGMENTS_LEAST, status);
    }
    Finding::fail(name, format!("{} of {} {what}", share.part, share.whole))
        .because("packets that come twice look like retransmissions and forged copies")
        .advise(
            "mirror each packet once: either both directions of one port (\"both\"), or one direction \
             of several (\"rx\"), never both directions of ports that packets pass in turn",
        )
}

fn split(status: &Status, by_queue: bool) -> Finding {
    let name = "queues of a connection";
    let share = status.tap.split;
    let what = "connections come by two queues, one a direction";
    let is_split = share.whole >= TapHealth::CONNECTIONS_LEAST && share.value() > TapHealth::SPLIT;
    if !is_split && !status.tap.has(TapFaultKind::SplitQueues) {
        return told(name, share, what, TapHealth::CONNECTIONS_LEAST, status);
    }
    let says = format!("{} of {} {what}", share.part, share.whole);
    // Where segments are handed over, nothing is judged wrongly.
    let finding = if by_queue { Finding::fail(name, says) } else { Finding::warn(name, says) };
    finding
        .because(if by_queue {
            "the sensor was told that this does not happen (symmetric_queues): it judges halves"
        } else {
            "workers hand segments to each other, which costs about as much as judging them"
        })
        .advise("see \"receive hash\" of the interface: a symmetric one keeps them together")
}

fn others(status: &Status) -> impl Iterator<Item = Finding> {
    let named = |kind| match kind {
        TapFaultKind::MixedFibres => Some(("fibres", "swap or sort the two fibres at the tap")),
        TapFaultKind::Truncated => {
            Some(("whole headers", "let the mirror port send at least the first 128 bytes"))
        }
        _ => None,
    };
    let faults = status.tap.faults.iter().filter_map(move |fault| {
        let (name, advice) = named(fault.kind)?;
        Some(Finding::fail(name, fault.text.clone()).advise(advice))
    });
    faults.collect::<Vec<_>>().into_iter()
}

/// What is said where no fault is: that all is well only if enough was seen to tell.
fn told(name: &'static str, share: Share, what: &str, least: u64, status: &Status) -> Finding {
    if share.whole < least {
        let why = if is_lossy(status) { "too much was lost" } else { "too little traffic" };
        return Finding::not_checked(name, format!("{why}; \"--watch 60\" looks longer"));
    }
    Finding::ok(name, format!("{} of {} {what}", share.part, share.whole))
}

/// In copy mode this counts packets that another name counts too.
fn is_told_twice(name: &str) -> bool {
    name == "kernel_fill_ring_empty"
}

/// Whether a tenth of the packets was lost on the way in. Flows that found no place were seen.
fn is_lossy(status: &Status) -> bool {
    let is_of_packets =
        |name: &str| ["kernel_", "xdp_", "handover_"].iter().any(|begin| name.starts_with(begin));
    let lost = status.losses.iter().filter(|(name, _)| is_of_packets(name) && !is_told_twice(name));
    let lost = lost.fold(0_u64, |sum, (_, count)| sum.saturating_add(*count));
    lost > 0 && lost >= status.packets / 10
}

const ADVICE: [(&str, &str); 6] = [
    ("kernel_receive_ring_full", "more queues and cores, more --frames, or --capture control"),
    ("kernel_receive_dropped", "more --frames, more queues and cores, or --capture control"),
    ("kernel_invalid_descriptors", "a fault of the driver: --zero-copy never"),
    (
        "handover_ring_full",
        "a symmetric receive hash and --symmetric-queues: nothing is handed over",
    ),
    ("xdp_no_socket", "bind all queues: leave out capture.queues"),
    ("flow_table_full", "more --flows"),
];

#[cfg(test)]
mod tests {
    use events::TapFault;

    use super::super::finding::Level;
    use super::*;

    fn status(tap: TapHealth) -> Status {
        Status { tap, ..Status::default() }
    }

    #[test]
    fn a_tap_without_traffic_is_neither_good_nor_bad() {
        let found = check(&status(TapHealth::default()), false);
        assert!(found.iter().all(|finding| finding.level == Level::NotChecked), "{found:?}");
        let one_sided = Share { part: 19, whole: 19 };
        let found = check(&status(TapHealth { one_sided, ..TapHealth::default() }), false);
        assert_eq!(found[0].level, Level::NotChecked, "too few to be called good or bad");
        assert!(found[0].says.contains("too little traffic"), "{}", found[0].says);
        let mut lossy = status(TapHealth::default());
        lossy.losses.insert("kernel_receive_dropped".to_owned(), 9);
        let found = check(&lossy, false);
        assert!(found[0].says.contains("too much was lost"), "{}", found[0].says);
        lossy.packets = 1_000;
        let found = check(&lossy, false);
        assert!(found[0].says.contains("too little traffic"), "{}", found[0].says);
    }

    #[test]
    fn faults_of_the_tap_fail_with_what_to_tell_the_switch() {
        let fault = |kind| TapFault { kind, text: "seen".to_owned() };
        let kinds = [TapFaultKind::OneSided, TapFaultKind::Duplicated, TapFaultKind::Truncated];
        let tap = TapHealth {
            faults: kinds.into_iter().map(fault).collect(),
            split: Share { part: 30, whole: 60 },
            ..TapHealth::default()
        };
        let found = check(&status(tap.clone()), false);
        let levels: Vec<Level> = found.iter().map(|finding| finding.level).collect();
        assert_eq!(levels, [Level::Fail, Level::Fail, Level::Warn, Level::Fail]);
        assert!(found.iter().all(|finding| finding.fix.as_ref().unwrap().advice.is_some()));
        assert_eq!(check(&status(tap), true)[2].level, Level::Fail);
    }

    #[test]
    fn losses_are_told_by_cause_and_none_twice() {
        let mut status = Status::default();
        for (name, count) in
            [("kernel_fill_ring_empty", 9), ("kernel_receive_dropped", 9), ("xdp_no_socket", 0)]
        {
            status.losses.insert(name.to_owned(), count);
        }
        let found = lost(&status);
        assert_eq!(found.len(), 1);
        assert!(found[0].says.starts_with("9 by kernel_receive_dropped"));
    }
}
