//! Events told anew by logs: gathered, since ClickHouse likes few and large inserts, and inserted by a thread of
//! their own, since whoever joins logs must not wait for a server.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::{ClickHouse, ClickHouseError};
use crate::logs::Revision;

/// The thread; what it was handed before it is dropped is inserted first, if the server takes it then.
pub struct Revisions {
    /// Absent once no more come.
    sender: Option<Sender<Revision>>,
    is_ending: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Revisions {
    /// Starts the thread.
    ///
    /// # Errors
    /// There can be no thread.
    pub fn start(store: Arc<ClickHouse>) -> std::io::Result<Self> {
        let (sender, told) = bounded(WAITING_MAX);
        let is_ending = Arc::new(AtomicBool::new(false));
        let work = Work { store, told, is_ending: Arc::clone(&is_ending) };
        let thread =
            std::thread::Builder::new().name("revisions".to_owned()).spawn(move || work.run())?;
        Ok(Self { sender: Some(sender), is_ending, thread: Some(thread) })
    }

    /// Hands over an event that was told anew; `false` if too many wait, and this one is lost. Never waits.
    #[must_use]
    pub fn tell(&self, revision: Revision) -> bool {
        self.sender.as_ref().is_some_and(|sender| sender.try_send(revision).is_ok())
    }
}

impl Drop for Revisions {
    fn drop(&mut self) {
        self.is_ending.store(true, Ordering::Relaxed);
        self.sender = None;
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

/// The thread's own.
struct Work {
    store: Arc<ClickHouse>,
    told: Receiver<Revision>,
    is_ending: Arc<AtomicBool>,
}

impl Work {
    fn run(self) {
        while let Ok(first) = self.told.recv() {
            let some = self.gather(first);
            if let Err(error) = self.insert(&some) {
                // All ends, and whoever ends it does not wait for one attempt after the other.
                let lost = some.len() + self.told.try_iter().count();
                tracing::warn!("{lost} events as logs have them are lost: {error}");
                return;
            }
        }
    }

    /// What comes within a moment.
    fn gather(&self, first: Revision) -> Vec<Revision> {
        let deadline = Instant::now() + GATHER;
        let mut some = vec![first];
        while some.len() < INSERT_MAX
            && let Ok(next) = self.told.recv_deadline(deadline)
        {
            some.push(next);
        }
        some
    }

    /// Tries until the server takes it, or all ends.
    fn insert(&self, some: &[Revision]) -> Result<(), ClickHouseError> {
        let mut has_told = false;
        while let Err(error) = self.store.revise(some) {
            if self.is_ending.load(Ordering::Relaxed) {
                return Err(error);
            }
            if !std::mem::replace(&mut has_told, true) {
                tracing::warn!("events as logs have them are not kept: {error}; it is tried again");
            }
            std::thread::park_timeout(PAUSE);
        }
        Ok(())
    }
}

/// Events that wait, some 8 KiB each.
const WAITING_MAX: usize = 4096;
/// Events of one insert.
const INSERT_MAX: usize = 1000;
/// How long the first of them waits for others.
const GATHER: Duration = Duration::from_millis(500);
/// Between two attempts.
const PAUSE: Duration = Duration::from_secs(2);
