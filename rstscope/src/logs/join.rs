//! Files of events and of log lines, brought together.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use collector::logs::{JoinOptions, Joiner, Reader, Reading, Revision, Sources, Zone};
use events::{Event, UtcTime};
use serde_json::Value;

use super::lines::{each_line, write_sources};
use crate::Outcome;

/// Prints the last revision of each event that a line says more of; what became of all on standard error.
pub(super) fn run(events: &Path, files: &[PathBuf], zone: Zone) -> anyhow::Result<Outcome> {
    let mut joiner = Joiner::new(JoinOptions::offline(ITEMS_MAX, ITEMS_MAX));
    let mut told: BTreeMap<String, Event> = BTreeMap::new();
    let mut keep = |revisions: Vec<Revision>| {
        let events = revisions.into_iter().map(|revision| revision.event);
        told.extend(events.map(|event| (event.id.clone(), event)));
    };
    let (taken, unread) = read_events(events, |sensor, event| {
        keep(joiner.event(event.ts, sensor, event));
    })?;
    let mut reader = Reader::new();
    let mut sources = Sources::default();
    for path in files {
        each_line(path, zone, |context, line| {
            let reading = reader.read(line, context);
            sources.count(context.source, "file", line, &reading, context.received);
            if let Ok(Reading::Session(session)) = reading {
                keep(joiner.session(UtcTime(0), *session));
            }
            Ok(())
        })?;
    }
    keep(joiner.finish());
    let mut out = io::BufWriter::new(io::stdout().lock());
    let mut write = || -> io::Result<()> {
        for event in told.values() {
            serde_json::to_writer(&mut out, event)?;
            writeln!(out)?;
        }
        out.flush()
    };
    write().context("write to standard output")?;
    let clocks = joiner.clocks();
    let counts = joiner.counts();
    let mut summary = Vec::new();
    write_sources(&mut summary, &sources.rows(&clocks)).context("write the summary")?;
    let text = String::from_utf8_lossy(&summary).into_owned();
    let mut error = io::stderr().lock();
    writeln!(
        error,
        "{taken} events, {unread} lines of theirs not read; {} joined, {} fit several resets as well and were left, \
         {} repeated, {} events and {} sessions found no room\n{text}",
        counts.joined,
        counts.ambiguous,
        counts.repeated,
        counts.events_displaced,
        counts.sessions_displaced
    )
    .context("write to standard error")?;
    Ok(if unread > 0 { Outcome::Damaged } else { Outcome::Good })
}

/// Gives each event of a file; how many there were, and how many lines are none. Records of other kinds, and the
/// lines of `rstscope read` that are no events, are neither.
fn read_events(path: &Path, mut told: impl FnMut(&str, &Event)) -> anyhow::Result<(u64, u64)> {
    let input: Box<dyn BufRead> = if path.as_os_str() == "-" {
        Box::new(io::stdin().lock())
    } else {
        let file = File::open(path).with_context(|| format!("open {}", path.display()))?;
        Box::new(BufReader::new(file))
    };
    let (mut taken, mut unread) = (0, 0);
    for line in input.lines() {
        let line = line.with_context(|| format!("read {}", path.display()))?;
        if line.trim().is_empty() {
            continue;
        }
        let Ok(value) = serde_json::from_str::<Value>(&line) else {
            unread += 1;
            continue;
        };
        if value.get("record").is_some_and(|kind| kind != "event") {
            continue;
        }
        let sensor = value.get("sensor").and_then(Value::as_str).unwrap_or("").to_owned();
        match serde_json::from_value::<Event>(value) {
            Ok(event) => {
                taken += 1;
                told(&sensor, &event);
            }
            Err(_) => unread += 1,
        }
    }
    Ok((taken, unread))
}

/// Of events and of sessions each.
const ITEMS_MAX: usize = 1_000_000;
