//! Events of the fleet beside logs: what is kept is handed to the join, what that says anew is kept too.

use std::sync::Arc;

use anyhow::Context as _;
use collector::logs::{LogOptions, Logs};
use collector::{Arrival, ArrivalKind, Keep, KeepError, Kept, Store};
use events::Event;

/// A store, and the logs that its events are joined with.
pub(super) struct Joined {
    store: Arc<Store>,
    logs: Arc<Logs>,
}

impl Joined {
    /// Begins to listen for logs; `None` if none is wanted.
    ///
    /// # Errors
    /// A socket cannot be bound, a certificate not be used, an option not be meant.
    pub(super) fn start(options: &LogOptions, store: &Arc<Store>) -> anyhow::Result<Option<Self>> {
        if !options.is_wanted() {
            return Ok(None);
        }
        let revise = Arc::clone(store);
        let logs = Logs::start(options, move |revision| {
            if let Err(error) = revise.revise(&revision.sensor, &revision.event) {
                tracing::warn!("event {} as logs have it is not kept: {error}", revision.event.id);
            }
        })
        .context("listen for logs")?;
        Ok(Some(Self { store: Arc::clone(store), logs: Arc::new(logs) }))
    }

    /// For whoever tells of sources.
    pub(super) const fn logs(&self) -> &Arc<Logs> {
        &self.logs
    }
}

impl Keep for Joined {
    fn keep(&self, batch: &[Arrival]) -> Result<Kept, KeepError> {
        let kept = self.store.keep(batch)?;
        for arrival in batch {
            if arrival.kind != ArrivalKind::Event || arrival.is_test {
                continue;
            }
            // What cannot be read was refused by the store, which has counted it.
            if let Ok(event) = serde_json::from_slice::<Event>(&arrival.json) {
                self.logs.event(&arrival.sensor, &event);
            }
        }
        Ok(kept)
    }
}
