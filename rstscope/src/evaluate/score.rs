//! Right and wrong, counted: precision, recall, confusion.

use std::collections::BTreeMap;
use std::io::{self, Write};

use comfy_table::{CellAlignment, Table, presets};

use super::classes::Expected;

/// One field of all judged rows; `said` is `None` where no event came for the frame.
pub(crate) struct Score<'l> {
    title: &'static str,
    pairs: Vec<(&'l str, Option<&'static str>, bool)>,
}

/// How often a label was hit.
#[derive(Default)]
struct Hits {
    rows: u64,
    right: u64,
    /// Said of rows that bear another label, and wrong there.
    wrongly_said: u64,
}

impl<'l> Score<'l> {
    /// Counts `rows` of label and verdict.
    pub(crate) fn of<T: PartialEq + Copy + 'l>(
        title: &'static str,
        rows: impl Iterator<Item = (&'l Expected<T>, Option<T>)>,
        name: fn(T) -> &'static str,
    ) -> Self {
        let pairs = rows
            .map(|(label, said)| {
                (label.name.as_str(), said.map(name), said.is_some_and(|said| label.is(said)))
            })
            .collect();
        Self { title, pairs }
    }

    /// The share of right rows, then each label, then what was confused with what.
    ///
    /// `covers` tells whether a label accepts a verdict of this name.
    pub(crate) fn write(
        &self,
        out: &mut impl Write,
        covers: impl Fn(&str, &str) -> bool,
    ) -> io::Result<()> {
        let (rows, right) = (self.pairs.len(), self.pairs.iter().filter(|pair| pair.2).count());
        writeln!(
            out,
            "\n{}: {right} of {rows} right{}",
            self.title,
            share(right as u64, rows as u64)
        )?;
        let mut hits: BTreeMap<&str, Hits> = BTreeMap::new();
        for (label, _, is_right) in &self.pairs {
            let entry = hits.entry(label).or_default();
            entry.rows += 1;
            entry.right += u64::from(*is_right);
        }
        for (label, said, is_right) in &self.pairs {
            let Some(said) = said.filter(|_| !is_right) else { continue };
            for (other, entry) in hits.iter_mut().filter(|(other, _)| *other != label) {
                entry.wrongly_said += u64::from(covers(other, said));
            }
        }
        let mut table = plain_table(&["LABEL", "ROWS", "RIGHT", "RECALL", "PRECISION"]);
        for (label, hits) in &hits {
            table.add_row([
                (*label).to_owned(),
                hits.rows.to_string(),
                hits.right.to_string(),
                percent(hits.right, hits.rows),
                percent(hits.right, hits.right + hits.wrongly_said),
            ]);
        }
        write_table(out, &table)?;
        self.write_confusion(out)
    }

    fn write_confusion(&self, out: &mut impl Write) -> io::Result<()> {
        let mut cells: BTreeMap<(&str, &str), (u64, bool)> = BTreeMap::new();
        for (label, said, is_right) in &self.pairs {
            let cell = cells.entry((label, said.unwrap_or("(no event)"))).or_default();
            *cell = (cell.0 + 1, *is_right);
        }
        let mut table = plain_table(&["LABELLED", "SAID", "ROWS", ""]);
        for ((label, said), (rows, is_right)) in cells {
            let mark = if is_right { "" } else { "wrong" };
            table.add_row([label, said, &rows.to_string(), mark]);
        }
        writeln!(out)?;
        write_table(out, &table)
    }
}

fn plain_table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(header.iter().copied());
    for (index, column) in table.column_iter_mut().enumerate() {
        if index > 0 && header.len() == 5 {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn write_table(out: &mut impl Write, table: &Table) -> io::Result<()> {
    table.to_string().lines().try_for_each(|line| writeln!(out, "{}", line.trim_end()))
}

fn share(part: u64, whole: u64) -> String {
    if whole == 0 { String::new() } else { format!(" ({})", percent(part, whole)) }
}

fn percent(part: u64, whole: u64) -> String {
    if whole == 0 { "-".to_owned() } else { format!("{:.1} %", part as f64 * 100.0 / whole as f64) }
}
