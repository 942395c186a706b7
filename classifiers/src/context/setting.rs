//! What other connections tell of one reset.

use super::{DeviceFacts, FrontFacts, IdLineFacts, NameFacts, StyleFacts};

/// A few facts by value, made by [`super::Context`]; [`Setting::NONE`] for a reset judged by its
/// own connection alone.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Setting {
    /// Its IP-ID line, shared with resets in the names of other hosts.
    pub id_line: Option<IdLineFacts>,
    /// Its style, in which a device is proved to write.
    pub style: Option<StyleFacts>,
    /// The device that sent it.
    pub device: Option<DeviceFacts>,
    /// How the server's connections fare by the name asked for.
    pub names: Option<NameFacts>,
    /// The front end of its server.
    pub front: Option<FrontFacts>,
}

impl Setting {
    /// Nothing is known of other connections.
    pub const NONE: Self =
        Self { id_line: None, style: None, device: None, names: None, front: None };
}
