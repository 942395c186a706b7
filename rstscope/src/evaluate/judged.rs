//! Labels and what was said of their resets.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use anyhow::bail;
use classifiers::{Cause, Origin};
use events::Event;
use pipeline::Sink;

use super::classes::{Expected, INJECTED};
use super::labels::{self, Label};
use super::pairs::Pair;
use crate::cli::SensorArguments;
use crate::sensor;

/// A label and the last event about its reset; `None` if none came.
pub(crate) struct Judged {
    pub(crate) label: Label,
    pub(crate) event: Option<Event>,
}

impl Judged {
    /// The labelled origin and the one said; `None` where it is not judged.
    pub(crate) fn origin(&self) -> Option<(&Expected<Origin>, Option<Origin>)> {
        let said = self.event.as_ref().map(|event| event.verdict.origin);
        self.label.origin.as_ref().map(|label| (label, said))
    }

    /// The labelled cause and the one said; `None` where it is not judged.
    pub(crate) fn cause(&self) -> Option<(&Expected<Cause>, Option<Cause>)> {
        let said = self.event.as_ref().map(|event| event.verdict.cause);
        self.label.cause.as_ref().map(|label| (label, said))
    }

    /// Whether an end of the connection sent it; `None` if the label leaves that open.
    pub(crate) fn is_by_endpoint(&self) -> Option<bool> {
        let accepts = &self.label.origin.as_ref()?.accepts;
        let foreign = accepts.iter().filter(|origin| INJECTED.contains(origin)).count();
        match foreign {
            0 => Some(true),
            all if all == accepts.len() => Some(false),
            _ => None,
        }
    }

    /// Whether the label calls it the aftermath of another reset.
    pub(crate) fn is_labelled_aftermath(&self) -> bool {
        self.label.cause.as_ref().is_some_and(|label| label.accepts == [Cause::SecondaryRst])
    }
}

/// Resets that the sensor counted and could not watch: nothing is said of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Unwatched {
    /// As many resets of their connection were watched already.
    pub(crate) beyond_flow_share: u64,
    /// All watches were taken.
    pub(crate) without_watch: u64,
}

/// Reads every capture that the labels of `pairs` name.
pub(crate) fn read(
    pairs: &[Pair],
    confidence: Option<&str>,
    sensor: &SensorArguments,
) -> anyhow::Result<(Vec<Judged>, Unwatched)> {
    let (mut judged, mut unwatched) = (Vec::new(), Unwatched::default());
    for pair in pairs {
        judged.extend(read_pair(pair, confidence, sensor, &mut unwatched)?);
    }
    Ok((judged, unwatched))
}

fn read_pair(
    pair: &Pair,
    confidence: Option<&str>,
    sensor: &SensorArguments,
    unwatched: &mut Unwatched,
) -> anyhow::Result<Vec<Judged>> {
    let mut labels = labels::read(&pair.labels, confidence)?;
    if pair.captures.is_file() {
        let name = pair.captures.file_name().unwrap_or_default().to_string_lossy();
        labels.retain(|label| label.file.is_empty() || Path::new(&label.file).ends_with(&*name));
    }
    if labels.is_empty() {
        bail!("no row of {} is about {}", pair.labels.display(), pair.captures.display());
    }
    let mut by_file: BTreeMap<&str, HashSet<u64>> = BTreeMap::new();
    for label in &labels {
        by_file.entry(&label.file).or_default().insert(label.frame);
    }
    let mut said: HashMap<(String, u64), Event> = HashMap::new();
    for (file, frames) in by_file {
        let capture = locate(&pair.captures, file)?;
        for (frame, event) in last_events(&capture, frames, sensor, unwatched)? {
            said.insert((file.to_owned(), frame), event);
        }
    }
    let with_event = |label: Label| {
        let event = said.get(&(label.file.clone(), label.frame)).cloned();
        Judged { label, event }
    };
    Ok(labels.into_iter().map(with_event).collect())
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

/// The last event for each of the frames; adds to `unwatched` what was not watched.
fn last_events(
    path: &Path,
    frames: HashSet<u64>,
    arguments: &SensorArguments,
    unwatched: &mut Unwatched,
) -> anyhow::Result<HashMap<u64, Event>> {
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
    let lost = |name: &str| report.losses.get(name).copied().unwrap_or(0);
    unwatched.beyond_flow_share += lost("resets_beyond_flow_share");
    unwatched.without_watch += lost("resets_without_watch");
    Ok(wanted.events)
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
