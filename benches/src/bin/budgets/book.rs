//! `BUDGETS.md`: written, read, compared.
//!
//! A budget is a number in a table; its name is heading, row and column.

use std::collections::BTreeMap;
use std::fmt;

/// All tables.
#[derive(Clone, Debug, Default)]
pub(crate) struct Book {
    /// Toolchain and tools.
    pub(crate) made_with: String,
    pub(crate) chapters: Vec<Chapter>,
}

/// One table.
#[derive(Clone, Debug, Default)]
pub(crate) struct Chapter {
    pub(crate) title: String,
    /// What the numbers are.
    pub(crate) text: String,
    /// Headings of the columns, that of the names first.
    pub(crate) columns: Vec<String>,
    pub(crate) rows: Vec<(String, Vec<f64>)>,
    /// Whether these numbers are budgets; else they only explain.
    pub(crate) is_budget: bool,
    /// By how many instructions more than the tolerance a number may grow. Which of two stages an
    /// instruction belongs to is the compiler's word, and it changes with the path of a checkout.
    pub(crate) leeway: f64,
}

/// What a comparison found.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) kept: usize,
    pub(crate) exceeded: Vec<String>,
    pub(crate) cheaper: Vec<String>,
}

type Key = (String, String, String);

/// A number to hold to, and its [`Chapter::leeway`].
#[derive(Clone, Copy, Debug, PartialEq)]
struct Budget {
    value: f64,
    leeway: f64,
}

impl Book {
    /// Reads back what [`fmt::Display`] wrote.
    pub(crate) fn parse(text: &str) -> Self {
        let mut book = Self::default();
        for line in text.lines() {
            if let Some(made_with) = line.strip_prefix(MADE_WITH) {
                made_with.trim_end_matches('.').clone_into(&mut book.made_with);
            } else if let Some(title) = line.strip_prefix("## ") {
                let is_budget = !title.ends_with(EXPLAINS);
                let title = title.trim_end_matches(EXPLAINS).to_owned();
                book.chapters.push(Chapter { title, is_budget, ..Chapter::default() });
            } else if let Some(chapter) = book.chapters.last_mut() {
                chapter.parse(line);
            }
        }
        book
    }

    fn budgets(&self) -> BTreeMap<Key, Budget> {
        let mut budgets = BTreeMap::new();
        for chapter in self.chapters.iter().filter(|chapter| chapter.is_budget) {
            for (row, values) in &chapter.rows {
                for (column, value) in chapter.columns.iter().skip(1).zip(values) {
                    let key = (chapter.title.clone(), row.clone(), column.clone());
                    budgets.insert(key, Budget { value: *value, leeway: chapter.leeway });
                }
            }
        }
        budgets
    }

    /// Compares what was counted now with budgets of before.
    pub(crate) fn compare(&self, before: &Self) -> Verdict {
        let (now, mut before) = (self.budgets(), before.budgets());
        let mut verdict = Verdict::default();
        for ((chapter, row, column), Budget { value, leeway }) in now {
            let name = format!("{chapter}: {row}, {column}");
            let Some(Budget { value: budget, .. }) = before.remove(&(chapter, row, column)) else {
                verdict.exceeded.push(format!("{name} has no budget yet; it is {value:.1}"));
                continue;
            };
            let change = 100.0 * (value - budget) / budget.max(ROUNDING);
            let line = format!(
                "{name} is {value:.1}, its budget {budget:.1}: {change:+.1} %, {:+.1}",
                value - budget
            );
            let leeway = leeway.max(ROUNDING);
            if value > budget * (1.0 + TOLERANCE) + leeway {
                verdict.exceeded.push(line);
            } else {
                verdict.kept += 1;
                if value < budget * (1.0 - TOLERANCE) - leeway {
                    verdict.cheaper.push(line);
                }
            }
        }
        for ((chapter, row, column), _) in before {
            verdict.exceeded.push(format!("{chapter}: {row}, {column} is not counted any more"));
        }
        verdict
    }
}

impl Chapter {
    fn parse(&mut self, line: &str) {
        let Some(cells) = line.strip_prefix("| ").and_then(|line| line.strip_suffix(" |")) else {
            return;
        };
        let mut cells = cells.split(" | ").map(str::trim);
        let name = cells.next().unwrap_or_default().to_owned();
        if self.columns.is_empty() {
            self.columns = [name].into_iter().chain(cells.map(str::to_owned)).collect();
        } else if name != "---" {
            let values = cells.map(|cell| cell.replace(',', "").parse().unwrap_or(f64::NAN));
            self.rows.push((name, values.collect()));
        }
    }
}

impl fmt::Display for Book {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEAD}")?;
        writeln!(f, "{MADE_WITH}{}.", self.made_with)?;
        self.chapters.iter().try_for_each(|chapter| chapter.fmt(f))
    }
}

