//! What was done beside what was said: rows, ticks and crosses.

use std::io::{self, Write};
use std::net::SocketAddr;

use anstyle::{AnsiColor, Style};
use classifiers::Role;
use events::{Event, EventStatus};
use lab::{Scenario, Truth};
use serde::Deserialize;

use crate::table::reason;
use crate::terminal;

/// What was really done to one flow.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub(crate) struct Done {
    pub(crate) scenario: String,
    client: Option<SocketAddr>,
    server: Option<SocketAddr>,
    origin: String,
    cause: String,
    kernel_reason: Option<String>,
    description: String,
}

impl Done {
    /// A scenario that could not be played; counts as wrong.
    pub(crate) fn failed(scenario: &str, why: &str) -> Self {
        Self {
            scenario: scenario.to_owned(),
            client: None,
            server: None,
            origin: String::new(),
            cause: String::new(),
            kernel_reason: None,
            description: format!("could not be played: {why}"),
        }
    }
}

impl From<Truth> for Done {
    fn from(truth: Truth) -> Self {
        Self {
            scenario: truth.scenario.to_owned(),
            client: Some(truth.client),
            server: Some(truth.server),
            origin: truth.origin.to_owned(),
            cause: truth.cause.to_owned(),
            kernel_reason: truth.kernel_reason,
            description: truth.description,
        }
    }
}

/// The final primary verdict about a flow.
pub(crate) fn about<'e>(done: &Done, seen: &'e [Event]) -> Option<&'e Event> {
    seen.iter().find(|event| {
        let ends = [event.client, event.server].map(|end| Some(SocketAddr::new(end.ip, end.port)));
        event.status == EventStatus::Final
            && event.verdict.role == Role::Primary
            && (ends == [done.client, done.server] || ends == [done.server, done.client])
    })
}

/// A flow, and what was said of it.
pub(crate) struct Compared<'a> {
    done: &'a Done,
    said: Option<&'a Event>,
}

impl Compared<'_> {
    fn is_right(&self) -> bool {
        match self.said {
            Some(event) => {
                let verdict = &event.verdict;
                verdict.origin.name() == self.done.origin && verdict.cause.name() == self.done.cause
            }
            None => self.done.origin == NO_RESET,
        }
    }
}

/// Puts each flow beside what was said of it.
pub(crate) fn compare<'a>(done: &'a [Done], seen: &'a [Event]) -> Vec<Compared<'a>> {
    done.iter().map(|done| Compared { done, said: about(done, seen) }).collect()
}

/// Prints all scenarios and returns how many are right; one is right if all its flows are.
pub(crate) fn write(
    out: &mut impl Write,
    title: &str,
    flows: &[Compared<'_>],
    width: usize,
    colours: bool,
) -> io::Result<usize> {
    let bold = terminal::heading_style(colours);
    writeln!(out, "{bold}{}{bold:#}", textwrap::fill(title, width))?;
    let scenarios: Vec<&[Compared<'_>]> =
        flows.chunk_by(|one, next| one.done.scenario == next.done.scenario).collect();
    for (index, flows) in scenarios.iter().enumerate() {
        let is_right = flows.iter().all(Compared::is_right);
        let name = &flows[0].done.scenario;
        let summary = match Scenario::from_name(name) {
            Some(scenario) => scenario.summary(),
            None => name,
        };
        writeln!(out)?;
        let mark = mark(is_right, colours);
        writeln!(out, "{:>2} {mark} {bold}{summary}{bold:#}", index + 1)?;
        for flow in *flows {
            write_flow(out, flow, width, flows.len() > 1, colours)?;
        }
    }
    let right = scenarios.iter().filter(|flows| flows.iter().all(Compared::is_right)).count();
    writeln!(out, "\n{bold}{right} of {} right{bold:#} in origin and cause", scenarios.len())?;
    Ok(right)
}

fn write_flow(
    out: &mut impl Write,
    flow: &Compared<'_>,
    width: usize,
    is_one_of_several: bool,
    colours: bool,
) -> io::Result<()> {
    let done = flow.done;
    let kernel = done.kernel_reason.as_deref().filter(|reason| !reason.is_empty());
    let kernel = kernel.map_or_else(String::new, |reason| format!("; the kernel says {reason}"));
    let truth = match done.origin.as_str() {
        "" => done.description.clone(),
        origin => format!("{origin}, {}{kernel}", done.cause),
    };
    let said = flow.said.map_or_else(
        || "nothing".to_owned(),
        |event| {
            let verdict = &event.verdict;
            format!(
                "{} {:.2}, {} {:.2}",
                verdict.origin.name(),
                verdict.origin_confidence,
                verdict.cause.name(),
                verdict.cause_confidence
            )
        },
    );
    if is_one_of_several {
        let mark = mark(flow.is_right(), colours);
        writeln!(out, "     {mark} {}", first_words(&done.description, width.saturating_sub(7)))?;
    }
    wrapped(out, "done", &truth, width)?;
    wrapped(out, "said", &said, width)?;
    match flow.said {
        Some(event) => wrapped(out, "because", &reason(event), width),
        None => Ok(()),
    }
}

fn wrapped(out: &mut impl Write, word: &str, text: &str, width: usize) -> io::Result<()> {
    let first = format!("       {word:<8}");
    let options = textwrap::Options::new(width)
        .initial_indent(&first)
        .subsequent_indent("               ")
        .word_splitter(textwrap::WordSplitter::NoHyphenation);
    writeln!(out, "{}", textwrap::fill(text, options))
}

/// As many whole words as fit.
fn first_words(text: &str, width: usize) -> String {
    let mut lines = textwrap::wrap(text, width.saturating_sub(2)).into_iter();
    let first = lines.next().unwrap_or_default();
    if lines.next().is_some() { format!("{first} …") } else { first.into_owned() }
}

fn mark(is_right: bool, colours: bool) -> String {
    let (sign, colour) = if is_right { ('✓', AnsiColor::Green) } else { ('✗', AnsiColor::Red) };
    let style = if colours { colour.on_default().bold() } else { Style::new() };
    format!("{style}{sign}{style:#}")
}

/// The origin of flows that nobody reset.
const NO_RESET: &str = "none";
