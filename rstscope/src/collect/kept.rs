//! Where records are kept, by the configuration, and what hangs on it.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context as _;
use collector::logs::{Logs, Revision};
use collector::{ClickHouse, Gather, Keep, Past, Recent, Revisions, Store, StoreKind};

use super::heard::Heard;
use super::hourly::Hourly;
use super::joined;
use crate::config::Config;

/// Where records are kept.
pub(super) struct Kept {
    pub(super) keep: Arc<dyn Keep>,
    /// How many at a time.
    pub(super) gather: Gather,
    /// Who answers questions about it.
    pub(super) past: Option<Arc<dyn Past>>,
    /// The logs that events are joined with.
    pub(super) logs: Option<Arc<Logs>>,
    /// What is known of late, to be set where the API is offered.
    pub(super) recent: Arc<OnceLock<Arc<Recent>>>,
    /// Writes Parquet files beside.
    pub(super) hourly: Option<Hourly>,
}

impl Kept {
    pub(super) fn open(config: &Config) -> anyhow::Result<Self> {
        match config.store.kind {
            StoreKind::Clickhouse => Self::in_clickhouse(config),
            StoreKind::Sqlite => Self::in_files(config),
        }
    }

    fn in_clickhouse(config: &Config) -> anyhow::Result<Self> {
        let options = &config.store.clickhouse;
        let recent = Arc::<OnceLock<_>>::default();
        let store = Arc::new(ClickHouse::open(options)?);
        let revisions = Revisions::start(Arc::clone(&store))
            .context("start the thread that keeps events as logs have them")?;
        let logs = joined::listen(&config.logs, &recent, move |revision| {
            revisions.tell(revision.clone())
        })?;
        let past: Option<Arc<dyn Past>> = Some(Arc::clone(&store) as _);
        let heard = Heard::new(store, logs.clone(), Arc::clone(&recent));
        let wait = Duration::from_secs_f64(options.wait_s);
        let gather = Gather { records_least: options.records_least, wait };
        Ok(Self { keep: Arc::new(heard), gather, past, logs, recent, hourly: None })
    }

    fn in_files(config: &Config) -> anyhow::Result<Self> {
        let options = &config.store;
        let recent = Arc::<OnceLock<_>>::default();
        let store = Arc::new(Store::open(options).context("open the store")?);
        let hourly = match options.parquet {
            true => Some(Hourly::start(Arc::clone(&store), options)?),
            false => None,
        };
        let kept = Arc::clone(&store);
        let logs = joined::listen(&config.logs, &recent, move |Revision { sensor, event }| {
            let kept = kept.revise(sensor, event);
            if let Err(error) = &kept {
                tracing::warn!("event {} as logs have it is not kept: {error}", event.id);
            }
            kept.is_ok()
        })?;
        let past: Option<Arc<dyn Past>> = Some(Arc::clone(&store) as _);
        let heard = Heard::new(store, logs.clone(), Arc::clone(&recent));
        Ok(Self { keep: Arc::new(heard), gather: Gather::AT_ONCE, past, logs, recent, hourly })
    }
}
