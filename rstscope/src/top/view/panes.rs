//! Tables by origin, cause and server.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Text};
use ratatui::widgets::{Block, BorderType, Borders, Paragraph};

use super::look::Look;
use super::{ends, numbers};
use crate::top::screen::{Pane, Row, Screen};

/// All three, side by side.
pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, screen: &Screen, look: Look) {
    let shares =
        Layout::horizontal([Constraint::Length(27), Constraint::Fill(1), Constraint::Fill(1)]);
    let areas: [Rect; 3] = shares.areas(area);
    for (pane, area) in Pane::ALL.into_iter().zip(areas) {
        table(frame, area, screen, pane, look);
    }
}

fn table(frame: &mut Frame<'_>, area: Rect, screen: &Screen, pane: Pane, look: Look) {
    let has_focus = screen.pane == pane;
    let rows = screen.rows(pane);
    let chosen = screen.index(pane, &rows);
    let title = format!(" {} ", pane.key().to_uppercase());
    let block = Block::new()
        .borders(Borders::ALL)
        .border_type(if has_focus { BorderType::Thick } else { BorderType::Plain })
        .border_style(if has_focus { look.heading() } else { look.aside() })
        .title(Line::styled(title, if has_focus { look.heading() } else { look.aside() }));
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let (height, width) = (usize::from(inner.height), usize::from(inner.width));
    if rows.is_empty() {
        let text = if screen.snapshot.is_some() { nothing(screen) } else { "" };
        let text = Text::styled(text, look.aside());
        frame
            .render_widget(Paragraph::new(text).wrap(ratatui::widgets::Wrap { trim: true }), inner);
        return;
    }
    let rest = rest(screen, pane);
    let room = height.saturating_sub(usize::from(rest > 0));
    // The row that is chosen stays in sight.
    let first = (chosen + 1).saturating_sub(room);
    let mut lines: Vec<Line<'_>> = rows
        .iter()
        .enumerate()
        .skip(first)
        .take(room)
        .map(|(index, row)| {
            let line = line(screen, row, width);
            if index == chosen { line.style(look.chosen(has_focus)) } else { line }
        })
        .collect();
    if rest > 0 {
        lines.push(ends("other servers", &numbers::count(rest), width).style(look.aside()));
    }
    frame.render_widget(Text::from(lines), inner);
}

fn line<'t>(screen: &Screen, row: &Row, width: usize) -> Line<'t> {
    ends(&row.name, &numbers::count(screen.count(&row.counts)), width)
}

/// Resets of servers without a row.
fn rest(screen: &Screen, pane: Pane) -> u64 {
    match &screen.snapshot {
        Some(snapshot) if pane == Pane::Server => screen.count(&snapshot.other_servers),
        _ => 0,
    }
}

fn nothing(screen: &Screen) -> &'static str {
    match (screen.harmful_only, &screen.snapshot) {
        (true, Some(snapshot)) if snapshot.resets.total() > 0 => {
            "none did harm; h shows the harmless ones"
        }
        _ => "no resets",
    }
}
