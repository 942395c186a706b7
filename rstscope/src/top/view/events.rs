//! The events of a row, and the proof sheet of one.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span, Text};

use super::cut;
use super::look::Look;
use crate::table::Table;
use crate::top::screen::{List, Sheet};

/// One line an event, newest first, as `rstscope read` has it.
pub(super) fn list(frame: &mut Frame<'_>, area: Rect, list: &List, look: Look) {
    let [title, head, body] = super::Layout::vertical([
        super::Constraint::Length(1),
        super::Constraint::Length(1),
        super::Constraint::Min(0),
    ])
    .areas(area);
    let Some(events) = &list.events else {
        frame.render_widget(Line::raw(format!("{}: asking ...", list.only)), title);
        return;
    };
    let chosen = list.index();
    let text = match events.len() {
        0 => format!("{}: no event of it is kept", list.only),
        count => format!("{}: {} of {count}, newest first", list.only, chosen + 1),
    };
    frame.render_widget(Line::styled(text, look.heading()), title);
    let room = usize::from(body.height);
    let first = (chosen + 1).saturating_sub(room);
    let mut table = Table::new(usize::from(area.width), false);
    let mut bytes = Vec::new();
    for numbered in events.iter().skip(first).take(room) {
        // Writing to memory cannot fail.
        let _ = table.write(&mut bytes, &numbered.event);
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let mut lines = text.lines();
    let header = lines.next().unwrap_or_default().to_owned();
    frame.render_widget(Line::styled(header, look.heading()), head);
    let rows: Vec<Line<'_>> = lines
        .zip(events.iter().skip(first))
        .enumerate()
        .map(|(index, (text, numbered))| {
            let at = text.char_indices().nth(IMPACT_WIDTH).map_or(text.len(), |(at, _)| at);
            let (impact, rest) = text.split_at(at);
            let style = look.impact(numbered.event.verdict.impact);
            let line = Line::from(vec![
                Span::styled(impact.to_owned(), style),
                Span::raw(rest.to_owned()),
            ]);
            if first + index == chosen { line.style(look.chosen(true)) } else { line }
        })
        .collect();
    frame.render_widget(Text::from(rows), body);
}

/// The sheet from its first line in sight on.
pub(super) fn sheet(frame: &mut Frame<'_>, area: Rect, sheet: &Sheet, look: Look) {
    let Some(told) = &sheet.told else {
        frame.render_widget(Line::raw(format!("{}: asking ...", sheet.id)), area);
        return;
    };
    let (room, width) = (usize::from(area.height), usize::from(area.width));
    let all = told.sheet.lines().count();
    let mut lines: Vec<Line<'_>> = told
        .sheet
        .lines()
        .enumerate()
        .skip(sheet.scroll)
        .take(room)
        .map(|(index, text)| {
            let line = Line::raw(cut(text, width));
            match index {
                0 => line.style(look.impact(told.event.verdict.impact)),
                _ => line,
            }
        })
        .collect();
    if sheet.scroll + room < all && lines.len() == room {
        let left = all - sheet.scroll - room + 1;
        if let Some(last) = lines.last_mut() {
            *last = Line::styled(format!("  {left} lines more"), look.aside());
        }
    }
    frame.render_widget(Text::from(lines), area);
}

/// Columns of the impact in the table.
const IMPACT_WIDTH: usize = 8;
