//! The local API of a live run.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use collector::logs::Logs;
use collector::{LogRows, Offer, Options, Past, Recent, Sensor, Server};
use events::{MemoryItem, Start};

/// What is known of late, and the API that tells it while this lives.
pub(crate) struct Api {
    recent: Arc<Recent>,
    memory_bytes: usize,
    server: Server,
}

impl Api {
    /// Offers the API; `None` if it is switched off, or nobody asked for it and its usual port is taken.
    pub(crate) fn offer(
        options: &Options,
        sensor: Sensor,
        past: Option<Arc<dyn Past>>,
        logs: Option<Arc<Logs>>,
    ) -> anyhow::Result<Option<Self>> {
        let recent = Arc::new(Recent::new(options, sensor));
        let logs = logs.map(|logs| -> LogRows { Arc::new(move || logs.list()) });
        let offer = Offer { recent: Arc::clone(&recent), past, logs };
        let server = match collector::serve(options, offer) {
            Err(error) if options.listen.is_none() && error.is_port_taken() => {
                tracing::warn!("{error}; going on without API and metrics");
                None
            }
            server => server.context("offer the local API")?,
        };
        let memory_bytes = Recent::memory_bytes(options);
        Ok(server.map(|server| Self { recent, memory_bytes, server }))
    }

    /// Where it is offered.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.server.local_addr()
    }

    /// What it knows.
    pub(crate) const fn recent(&self) -> &Arc<Recent> {
        &self.recent
    }

    /// Takes in the start and gives it back with the memory of the API.
    pub(crate) fn start(&self, start: &Start) -> Start {
        let mut start = start.clone();
        let name = "recent events".to_owned();
        start.memory.items.push(MemoryItem { name, bytes: self.memory_bytes as u64 });
        self.recent.start(&start);
        start
    }
}
