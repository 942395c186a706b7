//! What became of lines and events, and what was lost, by name.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use crate::logs::join::JoinCounts;

/// What became of lines and events, and what was lost, by name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct LogCounts {
    /// Of the join.
    pub join: JoinCounts,
    /// Events that came faster than they are joined: logs cannot speak of them.
    pub events_lost: u64,
    /// Events told anew that nobody could take.
    pub revisions_lost: u64,
    /// Datagrams that came faster than their lines are joined.
    pub datagrams_lost: u64,
    /// Datagrams that the kernel dropped before they were read: their socket had no room, or they were damaged.
    pub datagrams_lost_in_kernel: u64,
    /// Messages of senders that may not send, and their connections.
    pub not_allowed: u64,
    /// Messages and lines that are too long to be read.
    pub too_long: u64,
    /// Messages whose end never came: the connection was over before.
    pub messages_cut: u64,
    /// Connections that broke: their sender or the network reset them, or their TLS was broken.
    pub connections_broken: u64,
    /// Handshakes of TLS that failed or took too long.
    pub tls_failed: u64,
    /// Connections of senders that have all that are theirs.
    pub connections_refused: u64,
    /// Connections that were closed because nothing came.
    pub connections_silent: u64,
    /// Openings of connections that gave way before their end was logged.
    pub openings_forgotten: u64,
    /// Lines of writers beyond those that are counted apart.
    pub beyond_sources: u64,
}

impl LogCounts {
    /// All that was not joined for want of something, by name; only what has happened.
    #[must_use]
    pub fn losses(&self) -> BTreeMap<String, u64> {
        [
            ("events_lost", self.events_lost),
            ("revisions_lost", self.revisions_lost),
            ("datagrams_lost", self.datagrams_lost),
            ("datagrams_lost_in_kernel", self.datagrams_lost_in_kernel),
            ("not_allowed", self.not_allowed),
            ("too_long", self.too_long),
            ("messages_cut", self.messages_cut),
            ("connections_broken", self.connections_broken),
            ("tls_failed", self.tls_failed),
            ("connections_refused", self.connections_refused),
            ("connections_silent", self.connections_silent),
            ("openings_forgotten", self.openings_forgotten),
            ("lines_beyond_sources", self.beyond_sources),
            ("sessions_beyond_sources", self.join.beyond_sources),
            ("sessions_ambiguous", self.join.ambiguous),
            ("sessions_displaced", self.join.sessions_displaced),
            ("events_displaced", self.join.events_displaced),
        ]
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(name, count)| (name.to_owned(), count))
        .collect()
    }
}

/// A number that several threads add to.
#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    pub(super) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What is lost on the way in and out; names as in [`LogCounts`].
#[derive(Debug, Default)]
pub(super) struct Losses {
    pub(super) events: Count,
    pub(super) revisions: Count,
    pub(super) datagrams: Count,
    pub(super) in_kernel: Count,
    pub(super) not_allowed: Count,
    pub(super) too_long: Count,
    pub(super) cut: Count,
    pub(super) broken: Count,
    pub(super) tls_failed: Count,
    pub(super) refused: Count,
    pub(super) silent: Count,
}

impl Losses {
    /// Whenever it grows, lines may have been lost.
    pub(super) fn lines(&self) -> u64 {
        let all = [
            &self.datagrams,
            &self.in_kernel,
            &self.too_long,
            &self.cut,
            &self.broken,
            &self.tls_failed,
            &self.refused,
            &self.silent,
        ];
        all.map(Count::get).iter().sum()
    }

    /// The counts, with what others know.
    pub(super) fn counts(&self, join: JoinCounts, forgotten: u64, beyond: u64) -> LogCounts {
        LogCounts {
            join,
            events_lost: self.events.get(),
            revisions_lost: self.revisions.get(),
            datagrams_lost: self.datagrams.get(),
            datagrams_lost_in_kernel: self.in_kernel.get(),
            not_allowed: self.not_allowed.get(),
            too_long: self.too_long.get(),
            messages_cut: self.cut.get(),
            connections_broken: self.broken.get(),
            tls_failed: self.tls_failed.get(),
            connections_refused: self.refused.get(),
            connections_silent: self.silent.get(),
            openings_forgotten: forgotten,
            beyond_sources: beyond,
        }
    }
}
