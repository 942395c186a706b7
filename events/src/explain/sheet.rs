//! The proof sheet: an explanation in lines.

use super::{Explanation, Reading, explanation, share};
use crate::corroboration;
use crate::event::Event;

/// Everything an event says, for people; wrapped to `width` columns, ends with a line feed.
#[must_use]
pub fn proof_sheet(event: &Event, width: usize) -> String {
    let told = explanation(event);
    let mut sheet = Sheet { text: String::new(), width: width.max(WIDTH_MIN) };
    sheet.wrapped("", "", &told.headline);
    sheet.wrapped("", "", &told.place);
    sheet.text.push('\n');
    sheet.rows("Why", &told.why);
    sheet.rows("Others", &told.others);
    sheet.rows("Logs", &corroboration::sentences(event));
    sheet.row("Effect", &told.effect);
    sheet.row("Cost", &told.cost);
    sheet.title(&told.proof);
    sheet.reasons(&told);
    sheet.row("Flow", &told.connection);
    sheet.row("Reset", &told.reset);
    sheet.rows("Where", told.location.as_slice());
    sheet.title("Doubt");
    sheet.row("Sure", &told.sure);
    sheet.rows("Else", else_text(&told.readings).as_slice());
    if !told.alike.is_empty() {
        sheet.row("Alike", &told.alike.join(" "));
    }
    sheet.rows("View", told.view.as_slice());
    sheet.rows("Refute", &told.disproofs);
    sheet.title("What to do");
    for (index, step) in told.steps.iter().enumerate() {
        sheet.hanging(&format!("  {}. ", index + 1), step);
    }
    sheet.text
}

fn else_text(readings: &[Reading]) -> Option<String> {
    let others = readings
        .iter()
        .map(|other| format!("{} by {} {}", other.cause, other.origin, share(other.confidence)));
    let others: Vec<String> = others.collect();
    (!others.is_empty()).then(|| format!("Other readings: {}.", others.join("; ")))
}

/// Lines, wrapped with a hanging indent.
struct Sheet {
    text: String,
    width: usize,
}

impl Sheet {
    fn title(&mut self, title: &str) {
        self.text.push('\n');
        self.wrapped("", "  ", &format!("{title}."));
    }

    /// Paragraphs with the same label before each.
    fn rows(&mut self, label: &str, texts: &[String]) {
        for text in texts {
            self.row(label, text);
        }
    }

    /// A paragraph with its label before it.
    fn row(&mut self, label: &str, text: &str) {
        self.hanging(&format!("  {label:<7} "), text);
    }

    fn reasons(&mut self, told: &Explanation) {
        for reason in &told.reasons {
            let number = &reason.number;
            if reason.decibans == 0.0 {
                self.hanging(&format!("  {:>7} {number:<4} ", "seen"), &reason.text);
                continue;
            }
            let head = format!("  {:>+4.0} dB {number:<4} ", reason.decibans);
            self.hanging(&head, &reason.text);
            if !(reason.ground.is_empty() && reason.void.is_empty()) {
                let text = format!("{} Void {}", reason.ground, reason.void);
                self.hanging(&" ".repeat(head.len()), text.trim_start());
            }
        }
    }

    /// One paragraph, its first line behind `head`, the others indented as far.
    fn hanging(&mut self, head: &str, text: &str) {
        self.wrapped(head, &" ".repeat(head.chars().count()), text);
    }

    fn wrapped(&mut self, first: &str, rest: &str, text: &str) {
        let options = textwrap::Options::new(self.width)
            .initial_indent(first)
            .subsequent_indent(rest)
            .break_words(false)
            .word_splitter(textwrap::WordSplitter::NoHyphenation);
        self.text.push_str(&textwrap::fill(text, options));
        self.text.push('\n');
    }
}

/// Narrower than this no sentence can be read.
const WIDTH_MIN: usize = 40;
