//! What is known of late: fed by the exporter, read by the API, in bounded memory.
//!
//! | file | what |
//! |---|---|
//! | `kept.rs` | the last events, whole |
//! | `evidence.rs` | the packets of the last resets |
//! | `counts.rs` | resets by cause, origin and impact |
//! | `servers.rs` | resets by server |
//! | `series.rs` | the last minutes in steps |
//! | `histogram.rs` | spans of time in buckets |
//! | `questions.rs` | what is asked, answered from copies |

mod counts;
mod evidence;
mod histogram;
mod kept;
mod questions;
mod series;
mod servers;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use events::{Event, Evidence, Report, Start, Status};

pub(crate) use counts::Counts;
use evidence::KeptEvidence;
pub(crate) use histogram::{Buckets, Histogram};
use histogram::{IDLE_BOUNDS_S, TIME_TO_RESET_BOUNDS_S};
use kept::{EVENT_BYTES, KeptEvents};
pub(crate) use questions::Facts;
pub use questions::Question;
use series::Series;
use servers::Servers;

use crate::delivery_state::DeliveryState;
use crate::options::Options;
use crate::receive::ReceiveState;

/// Who is asked.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Sensor {
    /// Its name: that of the host, unless it was given another.
    pub name: String,
    /// Version of the program.
    pub version: String,
    /// Interfaces that shall be watched; none for captures.
    pub interfaces: Vec<String>,
}

/// What is known of late: events, counts, servers, seconds, the last status.
///
/// Shared by the thread that feeds it and those that ask. Memory is bounded by [`Options`], see
/// [`Recent::memory_bytes`]. The lock is held for microseconds: to add one event, or to copy what an answer
/// is made of.
#[derive(Debug)]
pub struct Recent {
    sensor: Sensor,
    /// Its name, shared by the events that it saw itself.
    name: Arc<str>,
    /// Names this run.
    run: String,
    servers_kept: usize,
    state: Mutex<State>,
}

/// What changes.
#[derive(Debug)]
struct State {
    start: Start,
    status: Status,
    /// When that status was heard, or when the run began.
    heard: Instant,
    kept: KeptEvents,
    evidence: KeptEvidence,
    counts: Counts,
    servers: Servers,
    series: Series,
    time_to_reset: Histogram,
    idle_before: Histogram,
    delivery: DeliveryState,
    /// Of a collector; a sensor alone receives nothing.
    receive: Option<ReceiveState>,
}

impl Recent {
    /// Of a live run.
    #[must_use]
    pub fn new(options: &Options, sensor: Sensor) -> Self {
        Self::with_series(options, sensor, Series::live())
    }

    /// Of captures: the series follows packet time, however long they are.
    #[must_use]
    pub fn of_captures(options: &Options, sensor: Sensor) -> Self {
        Self::with_series(options, sensor, Series::capture())
    }

    fn with_series(options: &Options, sensor: Sensor, series: Series) -> Self {
        let state = State {
            start: Start::default(),
            status: Status::default(),
            heard: Instant::now(),
            kept: KeptEvents::new(options.events_kept),
            evidence: KeptEvidence::new(options.evidence_bytes),
            counts: Counts::new(),
            servers: Servers::new(options.servers_kept),
            series,
            time_to_reset: Histogram::new(TIME_TO_RESET_BOUNDS_S),
            idle_before: Histogram::new(IDLE_BOUNDS_S),
            delivery: DeliveryState::default(),
            receive: None,
        };
        let servers_kept = options.servers_kept;
        let name = sensor.name.as_str().into();
        Self { sensor, name, run: run_name(), servers_kept, state: Mutex::new(state) }
    }

    /// Bytes that it holds at most.
    #[must_use]
    pub const fn memory_bytes(options: &Options) -> usize {
        options.events_kept * EVENT_BYTES
            + options.evidence_bytes
            + Servers::memory_bytes(options.servers_kept)
    }

    /// Told once, before the first packet.
    pub fn start(&self, start: &Start) {
        let start = start.clone();
        let mut state = self.state();
        state.start = start;
        state.heard = Instant::now();
    }

    /// Told for every reset, and again for one that logs have more to say of, which counts once.
    pub fn event(&self, event: &Event) {
        self.keep(Arc::clone(&self.name), event);
    }

