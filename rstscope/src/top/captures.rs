//! The feed of captures: they are read here, in a thread of their own, and asked like a sensor.

use std::io;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use collector::{Options, Question, Recent};
use events::{Event, Report, Start, Status};
use pipeline::Sink;

use super::arguments::TopArguments;
use super::feed::{Ask, EVENTS_MAX, Feed, SERVERS_MAX, Told};
use crate::config::Config;
use crate::identity::sensor;
use crate::{chain_text, summary};

/// Captures that are read or have been.
pub(crate) struct Captures {
    name: String,
    recent: Arc<Recent>,
    /// What went wrong while reading.
    problem: Arc<Mutex<Option<String>>>,
}

impl Captures {
    /// Begins to read.
    pub(crate) fn start(arguments: &TopArguments) -> anyhow::Result<Self> {
        let options = Options { events_kept: EVENTS_KEPT, ..Options::default() };
        let recent =
            Arc::new(Recent::of_captures(&options, sensor(&Config::default(), Vec::new())));
        let files = arguments.files.clone();
        let names: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
        let captures = Self::of(names.join(", "), Arc::clone(&recent));
        let problem = Arc::clone(&captures.problem);
        let arguments = arguments.sensor.clone();
        let work = move || {
            // Ends with the process: what is read is shown as it comes.
            let stop = AtomicBool::new(false);
            let mut sink = IntoRecent(&recent);
            let read = crate::sensor::read(&files, &arguments, false, None, &stop, &mut sink);
            let told = match read {
                Ok(report) => {
                    recent.finish(&report);
                    problems(&report)
                }
                Err(error) => Some(chain_text(&error)),
            };
            *problem.lock().unwrap_or_else(PoisonError::into_inner) = told;
        };
        std::thread::Builder::new()
            .name("captures".to_owned())
            .spawn(work)
            .context("start the thread that reads captures")?;
        Ok(captures)
    }

    /// What is known of captures, while they are read or after.
    pub(super) fn of(name: String, recent: Arc<Recent>) -> Self {
        Self { name, recent, problem: Arc::default() }
    }

    #[cfg(test)]
    pub(super) const fn recent(&self) -> &Arc<Recent> {
        &self.recent
    }

    pub(crate) fn name(&self) -> String {
        self.name.clone()
    }
}

impl Feed for Captures {
    fn answer(&mut self, ask: &Ask) -> Result<Told, String> {
        match ask {
            Ask::Snapshot { only } => {
                let mut snapshot = self.recent.snapshot(&question(only, SERVERS_MAX)?);
                let problem = self.problem.lock().unwrap_or_else(PoisonError::into_inner);
                snapshot.health.problems = problem.iter().cloned().collect();
                Ok(Told::Snapshot(Box::new(snapshot)))
            }
            Ask::Events { only } => {
                Ok(Told::Events(self.recent.events(&question(only, EVENTS_MAX)?)))
            }
            Ask::Sheet { id, width } => {
                let sheet = self.recent.sheet(id, *width).map(Box::new).map(Told::Sheet);
                sheet.ok_or_else(|| "newer events have taken the place of this one".to_owned())
            }
        }
    }
}

fn question(only: &[String], limit: usize) -> Result<Question, String> {
    let filters = only.iter().map(|filter| filter.parse()).collect::<Result<_, _>>()?;
    Ok(Question { filters, limit, after: None })
}

fn problems(report: &Report) -> Option<String> {
    let texts: Vec<String> = report.inputs.iter().filter_map(summary::problem_text).collect();
    (!texts.is_empty()).then(|| texts.join("; "))
}

struct IntoRecent<'r>(&'r Recent);

impl Sink for IntoRecent<'_> {
    fn start(&mut self, start: &Start) -> io::Result<()> {
        self.0.start(start);
        Ok(())
    }

    fn emit(&mut self, event: &Event) -> io::Result<()> {
        self.0.event(event);
        Ok(())
    }

    fn status(&mut self, status: &Status) -> io::Result<()> {
        self.0.status(status);
        Ok(())
    }
}

/// More than of a live run: a capture is looked at as a whole.
const EVENTS_KEPT: usize = 50_000;
