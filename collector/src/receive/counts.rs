//! What receivers count, for metrics and the page.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use events::RecordKind;
use serde::{Deserialize, Serialize};

use super::line::Reason;

/// How receiving goes: all receivers, and the store behind them. Counts are since the start.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct ReceiveState {
    /// Receivers that are offered.
    pub receivers: Vec<ReceiverState>,
    /// Records by what they say and what became of them: `event kept`, `minute refused` ...
    pub records: Vec<RecordCount>,
    /// Commits of the store.
    pub commits: u64,
    /// Commits that failed; their records come again.
    pub commits_failed: u64,
    /// Why the last commit failed; absent after one that went well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// Records of one kind with one fate.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RecordCount {
    /// `event`, `minute`, `evidence`.
    pub record: String,
    /// `kept` (committed: new, or known already), `refused`, `test`.
    pub outcome: String,
    /// How many.
    pub count: u64,
}

/// One receiver.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ReceiverState {
    /// `otlp_http`, `otlp_grpc`, `nats`.
    pub name: String,
    /// Where it listens, or the server it asks.
    pub address: String,
    /// Whether it can receive.
    pub is_up: bool,
    /// Requests or messages by what became of them.
    pub requests: BTreeMap<String, u64>,
    /// Records that were refused, by reason.
    pub refused: BTreeMap<String, u64>,
    /// The last thing that went wrong; absent after what went well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// What became of a request: the label of a counter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fate {
    /// Its records are stored.
    Taken,
    /// Too many at a time: told to come again.
    Busy,
    /// The store could not take it: told to come again.
    Unstored,
    /// Without token or certificate.
    Unauthorised,
    /// It could not be read.
    Malformed,
    /// Too long, before or after it was inflated.
    TooLong,
    /// It did not come in time.
    TooSlow,
    /// It asks for what is not done here.
    Unsupported,
}

impl Fate {
    pub(crate) const ALL: [Self; 8] = [
        Self::Taken,
        Self::Busy,
        Self::Unstored,
        Self::Unauthorised,
        Self::Malformed,
        Self::TooLong,
        Self::TooSlow,
        Self::Unsupported,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::Busy => "busy",
            Self::Unstored => "unstored",
            Self::Unauthorised => "unauthorised",
            Self::Malformed => "malformed",
            Self::TooLong => "too_long",
            Self::TooSlow => "too_slow",
            Self::Unsupported => "unsupported",
        }
    }
}

/// Counters of one receiver.
#[derive(Debug)]
pub(crate) struct Counts {
    name: &'static str,
    address: String,
    requests: [AtomicU64; Fate::ALL.len()],
    refused: [AtomicU64; Reason::ALL.len()],
    is_up: Mutex<Result<(), String>>,
    problem: Mutex<Option<String>>,
}

impl Counts {
    pub(crate) fn new(name: &'static str, address: String) -> Self {
        Self {
            name,
            address,
            requests: Default::default(),
            refused: Default::default(),
            is_up: Mutex::new(Ok(())),
            problem: Mutex::default(),
        }
    }

    pub(crate) fn request(&self, fate: Fate) {
        self.requests[fate as usize].fetch_add(1, Ordering::Relaxed);
        if fate == Fate::Taken {
            *self.problem.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }

    pub(crate) fn refused(&self, reason: Reason, count: u64) {
        self.refused[reason as usize].fetch_add(count, Ordering::Relaxed);
    }

    /// Notes what went wrong.
    pub(crate) fn trouble(&self, why: &str) {
        let why = why.chars().take(PROBLEM_CHARS_MAX).collect();
        *self.problem.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
    }

    /// Whether it can receive from now on, or why not.
    pub(crate) fn set_up(&self, is_up: Result<(), String>) {
        *self.is_up.lock().unwrap_or_else(PoisonError::into_inner) = is_up;
    }

    pub(crate) fn state(&self) -> ReceiverState {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let is_up = self.is_up.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let problem = self.problem.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let requests = Fate::ALL.iter().zip(&self.requests);
        let refused = Reason::ALL.iter().zip(&self.refused);
        ReceiverState {
            name: self.name.to_owned(),
            address: self.address.clone(),
            is_up: is_up.is_ok(),
            requests: requests.map(|(fate, count)| (fate.name().to_owned(), load(count))).collect(),
            refused: refused.map(|(why, count)| (why.name().to_owned(), load(count))).collect(),
            problem: is_up.err().or(problem),
        }
    }
}

/// Counters of the store behind all receivers.
#[derive(Debug, Default)]
pub(crate) struct StoreCounts {
    records: [[AtomicU64; OUTCOMES.len()]; RecordKind::ALL.len()],
    pub(crate) commits: AtomicU64,
    pub(crate) commits_failed: AtomicU64,
    problem: Mutex<Option<String>>,
}

/// What became of a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    /// It went to the store: new or repeated.
    Kept,
    /// The store refused it.
    Refused,
    /// It was a test.
    Test,
}

impl StoreCounts {
    pub(crate) fn record(&self, kind: RecordKind, outcome: Outcome) {
        self.records[kind as usize][outcome as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn set_problem(&self, problem: Option<String>) {
        *self.problem.lock().unwrap_or_else(PoisonError::into_inner) = problem;
    }

    pub(crate) fn state(&self, receivers: Vec<ReceiverState>) -> ReceiveState {
        let mut records = Vec::new();
        for (kind, counts) in RecordKind::ALL.iter().zip(&self.records) {
            for (outcome, count) in OUTCOMES.iter().zip(counts) {
                let (record, outcome) = (kind.name().to_owned(), (*outcome).to_owned());
                let count = count.load(Ordering::Relaxed);
                records.push(RecordCount { record, outcome, count });
            }
        }
        ReceiveState {
            receivers,
            records,
            commits: self.commits.load(Ordering::Relaxed),
            commits_failed: self.commits_failed.load(Ordering::Relaxed),
            problem: self.problem.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }
}

const OUTCOMES: [&str; 3] = ["kept", "refused", "test"];
/// What somebody else's words may take of a page.
const PROBLEM_CHARS_MAX: usize = 300;
