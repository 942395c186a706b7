//! `rstscope demo`: ten resets made by real kernels, judged live, beside what was really done.

mod judge;
mod live;
mod page;
mod replay;
mod told;

use std::io::{self, BufWriter, IsTerminal as _, Write as _};

use events::Body;

use crate::Outcome;
use crate::cli::DemoArguments;
use crate::terminal;
use judge::Done;
use page::Page;
use told::Told;

/// Plays live if it can, else replays the stored capture of the same and says so loudly.
///
/// Fewer than [`RIGHT_MIN`] right verdicts are told by the exit code, so that a script may use it.
pub(crate) fn run(arguments: &DemoArguments) -> anyhow::Result<Outcome> {
    let (title, Played { done, told }) = if arguments.replay {
        (replay::TITLE.to_owned(), replay::play()?)
    } else {
        match live::play() {
            Ok(played) => (live::TITLE.to_owned(), played),
            Err(error) => {
                let why = crate::chain_text(&error);
                tracing::warn!("NOT LIVE: {why}; replaying the stored capture instead");
                (format!("{} ({why})", replay::TITLE), replay::play()?)
            }
        }
    };
    let mut out = BufWriter::new(io::stdout());
    let width = terminal::width().min(WIDTH_MAX);
    let right = judge::write(
        &mut out,
        &title,
        &judge::compare(&done, &told.events.lock()),
        width,
        terminal::colours(arguments.color),
    )?;
    out.flush()?;
    if arguments.page || (io::stdout().is_terminal() && !arguments.no_page) {
        show(&mut out, told)?;
    }
    Ok(if right < RIGHT_MIN { Outcome::ConditionMet } else { Outcome::Good })
}

/// Offers the page with all of it until the user has seen enough.
fn show(out: &mut impl io::Write, told: Told) -> anyhow::Result<()> {
    let events = std::mem::take(&mut *told.events.lock());
    let page = Page::offer(events.into_iter().map(Body::Event).chain(told.beside).collect())?;
    writeln!(out, "\nOpen {} to see each of them with its proof; Ctrl-C ends it.", page.url())?;
    out.flush()?;
    page.wait()
}

/// What was done, and what the sensor said.
struct Played {
    done: Vec<Done>,
    told: Told,
}

/// Of ten.
const RIGHT_MIN: usize = 9;

/// Longer lines are hard to read.
const WIDTH_MAX: usize = 110;
