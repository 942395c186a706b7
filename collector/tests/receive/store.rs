//! A store that counts, and fails when it is told to.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use collector::{Arrival, Keep, KeepError, Kept};

/// What was kept, by name.
#[derive(Default)]
pub struct Memory {
    inner: Mutex<Inner>,
    changed: Condvar,
}

#[derive(Default)]
struct Inner {
    records: HashMap<String, String>,
    repeated: u64,
    asked: u64,
    failures_to_come: u64,
    is_held: bool,
}

impl Memory {
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Fails so many commits from now on.
    pub fn fail(&self, times: u64) {
        self.inner.lock().unwrap().failures_to_come = times;
    }

    /// Lets no commit end until it is told otherwise.
    pub fn hold(&self, is_held: bool) {
        self.inner.lock().unwrap().is_held = is_held;
        self.changed.notify_all();
    }

    pub fn count(&self) -> usize {
        self.inner.lock().unwrap().records.len()
    }

    pub fn repeated(&self) -> u64 {
        self.inner.lock().unwrap().repeated
    }

    /// Waits until a commit was begun.
    pub fn wait_until_asked(&self) {
        let inner = self.inner.lock().unwrap();
        let wait = self.changed.wait_timeout_while(inner, PATIENCE, |inner| inner.asked == 0);
        assert!(!wait.unwrap().1.timed_out(), "nobody came");
    }

    pub fn has(&self, uid: &str) -> bool {
        self.inner.lock().unwrap().records.contains_key(uid)
    }

    /// Waits until so many different records are there.
    pub fn wait_for(&self, records: usize) {
        let mut inner = self.inner.lock().unwrap();
        while inner.records.len() < records {
            let (guard, wait) = self.changed.wait_timeout(inner, PATIENCE).unwrap();
            inner = guard;
            assert!(!wait.timed_out(), "{} of {records} records came", inner.records.len());
        }
    }
}

impl Keep for Memory {
    fn keep(&self, batch: &[Arrival]) -> Result<Kept, KeepError> {
        let mut inner = self.inner.lock().unwrap();
        inner.asked += 1;
        self.changed.notify_all();
        while inner.is_held {
            inner = self.changed.wait(inner).unwrap();
        }
        if inner.failures_to_come > 0 {
            inner.failures_to_come -= 1;
            return Err(KeepError("the disk is full".to_owned()));
        }
        let mut kept = Kept::default();
        for (index, arrival) in batch.iter().enumerate() {
            if arrival.json.windows(8).any(|window| window == b"\"poison\"") {
                kept.refused.push((index, "event without its fields".to_owned()));
                continue;
            }
            let text = String::from_utf8(arrival.json.to_vec()).unwrap();
            match inner.records.insert(arrival.uid(), text) {
                None => kept.new += 1,
                Some(_) => kept.repeated += 1,
            }
        }
        inner.repeated += kept.repeated;
        self.changed.notify_all();
        Ok(kept)
    }
}

/// How long a test waits for what must come.
pub const PATIENCE: Duration = Duration::from_secs(60);
