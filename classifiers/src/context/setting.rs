//! What other connections tell of one reset.

use super::service::{BurstFacts, ServiceFacts};

/// A few facts by value, made by [`super::Context`]; [`Setting::NONE`] for a reset judged by its
/// own connection alone.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Setting {
    /// The service that the reset names.
    pub service: Option<ServiceFacts>,
    /// The burst that the reset belongs to.
    pub burst: Option<BurstFacts>,
}

impl Setting {
    /// Nothing is known of other connections.
    pub const NONE: Self = Self { service: None, burst: None };
}
