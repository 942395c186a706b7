//! What is wrong with a tap, in sentences.

use std::collections::VecDeque;

use events::{CaptureQuality, Share, TapFault, TapFaultKind, TapHealth};
use flowtable::Timestamp;

use super::ledger::{Ledger, Sums};
use super::sampler::TapSample;

/// What is known of the tap.
#[derive(Debug)]
pub(crate) struct Tap {
    ledger: Ledger,
    /// How the traffic comes in, which decides what is a fault.
    pub(crate) shape: Shape,
    /// Frames, and those that end within a header, as they stood in the last minute.
    truncated: VecDeque<(Timestamp, Share)>,
    /// What was said last, and whether it is said aloud while it lasts.
    health: TapHealth,
    is_live: bool,
    looked: Timestamp,
}

/// How the traffic comes in.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Shape {
    /// Of each interface, whether its link has a port of its own for each direction.
    pub(crate) has_fibres: Vec<bool>,
    /// Several workers that hand nothing over.
    pub(crate) trusts_queues: bool,
}

impl Tap {
    pub(crate) fn new(is_live: bool) -> Self {
        Self {
            ledger: Ledger::new(),
            shape: Shape::default(),
            truncated: VecDeque::with_capacity(SNAPSHOTS_MAX),
            health: TapHealth::default(),
            is_live,
            looked: Timestamp(0),
        }
    }

    pub(crate) const fn memory_bytes() -> usize {
        Ledger::memory_bytes() + SNAPSHOTS_MAX * size_of::<(Timestamp, Share)>()
    }

    pub(crate) fn take(&mut self, sample: &TapSample) {
        let has_fibres = self.shape.has_fibres.get(usize::from(sample.input));
        // Where both directions come in on one port, the port says nothing.
        let ports = if has_fibres == Some(&true) { sample.ports } else { 0 };
        self.ledger.take(&TapSample { ports, ..*sample });
    }

    /// How the tap is, over the last minute.
    pub(crate) const fn health(&self) -> &TapHealth {
        &self.health
    }

    /// What of that events have to say.
    pub(crate) fn quality(&self) -> CaptureQuality {
        CaptureQuality {
            one_sided_tap: self.health.has(TapFaultKind::OneSided),
            duplicating_tap: self.health.has(TapFaultKind::Duplicated),
            split_queues: self.health.has(TapFaultKind::SplitQueues),
            mixed_fibres: self.health.has(TapFaultKind::MixedFibres),
            ..CaptureQuality::default()
        }
    }

    /// Looks again, every few seconds of packet time; `truncated` is of all frames so far.
    pub(crate) fn look(&mut self, now: Timestamp, truncated: Share) {
        if now.since_ns(self.looked) < LOOK_NS && now >= self.looked {
            return;
        }
        self.looked = now;
        while self.truncated.len() >= SNAPSHOTS_MAX {
            self.truncated.pop_front();
        }
        let before = self.truncated.front().map_or_else(Share::default, |(_, share)| *share);
        self.truncated.push_back((now, truncated));
        let recent =
            Share { part: truncated.part - before.part, whole: truncated.whole - before.whole };
        let sums = self.ledger.last_minute(now);
        let health = self.health_of(&sums, recent);
        if self.is_live {
            self.say_what_changed(&health);
        }
        self.health = health;
    }

    /// How the tap was all the time.
    pub(crate) fn since_start(&self, truncated: Share) -> TapHealth {
        self.health_of(&self.ledger.all(), truncated)
    }

    fn say_what_changed(&self, now: &TapHealth) {
        let is_new = |fault: &&TapFault| !self.health.has(fault.kind);
        for fault in now.faults.iter().filter(is_new) {
            tracing::warn!("{}", fault.text);
        }
        let is_over = |fault: &&TapFault| !now.has(fault.kind);
        for fault in self.health.faults.iter().filter(is_over) {
            tracing::info!("no longer seen on the tap: {}", name(fault.kind));
        }
    }

