//! The model: measured constants put into the formulas of `SCALING.md`.

use std::fmt;

/// What was measured; `ns` is processor time of the thread that does it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Constants {
    pub(crate) ghz: f64,
    pub(crate) packet_instructions: f64,
    pub(crate) reset_instructions: f64,
    pub(crate) flood_reset_instructions: f64,
    /// Of a segment that is handed over, both workers together, beyond what it costs anyway.
    pub(crate) handover_instructions: f64,
    pub(crate) learned_instructions: f64,
    pub(crate) told_instructions: f64,
    /// Cache lines a packet from beyond the second-level cache, that of the frame included.
    pub(crate) lines: f64,
    pub(crate) written_back: f64,
    pub(crate) handover_lines: f64,
    pub(crate) segment_bytes: f64,
    pub(crate) packet_ns: f64,
    pub(crate) packet_with_resets_ns: f64,
    pub(crate) handover_ns: f64,
    pub(crate) learned_ns: f64,
    pub(crate) told_ns: f64,
    pub(crate) line_ns: f64,
}

/// A link full of frames of one length.
struct Link {
    name: &'static str,
    bits_a_second: f64,
    /// With the checksum, without preamble and gap.
    frame_bytes: f64,
}

impl Link {
    fn packets_a_second(&self) -> f64 {
        self.bits_a_second / 8.0 / (self.frame_bytes + PREAMBLE_AND_GAP_BYTES)
    }
}

impl Constants {
    /// Packets a second of one core, 2 % of them resets, when each costs `more_ns` besides judging.
    fn packets_a_core(&self, more_ns: f64) -> f64 {
        1e9 / (self.packet_with_resets_ns + more_ns)
    }

    /// What hand-over adds to a packet if there are so many workers.
    fn handed_ns(&self, workers: f64) -> f64 {
        (workers - 1.0) / workers * self.handover_ns.max(0.0)
    }

    /// Cores for so many packets a second: the least number that is enough, each of which costs
    /// `more_ns` of it besides judging.
    fn cores(&self, packets: f64, more_ns: impl Fn(f64) -> f64) -> f64 {
        let enough = |cores: &u32| {
            let cores = f64::from(*cores);
            cores * self.packets_a_core(more_ns(cores)) >= packets
        };
        f64::from((1..CORES_MAX).find(enough).unwrap_or(CORES_MAX))
    }

    /// Bytes of the rings between so many workers.
    fn ring_bytes(&self, workers: f64) -> f64 {
        workers * (workers - 1.0) * RING_SEGMENTS * self.segment_bytes
    }

    /// Bytes a second between caches and memory, the frame written by the card included.
    fn memory_bytes(&self, packets: f64, frame_bytes: f64) -> f64 {
        packets * ((self.lines + self.written_back) * LINE_BYTES + frame_bytes)
    }

    /// Share of one core that the exporter takes for so many resets a second.
    fn exporter_load(&self, resets: f64) -> f64 {
        let learned = resets.min(LEARNED_MAX);
        (learned * self.learned_ns + (resets - learned) * self.told_ns) / 1e9
    }

    /// Resets a second at which the exporter fills one core.
    fn exporter_limit(&self) -> f64 {
        let spare_ns = 1e9 - LEARNED_MAX * self.learned_ns;
        if spare_ns < 0.0 { 1e9 / self.learned_ns } else { LEARNED_MAX + spare_ns / self.told_ns }
    }

    pub(crate) fn print_model(&self) {
        println!("### The model\n");
        println!(
            "| link | Mpps | cores, judging alone | with receiving | with hand-over too | ring memory \
             then | memory traffic | exporter, 2 % resets | exporter, 0.1 % |"
        );
        println!("|---|---|---|---|---|---|---|---|---|");
        for link in &LINKS {
            let packets = link.packets_a_second();
            let judging = self.cores(packets, |_| 0.0);
            let receiving = self.cores(packets, |_| RECEIVE_NS);
            let handing = self.cores(packets, |cores| RECEIVE_NS + self.handed_ns(cores));
            println!(
                "| {} | {:.1} | {} | {} | {} | {} | {:.1} GB/s | {:.2} cores | {:.2} cores |",
                link.name,
                packets / 1e6,
                said(judging),
                said(receiving),
                said(handing),
                mebibytes(self.ring_bytes(handing)),
                self.memory_bytes(packets, link.frame_bytes) / 1e9,
                self.exporter_load(packets * 0.02),
                self.exporter_load(packets * 0.001),
            );
        }
        let (cores, mpps) = (32.0, |more_ns| 32.0 * self.packets_a_core(more_ns) / 1e6);
        println!(
            "\n32 cores: {:.0} Mpps judging alone, {:.0} with receiving, {:.0} with hand-over too ({} of \
             rings). The exporter fills a core at {:.0} resets a second.\n",
            mpps(0.0),
            mpps(RECEIVE_NS),
            mpps(RECEIVE_NS + self.handed_ns(cores)),
            mebibytes(self.ring_bytes(cores)),
            self.exporter_limit(),
        );
    }
}

