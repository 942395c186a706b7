//! What other connections tell of one reset.

use flowtable::Watch;

use super::is_of_service;
use super::{
    BurstFacts, Desync, DeviceFacts, Flood, FrontFacts, Guesses, IdLineFacts, Limit, NameFacts,
    Rhythm, Scan, ServiceFacts, Shaping, Sibling, StyleFacts, TimerFacts,
};
use crate::case::Case;

/// A few facts by value, made by [`super::Context`]; [`Setting::NONE`] for a reset judged by its
/// own connection alone.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Setting {
    /// The service that the reset names.
    pub service: Option<ServiceFacts>,
    /// The burst that the reset belongs to.
    pub burst: Option<BurstFacts>,
    /// The idle timer of the path, if other connections show one.
    pub timer: Option<TimerFacts>,
    /// The front end of its server.
    pub front: Option<FrontFacts>,
    /// How the server's connections fare by the name asked for.
    pub names: Option<NameFacts>,
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
    /// Its IP-ID line, shared with resets in the names of other hosts.
    pub id_line: Option<IdLineFacts>,
    /// Its style, in which a device is proved to write.
    pub style: Option<StyleFacts>,
    /// The device that sent it.
    pub device: Option<DeviceFacts>,
}

impl Setting {
    /// Whether it may change how a reset is judged: that of which device a reset is only tells more
    /// of it, and what its service does matters to few.
    #[must_use]
    pub fn bears_on(&self, watch: &Watch) -> bool {
        let Self { service, burst, timer, front, names, scan, rhythm, limit, .. } = self;
        let Self { shaping, flood, desync, sibling, guesses, id_line, style, .. } = self;
        let of_paths = burst.is_some() || timer.is_some() || front.is_some() || names.is_some();
        let of_sources = scan.is_some()
            || rhythm.is_some()
            || limit.is_some()
            || shaping.is_some()
            || flood.is_some()
            || desync.is_some()
            || sibling.is_some()
            || guesses.is_some();
        let of_devices = id_line.is_some() || style.is_some();
        of_paths
            || of_sources
            || of_devices
            || (service.is_some() && is_of_service(&Case::new(watch, true, self)))
    }

    /// Nothing is known of other connections.
    pub const NONE: Self = Self {
        service: None,
        burst: None,
        timer: None,
        front: None,
        names: None,
        scan: None,
        rhythm: None,
        limit: None,
        shaping: None,
        flood: None,
        desync: None,
        sibling: None,
        guesses: None,
        id_line: None,
        style: None,
        device: None,
    };
}
