//! How much waits for its counterpart, and what became of it.

use events::Event;
use serde::{Deserialize, Serialize};

/// How much waits, and for how long.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct JoinOptions {
    /// Events that may be joined, some 6 KiB each.
    pub events: usize,
    /// Sessions that may be joined, some 2 KiB each; as many again of those that ended well.
    pub sessions: usize,
    /// Seconds that an event waits for logs.
    pub event_s: u64,
    /// Seconds that a session waits for its event.
    pub session_s: u64,
    /// Seconds that lines of a clock that is not known yet wait for a second candidate: longer than a
    /// sensor holds events back.
    pub settle_s: u64,
    /// Seconds after which a line that did not come is taken not to come: less than `session_s`, as long as
    /// what came with its event is still there.
    pub absent_s: u64,
}

impl Default for JoinOptions {
    fn default() -> Self {
        Self {
            events: 16_384,
            sessions: 16_384,
            event_s: 900,
            session_s: 600,
            settle_s: 45,
            absent_s: 480,
        }
    }
}

impl JoinOptions {
    /// Longer than anything is kept, s.
    pub(crate) const FOR_EVER_S: u64 = u64::MAX / 4_000_000_000;

    /// For files: nothing grows old, and all is there before anything is decided.
    #[must_use]
    pub const fn offline(events: usize, sessions: usize) -> Self {
        let for_ever = Self::FOR_EVER_S;
        Self {
            events,
            sessions,
            event_s: for_ever,
            session_s: for_ever,
            settle_s: for_ever,
            absent_s: for_ever,
        }
    }
}

/// What became of sessions and events.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct JoinCounts {
    /// Sessions and resets brought together.
    pub joined: u64,
    /// Sessions for which several resets fitted equally well, each counted once.
    pub ambiguous: u64,
    /// Lines that said again what was known.
    pub repeated: u64,
    /// Events that gave way before their time.
    pub events_displaced: u64,
    /// Sessions that gave way before their time.
    pub sessions_displaced: u64,
    /// Events that a firewall should have logged and had not when it was told; late lines take some back.
    pub absent: u64,
    /// Sessions of writers beyond those that are followed.
    pub beyond_sources: u64,
}

/// How far a writer's clock is from ours.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ClockRow {
    /// Sessions joined.
    pub joined: u64,
    /// Seconds that its stamps are ahead, as learned.
    pub ahead_s: Option<f64>,
    /// The zone that its stamps seem to be in, where they are off by as much.
    pub zone: Option<String>,
}

/// An event told anew, because a log says more of it.
#[derive(Clone, PartialEq, Debug)]
pub struct Revision {
    /// Whose it is.
    pub sensor: String,
    /// The event, its revision one higher.
    pub event: Event,
}
