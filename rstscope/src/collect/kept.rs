//! Where records are kept, by the configuration, and what hangs on it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use collector::logs::Logs;
use collector::{ClickHouse, ClickHouseOptions, Gather, Keep, Past, Store, StoreKind};

use super::hourly::Hourly;
use super::joined::Joined;
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
    /// Writes Parquet files beside.
    pub(super) hourly: Option<Hourly>,
}

impl Kept {
    pub(super) fn open(config: &Config) -> anyhow::Result<Self> {
        let options = &config.store;
        if options.kind == StoreKind::Clickhouse {
            let ClickHouseOptions { records_least, wait_s, .. } = options.clickhouse;
            let gather = Gather { records_least, wait: Duration::from_secs_f64(wait_s) };
            let keep = Arc::new(ClickHouse::open(&options.clickhouse)?);
            if config.logs.is_wanted() {
                tracing::warn!(
                    "logs are joined where the store is of SQLite; nobody listens for them here"
                );
            }
            return Ok(Self { keep, gather, past: None, logs: None, hourly: None });
        }
        let store = Arc::new(Store::open(options).context("open the store")?);
        let hourly = match options.parquet {
            true => Some(Hourly::start(Arc::clone(&store), options)?),
            false => None,
        };
        let joined = Joined::start(&config.logs, &store)?;
        let logs = joined.as_ref().map(|joined| Arc::clone(joined.logs()));
        let past: Option<Arc<dyn Past>> = Some(Arc::clone(&store) as _);
        let keep: Arc<dyn Keep> = match joined {
            Some(joined) => Arc::new(joined),
            None => store,
        };
        Ok(Self { keep, gather: Gather::AT_ONCE, past, logs, hourly })
    }
}
