//! `rstscope top`: a screen of what resets connections now, or in a capture.
//!
//! ```text
//! keys --> Screen --> Ask ~~> thread of the feed: the local API, or captures read here
//!            ^-- draws <~~ Answer
//! ```
//!
//! | file | what |
//! |---|---|
//! | `arguments.rs` | the command line |
//! | `feed.rs` | where answers come from, and the thread that gets them |
//! | `api.rs`, `captures.rs` | the two feeds |
//! | `screen.rs`, `keys.rs` | what is shown, and what keys do to it; knows no terminal |
//! | `view/` | draws a screen |

mod api;
mod arguments;
mod captures;
mod feed;
mod keys;
mod screen;
mod view;

#[cfg(test)]
mod tests;

use std::io::IsTerminal as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event as Input, KeyEventKind};

pub(crate) use arguments::TopArguments;

use self::api::Api;
use self::captures::Captures;
use self::feed::Asker;
use self::screen::Screen;
use self::view::Look;
use crate::{Outcome, stop, terminal};

/// Shows the screen until it is told to stop.
pub(crate) fn run(arguments: &TopArguments) -> anyhow::Result<Outcome> {
    if !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
        bail!(
            "top draws on a terminal, and this is none: use \"rstscope read FILE\" for captures, \
             or \"curl {}/api/v1/snapshot\" for a running sensor",
            arguments.connect
        );
    }
    let stop = stop::upon_signals()?;
    let (asker, screen) = if arguments.files.is_empty() {
        let api = Api::new(arguments)?;
        let screen = Screen::live(api.name());
        (Asker::start(Box::new(api))?, screen)
    } else {
        let captures = Captures::start(arguments)?;
        let screen = Screen::of_captures(captures.name());
        (Asker::start(Box::new(captures))?, screen)
    };
    let screen = screen.only(&arguments.only).harmful(!arguments.all);
    let look = Look { colours: !terminal::colours_refused() };
    // Its panic hook restores the terminal before the message is printed.
    let mut terminal = ratatui::try_init().context("prepare the terminal")?;
    let outcome = show(&mut terminal, screen, &asker, look, &stop);
    ratatui::restore();
    outcome.map(|()| Outcome::Good)
}

/// Draws, waits for a key or an answer, and asks for what is missing, until it is over.
fn show(
    terminal: &mut DefaultTerminal,
    mut screen: Screen,
    asker: &Asker,
    look: Look,
    stop: &AtomicBool,
) -> anyhow::Result<()> {
    while !screen.is_over() && !stop.load(Ordering::Relaxed) {
        let size = terminal.size().context("ask for the size of the terminal")?;
        screen.resize(size.width, size.height);
        for ask in screen.asks(Instant::now()) {
            asker.ask(ask);
        }
        terminal.draw(|frame| view::draw(frame, &screen, look)).context("draw on the terminal")?;
        if event::poll(TICK).context("wait for a key")? {
            // Resizing is seen by the size.
            if let Input::Key(key) = event::read().context("read a key")?
                && key.kind != KeyEventKind::Release
            {
                screen.press(key);
            }
        }
        for answer in asker.answers() {
            screen.take(answer);
        }
    }
    Ok(())
}

/// How soon an answer or a signal is seen; a key is seen at once.
const TICK: Duration = Duration::from_millis(100);
