//! What other connections tell of one reset.

/// A few facts by value, made by [`super::Context`]; [`Setting::NONE`] for a reset judged by its
/// own connection alone.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Setting {}

impl Setting {
    /// Nothing is known of other connections.
    pub const NONE: Self = Self {};
}
