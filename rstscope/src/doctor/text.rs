//! A diagnosis as a person reads it.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use super::finding::{Diagnosis, Finding, Level};

/// Writes it `width` columns wide.
pub(super) fn write(
    out: &mut dyn Write,
    diagnosis: &Diagnosis,
    width: usize,
    colours: bool,
) -> io::Result<()> {
    let paint = Paint { colours };
    let mut subject = "";
    for finding in &diagnosis.findings {
        if finding.subject != subject {
            let gap = if subject.is_empty() { "" } else { "\n" };
            subject = &finding.subject;
            let bold = paint.style(Style::new().bold());
            writeln!(out, "{gap}{bold}{subject}{bold:#}")?;
        }
        one(out, finding, width.min(WIDTH_MAX), &paint)?;
    }
    let count = |level| diagnosis.count(level);
    write!(
        out,
        "\n{} FAIL, {} WARN, {} OK",
        count(Level::Fail),
        count(Level::Warn),
        count(Level::Ok)
    )?;
    match count(Level::NotChecked) {
        0 => writeln!(out),
        others => writeln!(out, ", {others} not checked"),
    }
}

fn one(out: &mut dyn Write, finding: &Finding, width: usize, paint: &Paint) -> io::Result<()> {
    let (word, style) = match finding.level {
        Level::Ok => ("OK", AnsiColor::Green.on_default()),
        Level::NotChecked => ("--", Style::new().dimmed()),
        Level::Warn => ("WARN", AnsiColor::Yellow.on_default().bold()),
        Level::Fail => ("FAIL", AnsiColor::Red.on_default().bold()),
    };
    let style = paint.style(style);
    let mut lines =
        textwrap::wrap(&finding.says, width.saturating_sub(SAYS_AT).max(20)).into_iter();
    let first = lines.next().unwrap_or_default();
    writeln!(out, "  {style}{word:<4}{style:#}  {:<NAME_LEN$} {first}", finding.name)?;
    for line in lines {
        writeln!(out, "{:SAYS_AT$}{line}", "")?;
    }
    if finding.level < Level::Warn {
        return Ok(());
    }
    if let Some(why) = &finding.why {
        indented(out, why, width)?;
    }
    let Some(fix) = &finding.fix else { return Ok(()) };
    if !fix.commands.is_empty() {
        writeln!(out, "{:REST_AT$}mend it:", "")?;
    }
    let command_style = paint.style(AnsiColor::Cyan.on_default());
    for command in &fix.commands {
        // Never wrapped: it is there to be copied.
        writeln!(out, "{:REST_AT$}  {command_style}{command}{command_style:#}", "")?;
    }
    if let Some(what) = fix.takes_away.as_ref().filter(|_| !fix.commands.is_empty()) {
        indented(out, &format!("takes away: {what}"), width)?;
    }
    match &fix.advice {
        Some(advice) if fix.commands.is_empty() => {
            indented(out, &format!("mend it: {advice}"), width)
        }
        Some(advice) => indented(out, advice, width),
        None => Ok(()),
    }
}

fn indented(out: &mut dyn Write, text: &str, width: usize) -> io::Result<()> {
    for line in textwrap::wrap(text, width.saturating_sub(REST_AT).max(20)) {
        writeln!(out, "{:REST_AT$}{line}", "")?;
    }
    Ok(())
}

struct Paint {
    colours: bool,
}

impl Paint {
    fn style(&self, style: Style) -> Style {
        if self.colours { style } else { Style::new() }
    }
}

/// Longer lines are hard to read.
const WIDTH_MAX: usize = 100;
const NAME_LEN: usize = 22;
const REST_AT: usize = 8;
const SAYS_AT: usize = REST_AT + NAME_LEN + 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_told_with_its_reason_and_its_command() {
        let diagnosis = Diagnosis::new(vec![
            Finding::ok("kernel", "Linux 6.18").of("machine"),
            Finding::fail("up", "the interface is down")
                .because("nothing is received")
                .run(["ip link set eth1 up"])
                .of("eth1"),
            Finding::not_checked("zero copy", "the interface is down").of("eth1"),
        ]);
        let mut out = Vec::new();
        write(&mut out, &diagnosis, 80, false).unwrap();
        let expected = "machine\n  OK    kernel                 Linux 6.18\n\n\
                        eth1\n  FAIL  up                     the interface is down\n        \
                        nothing is received\n        mend it:\n          ip link set eth1 up\n  \
                        --    zero copy              not checked: the interface is down\n\n\
                        1 FAIL, 0 WARN, 1 OK, 1 not checked\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn nothing_but_commands_is_wider_than_the_terminal() {
        let long = "a sentence of many words that goes on and on ".repeat(6);
        let finding = Finding::warn("queues", &long).because(&long).advise(&long).of("eth1");
        let mut out = Vec::new();
        write(&mut out, &Diagnosis::new(vec![finding]), 80, false).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.lines().all(|line| line.len() <= 80), "{text}");
    }
}
