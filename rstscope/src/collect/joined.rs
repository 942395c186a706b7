//! Logs beside the events of the fleet: what the join says anew is kept and known of late too.

use std::sync::{Arc, OnceLock};

use anyhow::Context as _;
use collector::Recent;
use collector::logs::{LogOptions, Logs, Revision};

/// Begins to listen for logs; `None` if none is wanted. `revise` keeps an event as it is told anew, and says
/// whether it could.
///
/// # Errors
/// A socket cannot be bound, a certificate not be used, an option not be meant.
pub(super) fn listen(
    options: &LogOptions,
    recent: &Arc<OnceLock<Arc<Recent>>>,
    mut revise: impl FnMut(&Revision) -> bool + Send + 'static,
) -> anyhow::Result<Option<Arc<Logs>>> {
    if !options.is_wanted() {
        return Ok(None);
    }
    let recent = Arc::clone(recent);
    let logs = Logs::start(options, move |revision| {
        let is_kept = revise(&revision);
        if let Some(recent) = recent.get() {
            recent.event_of(&revision.sensor, &revision.event);
        }
        is_kept
    })
    .context("listen for logs")?;
    Ok(Some(Arc::new(logs)))
}
