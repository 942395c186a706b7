//! The comparison as text.

use std::io::{self, Write};

use comfy_table::{CellAlignment, Table, presets};
use events::{Event, sentence};

use super::report::{Comparison, Miss};
use super::score::Score;

/// Writes scores, diagrams and, unless `brief`, every miss with its evidence.
pub(crate) fn write(
    out: &mut impl Write,
    comparison: &Comparison<'_>,
    brief: bool,
) -> io::Result<()> {
    let (aftermath, without) = (&comparison.aftermath, &comparison.without_event);
    writeln!(
        out,
        "{} labelled resets; no event for {}; labelled secondary_rst: {}, judged so: {}; other \
         resets judged secondary: {}",
        comparison.rows,
        without.rows,
        aftermath.labelled,
        aftermath.right,
        aftermath.primary_judged_aftermath
    )?;
    if without.rows > 0 {
        writeln!(
            out,
            "without an event: {} of {} are labelled secondary_rst; of all resets, labelled or not, \
             {} were more than are watched of one connection at a time, {} found no room",
            without.labelled_aftermath,
            without.rows,
            without.beyond_flow_share,
            without.without_watch
        )?;
    }
    write_not_endpoint(out, comparison)?;
    write_score(out, "ORIGIN", &comparison.origin)?;
    write_score(out, "CAUSE", &comparison.cause)?;
    for class in comparison.cause.classes.iter().filter(|class| !class.left_out.is_empty()) {
        writeln!(out, "left out of the mean: {} ({})", class.label, class.left_out)?;
    }
    for diagram in &comparison.calibration {
        diagram.write(out)?;
    }
    if !brief {
        for miss in &comparison.misses {
            write_miss(out, miss)?;
        }
    }
    Ok(())
}

fn write_not_endpoint(out: &mut impl Write, comparison: &Comparison<'_>) -> io::Result<()> {
    let told = &comparison.not_endpoint;
    writeln!(out, "endpoints' resets called a middlebox's or attacker's: {}", told.accused)?;
    writeln!(
        out,
        "not an endpoint: precision {}, recall {} ({} of {}); where time, distance or shape \
         contradict: recall {} ({} of {}); nobody named: {} of {}",
        percent(told.precision),
        percent(told.recall),
        told.found,
        told.by_others,
        percent(told.recall_with_contradiction),
        told.found_with_contradiction,
        told.with_contradiction,
        told.undecided,
        told.by_endpoint + told.by_others
    )
}

/// The share of right rows, then each label, then what was confused with what.
fn write_score(out: &mut impl Write, title: &str, score: &Score) -> io::Result<()> {
    let (rows, right) = (score.rows, score.right);
    let share = super::score::share(right, rows);
    let mean = score.macro_f1.map_or_else(|| "-".to_owned(), |mean| format!("{mean:.3}"));
    writeln!(out, "\n{title}: {right} of {rows} right ({}), macro-F1 {mean}", percent(share))?;
    if score.joint_rows > 0 {
        writeln!(
            out,
            "{} rows have labels that accept several names; each counts as what was said if its \
             label accepts that, else as the first",
            score.joint_rows
        )?;
    }
    let mut table = plain_table(&["LABEL", "ROWS", "RIGHT", "RECALL", "PRECISION", "F1"], true);
    for class in &score.classes {
        table.add_row([
            class.label.clone(),
            class.rows.to_string(),
            class.right.to_string(),
            percent(Some(class.recall)),
            percent(class.precision),
            format!("{:.3}", class.f1),
        ]);
    }
    write_table(out, &table)?;
    let mut table = plain_table(&["LABELLED", "SAID", "ROWS", ""], false);
    for cell in &score.confusion {
        let mark = if cell.is_right { "" } else { "wrong" };
        table.add_row([&cell.label, &cell.said, &cell.rows.to_string(), mark]);
    }
    writeln!(out)?;
    write_table(out, &table)
}

fn write_miss(out: &mut impl Write, miss: &Miss<'_>) -> io::Result<()> {
    let labelled = format!("labelled {} {}", miss.origin.unwrap_or("-"), miss.cause.unwrap_or("-"));
    let place = format!("{} frame {}", miss.file, miss.frame);
    let Some(event) = miss.event else {
        writeln!(out, "\n{place}: {labelled}, NO EVENT\n    label: {}", miss.note)?;
        return Ok(());
    };
    let wrong = match (miss.is_origin_wrong, miss.is_cause_wrong) {
        (true, true) => "origin and cause",
        (true, false) => "origin",
        _ => "cause",
    };
    writeln!(out, "\n{place}: {wrong} wrong: {labelled}\n    label: {}", miss.note)?;
    write_verdict(out, event)
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

fn plain_table(header: &[&str], has_numbers: bool) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(header.iter().copied());
    for column in table.column_iter_mut().skip(1).filter(|_| has_numbers) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn write_table(out: &mut impl Write, table: &Table) -> io::Result<()> {
    table.to_string().lines().try_for_each(|line| writeln!(out, "{}", line.trim_end()))
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "-".to_owned(), |share| format!("{:.1} %", share * 100.0))
}
