//! Files of log lines, read as the collector reads them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::Context as _;
use collector::LogSourceRow;
use collector::logs::{Context, Garbage, LogSession, Reader, Reading, Sources, Zone};
use comfy_table::{CellAlignment, Table, presets};
use events::{UtcTime, thousands};

use crate::Outcome;

/// Prints what each line is read as.
pub(super) fn run(files: &[PathBuf], only_garbage: bool, zone: Zone) -> anyhow::Result<Outcome> {
    let mut reader = Reader::new();
    let mut sources = Sources::default();
    let mut out = io::BufWriter::new(io::stdout().lock());
    for path in files {
        each_line(path, zone, |context, line| {
            let reading = reader.read(line, context);
            sources.count(context.source, "file", line, &reading, context.received);
            tell(&mut out, line, &reading, only_garbage).context("write to standard output")
        })?;
    }
    let rows = sources.rows(&BTreeMap::new());
    writeln!(out)
        .and_then(|()| write_sources(&mut out, &rows))
        .context("write to standard output")?;
    out.flush().context("write to standard output")?;
    let is_damaged = rows.iter().any(|row| row.garbage > 0);
    Ok(if is_damaged { Outcome::Damaged } else { Outcome::Good })
}

/// Calls `told` for each line of a file, with what is known of it.
pub(super) fn each_line(
    path: &Path,
    zone: Zone,
    mut told: impl FnMut(&Context<'_>, &[u8]) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let (mut input, written): (Box<dyn BufRead>, SystemTime) = if path.as_os_str() == "-" {
        (Box::new(io::stdin().lock()), SystemTime::now())
    } else {
        let file = File::open(path).with_context(|| format!("open {}", path.display()))?;
        // Stamps without a year are read by when the file was last written.
        let written = file.metadata().and_then(|facts| facts.modified());
        (Box::new(BufReader::new(file)), written.unwrap_or_else(|_| SystemTime::now()))
    };
    let since = written.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let received = UtcTime(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX));
    let source = path.file_name().map_or_else(|| "-".into(), |name| name.to_string_lossy());
    let context = Context { received, zone, source: &source };
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = input.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line);
        if read.with_context(|| format!("read {}", path.display()))? == 0 {
            return Ok(());
        }
        if !line.trim_ascii().is_empty() {
            told(&context, &line)?;
        }
    }
}

fn tell(
    out: &mut impl Write,
    line: &[u8],
    reading: &Result<Reading, Garbage>,
    only_garbage: bool,
) -> io::Result<()> {
    match reading {
        Err(garbage) => {
            let text = String::from_utf8_lossy(&line[..line.len().min(SHOWN)]);
            let text = text.trim_end().escape_debug().to_string();
            writeln!(out, "GARBAGE  {}: {text}", garbage.to_string().escape_debug())
        }
        Ok(_) if only_garbage => Ok(()),
        Ok(Reading::Other(what)) => writeln!(out, "other    {what}"),
        Ok(Reading::Session(session)) => writeln!(out, "session  {}", session_text(session)),
    }
}

/// One line that has all a join needs.
fn session_text(session: &LogSession) -> String {
    let tuples: Vec<String> = session
        .tuples
        .iter()
        .map(|tuple| {
            let server = tuple.server.map_or_else(|| "?".to_owned(), |server| server.to_string());
            format!("{} > {server} ({})", tuple.client, tuple.matched.name())
        })
        .collect();
    let rule = session.rule.as_ref().map_or(String::new(), |rule| format!(" rule {rule:?}"));
    format!(
        "{} {} {} {} said {:?}{rule} {}",
        session.ended,
        session.product,
        session.source.escape_debug(),
        session.end.name(),
        session.said,
        tuples.join(", ")
    )
}

/// A table of writers; what could not be read is shown below it.
pub(super) fn write_sources(out: &mut impl Write, rows: &[LogSourceRow]) -> io::Result<()> {
    if rows.is_empty() {
        return writeln!(out, "No log line has come.");
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header([
        "SOURCE",
        "VIA",
        "PRODUCT",
        "LINES",
        "SESSIONS",
        "JOINED",
        "GARBAGE",
        "CLOCK AHEAD",
    ]);
    for row in rows {
        let clock = match (row.clock_offset_s, &row.clock_zone) {
            (None, _) => "not learned".to_owned(),
            (Some(ahead_s), None) => format!("{ahead_s:+.1} s"),
            (Some(ahead_s), Some(zone)) => format!("{ahead_s:+.1} s: set timezone = \"{zone}\""),
        };
        table.add_row([
            row.source.escape_debug().to_string(),
            row.via.clone(),
            row.product.clone(),
            thousands(row.lines),
            thousands(row.sessions),
            thousands(row.joined),
            thousands(row.garbage),
            clock,
        ]);
    }
    for column in table.column_iter_mut().skip(3).take(4) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    writeln!(out, "{table}")?;
    for row in rows {
        if let Some(last) = &row.last_garbage {
            writeln!(
                out,
                "{}: last line that could not be read: {last}",
                row.source.escape_debug()
            )?;
        }
    }
    Ok(())
}

/// What was not joined for want of something, in a line.
pub(super) fn write_losses(out: &mut impl Write, losses: &BTreeMap<String, u64>) -> io::Result<()> {
    let named = |(name, count): (&String, &u64)| {
        format!("{} {}", thousands(*count), name.replace('_', " ").escape_debug())
    };
    match losses.is_empty() {
        true => writeln!(out, "Nothing was left out."),
        false => {
            writeln!(out, "Left out: {}", losses.iter().map(named).collect::<Vec<_>>().join(", "))
        }
    }
}

/// The rest of a longer line is read as another one, which is garbage.
const LINE_BYTES_MAX: u64 = 64 * 1024;
const SHOWN: usize = 200;
