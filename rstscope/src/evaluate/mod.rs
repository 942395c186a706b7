//! `rstscope evaluate`: verdicts against labels.

mod classes;
mod labels;
mod score;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use anyhow::bail;
use classifiers::{Cause, Origin, Role};
use events::{Event, sentence};
use pipeline::Sink;

use crate::Outcome;
use crate::cli::{EvaluateArguments, SensorArguments};
use crate::sensor;
use classes::INJECTED;
use labels::Label;
use score::Score;

/// Reads every capture that the labels name and prints how the verdicts compare.
pub(crate) fn run(arguments: &EvaluateArguments) -> anyhow::Result<Outcome> {
    let mut labels = labels::read(&arguments.labels, arguments.confidence.as_deref())?;
    if arguments.captures.is_file() {
        let name = arguments.captures.file_name().unwrap_or_default().to_string_lossy();
        labels.retain(|label| label.file.is_empty() || Path::new(&label.file).ends_with(&*name));
    }
    if labels.is_empty() {
        bail!("no row of {} is about {}", arguments.labels.display(), arguments.captures.display());
    }
    let mut by_file: BTreeMap<&str, HashSet<u64>> = BTreeMap::new();
    for label in &labels {
        by_file.entry(&label.file).or_default().insert(label.frame);
    }
    let mut said: HashMap<(&str, u64), Event> = HashMap::new();
    for (file, frames) in by_file {
        for event in read(&locate(&arguments.captures, file)?, frames, &arguments.sensor)? {
            said.insert((file, event.frame.unwrap_or_default()), event);
        }
    }
    let rows: Vec<(&Label, Option<&Event>)> =
        labels.iter().map(|label| (label, said.get(&(label.file.as_str(), label.frame)))).collect();
    let mut out = BufWriter::new(io::stdout());
    write_scores(&mut out, &rows)?;
    if !arguments.brief {
        write_disagreements(&mut out, &rows)?;
    }
    out.flush()?;
    Ok(Outcome::Good)
}

/// The capture called `file`, in the folder itself or in its subfolder `files`.
fn locate(captures: &Path, file: &str) -> anyhow::Result<PathBuf> {
    if captures.is_file() {
        return Ok(captures.to_owned());
    }
    let candidates = [captures.join(file), captures.join("files").join(file)];
    match candidates.into_iter().find(|path| path.is_file()) {
        Some(path) => Ok(path),
        None => bail!("no capture {file:?} in {} nor in its folder files", captures.display()),
    }
}

/// The last event for each of the frames.
fn read(
    path: &Path,
    frames: HashSet<u64>,
    arguments: &SensorArguments,
) -> anyhow::Result<impl Iterator<Item = Event>> {
    let mut wanted = Wanted { frames, events: HashMap::new() };
    let report = sensor::read(
        &[path.to_owned()],
        arguments,
        false,
        None,
        &AtomicBool::new(false),
        &mut wanted,
    )?;
    for problem in report.inputs.iter().filter_map(|input| input.problem.as_deref()) {
        tracing::warn!("{problem}");
    }
    Ok(wanted.events.into_values())
}

struct Wanted {
    frames: HashSet<u64>,
    events: HashMap<u64, Event>,
}

impl Sink for Wanted {
    fn emit(&mut self, event: &Event) -> io::Result<()> {
        if let Some(frame) = event.frame.filter(|frame| self.frames.contains(frame)) {
            // The final verdict comes after the provisional one and replaces it.
            self.events.insert(frame, event.clone());
        }
        Ok(())
    }
}

