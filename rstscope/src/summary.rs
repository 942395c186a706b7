//! A run as a whole, for people: what was seen, by whom and why it was reset, what was lost.

use std::collections::BTreeMap;
use std::io::{self, Write};

use comfy_table::{CellAlignment, Table, presets};
use events::{
    Connections, ControlReport, CpuTime, GroupCount, InputReport, Report, Resets, Start, Status,
    thousands,
};

use crate::terminal;

/// The report in words; `told` is how many resets were told one by one, if any were.
pub(crate) fn write(
    out: &mut impl Write,
    report: &Report,
    told: Option<u64>,
    colours: bool,
) -> io::Result<()> {
    if told.is_some_and(|told| told > 0) {
        writeln!(out)?;
    }
    let lines = Lines { width: terminal::width(), colours };
    let connections = &report.connections;
    let packets = count_text(report.packets, "packet");
    let (bytes, span) = (bytes_text(report.bytes), span_text(report.span_s()));
    lines.write(out, "Seen", &format!("{packets}, {bytes} in {span}"))?;
    if let Some(control) = &report.control {
        lines.write(out, "Captured", &control_text(control))?;
    }
    lines.write(out, "Connections", &connections_text(connections))?;
    lines.write(out, "Resets", &resets_text(report, told))?;
    lines.write(out, "Lost", &counts_text(&report.losses))?;
    for fault in &report.tap.faults {
        lines.write(out, "Tap", &fault.text)?;
    }
    for (label, text) in report.context.lines() {
        lines.write(out, label, &text)?;
    }
    if !report.skips.is_empty() {
        lines.write(out, "Not judged", &counts_text(&report.skips))?;
    }
    for input in &report.inputs {
        if let Some(problem) = problem_text(input) {
            lines.write(out, "Damaged", &problem)?;
        }
    }
    write_groups(out, report)
}

/// That there were none, and among how many connections.
pub(crate) fn no_resets_text(report: &Report) -> String {
    let connections = &report.connections;
    format!(
        "no resets: none in {} of {}, {} of them closed well",
        count_text(report.packets, "packet"),
        count_text(connections.opened + connections.midstream, "connection"),
        thousands(connections.closed_well)
    )
}

/// What control mode showed, and what it left out.
fn control_text(control: &ControlReport) -> String {
    format!(
        "control packets only: SYN, FIN, RST, {} first segments of each direction, then one a \
         second, and all after an end; {} left out on purpose",
        control.first_packets,
        count_text(control.left_out, "segment")
    )
}

/// The denominator; what did not happen is left out.
fn connections_text(connections: &Connections) -> String {
    let seen = connections.opened + connections.midstream;
    let of_them = match connections.midstream {
        0 => String::new(),
        midstream => format!(", {} of them met in mid-stream", thousands(midstream)),
    };
    let mut text = format!(
        "{}{of_them}: {} closed well, {}",
        thousands(seen),
        thousands(connections.closed_well),
        reset_share(connections.reset, seen)
    );
    let rest = [
        (connections.unanswered, "unanswered"),
        (connections.timed_out, "timed out"),
        (connections.still_open, "still open"),
    ];
    for (count, what) in rest.into_iter().filter(|(count, _)| *count > 0) {
        text.push_str(&format!(", {} {what}", thousands(count)));
    }
    text
}

fn resets_text(report: &Report, told: Option<u64>) -> String {
    let resets = &report.resets;
    if *resets == Resets::default() {
        let connections = report.connections.opened + report.connections.midstream;
        return format!("none in {}", count_text(connections, "connection"));
    }
    let mut text = format!("{} primary", thousands(resets.primary));
    for (count, what) in [(resets.secondary, "secondary"), (resets.duplicate, "captured twice")] {
        if count > 0 {
            text.push_str(&format!(", {} {what}", thousands(count)));
        }
    }
    text + &hidden_text(told, resets.primary)
}

fn count_text(count: u64, noun: &str) -> String {
    format!("{} {noun}{}", thousands(count), if count == 1 { "" } else { "s" })
}

