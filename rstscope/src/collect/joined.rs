//! Logs beside the events of the fleet: what the join says anew is kept and known of late too.

use std::sync::{Arc, OnceLock};

use anyhow::Context as _;
use collector::logs::{LogOptions, Logs};
use collector::{Recent, Store};

/// Begins to listen for logs; `None` if none is wanted.
///
/// # Errors
/// A socket cannot be bound, a certificate not be used, an option not be meant.
pub(super) fn listen(
    options: &LogOptions,
    store: &Arc<Store>,
    recent: &Arc<OnceLock<Arc<Recent>>>,
) -> anyhow::Result<Option<Arc<Logs>>> {
    if !options.is_wanted() {
        return Ok(None);
    }
    let (store, recent) = (Arc::clone(store), Arc::clone(recent));
    let logs = Logs::start(options, move |revision| {
        let kept = store.revise(&revision.sensor, &revision.event);
        if let Err(error) = &kept {
            tracing::warn!("event {} as logs have it is not kept: {error}", revision.event.id);
        }
        if let Some(recent) = recent.get() {
            recent.event(&revision.event);
        }
        kept.is_ok()
    })
    .context("listen for logs")?;
    Ok(Some(Arc::new(logs)))
}
