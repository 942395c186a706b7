//! What `bench live` measured, as one value and as text.

use std::collections::BTreeMap;
use std::io::{self, Write};

use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

use super::arguments::LiveArguments;
use super::machine::Machine;
use super::report::Spread;

/// All of it; `--json` prints this.
#[derive(Debug, Serialize)]
pub(super) struct LiveReport {
    pub(super) machine: Machine,
    pub(super) flows: u32,
    pub(super) frame_len: u32,
    /// Of sixteen conversations so many were reset.
    pub(super) resets_of_sixteen: u32,
    /// Every half of every round, in order.
    pub(super) halves: Vec<Half>,
}

/// Who took the packets.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Receiver {
    Sensor,
    Bare,
}

/// One receiver's turn.
#[derive(Debug, Serialize)]
pub(super) struct Half {
    pub(super) receiver: Receiver,
    /// How packets reached it.
    pub(super) mode: String,
    pub(super) sent: u64,
    /// How long was sent.
    pub(super) seconds: f64,
    /// Packets judged by the sensor, or received by the bare socket.
    pub(super) taken: u64,
    /// Packets lost, by name.
    pub(super) losses: BTreeMap<String, u64>,
    /// What else the sensor had no room for: findings, watches, notes; not packets.
    pub(super) unsaid: BTreeMap<String, u64>,
    /// Processor seconds of the receiving thread.
    pub(super) cpu_s: f64,
    /// Processor seconds of the sensor's other thread.
    pub(super) exporter_cpu_s: Option<f64>,
    /// Primary resets told.
    pub(super) resets: Option<u64>,
}

impl Half {
    fn mpps(&self) -> f64 {
        self.taken as f64 / self.seconds.max(1e-9) / 1e6
    }

    /// Whether every packet sent was taken or lost under a name.
    fn adds_up(&self) -> bool {
        self.sent == self.taken + self.losses.values().sum::<u64>()
    }
}

impl LiveReport {
    pub(super) fn new(machine: Machine, arguments: &LiveArguments) -> Self {
        Self {
            machine,
            flows: arguments.flows,
            frame_len: arguments.size,
            resets_of_sixteen: arguments.resets,
            halves: Vec::new(),
        }
    }

    /// Whether it does so in every half.
    pub(super) fn adds_up(&self) -> bool {
        self.halves.iter().all(Half::adds_up)
    }

    /// Of each round, what the sensor took for each packet that the bare socket took in as much time.
    fn ratios(&self) -> Spread {
        let of = |round: &[Half], receiver| {
            round.iter().filter(|half| half.receiver == receiver).map(Half::mpps).sum::<f64>()
        };
        let ratio = |round: &[Half]| of(round, Receiver::Sensor) / of(round, Receiver::Bare);
        Spread::of(self.halves.chunks(2).map(ratio).collect())
    }

    /// As JSON, with what follows from the counts.
    pub(super) fn json(&self) -> serde_json::Result<serde_json::Value> {
        let mut value = serde_json::to_value(self)?;
        value["ratio"] = serde_json::to_value(self.ratios())?;
        value["adds_up"] = self.adds_up().into();
        Ok(value)
    }

    /// As text.
    pub(super) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "{}", self.machine.line())?;
        writeln!(
            out,
            "veth pair, {} connections, frames of {} bytes; {} of 16 conversations are reset\n",
            self.flows, self.frame_len, self.resets_of_sixteen
        )?;
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_header([
            "WHO",
            "SENT",
            "TAKEN",
            "LOST",
            "MPPS SENT",
            "MPPS TAKEN",
            "CPU NS",
            "CORE",
            "RESETS",
        ]);
        for half in &self.halves {
            table.add_row(row(half));
        }
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        writeln!(out, "{table}\n")?;
        for half in &self.halves {
            let losses = named(&half.losses);
            let unsaid = named(&half.unsaid);
            writeln!(
                out,
                "{}: {} sent = {} taken + {losses}{}{}",
                half.receiver.name(),
                half.sent,
                half.taken,
                if half.adds_up() { "" } else { "  DOES NOT ADD UP" },
                if half.unsaid.is_empty() {
                    String::new()
                } else {
                    format!("; beside packets: {unsaid}")
                },
            )?;
        }
        let ratio = self.ratios();
        writeln!(
            out,
            "\nsensor takes {:.1} % of what the bare socket takes (rounds: {:.1} to {:.1} %)",
            ratio.median * 100.0,
            ratio.min * 100.0,
            ratio.max * 100.0
        )
    }
}

impl Receiver {
    fn name(self) -> &'static str {
        match self {
            Self::Sensor => "sensor",
            Self::Bare => "bare socket",
        }
    }
}

fn row(half: &Half) -> [String; 9] {
    let lost = half.sent.saturating_sub(half.taken);
    [
        half.receiver.name().to_owned(),
        half.sent.to_string(),
        half.taken.to_string(),
        format!("{:.2} %", lost as f64 * 100.0 / half.sent.max(1) as f64),
        format!("{:.2}", half.sent as f64 / half.seconds.max(1e-9) / 1e6),
        format!("{:.2}", half.mpps()),
        format!("{:.0}", half.cpu_s * 1e9 / half.taken.max(1) as f64),
        format!("{:.0} %", half.cpu_s * 100.0 / half.seconds.max(1e-9)),
        half.resets.map_or_else(|| "-".to_owned(), |resets| resets.to_string()),
    ]
}

fn named(counts: &BTreeMap<String, u64>) -> String {
    if counts.is_empty() {
        return "none lost".to_owned();
    }
    let one = |(name, count): (&String, &u64)| format!("{count} {name}");
    counts.iter().map(one).collect::<Vec<_>>().join(" + ")
}
