//! Between receivers and the store: one thread that commits what has come together.
//!
//! What arrives while a commit is under way is the next batch, so that many small requests cost few commits.
//! A request is answered when its own records are committed.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};
use tokio::sync::oneshot;

use super::counts::{Outcome, StoreCounts};
use super::error::ReceiveError;
use super::keep::{Arrival, Keep};

/// How much is committed at a time. Where nothing comes for a tenth of `wait`, nothing more is waited for: who sends
/// one request after the other sends none until he is answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Gather {
    /// Records that a commit waits for, at most for `wait`.
    pub records_least: usize,
    /// How long the first of them waits.
    pub wait: Duration,
}

impl Gather {
    /// Commits at once: for a store to which small batches cost little.
    pub const AT_ONCE: Self = Self { records_least: 1, wait: Duration::ZERO };
}

/// Why records were not committed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Trouble {
    /// Too many wait.
    Busy,
    /// The store says why.
    Store(String),
}

/// Records of one request that cannot be kept: their places, and why.
pub(crate) type Refused = Vec<(usize, String)>;

/// The records of one request.
struct Parcel {
    arrivals: Vec<Arrival>,
    answer: oneshot::Sender<Result<Refused, Trouble>>,
}

/// Where receivers hand over.
#[derive(Debug)]
pub(crate) struct Intake {
    sender: Sender<Parcel>,
    pub(crate) counts: Arc<StoreCounts>,
}

impl Intake {
    /// Starts the thread; it ends when the intake is dropped.
    pub(crate) fn start(
        keep: Arc<dyn Keep>,
        gather: Gather,
    ) -> Result<(Self, JoinHandle<()>), ReceiveError> {
        let (sender, parcels) = bounded(PARCELS_MAX);
        let counts = Arc::<StoreCounts>::default();
        let clerk = Clerk { parcels, keep, gather, counts: Arc::clone(&counts) };
        let thread = std::thread::Builder::new()
            .name("intake".to_owned())
            .spawn(move || clerk.run())
            .map_err(|source| ReceiveError::Thread { source })?;
        Ok((Self { sender, counts }, thread))
    }

    /// Has records committed; gives those that cannot be kept.
    pub(crate) async fn commit(&self, arrivals: Vec<Arrival>) -> Result<Refused, Trouble> {
        let (answer, answered) = oneshot::channel();
        match self.sender.try_send(Parcel { arrivals, answer }) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => return Err(Trouble::Busy),
            Err(TrySendError::Disconnected(_)) => return Err(gone()),
        }
        answered.await.unwrap_or_else(|_| Err(gone()))
    }
}

fn gone() -> Trouble {
    Trouble::Store("the thread that stores has ended; start the collector again".to_owned())
}

/// The thread.
struct Clerk {
    parcels: Receiver<Parcel>,
    keep: Arc<dyn Keep>,
    gather: Gather,
    counts: Arc<StoreCounts>,
}

impl Clerk {
    fn run(self) {
        while let Ok(first) = self.parcels.recv() {
            let parcels = self.collect(first);
            self.commit(parcels);
        }
    }

    /// What is there, or comes while the first one may wait.
    fn collect(&self, first: Parcel) -> Vec<Parcel> {
        let deadline = Instant::now() + self.gather.wait;
        let mut bytes = bytes_of(&first);
        let mut records = first.arrivals.len();
        let mut parcels = vec![first];
        while records < RECORDS_MAX && bytes < BYTES_MAX {
            let next = if records < self.gather.records_least {
                let quiet = Instant::now() + self.gather.wait / 10;
                self.parcels.recv_deadline(deadline.min(quiet))
            } else {
                self.parcels.try_recv().map_err(|_| RecvTimeoutError::Timeout)
            };
            let Ok(parcel) = next else { break };
            bytes += bytes_of(&parcel);
            records += parcel.arrivals.len();
            parcels.push(parcel);
        }
        parcels
    }

    fn commit(&self, mut parcels: Vec<Parcel>) {
        let mut batch = Vec::new();
        // Where each record of the batch came from.
        let mut origins = Vec::new();
        for (number, parcel) in parcels.iter_mut().enumerate() {
            for (place, arrival) in std::mem::take(&mut parcel.arrivals).into_iter().enumerate() {
                if arrival.is_test {
                    self.counts.record(arrival.kind, Outcome::Test);
                } else {
                    origins.push((number, place));
                    batch.push(arrival);
                }
            }
        }
        let mut answers: Vec<Refused> = vec![Vec::new(); parcels.len()];
        let kept = if batch.is_empty() { Ok(Default::default()) } else { self.keep.keep(&batch) };
        let trouble = match kept {
            Ok(kept) => {
                self.count(&batch, &kept.refused);
                for (index, why) in kept.refused {
                    if let Some((number, place)) = origins.get(index) {
                        answers[*number].push((*place, why));
                    }
                }
                None
            }
            Err(error) => Some(error.to_string()),
        };
        if let Some(why) = &trouble {
            self.counts.commits_failed.fetch_add(1, Ordering::Relaxed);
            tracing::warn!("store {} records: {why}; senders keep them", batch.len());
        }
        self.counts.set_problem(trouble.clone());
        for (parcel, refused) in parcels.into_iter().zip(answers) {
            let answer = trouble.clone().map_or(Ok(refused), |why| Err(Trouble::Store(why)));
            // Whoever has hung up sends it again.
            let _ = parcel.answer.send(answer);
        }
    }

    fn count(&self, batch: &[Arrival], refused: &Refused) {
        self.counts.commits.fetch_add(1, Ordering::Relaxed);
        let mut is_kept = vec![true; batch.len()];
        for (index, _) in refused {
            if let Some(kept) = is_kept.get_mut(*index) {
                *kept = false;
            }
        }
        for (arrival, is_kept) in batch.iter().zip(is_kept) {
            let outcome = if is_kept { Outcome::Kept } else { Outcome::Refused };
            self.counts.record(arrival.kind, outcome);
        }
    }
}

fn bytes_of(parcel: &Parcel) -> usize {
    parcel.arrivals.iter().map(|arrival| arrival.json.len()).sum()
}

/// Requests that wait; each receiver has fewer under way.
const PARCELS_MAX: usize = 4096;
/// Records and bytes of one commit, but for the last request of it.
const RECORDS_MAX: usize = 20_000;
const BYTES_MAX: usize = 64 << 20;
