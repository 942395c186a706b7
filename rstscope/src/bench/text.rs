//! What `bench core` measured, for people.

use std::io::{self, Write};

use comfy_table::{CellAlignment, Table, presets};

use super::report::{LINKS, Measured, Point, Report, Sweep, line_rate_mpps};

/// Writes all of it.
pub(super) fn write(out: &mut impl Write, report: &Report) -> io::Result<()> {
    writeln!(out, "{}", report.machine.line())?;
    if let Some(core) = report.core {
        writeln!(out, "one worker, pinned to core {core}; rates are per second of processor time")?;
    }
    for (sweep, title) in [
        (Sweep::Flows, "Against connections, frames of 60 bytes"),
        (Sweep::Size, "Against size of frames with data"),
    ] {
        if report.of(sweep).next().is_some() {
            writeln!(out, "\n{title}")?;
            writeln!(out, "{}", table(report, sweep))?;
        }
    }
    for skipped in &report.skipped {
        writeln!(
            out,
            "not measured: {} connections need {} MiB, {} are free",
            skipped.flows,
            skipped.needed_bytes >> 20,
            skipped.available_bytes >> 20,
        )?;
    }
    write_links(out, report)?;
    for point in report.points.iter().filter(|point| !point.losses.is_empty()) {
        let losses: Vec<String> =
            point.losses.iter().map(|(name, count)| format!("{name} {count}")).collect();
        let (flows, len) = (point.flows, point.frame_len);
        writeln!(out, "lost at {flows} connections, {len} bytes: {}", losses.join(", "))?;
    }
    writeln!(
        out,
        "A round's spread is half the distance of its extremes; ON CORE is how much of the time\n\
         the worker had its core to itself. Frames lie in memory: no card, no driver, no kernel."
    )
}

fn table(report: &Report, sweep: Sweep) -> Table {
    let mut table = Table::new();
    let first = if sweep == Sweep::Flows { "CONNECTIONS" } else { "BYTES" };
    table.load_style(presets::NOTHING);
    table.set_header([
        first,
        "RESETS",
        "MPPS",
        "MIN",
        "MAX",
        "SPREAD",
        "NS",
        "MEAN LEN",
        "GBIT/S",
        "ON CORE",
        "TABLE MIB",
        "HUGE MIB",
    ]);
    for point in report.of(sweep) {
        for (measured, resets) in
            [(&point.without_resets, 0.0), (&point.with_resets, report.resets_percent)]
        {
            table.add_row(row(point, measured, resets));
        }
    }
    for column in table.column_iter_mut() {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn row(point: &Point, measured: &Measured, resets: f64) -> [String; 12] {
    let first = match point.sweep {
        Sweep::Flows => point.flows,
        Sweep::Size => point.frame_len,
    };
    let mpps = measured.mpps;
    [
        first.to_string(),
        format!("{resets} %"),
        format!("{:.2}", mpps.median),
        format!("{:.2}", mpps.min),
        format!("{:.2}", mpps.max),
        format!("{:.0} %", mpps.percent()),
        format!("{:.0}", measured.ns_per_packet),
        format!("{:.0}", measured.mean_len),
        format!("{:.2}", measured.gbps),
        format!("{:.0} %", measured.core_share * 100.0),
        (point.table_bytes >> 20).to_string(),
        (point.huge_bytes >> 20).to_string(),
    ]
}

/// Which links one core holds at each point.
fn write_links(out: &mut impl Write, report: &Report) -> io::Result<()> {
    writeln!(
        out,
        "\nCores for a full link, at the median rate with {} % resets:",
        report.resets_percent
    )?;
    for point in &report.points {
        let measured = &point.with_resets;
        let cores = LINKS.map(|link| {
            let needed = line_rate_mpps(link, measured.mean_len) / measured.mpps.median.max(1e-9);
            format!("{link:.0} GbE {needed:.2}")
        });
        let (flows, len) = (point.flows, point.frame_len);
        writeln!(out, "  {flows:>9} connections, {len:>4} bytes: {}", cores.join(", "))?;
    }
    Ok(())
}
