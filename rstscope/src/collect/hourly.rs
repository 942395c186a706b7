//! The thread that writes Parquet files when they are due.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use collector::{Archive, Store, StoreOptions};
use events::UtcTime;

/// Ends when dropped, after the file that it is at.
pub(super) struct Hourly {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Hourly {
    pub(super) fn start(store: Arc<Store>, options: &StoreOptions) -> anyhow::Result<Self> {
        let archive = Archive::new(store, &options.directory, options.events_d);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name("parquet".to_owned())
            .spawn(move || run(&archive, &stopped))
            .context("start the thread that writes Parquet files")?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Hourly {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

fn run(archive: &Archive, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        match archive.catch_up(UtcTime(now.as_nanos() as u64)) {
            Ok(0) => {}
            Ok(made) => tracing::info!("{made} Parquet files written"),
            Err(error) => tracing::warn!("{error}; it is tried again"),
        }
        let next = Instant::now() + PAUSE;
        while !stop.load(Ordering::Relaxed) && Instant::now() < next {
            std::thread::park_timeout(next.saturating_duration_since(Instant::now()));
        }
    }
}

/// How often it is looked whether one is due.
const PAUSE: Duration = Duration::from_secs(300);
