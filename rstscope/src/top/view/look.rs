//! Colours, or what stands for them where there shall be none.

use classifiers::Impact;
use ratatui::style::{Color, Modifier, Style};

/// How things look.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    /// Whether colours are wanted; without them weight and inversion say the same.
    pub(crate) colours: bool,
}

impl Look {
    /// Something is wrong.
    pub(crate) fn alarm(self) -> Style {
        let style = Style::new().add_modifier(Modifier::BOLD);
        if self.colours {
            style.fg(Color::White).bg(Color::Red)
        } else {
            style.add_modifier(Modifier::REVERSED)
        }
    }

    /// Something should be looked at.
    pub(crate) fn warning(self) -> Style {
        if self.colours {
            Style::new().fg(Color::Yellow)
        } else {
            Style::new().add_modifier(Modifier::BOLD)
        }
    }

    /// What comes second.
    pub(crate) const fn aside(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    /// Headings and what has the focus.
    pub(crate) const fn heading(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// The row that is chosen.
    pub(crate) const fn chosen(self, has_focus: bool) -> Style {
        let style = Style::new();
        if has_focus { style.add_modifier(Modifier::REVERSED) } else { style }
    }

    /// As the tables on standard output have it.
    pub(crate) fn impact(self, impact: Impact) -> Style {
        if !self.colours {
            return Style::new();
        }
        match impact {
            Impact::Aborted => Style::new().fg(Color::Red).add_modifier(Modifier::BOLD),
            Impact::Refused => Style::new().fg(Color::Yellow),
            Impact::Benign => Style::new().fg(Color::Green),
            Impact::Unknown => Style::new().fg(Color::Magenta),
        }
    }
}
