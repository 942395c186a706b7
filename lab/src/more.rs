//! The commands `lab flood` and `lab damage`.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::bail;
use clap::Parser;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use lab::{Damage, DamageKind, Flood};

/// Says loudly that a scenario was not played.
#[expect(clippy::print_stderr, reason = "standard output belongs to the list of truths")]
pub(crate) fn say_skipped(why: &str) {
    eprintln!("SKIPPED: {why}; deploy/prepare.sh test installs what the lab plays with");
}

/// Options of `lab flood`.
#[derive(Parser)]
pub(crate) struct FloodArguments {
    /// Connections to make.
    #[arg(long, default_value_t = 5000)]
    flows: usize,
    /// Seed of everything.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Capture file to write.
    #[arg(long)]
    capture: PathBuf,
    /// File for the truths (CSV).
    #[arg(long)]
    truth: PathBuf,
}

impl FloodArguments {
    /// Plays the flood and says what came of it.
    pub(crate) fn play(self) -> anyhow::Result<()> {
        let Self { flows, seed, capture, truth } = self;
        let flooded = Flood { flows, seed, capture, truth }.play()?;
        let mut out = std::io::stdout().lock();
        let resets: usize = flooded.resets.values().sum();
        writeln!(out, "{} flows, {} frames, {resets} resets:", flooded.flows, flooded.frames)?;
        for (cause, count) in &flooded.resets {
            let name = if cause.is_empty() { "(later resets of a flow)" } else { cause };
            writeln!(out, "{count:>7} {name}")?;
        }
        writeln!(out, "{} first resets without a word of a kernel", flooded.unwitnessed)?;
        if !flooded.failures.is_empty() {
            bail!("{} recipes failed:\n{}", flooded.failures.len(), flooded.failures.join("\n"));
        }
        Ok(())
    }
}

/// Options of `lab damage`.
#[derive(Parser)]
pub(crate) struct DamageArguments {
    /// Capture to read (classic pcap).
    input: PathBuf,
    /// Capture to write.
    output: PathBuf,
    /// Truths of the capture.
    #[arg(long)]
    truth: PathBuf,
    /// Truths of the damaged capture.
    #[arg(long)]
    out_truth: PathBuf,
    /// What the tap does.
    #[arg(long, value_parser = kinds())]
    kind: DamageKind,
    /// Which frames it happens to.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Share of the frames concerned, 0 to 1; each kind has its own default.
    #[arg(long)]
    share: Option<f64>,
}

impl DamageArguments {
    /// Damages the capture and says what was done.
    pub(crate) fn inflict(self) -> anyhow::Result<()> {
        let Self { input, output, truth, out_truth, kind, seed, share } = self;
        let name = kind.name();
        let done = Damage { input, output, truth, out_truth, kind, seed, share }.inflict()?;
        writeln!(
            std::io::stdout().lock(),
            "{name}: {} frames became {}, {} labelled resets, {} labels lost with their frames",
            done.frames_before,
            done.frames_after,
            done.rows,
            done.rows_lost
        )?;
        Ok(())
    }
}

fn kinds() -> impl clap::builder::TypedValueParser<Value = DamageKind> {
    PossibleValuesParser::new(DamageKind::ALL.map(DamageKind::name)).map(|name| {
        let named = DamageKind::ALL.into_iter().find(|kind| kind.name() == name);
        named.expect("only names of kinds are accepted")
    })
}