fn said(cores: f64) -> String {
    if cores < f64::from(CORES_MAX) { format!("{cores:.0}") } else { format!("over {CORES_MAX}") }
}

fn mebibytes(bytes: f64) -> String {
    format!("{:.0} MiB", bytes / f64::from(1 << 20))
}

impl fmt::Display for Constants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cycles = |ns: f64| ns * self.ghz;
        writeln!(f, "### Constants\n")?;
        writeln!(f, "| constant | value | what |\n|---|---|---|")?;
        let rows = [
            ("I_p", self.packet_instructions, "instructions of a packet, worker"),
            ("I_r", self.reset_instructions, "more for a reset, worker, with the new connection"),
            ("I_f", self.flood_reset_instructions, "the same in a flood of resets"),
            ("I_h", self.handover_instructions, "more for a segment handed over, both workers"),
            ("E_l", self.learned_instructions, "of a reset that is learned, exporter"),
            ("E_t", self.told_instructions, "of a reset beyond the budget, exporter"),
            ("L", self.lines, "lines fetched from beyond the second-level cache, a packet"),
            ("W", self.written_back, "lines written back, a packet"),
            ("L_h", self.handover_lines, "more lines for a segment handed over"),
            ("S", self.segment_bytes, "bytes of a segment in a ring"),
            ("t_p", self.packet_ns, "ns of a packet, no resets"),
            ("t", self.packet_with_resets_ns, "ns of a packet, 2 % resets"),
            ("c", cycles(self.packet_with_resets_ns), "cycles of a packet, 2 % resets"),
            ("t_h", self.handover_ns, "more ns for a segment handed over, both workers"),
            ("e_l", self.learned_ns, "ns of a reset that is learned, exporter"),
            ("e_t", self.told_ns, "ns of a reset beyond the budget, exporter"),
            ("m", self.line_ns, "ns of a line of memory at random, 64 on their way"),
        ];
        for (name, value, what) in rows {
            let digits = usize::from(value.abs() < 10.0) * 2;
            writeln!(f, "| `{name}` | {value:.digits$} | {what} |")?;
        }
        writeln!(f)
    }
}

const LINKS: [Link; 6] = [
    Link { name: "10 GbE, 64 bytes", bits_a_second: 10e9, frame_bytes: 64.0 },
    Link { name: "25 GbE, 64 bytes", bits_a_second: 25e9, frame_bytes: 64.0 },
    Link { name: "40 GbE, IMIX", bits_a_second: 40e9, frame_bytes: IMIX_BYTES },
    Link { name: "100 GbE, 1518 bytes", bits_a_second: 100e9, frame_bytes: 1518.0 },
    Link { name: "100 GbE, IMIX", bits_a_second: 100e9, frame_bytes: IMIX_BYTES },
    Link { name: "100 GbE, 64 bytes", bits_a_second: 100e9, frame_bytes: 64.0 },
];
/// Seven of 64, four of 594, one of 1518.
const IMIX_BYTES: f64 = (7.0 * 64.0 + 4.0 * 594.0 + 1518.0) / 12.0;
const PREAMBLE_AND_GAP_BYTES: f64 = 20.0;
const LINE_BYTES: f64 = 64.0;
const CORES_MAX: u32 = 256;
/// What the driver of a card takes for a packet with zero copy: 12.2 million a second and core, as
/// published for `rxdrop` on a ConnectX-5; not measured here, where there is no such card.
const RECEIVE_NS: f64 = 82.0;
/// `RING_SEGMENTS` of `pipeline/src/handover.rs`.
pub(crate) const RING_SEGMENTS: f64 = 4_096.0;
/// `LEARNED_MAX` of `pipeline/src/budget.rs`.
const LEARNED_MAX: f64 = 16_384.0;
