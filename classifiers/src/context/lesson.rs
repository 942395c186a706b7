//! One judged reset, read once for all the tables that learn from it or are asked about it.

use flowtable::{Endpoint, Watch};

use super::Setting;
use super::attempt::Attempt;
use super::flood::Part;
use crate::case::Case;
use crate::verdict::Ruling;
use crate::vocabulary::Role;

/// A reset and what several tables want to know of it.
pub(crate) struct Lesson<'w> {
    pub(crate) watch: &'w Watch,
    /// What its connection alone gives.
    pub(crate) ruling: &'w Ruling,
    pub(crate) case: Case<'w>,
    pub(crate) client: Endpoint,
    pub(crate) server: Endpoint,
    /// The attempt that ended with it, if it was no more than that.
    pub(crate) attempt: Option<Attempt>,
    /// Its part in a flood.
    pub(crate) part: Option<Part>,
}

impl<'w> Lesson<'w> {
    pub(crate) fn of(watch: &'w Watch, ruling: &'w Ruling) -> Self {
        let case = Case::new(watch, true, &Setting::NONE);
        let attempt = Attempt::of(&case, ruling);
        Self {
            watch,
            ruling,
            client: watch.client(),
            server: watch.server(),
            part: Part::of(&case, ruling, attempt.as_ref()),
            attempt,
            case,
        }
    }

    pub(crate) fn is_primary(&self) -> bool {
        self.ruling.role == Role::Primary
    }

    /// Whether its SYN was refused: there was no connection to learn from.
    pub(crate) fn was_refused(&self) -> bool {
        self.attempt.is_some_and(|attempt| attempt.was_refused())
    }

    /// Whether a living connection ended with it.
    pub(crate) fn ends_connection(&self) -> bool {
        let before = &self.watch.before;
        self.is_primary() && before.handshake_complete() && !before.is_over()
    }
}
