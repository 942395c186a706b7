//! What keys do to the screen.

use events::Filter;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::screen::{Pane, Screen};

impl Screen {
    /// A key was pressed.
    pub(crate) fn press(&mut self, key: KeyEvent) {
        let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
        if is_control && matches!(key.code, KeyCode::Char('c' | 'd')) {
            self.is_over = true;
        } else if self.typed.is_some() {
            self.type_filter(key.code);
        } else if self.shows_help {
            self.shows_help = false;
        } else {
            self.command(key.code);
        }
    }

    fn command(&mut self, code: KeyCode) {
        match code {
            KeyCode::Char('q') => self.is_over = true,
            KeyCode::Char('?') => self.shows_help = true,
            KeyCode::Char('/') => self.typed = Some((self.only.join(" "), None)),
            KeyCode::Char('p') => self.is_paused = !self.is_paused,
            KeyCode::Char('h') => {
                self.harmful_only = !self.harmful_only;
                self.refresh();
            }
            KeyCode::Esc | KeyCode::Backspace => self.back(),
            KeyCode::Enter if self.sheet.is_some() => {}
            KeyCode::Enter if self.list.is_some() => self.enter_event(),
            KeyCode::Enter => self.enter_row(),
            KeyCode::Tab | KeyCode::Right => self.turn(1),
            KeyCode::BackTab | KeyCode::Left => self.turn(-1),
            KeyCode::Down | KeyCode::Char('j') => self.step(1),
            KeyCode::Up | KeyCode::Char('k') => self.step(-1),
            KeyCode::PageDown | KeyCode::Char(' ') => self.step(self.page()),
            KeyCode::PageUp => self.step(-self.page()),
            KeyCode::Home => self.step(isize::MIN),
            KeyCode::End => self.step(isize::MAX),
            _ => {}
        }
    }

    fn back(&mut self) {
        if self.sheet.take().is_none() {
            self.list = None;
        }
    }

    /// To the next pane or the one before; from a list or a sheet back to it first.
    fn turn(&mut self, by: isize) {
        if self.sheet.is_some() || self.list.is_some() {
            return;
        }
        let next = (self.pane as isize + by).rem_euclid(Pane::ALL.len() as isize);
        self.pane = Pane::ALL[next as usize];
    }

    /// Down or up by rows, in whatever is in front.
    fn step(&mut self, by: isize) {
        let page = self.page() as usize;
        if let Some(sheet) = &mut self.sheet {
            let lines = sheet.told.as_ref().map_or(0, |told| told.sheet.lines().count());
            sheet.scroll = moved(sheet.scroll, by, (lines + 1).saturating_sub(page));
        } else if let Some(list) = &mut self.list {
            let index = list.index();
            let events = list.events.as_deref().unwrap_or_default();
            list.chosen = events.get(moved(index, by, events.len())).map(|event| event.number);
        } else {
            let rows = self.rows(self.pane);
            let index = moved(self.index(self.pane, &rows), by, rows.len());
            self.chosen[self.pane as usize] = rows.get(index).map(|row| row.name.clone());
        }
    }

    /// Lines of a page.
    fn page(&self) -> isize {
        isize::from(i16::try_from(self.size.1).unwrap_or(i16::MAX)).saturating_sub(4).max(1)
    }

    fn type_filter(&mut self, code: KeyCode) {
        let Some((text, problem)) = &mut self.typed else { return };
        match code {
            KeyCode::Esc => self.typed = None,
            KeyCode::Backspace => {
                text.pop();
                *problem = None;
            }
            KeyCode::Char(character) if text.len() < FILTER_LEN_MAX => {
                text.push(character);
                *problem = None;
            }
            KeyCode::Enter => {
                let only: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
                match only.iter().find_map(|filter| filter.parse::<Filter>().err()) {
                    Some(error) => *problem = Some(error),
                    None => {
                        self.only = only;
                        self.typed = None;
                        self.refresh();
                    }
                }
            }
            _ => {}
        }
    }
}

/// `index` moved by `by`, inside `len`.
fn moved(index: usize, by: isize, len: usize) -> usize {
    index.saturating_add_signed(by).min(len.saturating_sub(1))
}

/// Longer than anybody types.
const FILTER_LEN_MAX: usize = 500;