fn write_scores(out: &mut impl Write, rows: &[(&Label, Option<&Event>)]) -> io::Result<()> {
    let missing = rows.iter().filter(|(_, event)| event.is_none()).count();
    let aftermath = rows
        .iter()
        .filter(|(_, event)| event.is_some_and(|event| event.verdict.role != Role::Primary))
        .count();
    writeln!(
        out,
        "{} labelled resets; no event for {missing}; not judged primary: {aftermath}",
        rows.len()
    )?;
    let blamed =
        rows.iter()
            .filter(|(label, event)| {
                let is_endpoint = label.origin.as_ref().is_some_and(|label| {
                    !label.accepts.iter().any(|origin| INJECTED.contains(origin))
                });
                is_endpoint && event.is_some_and(|event| INJECTED.contains(&event.verdict.origin))
            })
            .count();
    writeln!(out, "endpoints' resets called a middlebox's or attacker's: {blamed}")?;
    let origins = rows.iter().filter_map(|(label, event)| {
        Some((label.origin.as_ref()?, event.map(|event| event.verdict.origin)))
    });
    Score::of("ORIGIN", origins, Origin::name)
        .write(out, |label, said| accepts(classes::origin(label), Origin::from_name(said)))?;
    let causes = rows.iter().filter_map(|(label, event)| {
        Some((label.cause.as_ref()?, event.map(|event| event.verdict.cause)))
    });
    Score::of("CAUSE", causes, Cause::name).write(out, |label, said| {
        let expected = classes::cause_class(label).or_else(|_| classes::cause(label));
        accepts(expected, Cause::from_name(said))
    })
}

/// Whether the label was understood and accepts what was said.
fn accepts<T: PartialEq + Copy>(
    label: Result<Option<classes::Expected<T>>, String>,
    said: Option<T>,
) -> bool {
    matches!((label, said), (Ok(Some(label)), Some(said)) if label.is(said))
}

fn write_disagreements(out: &mut impl Write, rows: &[(&Label, Option<&Event>)]) -> io::Result<()> {
    for (label, event) in rows {
        let labelled = format!(
            "labelled {} {}",
            label.origin.as_ref().map_or("-", |label| &label.name),
            label.cause.as_ref().map_or("-", |label| &label.name)
        );
        let Some(event) = event else {
            writeln!(out, "\n{} frame {}: {labelled}, NO EVENT", label.file, label.frame)?;
            writeln!(out, "    label: {}", label.note)?;
            continue;
        };
        let verdict = &event.verdict;
        let wrong_origin = label.origin.as_ref().is_some_and(|label| !label.is(verdict.origin));
        let wrong_cause = label.cause.as_ref().is_some_and(|label| !label.is(verdict.cause));
        if !wrong_origin && !wrong_cause {
            continue;
        }
        let wrong = match (wrong_origin, wrong_cause) {
            (true, true) => "origin and cause",
            (true, false) => "origin",
            _ => "cause",
        };
        writeln!(out, "\n{} frame {}: {wrong} wrong: {labelled}", label.file, label.frame)?;
        writeln!(out, "    label: {}", label.note)?;
        write_verdict(out, event)?;
    }
    Ok(())
}

fn write_verdict(out: &mut impl Write, event: &Event) -> io::Result<()> {
    let verdict = &event.verdict;
    writeln!(
        out,
        "    said: {} {:.2} ({:+.1} dB), {} {:.2} by {}, {}, stage {}, effect {}, shape {}, RST {} \
         of the {}, idle {}, packets {}/{}, bytes {}/{}",
        verdict.origin.name(),
        verdict.origin_confidence,
        verdict.origin_decibans,
        verdict.cause.name(),
        verdict.cause_confidence,
        verdict.rule,
        verdict.role.name(),
        verdict.stage.name(),
        verdict.effect.name(),
        verdict.shape.name(),
        event.rst.flags,
        event.claimed.name(),
        event.idle_before_s.map_or_else(|| "unknown".to_owned(), |idle_s| format!("{idle_s:.3} s")),
        event.packets.client,
        event.packets.server,
        event.bytes.client,
        event.bytes.server
    )?;
    for other in &verdict.alternatives {
        let (origin, cause) = (other.origin.name(), other.cause.name());
        writeln!(out, "    or:   {origin}, {cause} {:.2}", other.confidence)?;
    }
    for item in &verdict.evidence {
        let number = item.e.as_deref().unwrap_or("   ");
        writeln!(out, "    {number} {:+6.1} dB  {}", item.decibans, sentence(item))?;
    }
    Ok(())
}
