//! Where records are kept, by the configuration, and what hangs on it.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context as _;
use collector::logs::Logs;
use collector::{ClickHouse, ClickHouseOptions, Gather, Keep, Past, Recent, Store, StoreKind};

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
        let options = &config.store;
        let recent = Arc::<OnceLock<_>>::default();
        if options.kind == StoreKind::Clickhouse {
            let ClickHouseOptions { records_least, wait_s, .. } = options.clickhouse;
            let gather = Gather { records_least, wait: Duration::from_secs_f64(wait_s) };
            let store = Arc::new(ClickHouse::open(&options.clickhouse)?);
            let past: Option<Arc<dyn Past>> = Some(Arc::clone(&store) as _);
            if config.logs.is_wanted() {
                tracing::warn!(
                    "logs are joined where the store is of SQLite; nobody listens for them here"
                );
            }
            let heard = Heard { keep: store, logs: None, recent: Arc::clone(&recent) };
            let keep = Arc::new(heard);
            return Ok(Self { keep, gather, past, logs: None, recent, hourly: None });
        }
        let store = Arc::new(Store::open(options).context("open the store")?);
        let hourly = match options.parquet {
            true => Some(Hourly::start(Arc::clone(&store), options)?),
            false => None,
        };
        let logs = joined::listen(&config.logs, &store, &recent)?;
        let past: Option<Arc<dyn Past>> = Some(Arc::clone(&store) as _);
        let heard = Heard { keep: store, logs: logs.clone(), recent: Arc::clone(&recent) };
        Ok(Self { keep: Arc::new(heard), gather: Gather::AT_ONCE, past, logs, recent, hourly })
    }
}
