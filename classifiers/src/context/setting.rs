//! What other connections tell of one reset.

use super::timers::TimerFacts;

/// A few facts by value, made by [`super::Context`]; [`Setting::NONE`] for a reset judged by its
/// own connection alone.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Setting {
    /// The idle timer of the path, if other connections show one.
    pub timer: Option<TimerFacts>,
}

impl Setting {
    /// Nothing is known of other connections.
    pub const NONE: Self = Self { timer: None };
}
