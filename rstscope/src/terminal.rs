//! What the terminal can show: width and colours.

use std::io::IsTerminal as _;

use anstyle::{AnsiColor, Style};
use classifiers::Impact;

use crate::cli::When;

/// Columns of standard output; [`WIDTH_ELSEWHERE`] if it is no terminal.
pub(crate) fn width() -> usize {
    if !std::io::stdout().is_terminal() {
        return WIDTH_ELSEWHERE;
    }
    terminal_size::terminal_size_of(std::io::stdout())
        .map_or(WIDTH_UNKNOWN, |(width, _)| usize::from(width.0))
}

/// Columns of standard error; without end if it is no terminal, so that a log keeps its lines.
pub(crate) fn width_of_stderr() -> usize {
    if !std::io::stderr().is_terminal() {
        return usize::MAX;
    }
    terminal_size::terminal_size_of(std::io::stderr())
        .map_or(WIDTH_UNKNOWN, |(width, _)| usize::from(width.0))
}

/// Whether standard output shall be coloured.
pub(crate) fn colours(when: When) -> bool {
    match when {
        When::Always => true,
        When::Never => false,
        When::Auto => std::io::stdout().is_terminal() && !colours_refused(),
    }
}

/// NO_COLOR (<https://no-color.org>) or a terminal that knows no colours.
pub(crate) fn colours_refused() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
        || std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}

/// The colour of an impact; nothing if colours are off.
pub(crate) fn impact_style(impact: Impact, colours: bool) -> Style {
    if !colours {
        return Style::new();
    }
    match impact {
        Impact::Aborted => AnsiColor::Red.on_default().bold(),
        Impact::Refused => AnsiColor::Yellow.on_default(),
        Impact::Benign => AnsiColor::Green.on_default(),
        Impact::Unknown => AnsiColor::Magenta.on_default(),
    }
}

/// Headings.
pub(crate) fn heading_style(colours: bool) -> Style {
    if colours { Style::new().bold() } else { Style::new() }
}

/// Files and pipes have no width: wide enough for every column and a reason.
const WIDTH_ELSEWHERE: usize = 160;

/// A terminal that does not tell.
const WIDTH_UNKNOWN: usize = 100;
