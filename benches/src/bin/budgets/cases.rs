//! The traffic that is measured.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use anyhow::Context as _;
use benches::{CaptureWriter, Composition, Mix, Options, Resets, Start, Traffic};

/// One run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    /// Its name in the tables.
    pub(crate) name: &'static str,
    pub(crate) mix: Mix,
    /// Connections side by side.
    pub(crate) flows: usize,
    /// Thousandths of the packets that are resets.
    pub(crate) resets_per_mille: u64,
    pub(crate) start: Start,
    /// Flow slots of the table.
    pub(crate) slots: usize,
    /// Make every event, as without `--summary`.
    pub(crate) events: bool,
    /// Keep the last packets of connections, as evidence.
    pub(crate) evidence: bool,
}

/// Where nothing else is said: established connections that the table holds with ease.
const USUAL: Case = Case {
    name: "small",
    mix: Mix::Small,
    flows: 20_000,
    resets_per_mille: 20,
    start: Start::Handshakes,
    slots: 1 << 16,
    events: false,
    evidence: false,
};

/// All of them, the longest first.
pub(crate) const CASES: [Case; 19] = [
    Case { name: "small, 1 M flows, 2 M slots", slots: 1 << 21, ..MILLION },
    Case { name: "small, 1 M flows, 16 M slots", slots: 1 << 24, ..MILLION },
    Case { name: "small, 49 k flows, 64 k slots", flows: 49_152, ..USUAL },
    USUAL,
    Case { name: "small, no resets", resets_per_mille: 0, ..USUAL },
    Case { name: "small, 5 % resets", resets_per_mille: 50, ..USUAL },
    Case { name: "small, with events", events: true, ..USUAL },
    Case { name: "small, packets kept", events: true, evidence: true, ..USUAL },
    Case { name: "small, no resets, packets kept", resets_per_mille: 0, evidence: true, ..USUAL },
    Case { name: "imix", mix: Mix::Imix, ..USUAL },
    Case { name: "imix, no resets", mix: Mix::Imix, resets_per_mille: 0, ..USUAL },
    Case {
        name: "imix, no resets, packets kept",
        mix: Mix::Imix,
        resets_per_mille: 0,
        evidence: true,
        ..USUAL
    },
    Case { name: "elephants", mix: Mix::Elephants, ..USUAL },
    Case { name: "churn", mix: Mix::Churn, ..USUAL },
    Case { name: "syn-flood", mix: Mix::SynFlood, ..USUAL },
    Case { name: "scan", mix: Mix::Scan, ..USUAL },
    Case { name: "vlan", mix: Mix::Vlan, ..USUAL },
    Case { name: "vxlan", mix: Mix::Vxlan, ..USUAL },
    Case { name: "ipv6", mix: Mix::Ipv6, ..USUAL },
];

const MILLION: Case = Case { flows: 1_000_000, start: Start::Midstream, ..USUAL };

impl Case {
    /// Writes its capture; gives the first frame that the worker is measured by, and what the
    /// frames after the warm-up consist of.
    pub(crate) fn write(&self, path: &Path) -> anyhow::Result<(u64, Composition)> {
        let mut traffic = Traffic::new(&Options {
            mix: self.mix,
            flows: self.flows,
            resets_per_mille: self.resets_per_mille,
            resets: Resets::AllKinds,
            start: self.start,
            rate: RATE,
            ..Options::default()
        });
        let from = traffic.warm_up_len() + LEAD_IN;
        let file = File::create(path).with_context(|| format!("create {}", path.display()))?;
        let mut capture = CaptureWriter::begin(BufWriter::with_capacity(1 << 20, file))?;
        let mut frame = Vec::new();
        for _ in 0..from + MEASURED {
            let time_ns = traffic.next_frame(&mut frame);
            capture.frame(time_ns, &frame)?;
        }
        capture.finish()?;
        Ok((from, traffic.composition()))
    }
}

/// Packets a second: slow enough that resets of the lead-in come to their final verdicts.
const RATE: u64 = 40_000;
/// Five seconds, the longest that a reset is watched.
const LEAD_IN: u64 = 200_000;
/// Three seconds.
const MEASURED: u64 = 120_000;