/// What is wrong with an input, with its name in front once; `None` if nothing is.
pub(crate) fn problem_text(input: &InputReport) -> Option<String> {
    let problem = input.problem.as_deref()?;
    if problem.starts_with(&input.name) {
        return Some(problem.to_owned());
    }
    Some(format!("{}: {problem}", input.name))
}

/// Lines with a label in front, wrapped.
struct Lines {
    width: usize,
    colours: bool,
}

impl Lines {
    fn write(&self, out: &mut impl Write, label: &str, text: &str) -> io::Result<()> {
        let options = textwrap::Options::new(self.width)
            .initial_indent(CONTINUED)
            .subsequent_indent(CONTINUED)
            .word_splitter(textwrap::WordSplitter::NoHyphenation);
        let text = textwrap::fill(text, options);
        let style = terminal::heading_style(self.colours);
        let rest = text.get(CONTINUED.len()..).unwrap_or_default();
        let padding = " ".repeat(CONTINUED.len() - label.len());
        writeln!(out, "{style}{label}{style:#}{padding}{rest}")
    }
}

/// The most frequent groups as CSV: `count,impact,origin,cause,server`.
pub(crate) fn write_csv(out: &mut impl Write, report: &Report) -> io::Result<()> {
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(["count", "impact", "origin", "cause", "server"])?;
    for group in &report.by {
        writer.write_record(cells(group))?;
    }
    writer.flush()
}

/// What is used before the first packet, and which mode every queue of an interface is in.
pub(crate) fn write_start(out: &mut impl Write, start: &Start) -> io::Result<()> {
    for input in &start.inputs {
        if let Some(queue) = input.queue {
            writeln!(out, "{} queue {queue}: {}", input.name, input.mode)?;
        }
    }
    let parts: Vec<String> = start
        .memory
        .items
        .iter()
        .map(|item| format!("{} {}", item.name, bytes_text(item.bytes)))
        .collect();
    let text = format!(
        "{}; memory {} ({})",
        count_text(u64::from(start.workers), "worker"),
        bytes_text(start.memory.total_bytes()),
        parts.join(", ")
    );
    writeln!(out, "{}", textwrap::fill(&text, terminal::width_of_stderr()))
}

/// One line of what the run cost.
pub(crate) fn write_cost(out: &mut impl Write, report: &Report) -> io::Result<()> {
    let CpuTime { workers_s, exporter_s } = report.cpu;
    let whole_s = workers_s + exporter_s;
    // Less than the clock can tell is no time.
    let per_second = if whole_s > 0.0 { report.packets as f64 / whole_s } else { 0.0 };
    writeln!(
        out,
        "{} in {whole_s:.3} s of processor time ({} {workers_s:.3} s, exporter {exporter_s:.3} s): \
         {} a second of it",
        count_text(report.packets, "packet"),
        count_text(u64::from(report.workers), "worker"),
        thousands(per_second as u64)
    )
}

/// One line of how it goes.
pub(crate) fn write_status(out: &mut impl Write, status: &Status) -> io::Result<()> {
    writeln!(
        out,
        "{}: {}, {}, {}, {}; lost: {}",
        span_text(status.uptime_s),
        count_text(status.packets, "packet"),
        bytes_text(status.bytes),
        count_text(status.flows, "connection"),
        count_text(status.resets, "reset"),
        counts_text(&status.losses)
    )
}

/// The same when a run has ended, where nothing else sums it up.
pub(crate) fn write_end(out: &mut impl Write, report: &Report) -> io::Result<()> {
    let connections = &report.connections;
    let status = Status {
        uptime_s: report.span_s(),
        packets: report.packets,
        bytes: report.bytes,
        flows: connections.opened + connections.midstream,
        resets: report.resets.primary,
        losses: report.losses.clone(),
        ..Status::default()
    };
    write_status(out, &status)
}

