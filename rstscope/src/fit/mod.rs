//! `rstscope fit`: weights and bases refitted on resets of known origin, for whoever builds the
//! program (classification.md, section 5.6).
//!
//! | file | what |
//! |---|---|
//! | `sample.rs` | what the fit sees of a reset: its rows, who sent it, which rule spoke |
//! | `policy.rs` | which weights may move, how far, and how firmly the hand-set ones hold |
//! | `model.rs`, `solve.rs` | the clamped sum, and its most probable weights |
//! | `folds.rs` | cross-validation: families of resets that the fit has not seen |
//! | `bases.rs` | how often each rule is right |
//! | `held_out.rs` | the same for families that were not counted; how firmly hand-set bases hold |
//! | `tables.rs` | the tables as source text |

mod bases;
mod folds;
mod held_out;
mod model;
mod policy;
mod sample;
mod solve;
mod tables;

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use anyhow::{Context as _, bail};
use classifiers::WEIGHTS;

use crate::Outcome;
use crate::cli::FitArguments;
use crate::evaluate;
use bases::Prior;
use model::Weights;
use sample::{Sample, Truth};

/// Fits, reports, and writes the tables or compares them with those in the sources.
pub(crate) fn run(arguments: &FitArguments) -> anyhow::Result<Outcome> {
    let pairs = evaluate::pairs_of(&arguments.paths)?;
    let (judged, _) = evaluate::read(&pairs, None, &arguments.sensor)?;
    let truth = if arguments.by_proofs { Truth::Proofs } else { Truth::Labels };
    let samples = sample::of(&judged, truth);
    if samples.iter().all(|sample| sample.is_by_endpoint)
        || !samples.iter().any(|sample| sample.is_by_endpoint)
    {
        bail!("resets by endpoints and by others are both needed, {} resets in all", samples.len());
    }
    let mut out = BufWriter::new(io::stdout());
    writeln!(out, "{}", sample::summary(&samples, truth))?;
    if truth == Truth::Proofs {
        let (agreed, both) = sample::agreement(&judged);
        writeln!(out, "where there is a label too, the proofs agree in {agreed} of {both}")?;
    }
    let (looseness, folds) = folds::best(&samples);
    folds::write(&mut out, looseness, &folds)?;
    let fitted = model::fit(&samples, looseness);
    write_moves(&mut out, &fitted, &samples)?;
    let decided = bases::decided(&judged);
    let (prior, trials) = held_out::best(&decided);
    held_out::write(&mut out, prior, &trials)?;
    let rules = bases::fit(&decided.iter().collect::<Vec<_>>(), prior);
    bases::write(&mut out, &rules)?;
    out.flush()?;
    if arguments.by_proofs && (arguments.write || arguments.check) {
        bail!("labels by proofs lack the weights of the proofs: they are compared, not written");
    }
    let provenance = provenance(arguments, &samples, looseness);
    let mut files = vec![(
        "bases.rs",
        tables::bases(&rules, &bases_provenance(arguments, prior, decided.len())),
    )];
    if !arguments.keep_weights {
        files.push(("table.rs", tables::weights(&fitted, &samples, &provenance)));
    }
    if arguments.check {
        return check(&arguments.sources, &files);
    }
    if arguments.write {
        for (name, text) in &files {
            let path = arguments.sources.join(name);
            fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
        }
    }
    Ok(Outcome::Good)
}

/// Every weight that moved, the furthest first, with how often it was seen.
fn write_moves(out: &mut impl Write, fitted: &Weights, samples: &[Sample]) -> io::Result<()> {
    let mut moves: Vec<_> = WEIGHTS
        .iter()
        .map(|weight| (fitted.of(weight.row) - f64::from(weight.hand_set), weight))
        .filter(|(moved, _)| moved.abs() >= 0.05)
        .collect();
    moves.sort_by(|left, right| right.0.abs().total_cmp(&left.0.abs()));
    writeln!(out, "\nWEIGHTS that moved (decibans)")?;
    writeln!(out, "  {:32} hand-set fitted  moved   for against", "row")?;
    for (moved, weight) in moves {
        let (seen_for, seen_against) = sample::seen(samples, weight.row);
        writeln!(
            out,
            "  {:32} {:8.1} {:6.1} {moved:+6.1} {seen_for:5} {seen_against:7}",
            weight.name,
            weight.hand_set,
            fitted.of(weight.row)
        )?;
    }
    Ok(())
}

/// What weights were fitted on: the stamp, the captures, the number of resets.
fn provenance(arguments: &FitArguments, samples: &[Sample], looseness: f64) -> String {
    let (stamp, resets) = (stamp(arguments), samples.len());
    format!("{stamp}; looseness {looseness}; {resets} resets of {}", names(arguments))
}

/// What bases were counted on.
fn bases_provenance(arguments: &FitArguments, prior: Prior, verdicts: usize) -> String {
    let Prior { rows, shift } = prior;
    let (stamp, names) = (stamp(arguments), names(arguments));
    format!(
        "{stamp}; a prior of {rows} rows moved by {shift}; {verdicts} verdicts that rules decided, \
         of {names}"
    )
}

fn stamp(arguments: &FitArguments) -> &str {
    arguments.stamp.as_deref().unwrap_or("no stamp")
}

fn names(arguments: &FitArguments) -> String {
    let names: Vec<String> = arguments
        .paths
        .iter()
        .filter(|path| path.extension().is_none_or(|extension| extension != "csv"))
        .map(|path| path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned())
        .collect();
    names.join(", ")
}

fn check(sources: &Path, files: &[(&str, String)]) -> anyhow::Result<Outcome> {
    for (name, text) in files {
        let path = sources.join(name);
        let found =
            fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        if tables::without_provenance(&found) != tables::without_provenance(text) {
            bail!("{} is not what these captures give", path.display());
        }
    }
    Ok(Outcome::Good)
}
