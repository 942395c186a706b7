//! Keys, the filter while it is typed, help.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span, Text};

use super::cut;
use super::look::Look;
use crate::top::screen::Screen;

/// The last line.
pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, screen: &Screen, look: Look) {
    let width = usize::from(area.width);
    let line = match &screen.typed {
        Some((text, Some(problem))) => Line::from(vec![
            Span::raw(format!("/{text}  ")),
            Span::styled(cut(problem, width.saturating_sub(text.len() + 3)), look.alarm()),
        ]),
        Some((text, None)) => {
            let hint = if text.is_empty() { "  impact=aborted server=10.0.0.0/8 ..." } else { "" };
            Line::from(vec![
                Span::raw(format!("/{text}_")),
                Span::styled(hint.to_owned(), look.aside()),
            ])
        }
        None => Line::styled(cut(keys(screen), width), look.aside()),
    };
    frame.render_widget(line, area);
}

fn keys(screen: &Screen) -> &'static str {
    if screen.shows_help {
        "any key: back"
    } else if screen.sheet.is_some() {
        "up/down, page up/down: scroll   Esc: back   ?: help   q: quit"
    } else if screen.list.is_some() {
        "up/down: choose   Enter: proof sheet   Esc: back   h: harmful only   q: quit"
    } else {
        "Tab: pane   up/down   Enter: events   /: filter   h: harmful   p: pause   ?: help   q: quit"
    }
}

/// What keys do and what words mean, instead of the tables.
pub(super) fn help(frame: &mut Frame<'_>, area: Rect) {
    frame.render_widget(Text::raw(HELP), area);
}

const HELP: &str = "\
  Tab, arrows   next table, row          Enter  its events, then their proof
  PgUp, PgDn    a page                   Esc    back
  h  only what did harm, or all          p      pause          q  quit
  /  filter: KEY=VALUE[,VALUE] or KEY!=VALUE, several with spaces between
     impact origin (also middlebox) cause server client port stage effect role
  aborted  a live connection was cut     refused  a connection did not come
  benign   nothing was lost              unknown  cannot be told
  Curves show resets of the last minutes, or of the whole capture. A line in
  red says that what you see may be wrong: mend that first.";
