//! `lab`: plays scenarios in namespaces and records what a tap sees, with the truth.

#![forbid(unsafe_code)]

mod more;

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::{Parser, Subcommand, ValueEnum};
use lab::{Delays, Error, Family, Lab, Options, Scenario, TapPoint, Truth};

/// Makes real TCP resets with real kernels, and says who made each and why.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Lists the scenarios.
    List,
    /// Plays scenarios at once and records the tap. Needs root.
    Run(Run),
    /// Records thousands of connections without any middlebox, with the truth of each reset. Needs root.
    Flood(more::FloodArguments),
    /// Changes a capture as a bad tap would, and its truth with it.
    Damage(more::DamageArguments),
}

#[derive(Parser)]
struct Run {
    /// A scenario to play; may be repeated. Without it, the ten of the demo are played.
    #[arg(long = "scenario", value_name = "NAME")]
    scenarios: Vec<String>,
    /// Plays every scenario.
    #[arg(long, conflicts_with = "scenarios")]
    all: bool,
    /// Plays each scenario this many times.
    #[arg(long, default_value_t = 1)]
    repeat: usize,
    /// Seed of ports, addresses and of the injector's habits.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// IP version.
    #[arg(long, value_enum, default_value_t = FamilyArgument::Mixed)]
    family: FamilyArgument,
    /// Seconds for which the idle session is silent.
    #[arg(long, default_value_t = 31)]
    idle: u64,
    /// One-way delay between client and firewall in milliseconds.
    #[arg(long, default_value_t = 8)]
    client_delay: u64,
    /// One-way delay between firewall and server in milliseconds.
    #[arg(long, default_value_t = 15)]
    server_delay: u64,
    /// Taps the server's side of the firewall instead of the client's.
    #[arg(long)]
    tap_server_side: bool,
    /// Capture file to write.
    #[arg(long)]
    capture: PathBuf,
    /// File for the truths (CSV).
    #[arg(long)]
    truth: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
enum FamilyArgument {
    /// IPv4.
    #[value(name = "4")]
    V4,
    /// IPv6.
    #[value(name = "6")]
    V6,
    /// Every other scenario in IPv6.
    Mixed,
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::List => list(),
        Command::Run(run) => play(&run),
        Command::Flood(arguments) => arguments.play(),
        Command::Damage(arguments) => arguments.inflict(),
    }
}

fn list() -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    for scenario in Scenario::ALL {
        let mark = if Scenario::DEMO.contains(&scenario) { "demo" } else { "" };
        writeln!(out, "{:26} {mark:5} {}", scenario.name(), scenario.summary())?;
    }
    Ok(())
}

fn play(run: &Run) -> anyhow::Result<()> {
    let scenarios = chosen(run)?.repeat(run.repeat);
    let lab = Lab::build(&options(run))?;
    let mut out = std::io::stdout().lock();
    if let Some(reason) = lab.kernel_silence() {
        writeln!(out, "no kernel can be heard here, truths lack its reasons: {reason}")?;
    }
    let recorder = lab::record(&lab, &run.capture)?;
    let truths: Mutex<Vec<Truth>> = Mutex::default();
    let failures: Mutex<Vec<String>> = Mutex::default();
    let may_skip = std::env::var_os("CI").is_none();
    lab.run_all(&scenarios, |scenario, outcome| match outcome {
        Ok(found) => truths.lock().expect("no player panics").extend(found),
        Err(error @ Error::ToolMissing { .. }) if may_skip => {
            more::say_skipped(&format!("{}: {error}", scenario.name()));
        }
        Err(error) => {
            failures
                .lock()
                .expect("no player panics")
                .push(format!("{}: {error}", scenario.name()));
        }
    });
    let truths = truths.into_inner().expect("no player panics");
    let recording = recorder.finish(truths, &run.truth)?;
    for row in &recording.placed {
        let frame = row.frame.map_or("-".to_owned(), |number| number.to_string());
        let truth = &row.truth;
        writeln!(
            out,
            "{frame:>5} {:25} {:>22} > {:22} {:20} {:25} {}",
            truth.scenario,
            truth.client.to_string(),
            truth.server.to_string(),
            truth.origin,
            truth.cause,
            truth.kernel_reason.as_deref().unwrap_or("-"),
        )?;
    }
    for frame in &recording.unlabelled {
        writeln!(out, "{frame:>5} a reset that no recipe speaks of")?;
    }
    let (frames, bytes) = (recording.frames, recording.bytes);
    writeln!(out, "{frames} frames, {bytes} bytes in {}", run.capture.display())?;
    if lab.frames_lost() > 0 {
        writeln!(out, "{} frames were lost on overloaded wires", lab.frames_lost())?;
    }
    let failures = failures.into_inner().expect("no player panics");
    if !failures.is_empty() {
        bail!("{} scenarios failed:\n{}", failures.len(), failures.join("\n"));
    }
    Ok(())
}

fn chosen(run: &Run) -> anyhow::Result<Vec<Scenario>> {
    if run.all {
        return Ok(Scenario::ALL.to_vec());
    }
    if run.scenarios.is_empty() {
        return Ok(Scenario::DEMO.to_vec());
    }
    run.scenarios
        .iter()
        .map(|name| {
            Scenario::from_name(name)
                .with_context(|| format!("no scenario {name}; see \"lab list\""))
        })
        .collect()
}

fn options(run: &Run) -> Options {
    Options {
        seed: run.seed,
        family: match run.family {
            FamilyArgument::V4 => Family::V4,
            FamilyArgument::V6 => Family::V6,
            FamilyArgument::Mixed => Family::Mixed,
        },
        delays: Delays {
            client_leg: Duration::from_millis(run.client_delay),
            server_leg: Duration::from_millis(run.server_delay),
        },
        tap_point: if run.tap_server_side { TapPoint::ServerSide } else { TapPoint::ClientSide },
        idle: Duration::from_secs(run.idle),
        ..Options::default()
    }
}
