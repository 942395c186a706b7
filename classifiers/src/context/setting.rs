//! What other connections tell of one reset.

use super::{Desync, Flood, Guesses, Limit, Rhythm, Scan, Shaping, Sibling};

/// A few facts by value, made by [`super::Context`]; [`Setting::NONE`] for a reset judged by its
/// own connection alone.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Setting {
    /// The scan it is part of.
    pub scan: Option<Scan>,
    /// The beat it keeps with others.
    pub rhythm: Option<Rhythm>,
    /// The limit it fits.
    pub limit: Option<Limit>,
    /// How its client's connections fare at many servers.
    pub shaping: Option<Shaping>,
    /// The flood it is part of.
    pub flood: Option<Flood>,
    /// The connection that its lone segment belongs to.
    pub desync: Option<Desync>,
    /// The connection for whose sake it was given up.
    pub sibling: Option<Sibling>,
    /// Guesses at other connections of the same hosts.
    pub guesses: Option<Guesses>,
}

impl Setting {
    /// Nothing is known of other connections.
    pub const NONE: Self = Self {
        scan: None,
        rhythm: None,
        limit: None,
        shaping: None,
        flood: None,
        desync: None,
        sibling: None,
        guesses: None,
    };
}