    /// The same of an event that another sensor saw.
    pub fn event_of(&self, sensor: &str, event: &Event) {
        self.keep(sensor.into(), event);
    }

    fn keep(&self, sensor: Arc<str>, event: &Event) {
        let copy = Arc::new(event.clone());
        let mut state = self.state();
        if event.counts() && event.revision == 0 {
            let verdict = &event.verdict;
            let impact = verdict.impact;
            state.counts.add(verdict.cause, verdict.origin, impact);
            state.servers.add(event);
            state.series.reset(event.ts, impact);
            if let Some(age_s) = event.age_s {
                state.time_to_reset.add(impact, age_s);
            }
            if let Some(idle_s) = event.idle_before_s {
                state.idle_before.add(impact, idle_s);
            }
        }
        let gone = state.kept.push(sensor, copy);
        drop(state);
        // Freed without the lock: an event is some twenty allocations.
        drop(gone);
    }

    /// Told the packets of an event, right after it.
    pub fn evidence(&self, evidence: Evidence) {
        let evidence = Arc::new(evidence);
        self.state().evidence.push(evidence);
    }

    /// The packets of an event, if they are still kept.
    #[must_use]
    pub fn evidence_of(&self, id: &str) -> Option<Arc<Evidence>> {
        self.state().evidence.of_event(id)
    }

    /// Told about once a second.
    pub fn status(&self, status: &Status) {
        let status = status.clone();
        let mut state = self.state();
        let before = &state.status;
        let packets = status.packets.saturating_sub(before.packets);
        let bytes = status.bytes.saturating_sub(before.bytes);
        let lost = lost_packets(&status.losses).saturating_sub(lost_packets(&before.losses));
        state.series.end_second(packets, bytes, lost);
        state.status = status;
        state.heard = Instant::now();
    }

    /// Told at the end of captures, which have no status of their own at the end.
    pub fn finish(&self, report: &Report) {
        let mut state = self.state();
        state.status = Status {
            uptime_s: report.span_s(),
            packets: report.packets,
            bytes: report.bytes,
            connections: report.connections,
            resets: report.resets.primary,
            skips: report.skips.clone(),
            losses: report.losses.clone(),
            ..std::mem::take(&mut state.status)
        };
    }

    /// Told by whoever delivers, whenever it changes.
    pub fn delivery(&self, delivery: DeliveryState) {
        self.state().delivery = delivery;
    }

    /// Told by whoever receives records of sensors, about once a second.
    pub fn receive(&self, receive: ReceiveState) {
        self.state().receive = Some(receive);
    }

    /// Nothing that is done under the lock can leave it half done, so a panic elsewhere is no reason to stop.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All losses together, but none twice: a packet for which the fill ring was empty is counted as dropped too
/// by the kernel's copy mode.
pub(crate) fn lost_packets(losses: &BTreeMap<String, u64>) -> u64 {
    let of = |name: &str| losses.get(name).copied().unwrap_or(0);
    let sum: u64 = losses.values().sum();
    sum - of(FILL_RING_EMPTY).min(of(RECEIVE_DROPPED))
}

/// A name that no other run bears: `RandomState` draws its keys from the operating system.
fn run_name() -> String {
    use std::hash::{BuildHasher as _, RandomState};
    format!("{:016x}", RandomState::new().hash_one(std::process::id()))
}

const FILL_RING_EMPTY: &str = "kernel_fill_ring_empty";
const RECEIVE_DROPPED: &str = "kernel_receive_dropped";

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{FILL_RING_EMPTY, RECEIVE_DROPPED, lost_packets};

    #[test]
    fn no_packet_is_lost_twice() {
        let losses = |pairs: &[(&str, u64)]| {
            let owned = pairs.iter().map(|(name, count)| ((*name).to_owned(), *count));
            lost_packets(&owned.collect::<BTreeMap<_, _>>())
        };
        assert_eq!(losses(&[(FILL_RING_EMPTY, 7), (RECEIVE_DROPPED, 9), ("names_lost", 1)]), 10);
        assert_eq!(losses(&[(FILL_RING_EMPTY, 7)]), 7, "zero copy counts it there only");
        assert_eq!(losses(&[]), 0);
    }
}
