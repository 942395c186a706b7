//! Draws a screen. From 80 columns and 24 lines on all of it fits; smaller ones show what comes first.
//!
//! | file | what |
//! |---|---|
//! | `header.rs` | who is asked, links, tap, packets, losses, delivery |
//! | `curves.rs` | resets by impact, as numbers and over time |
//! | `panes.rs` | tables by origin, cause and server |
//! | `events.rs` | the events of a row, and the proof sheet of one |
//! | `footer.rs` | keys, the filter while it is typed, help |
//! | `look.rs`, `numbers.rs` | colours, or none; numbers in few columns |

mod curves;
mod events;
mod footer;
mod header;
mod look;
mod numbers;
mod panes;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout};
use ratatui::text::Line;

use super::screen::Screen;
pub(crate) use look::Look;

/// All of it.
pub(crate) fn draw(frame: &mut Frame<'_>, screen: &Screen, look: Look) {
    let area = frame.area();
    let width = usize::from(area.width);
    let mut top = vec![header::title(screen, look, width)];
    if screen.sheet.is_none() && screen.list.is_none() {
        // A third of the screen at most: the tables are what people look for.
        let lines = header::lines(screen, look, width);
        let curves = curves::lines(screen, look, width);
        let room = usize::from(area.height / 2).saturating_sub(1 + curves.len());
        top.extend(header::cut_to(lines, room, look));
        top.extend(curves);
    }
    let rows = u16::try_from(top.len()).unwrap_or(u16::MAX);
    let [head, body, foot] =
        Layout::vertical([Constraint::Length(rows), Constraint::Min(0), Constraint::Length(1)])
            .areas(area);
    frame.render_widget(ratatui::text::Text::from(top), head);
    if screen.shows_help {
        footer::help(frame, body);
    } else if let Some(sheet) = &screen.sheet {
        events::sheet(frame, body, sheet, look);
    } else if let Some(list) = &screen.list {
        events::list(frame, body, list, look);
    } else {
        panes::draw(frame, body, screen, look);
    }
    footer::draw(frame, foot, screen, look);
}

/// `text` in at most `width` columns.
fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

/// `left` and `right` at the ends of a line of `width` columns; `left` is cut first.
fn ends<'t>(left: &str, right: &str, width: usize) -> Line<'t> {
    let right_len = right.chars().count();
    let left = cut(left, width.saturating_sub(right_len + 1));
    let gap = width.saturating_sub(left.chars().count() + right_len);
    Line::from(format!("{left}{}{right}", " ".repeat(gap)))
}
