//! The text format of Prometheus, version 0.0.4.
//!
//! By hand, because the client library writes OpenMetrics only, in which `promtool check metrics` finds fault
//! with every counter, and because all values are copied from elsewhere anyway.

use std::fmt::{Display, Write as _};

/// Families of metrics, one after the other.
#[derive(Debug, Default)]
pub(crate) struct Text {
    out: String,
}

/// What a family counts or measures.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// One family; samples are written through it.
#[derive(Debug)]
pub(crate) struct Family<'t> {
    name: &'static str,
    out: &'t mut String,
}

impl Text {
    /// Begins a family. `help` is one line.
    pub(crate) fn family(&mut self, name: &'static str, kind: Kind, help: &str) -> Family<'_> {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let help = help.replace('\\', r"\\").replace('\n', " ");
        let _ = writeln!(self.out, "# HELP {name} {help}\n# TYPE {name} {kind}");
        Family { name, out: &mut self.out }
    }

    pub(crate) fn finish(self) -> String {
        self.out
    }
}

impl Family<'_> {
    /// One value.
    pub(crate) fn sample(&mut self, labels: &[(&str, &str)], value: impl Display) {
        self.suffixed("", labels, value);
    }

    /// One value of a histogram's parts.
    pub(crate) fn suffixed(&mut self, suffix: &str, labels: &[(&str, &str)], value: impl Display) {
        self.out.push_str(self.name);
        self.out.push_str(suffix);
        for (index, (name, text)) in labels.iter().enumerate() {
            self.out.push(if index == 0 { '{' } else { ',' });
            self.out.push_str(name);
            self.out.push_str("=\"");
            escape(text, self.out);
            self.out.push('"');
        }
        if !labels.is_empty() {
            self.out.push('}');
        }
        let _ = writeln!(self.out, " {value}");
    }
}

fn escape(text: &str, out: &mut String) {
    for character in text.chars() {
        match character {
            '\\' => out.push_str(r"\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, Text};

    #[test]
    fn labels_cannot_break_out_of_their_quotes() {
        let mut text = Text::default();
        let mut family = text.family("rst_x", Kind::Gauge, "A\nB \\ C.");
        family.sample(&[("name", "a\"} 1\nrst_y{z=\"\\")], 7);
        family.sample(&[], 1.5);
        assert_eq!(
            text.finish(),
            "# HELP rst_x A B \\\\ C.\n# TYPE rst_x gauge\n\
             rst_x{name=\"a\\\"} 1\\nrst_y{z=\\\"\\\\\"} 7\nrst_x 1.5\n"
        );
    }
}
