//! Where answers come from, and the thread that gets them: the screen never waits.

use std::sync::mpsc::{Receiver, Sender, channel};

use anyhow::Context as _;
use collector::{EventPage, EventSheet, Snapshot};

/// What the screen wants to know.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Ask {
    /// Counts, rates, losses. Filters as text.
    Snapshot {
        /// All must hold.
        only: Vec<String>,
    },
    /// The last events.
    Events {
        /// All must hold.
        only: Vec<String>,
    },
    /// One event with its proof sheet, wrapped to `width` columns.
    Sheet {
        /// Its name.
        id: String,
        width: usize,
    },
}

/// What the feed knows of it.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) ask: Ask,
    /// Or why nothing is known, for people.
    pub(crate) told: Result<Told, String>,
}

#[derive(Debug)]
pub(crate) enum Told {
    Snapshot(Box<Snapshot>),
    Events(EventPage),
    Sheet(Box<EventSheet>),
}

/// A running sensor, or captures.
pub(crate) trait Feed: Send {
    /// What is asked, or why nothing is known.
    fn answer(&mut self, ask: &Ask) -> Result<Told, String>;
}

/// The thread that asks a feed.
pub(crate) struct Asker {
    asks: Sender<Ask>,
    answers: Receiver<Answer>,
}

impl Asker {
    pub(crate) fn start(mut feed: Box<dyn Feed>) -> anyhow::Result<Self> {
        let (asks, asked) = channel::<Ask>();
        let (answering, answers) = channel();
        let work = move || {
            for ask in asked {
                let told = feed.answer(&ask);
                if answering.send(Answer { ask, told }).is_err() {
                    return;
                }
            }
        };
        std::thread::Builder::new()
            .name("feed".to_owned())
            .spawn(work)
            .context("start the thread that asks the sensor")?;
        Ok(Self { asks, answers })
    }

    pub(crate) fn ask(&self, ask: Ask) {
        // The thread lives as long as this does.
        let _ = self.asks.send(ask);
    }

    /// What has come since the last time.
    pub(crate) fn answers(&self) -> impl Iterator<Item = Answer> {
        self.answers.try_iter()
    }
}

/// Events of a list at most: what the API gives at once.
pub(crate) const EVENTS_MAX: usize = 1_000;
/// Servers of a screen at most.
pub(crate) const SERVERS_MAX: usize = 500;