    fn health_of(&self, sums: &Sums, truncated: Share) -> TapHealth {
        let Sums { one_sided, duplicated, split, mixed, delay_ns_max } = *sums;
        let is_told =
            |share: Share, least: u64, from: f64| share.whole >= least && share.value() >= from;
        let candidates = [
            (is_told(one_sided, CONNECTIONS_LEAST, ONE_SIDED), one_sided_text(one_sided)),
            (
                self.shape.trusts_queues && is_told(split, CONNECTIONS_LEAST, SPLIT),
                split_text(split),
            ),
            (is_told(duplicated, SEGMENTS_LEAST, TWICE), twice_text(duplicated, delay_ns_max)),
            (is_told(mixed, CONNECTIONS_LEAST, MIXED), mixed_text(mixed)),
            (is_told(truncated, SEGMENTS_LEAST, TRUNCATED), truncated_text(truncated)),
        ];
        let kinds = [
            TapFaultKind::OneSided,
            TapFaultKind::SplitQueues,
            TapFaultKind::Duplicated,
            TapFaultKind::MixedFibres,
            TapFaultKind::Truncated,
        ];
        let faults = kinds.into_iter().zip(candidates).filter(|(_, (is_so, _))| *is_so);
        let faults = faults.map(|(kind, (_, text))| TapFault { kind, text }).collect();
        TapHealth { one_sided, duplicated, split, faults }
    }
}

const fn name(kind: TapFaultKind) -> &'static str {
    match kind {
        TapFaultKind::OneSided => "connections of which only one direction comes",
        TapFaultKind::Duplicated => "packets that come twice",
        TapFaultKind::SplitQueues => "directions of a connection on different queues",
        TapFaultKind::MixedFibres => "directions of a connection on the wrong port",
        TapFaultKind::Truncated => "frames that are cut short",
    }
}

/// `43 of 50 (86 %)`.
fn of(share: Share, what: &str) -> String {
    let percent = (share.value() * 100.0).round();
    format!("{} of {} {what} looked at ({percent} %)", share.part, share.whole)
}

fn one_sided_text(share: Share) -> String {
    format!(
        "the tap shows only one direction of {}: who sent a reset is then mostly unknown and causes are \
         guesses; mirror both directions of the link (SPAN: \"both\"), plug in both fibres of the tap, \
         and watch both with east+west; traffic that takes another way back needs a tap there too",
        of(share, "connections")
    )
}

fn twice_text(share: Share, delay_ns_max: u32) -> String {
    format!(
        "the tap shows packets twice: {}, the copy up to {:.3} ms later; counts are too high, and a \
         copied reset can look like one that a device sent; mirror each packet once (one direction of \
         every port, or both of a single port, not of a whole VLAN)",
        of(share, "segments"),
        f64::from(delay_ns_max) / 1e6
    )
}

fn split_text(share: Share) -> String {
    format!(
        "the two directions of {} come in on different queues, and workers hand nothing over: each \
         worker judges half a conversation; set symmetric receive hashing (\"rstscope hints\" says how) \
         or do not trust the queues (leave out --symmetric-queues)",
        of(share, "connections")
    )
}

fn mixed_text(share: Share) -> String {
    format!(
        "of {} both directions come in on one port of a two-port link, or one on both: the fibre is no \
         evidence for these; check that each port listens to one fibre of one link, or watch the ports \
         as two links (east,west)",
        of(share, "connections")
    )
}

fn truncated_text(share: Share) -> String {
    format!(
        "frames end before the end of their TCP header: {}; their connections are judged by what is \
         left; raise the snapshot length to 128 bytes or more, or the truncation length of the mirror",
        of(share, "frames")
    )
}

const CONNECTIONS_LEAST: u64 = TapHealth::CONNECTIONS_LEAST;
const SEGMENTS_LEAST: u64 = TapHealth::SEGMENTS_LEAST;
/// From these shares on something is wrong with the tap; a few may always be the network's.
const ONE_SIDED: f64 = 0.1;
const TWICE: f64 = 0.02;
const SPLIT: f64 = TapHealth::SPLIT;
const MIXED: f64 = 0.05;
const TRUNCATED: f64 = 0.01;
/// How often it is looked, in packet time.
const LOOK_NS: u64 = 5_000_000_000;
/// A minute of them.
const SNAPSHOTS_MAX: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_of_one_port_beside_one_of_two_has_no_mixed_fibres() {
        let (was_seen, time) = ([true, true], Timestamp(1));
        for (input, faults) in [(2, 0), (0, 1)] {
            let mut tap = Tap::new(false);
            tap.shape.has_fibres = vec![true, true, false];
            for number in 0..CONNECTIONS_LEAST {
                let (hash, ports) = (number << 16, 0b_01_01);
                let sample = TapSample { hash, time, was_seen, ports, input, ..TapSample::BLANK };
                tap.take(&sample);
            }
            assert_eq!(tap.since_start(Share::default()).faults.len(), faults);
        }
    }
}