fn write_groups(out: &mut impl Write, report: &Report) -> io::Result<()> {
    if report.by.is_empty() {
        return Ok(());
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["COUNT", "IMPACT", "ORIGIN", "CAUSE", "SERVER"]);
    for group in report.by.iter().take(GROUPS_MAX) {
        table.add_row(cells(group));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 1));
    }
    if let Some(column) = table.column_mut(0) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let lines = table.to_string();
    writeln!(out)?;
    for line in lines.lines() {
        writeln!(out, "{}", line.trim_end())?;
    }
    let left: u64 = report.by.iter().skip(GROUPS_MAX).map(|group| group.count).sum();
    match left + report.by_unlisted {
        0 => Ok(()),
        left => writeln!(out, "and {} in smaller groups", count_text(left, "reset")),
    }
}

fn cells(group: &GroupCount) -> [String; 5] {
    [
        group.count.to_string(),
        group.impact.name().to_owned(),
        group.origin.name().to_owned(),
        group.cause.name().to_owned(),
        group.server.to_string(),
    ]
}

fn reset_share(reset: u64, seen: u64) -> String {
    if seen == 0 {
        return format!("{} reset", thousands(reset));
    }
    format!("{} reset ({:.1} %)", thousands(reset), reset as f64 * 100.0 / seen as f64)
}

fn hidden_text(told: Option<u64>, primary: u64) -> String {
    match told.map(|told| primary.saturating_sub(told)) {
        None | Some(0) => String::new(),
        Some(hidden) => format!("; {} not shown by --only", thousands(hidden)),
    }
}

fn counts_text(counts: &BTreeMap<String, u64>) -> String {
    let parts: Vec<String> = counts
        .iter()
        .filter(|(_, count)| **count > 0)
        .map(|(name, count)| format!("{} {name}", thousands(*count)))
        .collect();
    if parts.is_empty() { "nothing".to_owned() } else { parts.join(", ") }
}

fn bytes_text(bytes: u64) -> String {
    indicatif::BinaryBytes(bytes).to_string()
}

fn span_text(seconds: f64) -> String {
    match seconds {
        s if s < 60.0 => format!("{s:.1} s"),
        s if s < 3600.0 => format!("{:.0} min {:02.0} s", (s / 60.0).floor(), (s % 60.0).floor()),
        s if s < 172_800.0 => {
            format!("{:.0} h {:02.0} min", (s / 3600.0).floor(), (s % 3600.0 / 60.0).floor())
        }
        s => format!("{:.0} days", s / 86_400.0),
    }
}

/// Indent of a line that goes on.
const CONTINUED: &str = "             ";

/// Most groups that are listed.
const GROUPS_MAX: usize = 20;

#[cfg(test)]
mod tests {
    use super::{Connections, CpuTime, Report, connections_text, span_text, thousands, write_cost};

    #[test]
    fn what_did_not_happen_is_not_told() {
        let mut connections =
            Connections { opened: 38, closed_well: 26, reset: 12, ..Connections::default() };
        assert_eq!(connections_text(&connections), "38: 26 closed well, 12 reset (31.6 %)");
        (connections.midstream, connections.still_open) = (2, 2);
        assert_eq!(
            connections_text(&connections),
            "40, 2 of them met in mid-stream: 26 closed well, 12 reset (30.0 %), 2 still open"
        );
    }

    #[test]
    fn the_cost_of_a_run_is_one_line() {
        let cost = |workers_s, exporter_s| {
            let cpu = CpuTime { workers_s, exporter_s };
            let mut out = Vec::new();
            write_cost(&mut out, &Report { packets: 3_000, workers: 2, cpu, ..Report::default() })
                .unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(
            cost(1.25, 0.25),
            "3,000 packets in 1.500 s of processor time (2 workers 1.250 s, exporter 0.250 s): \
             2,000 a second of it\n"
        );
        assert!(cost(0.0, 0.0).ends_with(": 0 a second of it\n"));
    }

    #[test]
    fn numbers_and_spans_can_be_read() {
        let cases = [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")];
        for (number, text) in cases {
            assert_eq!(thousands(number), text);
        }
        assert_eq!(span_text(1.25), "1.2 s");
        assert_eq!(span_text(119.9), "1 min 59 s");
        assert_eq!(span_text(7260.0), "2 h 01 min");
    }
}
