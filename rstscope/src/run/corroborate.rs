//! Events beside logs: what the join says anew goes the way of all events.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};

use anyhow::Context as _;
use collector::logs::{LogOptions, Logs, Revision};
use events::Event;

/// The join at work, and what it has said and was not told yet.
pub(super) struct Corroborate {
    logs: Arc<Logs>,
    revised: Receiver<Revision>,
    sensor: String,
}

impl Corroborate {
    /// Begins to listen; `None` if no log is wanted.
    ///
    /// # Errors
    /// A socket cannot be bound, a certificate not be used, an option not be meant.
    pub(super) fn start(options: &LogOptions, sensor: &str) -> anyhow::Result<Option<Self>> {
        if !options.is_wanted() {
            return Ok(None);
        }
        let (sender, revised) = sync_channel(REVISIONS_WAITING);
        // Without room the exporter stands still.
        let logs = Logs::start(options, move |revision| sender.try_send(revision).is_ok())
            .context("listen for logs")?;
        for (via, address) in logs.addresses() {
            tracing::info!("logs by {via} on {address}");
        }
        Ok(Some(Self { logs: Arc::new(logs), revised, sensor: sensor.to_owned() }))
    }

    /// For whoever tells of sources.
    pub(super) const fn logs(&self) -> &Arc<Logs> {
        &self.logs
    }

    /// Hands an event over; never waits.
    pub(super) fn event(&self, event: &Event) {
        self.logs.event(&self.sensor, event);
    }

    /// What was lost on the way into the join and out of it, by name.
    pub(super) fn losses(&self) -> impl Iterator<Item = (String, u64)> {
        let counts = self.logs.counts();
        [
            ("log_events_lost", counts.events_lost),
            ("log_datagrams_lost", counts.datagrams_lost),
            ("log_datagrams_lost_in_kernel", counts.datagrams_lost_in_kernel),
            ("log_lines_too_long", counts.too_long),
            ("log_messages_cut", counts.messages_cut),
            ("log_connections_broken", counts.connections_broken),
            ("log_tls_failed", counts.tls_failed),
            ("log_revisions_lost", counts.revisions_lost),
        ]
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(name, count)| (name.to_owned(), count))
    }

    /// What was revised since the last time.
    pub(super) fn revised(&self) -> impl Iterator<Item = Event> {
        self.revised.try_iter().take(REVISIONS_WAITING).map(|revision| revision.event)
    }
}

const REVISIONS_WAITING: usize = 4096;
