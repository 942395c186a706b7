//! Where the demo ends: the collector's page, with what was just seen.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use collector::{Incoming, Listen, Options, Past, Store, StoreOptions};
use events::{Body, Record};

use crate::api::Api;
use crate::config::Config;
use crate::{identity, stop};

/// The page while it is offered, over a store that goes with it.
pub(crate) struct Page {
    api: Api,
    _directory: tempfile::TempDir,
}

impl Page {
    /// Keeps `seen` as a collector does and offers the page, on the usual port if that is free.
    pub(crate) fn offer(seen: Vec<Body>) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir().context("make a temporary directory")?;
        let path = directory.path().to_owned();
        let store = Store::open(&StoreOptions { directory: path, ..StoreOptions::default() })?;
        let config = Config::default();
        let sensor = identity::sensor(&config, Vec::new());
        keep(&store, &sensor.name, seen)?;
        let store: Arc<dyn Past> = Arc::new(store);
        let past = || Some(Arc::clone(&store));
        let any =
            Options { listen: Some(Listen::At(([127, 0, 0, 1], 0).into())), ..config.api.clone() };
        let api = match Api::offer(&config.api, sensor.clone(), past(), None)? {
            Some(api) => Some(api),
            None => Api::offer(&any, sensor, past(), None)?,
        };
        let api = api.context("offer the page: no port of 127.0.0.1 is free")?;
        Ok(Self { api, _directory: directory })
    }

    /// Its address.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.api.address())
    }

    /// Offers it until SIGINT or SIGTERM.
    pub(crate) fn wait(&self) -> anyhow::Result<()> {
        let stop = stop::upon_signals()?;
        while !stop.load(std::sync::atomic::Ordering::Relaxed) {
            std::thread::park_timeout(LOOK);
        }
        Ok(())
    }
}

fn keep(store: &Store, sensor: &str, seen: Vec<Body>) -> anyhow::Result<()> {
    let line = |(number, body): (u64, Body)| {
        let record = Record {
            uid: format!("{:016x}-{number}", 1),
            sequence: number,
            sensor: sensor.to_owned(),
            test: false,
            body,
        };
        serde_json::to_vec(&record)
    };
    let lines: Vec<Vec<u8>> = (1..).zip(seen).map(line).collect::<Result<_, _>>()?;
    let batch: Vec<Incoming<'_>> =
        lines.iter().map(|line| Incoming::read(line)).collect::<Result<_, _>>()?;
    let put = store.put(&batch)?;
    ensure!(put.refused.is_empty(), "the store refuses what the sensor told: {:?}", put.refused);
    Ok(())
}

/// How long a signal may wait.
const LOOK: Duration = Duration::from_millis(100);
