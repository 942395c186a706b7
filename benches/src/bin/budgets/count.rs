//! All cases, side by side.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use anyhow::Context as _;
use benches::Composition;

use crate::callgrind::{self, Run};
use crate::cases::{CASES, Case};
use crate::root;
use crate::stages::{Sources, Spent, stage};

/// What a case cost.
#[derive(Clone, Debug)]
pub(crate) struct Counted {
    pub(crate) case: Case,
    pub(crate) worker: Spent,
    pub(crate) exporter: Spent,
    /// The frames that each of them is divided by.
    pub(crate) worker_frames: f64,
    pub(crate) exporter_frames: f64,
    /// Resets of the whole run, as the sensor counted them.
    pub(crate) resets: f64,
    pub(crate) composition: Composition,
    /// What the subject told of its memory and its losses.
    pub(crate) told: HashMap<String, f64>,
    /// Instructions a packet to walk through its capture, if that was counted.
    pub(crate) walk: Option<f64>,
}

impl Counted {
    /// Instructions of the worker a packet.
    pub(crate) fn per_packet(&self, cost: u64) -> f64 {
        cost as f64 / self.worker_frames
    }

    /// Instructions of the worker a reset of the measured part.
    pub(crate) fn per_reset(&self, cost: u64) -> f64 {
        let share = self.composition.rst as f64 / self.composition.frames() as f64;
        cost as f64 / (self.worker_frames * share)
    }
}

/// Everything that was counted.
#[derive(Debug)]
pub(crate) struct Counts {
    /// In the order of [`CASES`].
    pub(crate) cases: Vec<Counted>,
}

/// Counts every case, as many at a time as there are cores.
pub(crate) fn all(subject: &Path) -> anyhow::Result<Counts> {
    let folder = tempfile::tempdir().context("make a temporary folder")?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let next = Mutex::new(0..CASES.len());
    let work = |core: usize| -> anyhow::Result<Vec<(usize, Counted)>> {
        let own = folder.path().join(format!("core-{core}"));
        let sources = Sources::open(subject, root())?;
        let mut done = Vec::new();
        loop {
            let Some(index) = next.lock().expect("no case panics").next() else { return Ok(done) };
            let case = &CASES[index];
            eprintln!("counting {}", case.name);
            let (mut counted, capture) = count(case, subject, &own, &sources)?;
            if WALKS.contains(&case.name) {
                counted.walk = Some(walk_of(subject, &capture, &own)?);
            }
            // A capture is up to 250 MB.
            fs::remove_dir_all(&own)?;
            done.push((index, counted));
        }
    };
    let mut done = std::thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = (0..cores).map(|core| scope.spawn(move || work(core))).collect();
        let results = threads.into_iter().map(|thread| thread.join().expect("no case panics"));
        results.collect::<anyhow::Result<Vec<_>>>()
    })?
    .concat();
    done.sort_by_key(|(index, _)| *index);
    Ok(Counts { cases: done.into_iter().map(|(_, counted)| counted).collect() })
}

/// Prints where one case spends its instructions.
pub(crate) fn show(case: &Case, subject: &Path, lines: usize) -> anyhow::Result<()> {
    let folder = tempfile::tempdir().context("make a temporary folder")?;
    let sources = Sources::open(subject, root())?;
    let (counted, _) = count(case, subject, &folder.path().join("one"), &sources)?;
    println!("{}: {}", case.name, counted.composition);
    let threads = [
        ("worker", &counted.worker, counted.worker_frames),
        ("exporter", &counted.exporter, counted.exporter_frames),
    ];
    for (name, spent, frames) in threads {
        println!("\n{name}: {:.1} instructions a packet", spent.total() as f64 / frames);
        let mut files: Vec<(&String, &u64)> = spent.files.iter().collect();
        files.sort_by_key(|&(file, cost)| (std::cmp::Reverse(*cost), file));
        for (file, cost) in files.into_iter().take(lines) {
            let stage = stage(file).unwrap_or_default();
            println!("{:>10.2}  {stage:<24} {file}", *cost as f64 / frames);
        }
    }
    Ok(())
}

fn count(
    case: &Case,
    subject: &Path,
    folder: &Path,
    sources: &Sources<'_>,
) -> anyhow::Result<(Counted, PathBuf)> {
    fs::create_dir_all(folder)?;
    let capture = folder.join("frames.pcap");
    let (from, composition) = case.write(&capture)?;
    let arguments = [
        "turn".to_owned(),
        capture.display().to_string(),
        from.to_string(),
        case.slots.to_string(),
        if case.events { "events" } else { "summary" }.to_owned(),
        if case.evidence { "packets" } else { "no-packets" }.to_owned(),
    ];
    let run = callgrind::run(subject, &arguments, folder)?;
    let spent = |thread: u32| {
        run.threads
            .get(&thread)
            .map(|part| sources.spent(part))
            .with_context(|| format!("{}: callgrind wrote no counts of thread {thread}", case.name))
    };
    let counted = Counted {
        case: *case,
        worker: spent(2)?,
        exporter: spent(1)?,
        worker_frames: number(&run, "measured")?,
        exporter_frames: number(&run, "frames")?,
        resets: number(&run, "resets")?,
        composition,
        told: run.told,
        walk: None,
    };
    Ok((counted, capture))
}

fn walk_of(subject: &Path, capture: &Path, folder: &Path) -> anyhow::Result<f64> {
    let run = callgrind::run(subject, &["walk".into(), capture.display().to_string()], folder)?;
    // All threads: whoever reads ahead in another one pays for it there.
    let cost: u64 = run.threads.values().flat_map(|part| part.places.values()).sum();
    Ok(cost as f64 / number(&run, "frames")?)
}

fn number(run: &Run, name: &str) -> anyhow::Result<f64> {
    run.told.get(name).copied().with_context(|| format!("the subject did not tell its {name}"))
}

/// Cases whose capture is also only walked through.
const WALKS: [&str; 2] = ["small", "imix"];