impl fmt::Display for Chapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.is_budget { "" } else { EXPLAINS };
        writeln!(f, "\n## {}{mark}\n\n{}\n", self.title, self.text)?;
        writeln!(f, "| {} |", self.columns.join(" | "))?;
        writeln!(f, "| ---{} |", " | ---:".repeat(self.columns.len() - 1))?;
        for (name, values) in &self.rows {
            let cells: Vec<String> = values.iter().copied().map(cell).collect();
            writeln!(f, "| {name} | {} |", cells.join(" | "))?;
        }
        Ok(())
    }
}

/// One decimal, thousands set apart.
fn cell(value: f64) -> String {
    let tenths = (value * 10.0).round() as u64;
    let digits = (tenths / 10).to_string();
    let mut whole = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            whole.push(',');
        }
        whole.push(digit);
    }
    format!("{whole}.{}", tenths % 10)
}

/// How much more than its budget something may cost.
const TOLERANCE: f64 = 0.03;
/// Less than that is nothing: half an instruction.
const ROUNDING: f64 = 0.5;
const EXPLAINS: &str = " (not checked)";
const MADE_WITH: &str = "Counted with ";
const HEAD: &str = "\
# Budgets

What the road costs, in instructions a packet. Times lie on shared machines, instruction counts do
not: the same program takes the same number of them every time. `cargo run -p benches --bin budgets -- check`
counts again and fails if anything costs more than its budget by 3 % (and half an instruction, a
stage of the worker and five: which stage an inlined instruction belongs to is the compiler's word,
and changes with the path of a checkout); `-- write` writes this file anew after a change that is
worth it; `-- show CASE` lists where a case spends its instructions, file by file.

callgrind counts `pipeline::replay`, worker and exporter, over frames in memory. Each case begins
with a warm-up that opens its connections and five seconds of traffic; then the worker is counted
for three seconds, 120,000 packets at 40,000 a second, so that resets of the lead-in come to their
final verdicts. The exporter is counted from the first packet to the last verdict. Traffic is made
from a seed by `make_capture`'s generator, with resets of every kind (`src/traffic/resets.rs`).

The profile `budget` is the shipped one with thin instead of fat LTO. What changes counts besides
the code: another compiler, another libc, a processor without AVX2 (libc copies memory in another
way). Table and hash have fixed seeds, and callgrind runs without the caller's environment.
";

#[cfg(test)]
mod tests {
    use super::*;

    fn book(worker: f64, shown: f64) -> Book {
        let chapter = |title: &str, value: f64, is_budget| Chapter {
            title: title.into(),
            text: "Text.".into(),
            columns: vec!["mix".into(), "worker".into()],
            rows: vec![("small, no resets".into(), vec![value])],
            is_budget,
            ..Chapter::default()
        };
        Book {
            made_with: "rustc 1.95.0".into(),
            chapters: vec![chapter("Turn", worker, true), chapter("Parts", shown, false)],
        }
    }

    #[test]
    fn what_was_written_is_read_back() {
        let read = Book::parse(&book(12_345.67, 1.0).to_string());
        assert_eq!(read.made_with, "rustc 1.95.0");
        let key = ("Turn".to_owned(), "small, no resets".to_owned(), "worker".to_owned());
        assert_eq!(
            read.budgets(),
            BTreeMap::from([(key, Budget { value: 12_345.7, leeway: 0.0 })])
        );
    }

    #[test]
    fn three_per_cent_more_are_too_many_and_fewer_are_told() {
        let budget = book(1_000.0, 1.0);
        assert!(book(1_030.0, 50.0).compare(&budget).exceeded.is_empty());
        let exceeded = book(1_031.0, 1.0).compare(&budget).exceeded;
        assert_eq!(
            exceeded,
            ["Turn: small, no resets, worker is 1031.0, its budget 1000.0: +3.1 %, +31.0"]
        );
        assert_eq!(book(900.0, 1.0).compare(&budget).cheaper.len(), 1);
    }

    #[test]
    fn a_chapter_with_leeway_lets_some_instructions_move() {
        let mut now = book(7.0, 1.0);
        assert_eq!(now.compare(&book(3.9, 1.0)).exceeded.len(), 1);
        now.chapters[0].leeway = 5.0;
        assert!(now.compare(&book(3.9, 1.0)).exceeded.is_empty());
        assert_eq!(now.compare(&book(1.9, 1.0)).exceeded.len(), 1);
    }

    #[test]
    fn what_has_no_budget_and_what_is_gone_is_told() {
        assert_eq!(book(1.0, 1.0).compare(&Book::default()).exceeded.len(), 1);
        assert_eq!(Book::default().compare(&book(1.0, 1.0)).exceeded.len(), 1);
    }
}
